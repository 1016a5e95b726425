#pragma once

// The command line over scenarios: a program that has it is a main of one line.

#include <vector>

#include "sim/harness.h"

namespace bt::sim {

// sweep, replay, shrink and merge over `scenarios`. Returns the exit status: 0 no judge complained, 1 one
// did, 2 wrong usage or input, said in one line on standard error.
int SimrunMain(const std::vector<const Scenario*>& scenarios, int argc, char** argv);

}  // namespace bt::sim
