#pragma once

// AgreementJudge: what must hold of the replicated log whatever happens. One value per slot, hash chains
// equal at equal slots, one value per (ballot, slot), no ballot used for two elections, nothing seen of a
// replica ever going back: not its promise, not the chosen prefix within a life. It hears the replicas'
// notes and what leaves their hosts; with the first contradiction it fails the world.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/paxos/protocol.h"
#include "sim/world.h"

namespace bt::sim {

class AgreementJudge {
 public:
  explicit AgreementJudge(World& world) : world_(world) {}

  // The node begins a new life: what it knows as chosen is told again.
  void OnStart(NodeId node) { next_[node] = Slot(1); }
  void OnNote(NodeId node, const paxos::Note& note);
  // A Promise or Accepted for `ballot` leaves the node: durable, and seen by others.
  void OnAcknowledged(NodeId node, paxos::Ballot ballot);
  // Looks into an encoded paxos::Message for those.
  void OnTransmit(NodeId node, const Slice& message);
  // The tracker's state digest after everything up to `slot`.
  void OnApplied(NodeId node, Slot slot, uint64_t digest);

  // The highest slot anybody has known chosen.
  Slot chosen() const { return Slot(decided_.size()); }

  // How many times a replica has come to lead.
  size_t leaderships() const { return elected_.size(); }

 private:
  void OnProposing(NodeId node, const paxos::Proposing& note);
  void OnChosen(NodeId node, const paxos::Chosen& note);
  void OnRestored(NodeId node, const paxos::Prefix& prefix);
  void OnLeader(NodeId node, paxos::Ballot ballot);

  World& world_;
  std::vector<std::pair<uint64_t, uint64_t>> decided_;  // value and chain of slot i + 1
  absl::btree_map<NodeId, Slot> next_;
  absl::btree_map<NodeId, paxos::Ballot> acknowledged_;
  absl::btree_set<paxos::Ballot> elected_;
  absl::btree_map<std::pair<paxos::Ballot, Slot>, uint64_t> proposed_;  // values
  absl::flat_hash_map<uint64_t, uint64_t> applied_;                     // by slot; look-up only
};

}  // namespace bt::sim
