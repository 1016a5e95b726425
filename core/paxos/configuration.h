#pragma once

// Configuration: which replicas vote, and how many of them decide. Quorum arithmetic, and nothing else.
// Invariant: any two quorums share a voter; all of Paxos rests on that. Votes are counted by node id, so
// that a vote stays its voter's whatever configuration it is counted against.

#include <absl/container/btree_map.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/base/ids.h"
#include "core/paxos/membership.h"

namespace bt::paxos {

// Who has voted. Adding a node twice is adding it once: a repeated message is no second vote.
class VoteSet {
 public:
  // CHECKs that no more than two memberships have vote.
  void Add(NodeId node);
  std::span<const NodeId> nodes() const { return {nodes_.data(), size_}; }

 private:
  std::array<NodeId, 2 * kMembersMax> nodes_;
  size_t size_ = 0;
};

class Configuration {
 public:
  // CHECKs that none is named twice, and that there are at most kMembersMax. Without any voter nothing is a
  // quorum.
  explicit Configuration(std::vector<NodeId> voters);

  const std::vector<NodeId>& voters() const { return voters_; }  // ascending
  size_t size() const { return voters_.size(); }
  size_t majority() const { return voters_.size() / 2 + 1; }
  bool Contains(NodeId node) const;

  // Votes of nodes that are no voters do not count.
  bool IsQuorum(const VoteSet& votes) const;
  // The highest number that a quorum has reached. Who has none has reached 0; so has a quorum of nobody.
  uint64_t ReachedByQuorum(const absl::btree_map<NodeId, uint64_t>& numbers) const;

 private:
  std::vector<NodeId> voters_;  // at most kMembersMax
};

}  // namespace bt::paxos
