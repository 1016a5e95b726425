#include "sim/harness.h"
#include "sim/scenarios/scenarios.h"

int main(int argc, char** argv) {
  // 20067078: a learner of too old a release is added, and nobody upgrades it.
  // 959037020190: a message begun anew found no room at its receiver beside what it had been before.
  // 643608624390: who led again believed what it had been told of others' disks when it had led before.
  return bt::sim::ScenarioTestMain(
      bt::sim::kTrackerFaults, 400,
      {1, 2, 3, 4, 5, 6, 7, 8, 47, 20067078, 959037020190, 643608624390, 1428, 61000670, 80001623, 91001246},
      argc, argv);
}
