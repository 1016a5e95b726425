#include "sim/harness.h"
#include "sim/scenarios/scenarios.h"

int main(int argc, char** argv) {
  // 20055001: a piece that one peer had to deliver alone was taken from each before a slow link brought it.
  return bt::sim::ScenarioTestMain(bt::sim::kDistribution, 40, {20055001}, argc, argv);
}
