#pragma once

// The outside of a world: runs a scenario for a seed twice and compares, names the first divergent step,
// prints failures the same way everywhere, and is the main function of the scenario tests. The only part
// of sim/ that looks at the environment.

#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "sim/world.h"

namespace bt::sim {

struct Scenario {
  const char* name;
  const char* about;  // one line
  void (*run)(World& world);
};

struct Report {
  uint64_t seed = 0;
  uint64_t digest = 0;
  uint64_t steps = 0;
  uint64_t events = 0;
  Instant end{0};
  FaultCounts faults;
  std::optional<std::string> failure;
  std::vector<std::string> trace;  // the last lines, when there is a failure
};

// One run. A CHECK that fails in it prints scenario, seed and replay command before the process dies.
Report RunOnce(const Scenario& scenario, uint64_t seed, WorldOptions options = {});
// Two runs: unequal digests are a failure that names the first divergent event. With a failure, a third
// run fetches the trace.
Report RunChecked(const Scenario& scenario, uint64_t seed);

// The judge's sentence, the seed, the last events, the replay command.
std::string FailureText(const Scenario& scenario, const Report& report);
std::string ReplayCommand(const Scenario& scenario, uint64_t seed);

// A seed nobody has tried: from the clock, the process and TEST_RUN_NUMBER.
uint64_t FreshSeed();

// `--seed=N` runs one; `--seeds=N` (or BYTETORRENT_SIM_SEEDS) that many fresh ones instead of
// `default_seeds`. The regression seeds always come first. Returns the exit status.
int ScenarioTestMain(const Scenario& scenario, uint64_t default_seeds,
                     std::initializer_list<uint64_t> regressions, int argc, char** argv);

}  // namespace bt::sim
