#include "nodes/client/udp_trackers.h"

#include <string>
#include <utility>
#include <variant>

#include "core/base/overloaded.h"
#include "core/swarm/peer_id.h"
#include "net/host.h"
#include "nodes/shared/text.h"

namespace bt::nodes {

namespace api = tracker_api;

namespace {

bool IsLookup(const api::Request& request) {
  return std::holds_alternative<api::Lookup>(request) || std::holds_alternative<api::Announce>(request);
}

}  // namespace

UdpTrackers::UdpTrackers(net::Loop& loop, Announced announced, Deliver deliver)
    : loop_(loop),
      announced_(std::move(announced)),
      deliver_(std::move(deliver)),
      rng_(net::SystemSeed()),
      client_{.peer_id = swarm::DrawPeerId(rng_), .key = static_cast<uint32_t>(rng_.Next())},
      timer_(loop, [this] { PollAll(); }),
      later_(loop) {}

void UdpTrackers::Add(NodeId id, const Address& address) {
  trackers_.emplace(id, Tracker{address, UdpAnnouncer(address.is_v4(), client_), {}, {}});
}

// nullopt: nothing that can be asked over UDP, or not yet.
std::optional<api::Announce> UdpTrackers::AnnounceOf(const api::Request& request) const {
  std::optional<InfoHash> info_hash;
  api::Announce announce;
  announce.left = announced_.left();
  std::visit(Overloaded{
                 [&](const api::Offer& offer) { info_hash = announced_.info_hash(offer.torrent); },
                 [&](const api::Withdraw& withdraw) {
                   info_hash = announced_.info_hash(withdraw.torrent);
                   if (withdraw.pieces.empty()) announce.event = api::AnnounceEvent::kStopped;
                 },
                 [&](const api::Lookup& lookup) { info_hash = announced_.info_hash(lookup.torrent); },
                 [&](const api::Announce& asked) {
                   info_hash = asked.info_hash;
                   announce.left = asked.left;
                 },
                 [](const auto&) {},
             },
             request);
  if (!info_hash) return std::nullopt;
  announce.info_hash = *info_hash;
  announce.peer = announced_.listen();
  return announce;
}

void UdpTrackers::Send(NodeId to, const api::Ask& ask) {
  Tracker& tracker = trackers_.at(to);
  const std::optional<api::Announce> announce = AnnounceOf(ask.request);
  if (!announce) {
    return later_.Tell([this, to, id = ask.id] {
      deliver_(to, api::Unreachable{id, "over UDP a tracker takes announces alone, and gives no torrent"});
    });
  }
  if (const auto answer = tracker.announcer.Ask(*announce, loop_.now())) {
    return later_.Tell([this, to, ask, answer = *answer] { Reply(to, ask, answer); });
  }
  (IsLookup(ask.request) ? tracker.lookup : tracker.claim) = ask;
  Poll(tracker);
}

void UdpTrackers::Reply(NodeId from, const api::Ask& ask, const UdpAnnouncer::Answer& answer) {
  if (!answer.ok()) return deliver_(from, api::Unreachable{ask.id, Printable(Message(answer.status()))});
  api::Response response;
  if (IsLookup(ask.request)) response.body = *answer;
  deliver_(from, api::Answer{ask.id, std::move(response)});
}

void UdpTrackers::Settle(NodeId from, Tracker& tracker, const UdpAnnouncer::Answer& answer) {
  for (Waiting* waiting : {&tracker.claim, &tracker.lookup}) {
    if (const Waiting ask = std::exchange(*waiting, std::nullopt)) Reply(from, *ask, answer);
  }
}

// What comes from elsewhere says nothing about any tracker, whatever its bytes.
void UdpTrackers::OnDatagram(const Address& from, std::string_view bytes) {
  for (auto& [id, tracker] : trackers_) {
    if (tracker.address != from) continue;
    const auto answer = tracker.announcer.Receive(bytes, loop_.now());
    Poll(tracker);
    if (answer) Settle(id, tracker, *answer);
    return;
  }
}

void UdpTrackers::Poll(Tracker& tracker) {
  while (const auto datagram = tracker.announcer.Poll(loop_.now(), rng_)) {
    net::DatagramSocket* socket = SocketFor(tracker.address);
    if (socket != nullptr) socket->Send(net::DatagramRoute{.peer = tracker.address}, *datagram);
  }
  if (tracker.announcer.deadline() < timer_.deadline()) timer_.Arm(tracker.announcer.deadline());
}

void UdpTrackers::PollAll() {
  for (auto& [id, tracker] : trackers_) Poll(tracker);
}

// One for each family, at a port that nobody can guess. nullptr: this machine does not have the family, and
// its trackers are as silent as others that cannot be reached.
net::DatagramSocket* UdpTrackers::SocketFor(const Address& tracker) {
  std::optional<net::DatagramSocket>& socket = tracker.is_v4() ? v4_ : v6_;
  if (!socket) {
    auto bound = net::BindDatagrams(tracker.is_v4() ? Address::V4(0, 0, 0, 0, 0) : Address{});
    if (!bound.ok()) return nullptr;
    socket.emplace(loop_, *std::move(bound), [this](const net::DatagramRoute& from, std::string_view bytes) {
      OnDatagram(from.peer, bytes);
    });
  }
  return &*socket;
}

}  // namespace bt::nodes
