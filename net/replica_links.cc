#include "net/replica_links.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "core/base/check.h"
#include "net/frame_reader.h"
#include "net/socket.h"

namespace bt::net {
namespace {

// Frames given to a connection can no longer make room for newer ones, so it gets no more than keeps the
// socket busy.
constexpr size_t kHandedOverMax = 1 << 20;

ReplicaLinksOptions Accepting(ReplicaLinksOptions options) {
  if (options.tls != nullptr) {
    options.connection.make_filter = [tls = options.tls](FilterSide, const Address&) {
      return tls->Accept();
    };
  }
  return options;
}

}  // namespace

struct ReplicaLinks::Outgoing {
  NodeId id;
  HostAndPort name;
  Duration back_off;
  std::unique_ptr<Timer> next_attempt;
  std::unique_ptr<Lookup> lookup;  // while the name is being resolved
  bool unresolved_told = false;    // the operator knows that the name has no address
  std::deque<Address> untried;     // addresses left of this attempt
  bool in_clear = false;           // how the next connection, or this one, is tried
  ConnectionOptions connection_options;
  std::unique_ptr<Connection> connection;  // none while the next attempt or its addresses are waited for
  FrameReader reader;
  std::optional<ReplicaHandshake> handshake;
  bool greeted = false;     // the handshake is over: it is who we meant, and frames may go
  bool encrypted = false;   // of one that is up
  std::deque<Slice> queue;  // bodies, not yet given to the connection
  size_t queued_bytes = 0;
  size_t handed_over = 0;  // frames given to the connection since it was last flushed
  bool dirty = false;
};

struct ReplicaLinks::Incoming {
  std::unique_ptr<Connection> connection;
  FrameReader reader;
  ReplicaHandshake handshake;
  std::optional<NodeId> from;  // once the handshake is over
  bool guest = false;          // it is over, and who dialled is no member
};

ReplicaLinks::ReplicaLinks(Loop& loop, ReplicaLinksOptions options, uint64_t seed)
    : loop_(loop), options_(Accepting(std::move(options))), rng_(seed), flush_(loop, [this] { Flush(); }) {
  for (const auto& [id, name] : options_.peers) Add(id, name);
}

void ReplicaLinks::Add(NodeId id, const HostAndPort& name) {
  CHECK(id != options_.identity.self);
  auto peer = std::make_unique<Outgoing>();
  peer->id = id;
  peer->name = name;
  peer->back_off = options_.back_off_min;
  peer->connection_options = options_.connection;
  if (options_.tls != nullptr) {
    peer->connection_options.make_filter = [this, &peer = *peer](FilterSide, const Address&) {
      return options_.tls->Dial(peer.in_clear);
    };
  }
  outgoing_.emplace(id, std::move(peer));
}

void ReplicaLinks::SetPeers(const absl::btree_map<NodeId, HostAndPort>& peers) {
  CHECK(deliver_ != nullptr);
  absl::erase_if(outgoing_, [&](const auto& entry) {
    const auto& [id, peer] = entry;
    const auto wanted = peers.find(id);
    return wanted == peers.end() || !(wanted->second == peer->name);
  });
  for (const auto& [id, name] : peers) {
    if (outgoing_.contains(id)) continue;
    Add(id, name);
    Begin(*outgoing_.at(id));
  }
}

void ReplicaLinks::Begin(Outgoing& peer) {
  peer.next_attempt = std::make_unique<Timer>(loop_, [this, &peer] { Attempt(peer); });
  Attempt(peer);
}

ReplicaLinks::~ReplicaLinks() = default;

absl::StatusOr<Address> ReplicaLinks::Listen(const Address& address) {
  CHECK(!acceptor_.has_value());
  absl::StatusOr<Listener> listener = net::Listen(address);
  if (!listener.ok()) return listener.status();
  acceptor_.emplace(loop_, *std::move(listener),
                    [this](Fd fd, const Address& peer) { Take(std::move(fd), peer); });
  return acceptor_->address();
}

void ReplicaLinks::Connect(Deliver deliver, Closed closed) {
  CHECK(deliver_ == nullptr);
  deliver_ = std::move(deliver);
  closed_ = std::move(closed);
  for (auto& [id, peer] : outgoing_) Begin(*peer);
}

bool ReplicaLinks::connected(NodeId peer) const {
  const auto found = outgoing_.find(peer);
  return found != outgoing_.end() && found->second->greeted;
}

bool ReplicaLinks::encrypted(NodeId peer) const { return connected(peer) && outgoing_.at(peer)->encrypted; }

// Anyone can make refusals happen as often as he likes, so they are counted one by one and told of rarely.
void ReplicaLinks::Refuse(uint64_t& counter, const Address& address, std::string_view why) {
  ++counter;
  ++refused_;
  if (loop_.now() < next_note_) return;
  next_note_ = loop_.now() + options_.note_pause;
  options_.note(absl::StrCat("node ", options_.identity.self.value(), " refuses a replica link with ",
                             address.ToString(), ": ", std::string(why), " (", std::exchange(refused_, 0),
                             " refused since this was last said)"));
}

// What a word of the handshake comes to, for either side.
bool ReplicaLinks::MayStay(ReplicaHandshake::Outcome outcome, const ReplicaHandshake& handshake,
                           const Address& address) {
  switch (outcome) {
    case ReplicaHandshake::Outcome::kMore:
    case ReplicaHandshake::Outcome::kDone: {
      const bool proven = outcome == ReplicaHandshake::Outcome::kDone;
      if (options_.admit(handshake.peer(), handshake.peer_incarnation(), proven)) return true;
      return Refuse(counters_.reborn, address,
                    "that node was initialised anew and has forgotten what it acknowledged; stop it, and go "
                    "on without it or with its old data"),
             false;
    }
    case ReplicaHandshake::Outcome::kMalformed:
      return Refuse(counters_.malformed, address, "what it says is no handshake of this version"), false;
    case ReplicaHandshake::Outcome::kForeign:
      return Refuse(counters_.foreign, address,
                    "it is of another cluster, of other members, or another node than meant; compare the "
                    "--node flags, and the cluster that init printed on each node"),
             false;
    case ReplicaHandshake::Outcome::kOtherVersion:
      return Refuse(counters_.foreign, address, handshake.difference()), false;
    case ReplicaHandshake::Outcome::kUnproven:
      return Refuse(counters_.unproven, address, "it cannot prove the cluster's secret"), false;
  }
  return false;
}

// What the peer's certificate says decides before anything that the peer says. A node that is spoken with in
// TLS does not come in clear: who does is another, who has made the two fail to agree on TLS.
bool ReplicaLinks::ShownAs(NodeId node, const Connection& connection) {
  if (options_.tls == nullptr) return true;
  if (!options_.tls->MayBe(node, connection)) {
    return Refuse(
               counters_.untrusted, connection.peer(),
               absl::StrCat("it says that it is node ", node.value(), ", and its certificate is another's")),
           false;
  }
  if (!connection.binding().empty() || !encrypted(node)) return true;
  return Refuse(counters_.untrusted, connection.peer(),
                absl::StrCat("it comes in clear as node ", node.value(), ", which speaks TLS")),
         false;
}

// --- outgoing ---

void ReplicaLinks::Attempt(Outgoing& peer) {
  if (const auto address = Address::Parse(peer.name.ToString())) return OnFound(peer, std::vector{*address});
  peer.lookup = std::make_unique<Lookup>(loop_, peer.name, options_.resolve,
                                         [this, &peer](absl::StatusOr<std::vector<Address>> found) {
                                           peer.lookup.reset();
                                           OnFound(peer, std::move(found));
                                         });
}

void ReplicaLinks::OnFound(Outgoing& peer, absl::StatusOr<std::vector<Address>> found) {
  if (found.ok() && !found->empty()) {
    peer.unresolved_told = false;
    peer.untried.assign(found->begin(), found->end());
    return Dial(peer);
  }
  ++counters_.unresolved;
  if (!std::exchange(peer.unresolved_told, true)) {
    options_.note(absl::StrCat("node ", options_.identity.self.value(), " does not find node ",
                               peer.id.value(), " at ", peer.name.ToString(), ": ",
                               std::string(found.status().message()), "; it looks again until it does"));
  }
  RestBeforeNextAttempt(peer);
}

// At the next address of this attempt.
void ReplicaLinks::Dial(Outgoing& peer) {
  ++counters_.connects;
  const Address address = peer.untried.front();
  peer.untried.pop_front();
  peer.reader = FrameReader();
  peer.handshake.emplace(options_.identity, ReplicaHandshake::FreshNonce(), peer.id);
  peer.connection =
      std::make_unique<Connection>(loop_, peer.connection_options, counters_, address,
                                   [this, &peer](ConnectionEvent event) { OnOutgoing(peer, event); });
}

void ReplicaLinks::OnOutgoing(Outgoing& peer, ConnectionEvent event) {
  switch (event) {
    case ConnectionEvent::kUp:
      if (!ShownAs(peer.id, *peer.connection)) return Lose(peer);
      peer.encrypted = !peer.connection->binding().empty();
      peer.handshake->Bind(peer.connection->binding());
      peer.connection->SetDeadline(loop_.now() + options_.hello_timeout);
      return WriteFrame(*peer.connection, Slice::Own(peer.handshake->Open()));
    case ConnectionEvent::kReadable:
      return OnAnswer(peer);
    case ConnectionEvent::kFlushed:
      peer.handed_over = 0;
      if (peer.greeted) HandOver(peer);
      return;
    case ConnectionEvent::kDown:
      if (peer.connection->refused()) {
        Refuse(counters_.untrusted, peer.connection->peer(), peer.connection->why());
      }
      return Lose(peer);
  }
}

// The peer says its part of the handshake on this connection; then only its end.
void ReplicaLinks::OnAnswer(Outgoing& peer) {
  if (peer.reader.Receive(*peer.connection, kHelloBytesMax) == FrameReader::Progress::kClosed) {
    return Lose(peer);
  }
  const FrameReader::Next next = peer.reader.Pop(kHelloBytesMax);
  if (next.kind == FrameReader::Kind::kNone) return;
  if (next.kind == FrameReader::Kind::kBad || peer.greeted) {
    Refuse(counters_.malformed, peer.connection->peer(), "what it answers is no handshake of this version");
    return Lose(peer);
  }
  ReplicaHandshake::Step step = peer.handshake->Receive(next.body);
  if (!MayStay(step.outcome, *peer.handshake, peer.connection->peer())) return Lose(peer);
  WriteFrame(*peer.connection, Slice::Own(std::move(step.answer)));
  peer.greeted = true;
  options_.linked(peer.id, peer.connection->peer(), true);
  peer.back_off = options_.back_off_min;
  peer.connection->SetDeadline(Instant::Never());
  HandOver(peer);
}

// Closes what there is of the connection. What failed is tried at the next address at once, and then later.
void ReplicaLinks::Lose(Outgoing& peer) {
  const bool failed = !std::exchange(peer.greeted, false);
  if (failed) ++counters_.connect_failures;
  if (!failed) options_.linked(peer.id, peer.connection->peer(), false);
  peer.in_clear = options_.tls != nullptr && !ComesInTls(peer.id) &&
                  options_.tls->InClearAfter(peer.in_clear, *peer.connection);
  if (peer.in_clear) peer.untried.push_front(peer.connection->peer());  // the same one, before the others
  peer.connection.reset();
  counters_.dropped_unconnected += peer.queue.size() + std::exchange(peer.handed_over, 0);
  peer.queue.clear();
  peer.queued_bytes = 0;
  if (failed && !peer.untried.empty()) return Dial(peer);
  RestBeforeNextAttempt(peer);
}

void ReplicaLinks::RestBeforeNextAttempt(Outgoing& peer) {
  // Half of the back-off is fixed, half random: nodes that lost each other together do not return together.
  const Duration half = peer.back_off / 2;
  peer.next_attempt->Arm(loop_.now() + half + rng_.Between(Duration{0}, half));
  peer.back_off = std::min(peer.back_off * 2, options_.back_off_max);
}

void ReplicaLinks::Send(NodeId to, Slice body) {
  CHECK_MSG(body.size() <= kFrameBytesMax, "a frame of " + std::to_string(body.size()) + " bytes");
  const auto found = outgoing_.find(to);
  if (found == outgoing_.end() || found->second->connection == nullptr) {
    ++counters_.dropped_unconnected;
    return;
  }
  Outgoing& peer = *found->second;
  peer.queued_bytes += kFrameHeaderBytes + body.size();
  peer.queue.push_back(std::move(body));
  // The oldest go first: newer ones tell more.
  while (peer.queue.size() > 1 &&
         (peer.queued_bytes > options_.queued_bytes_max || peer.queue.size() > options_.queued_frames_max)) {
    peer.queued_bytes -= kFrameHeaderBytes + peer.queue.front().size();
    peer.queue.pop_front();
    ++counters_.dropped_overflow;
  }
  most_queued_bytes_.Note(peer.queued_bytes);
  peer.dirty = true;
  flush_.Schedule();
}

size_t ReplicaLinks::queued_bytes() const {
  size_t most = 0;
  for (const auto& [id, peer] : outgoing_) most = std::max(most, peer->queued_bytes);
  return most;
}

void ReplicaLinks::Flush() {
  for (auto& [id, peer] : outgoing_) {
    if (std::exchange(peer->dirty, false) && peer->greeted) HandOver(*peer);
  }
}

void ReplicaLinks::HandOver(Outgoing& peer) {
  while (!peer.queue.empty() && peer.connection->queued_bytes() < kHandedOverMax) {
    peer.queued_bytes -= kFrameHeaderBytes + peer.queue.front().size();
    WriteFrame(*peer.connection, std::move(peer.queue.front()));
    peer.queue.pop_front();
    ++peer.handed_over;
    ++counters_.sent_frames;
  }
}

// --- incoming ---

void ReplicaLinks::Take(Fd fd, const Address& address) {
  if (incoming_.size() >= options_.inbound_max) {
    // Strangers must not keep a peer out: the longest silent one makes room.
    ++counters_.turned_away;
    const auto silent = std::find_if(incoming_.begin(), incoming_.end(),
                                     [](const auto& entry) { return !entry.second->from.has_value(); });
    if (silent == incoming_.end()) return;
    incoming_.erase(silent);
  }
  const uint64_t id = ++incoming_count_;
  auto incoming =
      std::make_unique<Incoming>(Incoming{.connection = nullptr,
                                          .reader = {},
                                          .handshake = {options_.identity, ReplicaHandshake::FreshNonce()},
                                          .from = std::nullopt,
                                          .guest = false});
  incoming->connection = std::make_unique<Connection>(
      loop_, options_.connection, counters_, address, Accepted{std::move(fd), nullptr},
      [this, id](ConnectionEvent event) { OnIncoming(id, event); });
  incoming->connection->SetDeadline(loop_.now() + options_.hello_timeout);
  incoming_.emplace(id, std::move(incoming));
  most_inbound_.Note(incoming_.size());
}

void ReplicaLinks::Drop(uint64_t id) {
  const auto found = incoming_.find(id);
  const std::optional<NodeId> from = found->second->from;
  incoming_.erase(found);
  if (from && closed_ != nullptr) closed_(*from);
}

void ReplicaLinks::OnIncoming(uint64_t id, ConnectionEvent event) {
  if (event == ConnectionEvent::kReadable) OnReadable(id);
  if (event != ConnectionEvent::kDown) return;
  const Connection& connection = *incoming_.at(id)->connection;
  if (connection.refused()) Refuse(counters_.untrusted, connection.peer(), connection.why());
  Drop(id);
}

void ReplicaLinks::OnReadable(uint64_t id) {
  Incoming& incoming = *incoming_.at(id);
  const size_t budget = incoming.from ? options_.read_bytes_per_wake : kHelloBytesMax;
  const FrameReader::Progress progress = incoming.reader.Receive(*incoming.connection, budget);
  while (true) {
    FrameReader::Next next = incoming.reader.Pop(incoming.from ? kFrameBytesMax : kHelloBytesMax);
    if (next.kind == FrameReader::Kind::kNone) break;
    if (next.kind == FrameReader::Kind::kBad) {
      Refuse(counters_.malformed, incoming.connection->peer(), "what it sends are no frames");
      return Drop(id);
    }
    if (incoming.guest) {
      WriteFrame(*incoming.connection, options_.guest(next.body));
      continue;
    }
    if (!incoming.from) {
      if (!Greet(incoming, next.body)) return Drop(id);
      continue;
    }
    ++counters_.received_frames;
    if (deliver_ == nullptr || deliver_(*incoming.from, std::move(next.body))) continue;
    Refuse(counters_.malformed, incoming.connection->peer(), "it sent what is no message of this version");
    return Drop(id);
  }
  if (progress == FrameReader::Progress::kClosed) Drop(id);
}

// One word of the handshake; says whether the connection may stay.
bool ReplicaLinks::Greet(Incoming& incoming, const Slice& body) {
  using Outcome = ReplicaHandshake::Outcome;
  const Address& address = incoming.connection->peer();
  incoming.handshake.Bind(incoming.connection->binding());
  ReplicaHandshake::Step step = incoming.handshake.Receive(body);
  const bool claimed = step.outcome == Outcome::kMore || step.outcome == Outcome::kDone;
  if (claimed && !ShownAs(incoming.handshake.peer(), *incoming.connection)) return false;
  if (claimed && incoming.handshake.peer() == kGuest && options_.guest != nullptr) {
    if (!step.answer.empty()) WriteFrame(*incoming.connection, Slice::Own(std::move(step.answer)));
    incoming.guest = step.outcome == Outcome::kDone;
    return true;
  }
  if (claimed && !outgoing_.contains(incoming.handshake.peer())) step.outcome = Outcome::kForeign;
  if (!MayStay(step.outcome, incoming.handshake, address)) return false;
  // Asked at the first word already, so that a node whose id is in use knows that it is not connected, and
  // comes back later and later.
  if (!IdIsFree(incoming.handshake.peer())) {
    return Refuse(counters_.in_use, address, "the node it says it is has a living link"), false;
  }
  if (!step.answer.empty()) WriteFrame(*incoming.connection, Slice::Own(std::move(step.answer)));
  if (step.outcome == Outcome::kMore) return true;
  absl::erase_if(incoming_,
                 [&](const auto& entry) { return entry.second->from == incoming.handshake.peer(); });
  incoming.from = incoming.handshake.peer();
  incoming.connection->SetDeadline(Instant::Never());
  // It was tried in clear because it broke off in the middle of TLS, as a node does that is being stopped.
  Outgoing& back = *outgoing_.at(*incoming.from);
  if (ComesInTls(back.id) && back.in_clear && back.connection != nullptr) Lose(back);
  return true;
}

bool ReplicaLinks::ComesInTls(NodeId node) const {
  return std::any_of(incoming_.begin(), incoming_.end(), [&](const auto& entry) {
    return entry.second->from == node && !entry.second->connection->binding().empty();
  });
}

// A node has one connection to us. A second one comes from the same node when it was started anew or gave up
// the first, from another process that was given the same id, or from a stranger that claims to be it. The
// first decides: while its peer's kernel is heard from, the node has not given it up, for a process that
// ends, however it does, closes its connections. A connection that was cut silently is not heard from, so the
// node comes back after `silence`; only one that has proven itself then takes the place.
bool ReplicaLinks::IdIsFree(NodeId node) {
  return std::none_of(incoming_.begin(), incoming_.end(), [&](const auto& entry) {
    return entry.second->from == node && entry.second->connection->HeardFrom(options_.silence);
  });
}

}  // namespace bt::net
