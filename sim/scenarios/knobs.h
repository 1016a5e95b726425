#pragma once

// Knobs: the limits and times that a world's nodes are run with, drawn per world from tiny to default. With
// those of production no run of seconds ever sees an expiry, an eviction or a full table.

#include <cstdint>
#include <optional>

#include "core/tracker/limits.h"
#include "sim/random_stream.h"

namespace bt::sim {

struct TrackerKnobs {
  tracker::Limits limits;      // agreed
  uint32_t churn_percent = 0;  // how often clients begin a new session, so that the table of sessions fills
  // Claims are refused for want of room until others run out.
  bool claims_run_full = false;
};

// nullopt: the defaults. `users`: clients and nodes, each with a session of its own. Sessions are kept for
// longer than any copy of a mutation is under way (a caller's deadline, a stall, a reordered message): what
// the sessions promise is for copies that are younger.
std::optional<TrackerKnobs> DrawTrackerKnobs(RandomStream& rng, uint32_t users);

}  // namespace bt::sim
