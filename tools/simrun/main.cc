// simrun: campaigns over simulated runs, replays, and small cases of failures.

#include "sim/scenarios/scenarios.h"
#include "tools/simrun/conform.h"
#include "tools/simrun/explore.h"
#include "tools/simrun/simrun_main.h"

int main(int argc, char** argv) {
  return bt::sim::SimrunMain(bt::sim::AllScenarios(), argc, argv,
                             {bt::sim::ExploreCommand(), bt::sim::ConformCommand()});
}
