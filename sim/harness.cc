#include "sim/harness.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_format.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/base/rng.h"

namespace bt::sim {
namespace {

// What a signal handler may read: written before a run, as plain bytes.
char g_dying_words[512] = "";

void OnAbort(int) {
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, g_dying_words, std::strlen(g_dying_words));
  signal(SIGABRT, SIG_DFL);
}

void PrepareDyingWords(const Scenario& scenario, uint64_t seed) {
  const std::string words =
      absl::StrFormat("the process died inside a simulated run\nscenario %s, seed %d\nreplay:  %s\n",
                      scenario.name, seed, ReplayCommand(scenario, seed));
  std::snprintf(g_dying_words, sizeof g_dying_words, "%s", words.c_str());
  signal(SIGABRT, OnAbort);
}

std::string Divergence(const Scenario& scenario, uint64_t seed, std::vector<std::string>& trace) {
  std::vector<uint64_t> digests;
  WorldOptions first;
  first.recorder.record = &digests;
  RunOnce(scenario, seed, first);
  WorldOptions second;
  second.recorder.expect = &digests;
  second.recorder.trace = true;
  const Report report = RunOnce(scenario, seed, second);
  trace = report.trace;
  return report.failure.value_or("two runs of one seed had different digests, a third and a fourth did not");
}

std::optional<uint64_t> NumberAfter(std::string_view argument, std::string_view prefix) {
  if (!argument.starts_with(prefix)) return std::nullopt;
  const std::string_view digits = argument.substr(prefix.size());
  uint64_t number = 0;
  if (!absl::SimpleAtoi(absl::string_view(digits.data(), digits.size()), &number)) return std::nullopt;
  return number;
}

}  // namespace

Report RunOnce(const Scenario& scenario, uint64_t seed, WorldOptions options) {
  PrepareDyingWords(scenario, seed);
  if (const char* judge = std::getenv("BYTETORRENT_SIM_JUDGE")) options.judge = judge;
  World world(seed, std::move(options));
  scenario.run(world);
  g_dying_words[0] = '\0';
  Report report;
  report.seed = seed;
  report.digest = world.digest();
  report.steps = world.steps();
  report.events = world.events();
  report.end = world.now();
  report.faults = world.faults();
  report.failure = world.failure();
  for (const TraceRecord& record : world.trace()) report.trace.push_back(RenderTrace(record));
  return report;
}

Report RunChecked(const Scenario& scenario, uint64_t seed) {
  Report report = RunOnce(scenario, seed);
  const Report again = RunOnce(scenario, seed);
  if (report.digest != again.digest || report.steps != again.steps || report.failure != again.failure) {
    report.failure = Divergence(scenario, seed, report.trace);
  } else if (report.failure.has_value()) {
    report.trace = RunOnce(scenario, seed, {.recorder = {.trace = true}}).trace;
  }
  report.steps += again.steps;
  report.events += again.events;
  return report;
}

std::string ReplayCommand(const Scenario& scenario, uint64_t seed) {
  return absl::StrFormat("bazel run //tools:simrun -- replay --scenario=%s --seed=%d", scenario.name, seed);
}

std::string FailureText(const Scenario& scenario, const Report& report) {
  std::string text = absl::StrFormat("%s\nscenario %s, seed %d\nfaults so far: %s\nthe last events:\n",
                                     report.failure.value_or("no failure"), scenario.name, report.seed,
                                     report.faults.ToString());
  for (const std::string& line : report.trace) text += line + "\n";
  return text + "replay:  " + ReplayCommand(scenario, report.seed) + "\n";
}

uint64_t FreshSeed() {
  uint64_t seed = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  seed ^= static_cast<uint64_t>(getpid()) << 40;
  if (const char* run = std::getenv("TEST_RUN_NUMBER")) seed += static_cast<uint64_t>(std::atoll(run)) << 20;
  // Short enough to be typed, and with room above it for the seeds of one test.
  return Rng(seed).Below(1'000'000'000) * 1000;
}

int ScenarioTestMain(const Scenario& scenario, uint64_t default_seeds,
                     std::initializer_list<uint64_t> regressions, int argc, char** argv) {
  uint64_t count = default_seeds;
  if (const char* given = std::getenv("BYTETORRENT_SIM_SEEDS")) {
    if (!absl::SimpleAtoi(given, &count)) {
      std::fprintf(stderr, "BYTETORRENT_SIM_SEEDS: not a number: %s\n", given);
      return 2;
    }
  }
  std::optional<uint64_t> single;
  for (int i = 1; i < argc; ++i) {
    if (const auto seed = NumberAfter(argv[i], "--seed=")) {
      single = seed;
    } else if (const auto seeds = NumberAfter(argv[i], "--seeds=")) {
      count = *seeds;
    } else {
      std::fprintf(stderr, "%s: unknown argument %s (there are --seed=N and --seeds=N)\n", scenario.name,
                   argv[i]);
      return 2;
    }
  }
  std::vector<uint64_t> seeds;
  if (single.has_value()) {
    seeds = {*single};
  } else {
    seeds = regressions;
    const uint64_t base = FreshSeed();
    std::printf("%s: %zu regression seeds, then %llu fresh ones from base seed %llu\n", scenario.name,
                seeds.size(), static_cast<unsigned long long>(count), static_cast<unsigned long long>(base));
    for (uint64_t i = 0; i < count; ++i) seeds.push_back(base + i);
  }
  std::fflush(stdout);
  FaultCounts faults;
  uint64_t steps = 0;
  for (const uint64_t seed : seeds) {
    const Report report = RunChecked(scenario, seed);
    if (report.failure.has_value()) {
      std::fputs(FailureText(scenario, report).c_str(), stdout);
      return 1;
    }
    faults.Add(report.faults);
    steps += report.steps;
  }
  std::printf(
      "%s: %zu seeds, each run twice with equal digests, no judge complained; %llu steps\nfaults: %s\n",
      scenario.name, seeds.size(), static_cast<unsigned long long>(steps), faults.ToString().c_str());
  return 0;
}

}  // namespace bt::sim
