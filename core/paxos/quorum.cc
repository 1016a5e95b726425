#include "core/paxos/quorum.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/base/check.h"
#include "core/paxos/config.h"

namespace bt::paxos {

Members::Members(std::vector<NodeId> nodes, NodeId self) : nodes_(std::move(nodes)) {
  std::sort(nodes_.begin(), nodes_.end());
  CHECK(!nodes_.empty() && nodes_.size() <= kMembersMax);
  CHECK_MSG(std::adjacent_find(nodes_.begin(), nodes_.end()) == nodes_.end(), "a member is named twice");
  const std::optional<size_t> index = Index(self);
  CHECK_MSG(index.has_value(), "a replica must be a member of its own cluster");
  self_ = *index;
}

std::optional<size_t> Members::Index(NodeId node) const {
  const auto found = std::lower_bound(nodes_.begin(), nodes_.end(), node);
  if (found == nodes_.end() || *found != node) return std::nullopt;
  return static_cast<size_t>(found - nodes_.begin());
}

uint64_t Members::ReachedByMajority(std::vector<uint64_t> numbers) const {
  CHECK(numbers.size() == nodes_.size());
  const auto nth = numbers.begin() + static_cast<std::ptrdiff_t>(majority() - 1);
  std::nth_element(numbers.begin(), nth, numbers.end(), std::greater<>());
  return *nth;
}

}  // namespace bt::paxos
