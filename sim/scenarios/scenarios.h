#pragma once

// The scenarios by name, for simrun and the tests.

#include <vector>

#include "sim/harness.h"

namespace bt::sim {

extern const Scenario kTrackerFaults;
extern const Scenario kSwarmFaults;
extern const Scenario kFullSystem;
extern const Scenario kJournalFaults;
extern const Scenario kElections;
extern const Scenario kTorrentFiles;
extern const Scenario kSlowLinks;
extern const Scenario kDistribution;
extern const Scenario kDistribution10;
extern const Scenario kDistribution50;
extern const Scenario kSwarmScale10;
extern const Scenario kSwarmScale1000;

std::vector<const Scenario*> AllScenarios();

}  // namespace bt::sim
