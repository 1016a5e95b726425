#pragma once

// How a tracker node divides the memory that its process may take. The replicated tables have limits of their
// own, which the cluster agrees on; this is about what a node keeps beside them, for clients and for other
// nodes. With a small limit each part is smaller, in proportion; with a large one it has what is enough.

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "net/http/server.h"

namespace bt::nodes {

struct MemoryShares {
  size_t connections = 0;  // of clients
  size_t unsent = 0;       // bytes of answers that nobody has taken yet
  size_t receiving = 0;    // bytes of requests that are unfinished or wait for their turn
  size_t mutations = 0;    // bytes of commands that wait to be replicated

  // What they may come to together, with the connections' buffers.
  uint64_t sum() const;
};

// Of `limit` bytes. kFailedPrecondition: too few to serve with.
absl::StatusOr<MemoryShares> ShareMemory(uint64_t limit);

// What a node's limits for itself come to, of what its process may have.
struct LocalLimits {
  uint64_t memory = 0;  // bytes
  net::HttpServerLimits clients;
  size_t replica_inbound = 0;  // connections at the replica port
  size_t mutation_bytes = 0;
  uint64_t descriptors = 0;  // of the process
};
// `memory_mib`: 0: DefaultMemoryLimit.
absl::StatusOr<LocalLimits> DeriveLimits(uint64_t descriptors, uint32_t memory_mib, size_t members);

// What this process has in memory now, and the most that it had.
uint64_t ResidentBytes();
uint64_t MostResidentBytes();

// What this process may take where no flag says it: three quarters of the machine's memory, or of what the
// control groups that it is in (cgroup v2) leave it.
uint64_t DefaultMemoryLimit();
// The least of the machine's memory (the text of /proc/meminfo) and the limits of the control group that the
// text of /proc/self/cgroup names, and of all above it, under `root` (/sys/fs/cgroup).
uint64_t MemoryOfMachine(std::string_view meminfo, std::string_view own_group, const std::string& root);

}  // namespace bt::nodes
