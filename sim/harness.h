#pragma once

// The outside of a world: runs a scenario for a seed twice and compares, names the first divergent step, and
// prints failures the same way everywhere; the main function of the scenario tests. Of sim/, this alone looks
// at the environment. Runs in processes of their own are apart.h's.

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/world.h"

namespace bt::sim {

struct Scenario {
  const char* name;
  const char* about;  // one line
  void (*run)(World& world);
  // A program made of SimrunMain that knows the scenario, for the commands that are printed: its Bazel label
  // ("//tools:simrun"), or what else a shell takes for it. SimrunMain fills in itself; where there is none,
  // commands name the test that Bazel has started.
  const char* program = nullptr;
  // The kinds of steps that its machines could take (KindsOf), for lists of what was never reached.
  std::vector<std::string> (*kinds)() = nullptr;
};

struct Report {
  uint64_t seed = 0;
  uint64_t digest = 0;
  uint64_t steps = 0;
  uint64_t events = 0;
  Instant end{0};
  FaultCounts faults;
  Figures figures;
  std::optional<std::string> failure;
  uint32_t nodes = 0;
  // With a trace:
  std::vector<std::string> trace;         // its last lines
  std::vector<std::string> fault_events;  // each fault with its time, consequences left out
  uint64_t operations = 0;
  std::vector<StreamDecisions> decisions;  // when they were recorded
  ReachedKinds reached;                    // when somebody looked

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("seed", self.seed);
    visit("digest", self.digest);
    visit("steps", self.steps);
    visit("events", self.events);
    visit("end", self.end);
    visit("faults", self.faults);
    visit("figures", self.figures);
    visit("failure", self.failure);
    visit("nodes", self.nodes);
    visit("trace", self.trace);
    visit("fault_events", self.fault_events);
    visit("operations", self.operations);
    visit("decisions", self.decisions);
    visit("reached", self.reached);
  }
};

// How many events a run may have that is a change of one with so many: it may go on for longer, and for ever.
uint64_t EventLimitBeside(uint64_t events);

// One run. A CHECK that fails in it prints scenario, seed and replay command before the process dies.
Report RunOnce(const Scenario& scenario, uint64_t seed, WorldOptions options = {});
// In this process, `death` gets what a run has come to when a CHECK failed in it, instead of the dying words.
// It is called within the failing step: it should tell whom it concerns and end the process.
void OnDeathInARun(std::function<void(Report)> death);
// kTwice: unequal digests are a failure that names the first divergent event. kOnce asks for half the time,
// and finds no run that is another one the next time.
enum class Runs : uint8_t { kOnce, kTwice };
// With a failure, one more run fetches the trace.
Report RunChecked(const Scenario& scenario, uint64_t seed, Runs runs = Runs::kTwice);

// The judge's sentence, the seed, the last events, the commands that replay, shrink and draw the run.
std::string FailureText(const Scenario& scenario, const Report& report);
// "bazel run //tools:simrun -- VERB --scenario=S --seed=N", as the scenario's own program is called.
std::string Command(const Scenario& scenario, std::string_view verb, uint64_t seed);
// "bazel run //tools:simrun --", or the program itself where it is no label: what stands before a verb.
std::string ProgramWords(std::string_view program);

// A seed nobody has tried: from the clock, the process and TEST_RUN_NUMBER.
uint64_t FreshSeed();

// `--seed=N` (or `--replay=N`) runs one seed and shows what happened, `--shrink=N` shrinks one that fails;
// `--seeds=N` (or BYTETORRENT_SIM_SEEDS) runs that many fresh ones instead of `default_seeds`, and
// BYTETORRENT_SIM_BASE names the first of them. The regression seeds always come first. Returns the exit
// status.
int ScenarioTestMain(const Scenario& scenario, uint64_t default_seeds,
                     std::initializer_list<uint64_t> regressions, int argc, char** argv);

}  // namespace bt::sim
