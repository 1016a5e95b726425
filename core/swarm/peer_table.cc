#include "core/swarm/peer_table.h"

#include <algorithm>
#include <utility>

namespace bt::swarm {

Peer* PeerTable::Find(LinkId link) {
  const auto found = slot_of_.find(link);
  return found == slot_of_.end() ? nullptr : peers_[found->second].get();
}

Peer& PeerTable::Add(LinkId link, const Address& address, uint32_t pieces, Instant now) {
  const Picker::PeerSlot slot = peers_.Take();
  auto peer = std::make_unique<Peer>();
  peer->slot = slot;
  peer->link = link;
  peer->address = peer->listens = address;
  if (peer->inbound()) peer->listens.port = 0;
  peer->since = peer->last_received = peer->last_sent = peer->rate.since = now;
  peer->pieces = PieceMap(pieces);
  slot_of_[link] = slot;
  if (!peer->inbound()) ++dialled_;
  peers_[slot] = std::move(peer);
  return *peers_[slot];
}

void PeerTable::Remove(Peer& peer) {
  if (peer.state == Peer::State::kReady) --ready_;
  peer.state = Peer::State::kGone;
  if (!peer.inbound()) --dialled_;
  slot_of_.erase(peer.link);
  departed_.push_back(std::move(peers_[peer.slot]));
  peers_.GiveBack(peer.slot);
}

void PeerTable::SetReady(Peer& peer, Instant now) {
  peer.state = Peer::State::kReady;
  peer.since = now;
  ++ready_;
}

bool PeerTable::ConnectedTo(const Address& address) const {
  bool connected = false;
  EachReady([&](const Peer& peer) { connected |= peer.listens == address; });
  return connected;
}

// --- messages ---

void PeerTable::Queue(Peer& peer, const wire::Message& message) {
  if (peer.outgoing.empty()) unflushed_.push_back(peer.slot);
  wire::Append(message, peer.outgoing);
}

void PeerTable::QueueHandshake(Peer& peer, const wire::Handshake& handshake) {
  if (peer.outgoing.empty()) unflushed_.push_back(peer.slot);
  peer.outgoing.append(wire::EncodeHandshake(handshake));
}

void PeerTable::Flush(Peer& peer, Context<Protocol>& context) {
  if (peer.outgoing.empty()) return;
  peer.queued_total += peer.outgoing.size();
  peer.last_sent = context.now;
  context.out.Link(LinkSendBytes{peer.link, Slice::Own(std::move(peer.outgoing))});
  peer.outgoing.clear();
}

std::vector<Peer*> PeerTable::EndStep(Context<Protocol>& context) {
  std::vector<Peer*> overfull;
  for (const Picker::PeerSlot slot : unflushed_) {
    Peer* peer = peers_[slot].get();
    if (peer == nullptr) continue;
    Flush(*peer, context);
    if (peer->queued_total - peer->sent_total > kLinkQueueHardLimit) overfull.push_back(peer);
  }
  unflushed_.clear();
  departed_.clear();
  return overfull;
}

// --- deadlines ---

Instant PeerTable::Deadline(const Peer& peer) const {
  if (peer.state != Peer::State::kReady) return peer.since + timing_.connect_timeout;
  Instant deadline =
      std::min(peer.last_sent + timing_.keepalive_after, peer.last_received + timing_.idle_limit);
  deadline = std::min(deadline, SnubDeadline(peer));
  deadline = std::min(deadline, peer.exchange.next);
  if (peer.ask_from != Instant{}) deadline = std::min(deadline, peer.ask_from);
  deadline = std::min(deadline, peer.refused.until);
  return std::min(deadline, peer.LeadDeadline());
}

// The timer is only ever moved earlier here; firing works out the next deadline exactly.
void PeerTable::Touch(const Peer& peer, Context<Protocol>& context) { WakeAt(Deadline(peer), context); }

void PeerTable::WakeAt(Instant deadline, Context<Protocol>& context) {
  if (deadline >= deadline_) return;
  deadline_ = deadline;
  context.out.Arm(Protocol::Timer::kPeers, deadline);
}

}  // namespace bt::swarm
