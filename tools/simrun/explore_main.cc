// `simrun explore` without the scenarios: after a change in core/paxos it links in seconds.

#include "tools/simrun/explore.h"
#include "tools/simrun/simrun_main.h"

int main(int argc, char** argv) {
  return bt::sim::SimrunMain(std::vector<bt::sim::Scenario>(), argc, argv, {bt::sim::ExploreCommand()});
}
