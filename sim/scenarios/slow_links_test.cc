#include "sim/harness.h"
#include "sim/scenarios/scenarios.h"

int main(int argc, char** argv) { return bt::sim::ScenarioTestMain(bt::sim::kSlowLinks, 40, {}, argc, argv); }
