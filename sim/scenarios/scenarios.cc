#include "sim/scenarios/scenarios.h"

namespace bt::sim {

std::vector<const Scenario*> AllScenarios() {
  return {&kTrackerFaults, &kSwarmFaults,  &kFullSystem, &kJournalFaults,
          &kElections,     &kTorrentFiles, &kSlowLinks};
}

}  // namespace bt::sim
