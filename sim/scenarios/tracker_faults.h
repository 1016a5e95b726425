#pragma once

// The scenario tracker_faults as a function, for worlds whose clients ask through an edge of their own.

#include "sim/scenarios/edge_translation.h"
#include "sim/world.h"

namespace bt::sim {

// `edge` may be nullptr.
void RunTrackerFaults(World& world, const EdgeTranslation* edge);

}  // namespace bt::sim
