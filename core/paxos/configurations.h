#pragma once

// Configurations: whose votes decide which slot, as far as the chosen prefix says. Invariants: a slot's
// voters are known once every slot kMembershipDelay below it is chosen, and equal on every replica; at most
// one change is under way, so the slots above the chosen prefix have one configuration or two.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <deque>
#include <vector>

#include "core/base/ids.h"
#include "core/paxos/configuration.h"
#include "core/paxos/membership.h"

namespace bt::paxos {

class Configurations {
 public:
  explicit Configurations(std::vector<NodeId> first_voters);
  // As of a snapshot: the epochs of At, not empty.
  explicit Configurations(const std::vector<Epoch>& epochs);

  // `slot`, the next one, is chosen with this change. What may not follow on the membership, or comes while
  // an earlier change is not in force, changes nothing, on every replica alike.
  void Choose(Slot slot, const Membership& next);

  // The one that the log told of last, in force or not yet.
  const Epoch& latest() const { return epochs_.back().epoch; }
  // The epochs that decide the slots above `slot`, as far as the log up to `slot` says.
  std::vector<Epoch> At(Slot slot) const;

  // Who decides `slot`.
  const Configuration& For(Slot slot) const;
  // `votes` hold a quorum in each configuration that decides a slot above `chosen`.
  bool IsQuorum(const VoteSet& votes, Slot chosen) const;
  // The lowest of the highest numbers that quorums of these configurations have reached.
  uint64_t ReachedByQuorum(const absl::btree_map<NodeId, uint64_t>& numbers, Slot chosen) const;
  // The node votes on some slot above `chosen`.
  bool Votes(NodeId node, Slot chosen) const;
  // Nobody else votes on any slot above `chosen`, and `node` does.
  bool VotesAlone(NodeId node, Slot chosen) const;
  // Everybody but `self` who votes on a slot above `chosen`, ascending.
  std::vector<NodeId> OtherVoters(NodeId self, Slot chosen) const;
  // And all other members, voters or not.
  std::vector<NodeId> Others(NodeId self, Slot chosen) const;

 private:
  struct Known {
    Epoch epoch;
    Configuration voters;
  };
  void Add(Epoch epoch);
  template <class Visit>
  void EachAbove(Slot chosen, const Visit& visit) const;

  // Behind the latest as many as snapshots that are being written may ask for.
  static constexpr size_t kKeptMax = 64;
  std::deque<Known> epochs_;  // ascending in `chosen` and in `from`; never empty; at most kKeptMax
};

}  // namespace bt::paxos
