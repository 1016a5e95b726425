#pragma once

// The limits a node works under, for its operator: those agreed on by the cluster and its own, each with what
// is taken of it and what happens at it. Pure.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/tracker/node.h"
#include "net/http/server.h"
#include "net/journal.h"
#include "net/replica_links.h"
#include "nodes/tracker/call_router.h"
#include "nodes/tracker/memory.h"
#include "nodes/tracker/udp_edge.h"

namespace bt::nodes {

struct LimitRow {
  std::string name;
  std::string_view unit;  // "", "bytes" or "seconds"
  uint64_t value = 0;
  // Of what one of several may have (a source, a content, a connection): the most that one has, where that is
  // known.
  std::optional<uint64_t> use;
  std::optional<uint64_t> highest;  // of that since the start; none: it is no limit of what is held
  std::string_view at_limit;        // what is refused; empty: nothing
};

std::vector<LimitRow> AgreedLimits(const tracker::ReplicatedState& state);

struct OwnLimitSources {
  const net::HttpServer& server;
  const LocalLimits& limits;
  const tracker::TrackerNode& node;
  const CallRouter& router;
  const net::Journal& journal;
  uint64_t most_descriptors = 0;             // that were open when it was looked
  const UdpEdge* udp = nullptr;              // a node that takes no datagrams has none
  const net::ReplicaLinks* links = nullptr;  // a cluster of one has none
};
std::vector<LimitRow> OwnLimits(const OwnLimitSources& sources);

// POST /limits?version=3&claims=5000: the limits in force with these values. kInvalidArgument says which is
// wrong; that they fit each other is checked where they are applied.
absl::StatusOr<tracker::SetLimits> ParseSetLimits(const net::HttpRequest& request,
                                                  const tracker::Limits& in_force);

}  // namespace bt::nodes
