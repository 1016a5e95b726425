#include "core/paxos/configuration.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/base/check.h"

namespace bt::paxos {

void VoteSet::Add(NodeId node) {
  if (std::find(nodes_.begin(), nodes_.begin() + size_, node) != nodes_.begin() + size_) return;
  CHECK(size_ < nodes_.size());
  nodes_[size_++] = node;
}

Configuration::Configuration(std::vector<NodeId> voters) : voters_(std::move(voters)) {
  std::sort(voters_.begin(), voters_.end());
  CHECK(voters_.size() <= kMembersMax);
  CHECK_MSG(std::adjacent_find(voters_.begin(), voters_.end()) == voters_.end(), "a voter is named twice");
}

bool Configuration::Contains(NodeId node) const {
  return std::binary_search(voters_.begin(), voters_.end(), node);
}

// Two majorities of one set share a member. That member is what carries a value from the ballot that chose it
// to every higher one ("Paxos Made Simple", section 2.2), so votes of nodes outside the set must not count.
bool Configuration::IsQuorum(const VoteSet& votes) const {
  const auto count = std::count_if(votes.nodes().begin(), votes.nodes().end(),
                                   [this](NodeId node) { return Contains(node); });
  return static_cast<size_t>(count) >= majority();
}

uint64_t Configuration::ReachedByQuorum(const absl::btree_map<NodeId, uint64_t>& numbers) const {
  if (voters_.empty()) return 0;
  std::vector<uint64_t> reached;
  reached.reserve(voters_.size());
  for (const NodeId voter : voters_) {
    const auto number = numbers.find(voter);
    reached.push_back(number == numbers.end() ? 0 : number->second);
  }
  const auto nth = reached.begin() + static_cast<std::ptrdiff_t>(majority() - 1);
  std::nth_element(reached.begin(), nth, reached.end(), std::greater<>());
  return *nth;
}

}  // namespace bt::paxos
