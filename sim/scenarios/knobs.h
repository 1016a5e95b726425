#pragma once

// Knobs: the limits and times that a world's nodes are run with, drawn per world from tiny to default. With
// those of production no run of seconds ever sees an expiry, an eviction or a full table.

#include <cstdint>
#include <optional>

#include "core/tracker/config.h"
#include "core/tracker/limits.h"
#include "sim/random_stream.h"

namespace bt::sim {

struct TrackerKnobs {
  tracker::Limits limits;      // agreed
  uint32_t churn_percent = 0;  // how often clients begin a new session, so that the table of sessions fills
  // Claims are refused for want of room until others run out.
  bool claims_run_full = false;
  // Clients that take what they can get. Then the shares are small, and above what a client of the workload
  // needs: `names` of its own, and two claims of each content.
  uint32_t greedy = 0;
};

// nullopt: the defaults. `names`: as many as a client may register. `users`: clients and nodes, each with a
// session of its own. Sessions are kept for longer than any copy of a mutation is under way (a caller's
// deadline, a stall, a reordered message): what the sessions promise is for copies that are younger.
std::optional<TrackerKnobs> DrawTrackerKnobs(RandomStream& rng, uint32_t users, uint32_t contents,
                                             uint32_t names);

// Small windows, messages and steps for some seeds, so that their edges are met.
tracker::Config DrawTrackerConfig(RandomStream& rng);

}  // namespace bt::sim
