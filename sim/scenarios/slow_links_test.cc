#include "sim/harness.h"
#include "sim/scenarios/scenarios.h"

int main(int argc, char** argv) {
  // 20069502: an Accept that waited for its value was sent only after the time for repetitions.
  return bt::sim::ScenarioTestMain(bt::sim::kSlowLinks, 40, {20069502}, argc, argv);
}
