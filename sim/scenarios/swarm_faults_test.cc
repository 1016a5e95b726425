#include "sim/harness.h"
#include "sim/scenarios/scenarios.h"

int main(int argc, char** argv) {
  return bt::sim::ScenarioTestMain(
      bt::sim::kSwarmFaults, 300,
      {1,        2,  3,  4,   5,   6,   7,    8,    24242027187, 794445370263, 2434680641108,
       20066058, 35, 90, 186, 432, 539, 1261, 1654, 61002985},
      argc, argv);
}
