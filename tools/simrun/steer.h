#pragma once

// The command `steer`: a campaign that coverage steers (sim/steering.h). What fails is written as a case,
// because a seed alone does not say what was drawn.

#include <cstdint>
#include <string>

#include "sim/harness.h"
#include "sim/steering.h"

namespace bt::sim {

struct SteerArguments {
  uint64_t first_seed = 0;
  uint64_t runs = 1000;
  uint32_t jobs = 1;
  uint32_t branches_percent = Steering::kBranchesPercent;
  uint64_t failures_max = 10;  // groups
  std::string cases = ".";     // folder
  std::string kinds;           // file for the list of kinds; empty: none
};

// The exit status, as SimrunMain's.
int Steer(const Scenario& scenario, const SteerArguments& arguments);

}  // namespace bt::sim
