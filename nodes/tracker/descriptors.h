#pragma once

// How a tracker node divides the descriptors that its process may have. Clients get what is left when the
// journal, the links between nodes and the administrator have theirs: otherwise idle clients could take the
// descriptor that the journal's next segment needs, and stop the node.

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>

namespace bt::nodes {

struct DescriptorShares {
  size_t clients = 0;          // connections at the client port
  size_t replica_inbound = 0;  // connections at the replica port
};

// Of `limit` descriptors, for a node of a cluster of `members`. kFailedPrecondition: too few to serve with.
absl::StatusOr<DescriptorShares> ShareDescriptors(uint64_t limit, size_t members);

// What this process may have (RLIMIT_NOFILE).
uint64_t DescriptorLimit();
// How many this process has open, of those whose number is below `limit`.
uint64_t OpenDescriptors(uint64_t limit);

}  // namespace bt::nodes
