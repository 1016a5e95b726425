#include "sim/harness.h"
#include "sim/scenarios/scenarios.h"

int main(int argc, char** argv) {
  return bt::sim::ScenarioTestMain(bt::sim::kFullSystem, 300,
                                   {1, 2, 3, 4, 5, 6, 7, 8, 72611, 590008943018, 186, 61001174, 721581}, argc,
                                   argv);
}
