#pragma once

// simrun explore: every order of events of a small scope of replicas.

#include "tools/simrun/simrun_main.h"

namespace bt::sim {

// Exit status 0: nothing is wrong in any future that was walked, and it says whether those were all; 1: the
// counterexample is printed, a line for each choice.
SimrunCommand ExploreCommand();

}  // namespace bt::sim
