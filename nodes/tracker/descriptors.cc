#include "nodes/tracker/descriptors.h"

#include <absl/strings/str_cat.h>
#include <poll.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <limits>

#include "net/http/server.h"
#include "net/replica_links.h"

namespace bt::nodes {
namespace {

// The standard streams, the loop's three, two listeners and what each is just accepting, the data directory,
// its lock, the segment being written, one being made and one being read: about fifteen. The rest is for the
// administrator, and for what libraries open by themselves.
constexpr uint64_t kOwn = 40;
// One connection to it, and two sockets of the name service while its name is looked up.
constexpr uint64_t kPerPeer = 3;
// Below this a node could not serve the other nodes' clients besides its own.
constexpr uint64_t kClientsMin = 16;
// A peer that comes back may have two at a time.
constexpr uint64_t kInboundPerPeer = 2;

}  // namespace

absl::StatusOr<DescriptorShares> ShareDescriptors(uint64_t limit, size_t members) {
  const uint64_t peers = members - 1;
  const uint64_t least = kInboundPerPeer * peers;
  // Strangers in the middle of a handshake have a place among the inbound links, too.
  const uint64_t inbound =
      peers == 0
          ? 0
          : std::clamp(limit / 8, least, std::max(least, uint64_t{net::ReplicaLinksOptions{}.inbound_max}));
  const uint64_t set_aside = kOwn + kPerPeer * peers + inbound;
  if (limit < set_aside + kClientsMin) {
    return absl::FailedPreconditionError(absl::StrCat(
        "this process may open ", limit, " files and connections, and a node of this cluster needs ",
        set_aside + kClientsMin, "; raise the limit (ulimit -n, or LimitNOFILE= of its unit)"));
  }
  const uint64_t clients = std::min<uint64_t>(limit - set_aside, net::HttpServerLimits{}.connections);
  return DescriptorShares{.clients = clients, .replica_inbound = inbound};
}

uint64_t DescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::numeric_limits<uint64_t>::max();
  return limit.rlim_cur;
}

// The kernel gives the lowest number that is free, so that none is higher than the most that were open at a
// time, which is far below kLookedAt (ShareDescriptors). It marks those in a poll that are not open; a file
// of /proc for each of them, to be read one by one, would take longer than the loop has.
uint64_t OpenDescriptors(uint64_t limit) {
  constexpr uint64_t kLookedAt = 32'768;
  std::array<pollfd, 1024> some;
  const uint64_t end = std::min(limit, kLookedAt);
  uint64_t open = 0;
  for (uint64_t first = 0; first < end; first += some.size()) {
    const uint64_t count = std::min<uint64_t>(some.size(), end - first);
    for (uint64_t i = 0; i < count; ++i) some[i] = {static_cast<int>(first + i), 0, 0};
    if (poll(some.data(), count, 0) < 0) continue;
    open +=
        static_cast<uint64_t>(std::count_if(some.begin(), some.begin() + static_cast<int64_t>(count),
                                            [](const pollfd& fd) { return (fd.revents & POLLNVAL) == 0; }));
  }
  return open;
}

}  // namespace bt::nodes
