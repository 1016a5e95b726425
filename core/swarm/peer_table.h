#pragma once

// PeerTable: the links of one client, each with its Peer, and the messages that go out at the end of a step.
// Invariants: a link is in the table once; a peer that was removed stays valid until EndStep, because callers
// up the stack still look at it; Timer::kPeers is armed no later than the earliest deadline of any peer. For
// the client's engine and its parts.

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/slot_map.h"
#include "core/machine/machine.h"
#include "core/swarm/peer.h"
#include "core/swarm/protocol.h"

namespace bt::swarm {

class PeerTable {
 public:
  explicit PeerTable(const Timing& timing) : timing_(timing) {}

  Peer* Find(LinkId link);
  // Of a peer that is in the table.
  Peer& At(Picker::PeerSlot slot) { return *peers_[slot]; }
  // `pieces`: of the content.
  Peer& Add(LinkId link, const Address& address, uint32_t pieces, Instant now);
  // Takes the peer off the table. The link itself is the caller's business.
  void Remove(Peer& peer);
  // Both handshakes are through.
  void SetReady(Peer& peer, Instant now);

  // Calls `act` with each peer. It may add and remove peers; one that is added meanwhile may be left out.
  template <class Act>
  void Each(Act&& act) {
    for (Picker::PeerSlot slot = 0; slot < peers_.end(); ++slot) {
      if (Peer* peer = peers_[slot].get()) act(*peer);
    }
  }
  template <class Act>
  void EachReady(Act&& act) {
    Each([&](Peer& peer) {
      if (peer.state == Peer::State::kReady) act(peer);
    });
  }

  template <class Act>
  void EachReady(Act&& act) const {
    for (Picker::PeerSlot slot = 0; slot < peers_.end(); ++slot) {
      const Peer* peer = peers_[slot].get();
      if (peer != nullptr && peer->state == Peer::State::kReady) act(*peer);
    }
  }

  // Whether a ready peer listens there. An inbound peer's word for its port is enough: under its own IP
  // address it can keep us from nobody but its neighbours.
  bool ConnectedTo(const Address& address) const;

  // Appends to what the peer is sent at the end of this step.
  void Queue(Peer& peer, const wire::Message& message);
  void QueueHandshake(Peer& peer, const wire::Handshake& handshake);
  // Sends what is queued now: a block that follows must not overtake it.
  void Flush(Peer& peer, Context<Protocol>& context);
  // Flushes everything and lets removed peers go. The peers that have let more than kLinkQueueHardLimit pile
  // up.
  std::vector<Peer*> EndStep(Context<Protocol>& context);

  // After anything that may have moved the peer's deadline to an earlier time.
  void Touch(const Peer& peer, Context<Protocol>& context);
  // Who owes blocks for longer than Timing::snub_after and this is snubbed: while all that is asked for takes
  // longer, nobody is late.
  void SetPatience(Duration patience) { patience_ = std::min(patience, kPatienceMax); }
  Instant SnubDeadline(const Peer& peer) const {
    if (peer.requests.empty()) return Instant::Never();
    return peer.waiting_since + std::max(timing_.snub_after, patience_);
  }
  // The engine looks after all peers at that time or earlier (Timer::kPeers).
  void WakeAt(Instant deadline, Context<Protocol>& context);
  // Timer::kPeers has fired: Touch arms it anew from every peer that is left.
  void ForgetDeadline() { deadline_ = Instant::Never(); }

  uint32_t links() const { return static_cast<uint32_t>(slot_of_.size()); }
  uint32_t dialled() const { return dialled_; }
  uint32_t ready() const { return ready_; }

 private:
  Instant Deadline(const Peer& peer) const;

  static constexpr Duration kPatienceMax = Seconds(120);

  Timing timing_;
  Duration patience_{};
  // At most kPeerLimit.
  SlotMap<std::unique_ptr<Peer>> peers_;                   // by slot; nullptr in one that is free
  std::vector<std::unique_ptr<Peer>> departed_;            // in this step; at most kPeerLimit
  absl::flat_hash_map<LinkId, Picker::PeerSlot> slot_of_;  // look-up only; one for each of peers_
  // One for each of peers_.
  std::vector<Picker::PeerSlot> unflushed_;  // peers with messages of this step
  uint32_t dialled_ = 0;                     // links we opened
  uint32_t ready_ = 0;
  Instant deadline_ = Instant::Never();
};

}  // namespace bt::swarm
