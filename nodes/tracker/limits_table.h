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
#include "nodes/tracker/memory.h"

namespace bt::nodes {

struct LimitRow {
  std::string name;
  std::string_view unit;  // "", "bytes" or "seconds"
  uint64_t value = 0;
  std::optional<uint64_t> use;  // of what one source may hold: the most that one does, when that is much
  std::string_view at_limit;    // what is refused; empty: nothing
};

std::vector<LimitRow> AgreedLimits(const tracker::ReplicatedState& state);
std::vector<LimitRow> OwnLimits(const net::HttpServer& server, const LocalLimits& limits,
                                const tracker::TrackerNode& node, size_t calls_under_way);

// POST /limits?version=3&claims=5000: the limits in force with these values. kInvalidArgument says which is
// wrong; that they fit each other is checked where they are applied.
absl::StatusOr<tracker::SetLimits> ParseSetLimits(const net::HttpRequest& request,
                                                  const tracker::Limits& in_force);

}  // namespace bt::nodes
