#include "nodes/tracker/memory.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>

#include "core/tracker/config.h"
#include "net/http/message.h"
#include "nodes/shared/text.h"
#include "nodes/tracker/descriptors.h"

namespace bt::nodes {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
// A program that runs, and a registry of some thousand torrents.
constexpr uint64_t kLeast = 128 * kMiB;
// Connections of one address, however few there may be in all.
constexpr size_t kPerAddressMin = 16;
// What a connection takes here besides what it has sent and not read: its buffers and its place in tables.
constexpr uint64_t kPerConnection = 8 << 10;

// `part` of the limit, at least `least` and at most what is enough.
size_t Part(uint64_t limit, uint64_t part, uint64_t least, uint64_t enough) {
  return static_cast<size_t>(std::clamp(limit / part, least, std::max(least, enough)));
}

std::string Contents(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// The number at the beginning of the text, after spaces.
std::optional<uint64_t> Number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  text = text.substr(0, text.find_first_of(" \n"));
  uint64_t number = 0;
  return absl::SimpleAtoi(Absl(text), &number) ? std::optional(number) : std::nullopt;
}

// What stands behind `name` at the beginning of a line.
std::string_view LineOf(std::string_view text, std::string_view name) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (line.starts_with(name)) return line.substr(name.size());
    at = end + 1;
  }
  return {};
}

}  // namespace

uint64_t MemoryShares::sum() const { return connections * kPerConnection + unsent + receiving + mutations; }

absl::StatusOr<MemoryShares> ShareMemory(uint64_t limit) {
  if (limit < kLeast) {
    return absl::FailedPreconditionError(absl::StrCat("a limit of ", limit / kMiB,
                                                      " MiB of memory is too small: a node needs at least ",
                                                      kLeast / kMiB, " (--memory-limit)"));
  }
  const net::HttpServerLimits http;
  const tracker::Config config;
  // A longest request fits twice, whatever the limit.
  constexpr uint64_t kRequest = net::kHttpBodyLimit;
  return MemoryShares{.connections = Part(limit, 16 * kPerConnection, 256, http.connections),
                      .unsent = Part(limit, 32, 4 * kMiB, http.unsent),
                      .receiving = Part(limit, 8, 2 * kRequest, http.receiving),
                      .mutations = Part(limit, 32, 2 * kRequest, config.pending_bytes_max)};
}

absl::StatusOr<LocalLimits> DeriveLimits(uint64_t descriptors, uint32_t memory_mib, size_t members) {
  const absl::StatusOr<DescriptorShares> connections = ShareDescriptors(descriptors, members);
  if (!connections.ok()) return connections.status();
  LocalLimits limits;
  limits.descriptors = descriptors;
  limits.memory = memory_mib == 0 ? DefaultMemoryLimit() : memory_mib * kMiB;
  const absl::StatusOr<MemoryShares> memory = ShareMemory(limits.memory);
  if (!memory.ok()) return memory.status();
  limits.clients.connections = std::min(connections->clients, memory->connections);
  limits.clients.connections_per_address = std::max(limits.clients.connections / 4, kPerAddressMin);
  limits.clients.unsent = memory->unsent;
  limits.clients.receiving = memory->receiving;
  limits.replica_inbound = connections->replica_inbound;
  limits.mutation_bytes = memory->mutations;
  return limits;
}

uint64_t MemoryOfMachine(std::string_view meminfo, std::string_view own_group, const std::string& root) {
  uint64_t least = std::numeric_limits<uint64_t>::max();
  if (const auto kib = Number(LineOf(meminfo, "MemTotal:"))) least = *kib << 10;
  std::string group(LineOf(own_group, "0::"));
  while (!group.empty()) {
    // "max", where there is no limit, is no number.
    if (const auto most = Number(Contents(absl::StrCat(root, group, "/memory.max"))))
      least = std::min(least, *most);
    group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
  }
  return least;
}

uint64_t ResidentBytes() {
  uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;  // the second number is the resident ones
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t MostResidentBytes() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return static_cast<uint64_t>(used.ru_maxrss) * 1024;
}

uint64_t DefaultMemoryLimit() {
  return MemoryOfMachine(Contents("/proc/meminfo"), Contents("/proc/self/cgroup"), "/sys/fs/cgroup") / 4 * 3;
}

}  // namespace bt::nodes
