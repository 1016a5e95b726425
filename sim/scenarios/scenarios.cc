#include "sim/scenarios/scenarios.h"

namespace bt::sim {

std::vector<const Scenario*> AllScenarios() {
  return {&kTrackerFaults,  &kSwarmFaults,    &kFullSystem,   &kJournalFaults,
          &kElections,      &kTorrentFiles,   &kSlowLinks,    &kDistribution,
          &kDistribution10, &kDistribution50, &kSwarmScale10, &kSwarmScale1000};
}

}  // namespace bt::sim
