#pragma once

// Knobs of the swarm's clients and of the tracker they use, drawn per world (see knobs.h).

#include <cstdint>
#include <optional>

#include "core/swarm/config.h"
#include "core/tracker/limits.h"
#include "sim/random_stream.h"

namespace bt::sim {

// What every client of the world is told beside its own part. `peers`: how many there are at most; a table of
// connections or addresses that could not hold them all may hold only those that have nothing.
swarm::Config DrawSwarmConfig(RandomStream& rng, uint32_t peers);

// Claims that run out unless they are renewed; nullopt: the defaults, under which none does within a run.
std::optional<tracker::Limits> DrawClaimLimits(RandomStream& rng);

}  // namespace bt::sim
