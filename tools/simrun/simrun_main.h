#pragma once

// The command line over scenarios: a program that has it is a main of one line, over one's own scenarios too.

#include <vector>

#include "sim/harness.h"

namespace bt::sim {

// A command of one program alone, beside those that work over any scenarios.
struct SimrunCommand {
  const char* name;
  const char* about;  // one line, for --help
  // `argv[0]` is the command's name. Returns the exit status, as SimrunMain does.
  int (*run)(int argc, char** argv);
};

// sweep, replay, view, why, shrink and merge over `scenarios`, and what is in `more`. Commands that are
// printed name this program as it was called, where a scenario names none. Returns the exit status: 0 no
// judge complained, 1 one did, 2 wrong usage or input, said in one line on standard error.
int SimrunMain(std::vector<Scenario> scenarios, int argc, char** argv,
               const std::vector<SimrunCommand>& more = {});
int SimrunMain(const std::vector<const Scenario*>& scenarios, int argc, char** argv,
               const std::vector<SimrunCommand>& more = {});

}  // namespace bt::sim
