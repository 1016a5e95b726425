#pragma once

// The scenarios by name, for simrun and the tests.

#include <vector>

#include "sim/harness.h"

namespace bt::sim {

extern const Scenario kTrackerFaults;

std::vector<const Scenario*> AllScenarios();

}  // namespace bt::sim
