#pragma once

// Quorum arithmetic, and nothing else: who the members are, how many are a majority, who has voted.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/ids.h"

namespace bt::paxos {

// A set of members by index. Adding one twice is adding it once.
class VoteSet {
 public:
  void Add(size_t member) { bits_ |= uint32_t{1} << member; }
  size_t size() const { return static_cast<size_t>(std::popcount(bits_)); }

 private:
  uint32_t bits_ = 0;
};

class Members {
 public:
  // CHECKs that `self` is among them, that none is there twice, and that there are at most kMembersMax.
  Members(std::vector<NodeId> nodes, NodeId self);

  size_t size() const { return nodes_.size(); }
  size_t majority() const { return nodes_.size() / 2 + 1; }
  NodeId node(size_t index) const { return nodes_[index]; }
  size_t self() const { return self_; }
  // nullopt: not a member.
  std::optional<size_t> Index(NodeId node) const;

  bool IsQuorum(const VoteSet& votes) const { return votes.size() >= majority(); }
  // The highest number that a majority has reached; one number per member, by index.
  uint64_t ReachedByMajority(std::vector<uint64_t> numbers) const;

 private:
  std::vector<NodeId> nodes_;  // sorted
  size_t self_ = 0;
};

}  // namespace bt::paxos
