#include <absl/strings/numbers.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <vector>

#include "sim/harness.h"
#include "sim/shrink.h"

namespace bt::sim {
namespace {

struct Arguments {
  uint64_t count = 0;
  std::optional<uint64_t> single;
  std::optional<uint64_t> shrink;
};

// The number behind `--name=`.
bool Take(std::string_view argument, std::string_view prefix, std::optional<uint64_t>& number) {
  if (!argument.starts_with(prefix)) return false;
  const std::string_view digits = argument.substr(prefix.size());
  uint64_t value = 0;
  if (!absl::SimpleAtoi(absl::string_view(digits.data(), digits.size()), &value)) return false;
  number = value;
  return true;
}

// False: something is wrong, and has been named.
bool Parse(const char* name, int argc, char** argv, Arguments& arguments) {
  if (const char* given = std::getenv("BYTETORRENT_SIM_SEEDS")) {
    if (!absl::SimpleAtoi(given, &arguments.count)) {
      std::fprintf(stderr, "BYTETORRENT_SIM_SEEDS: not a number: %s\n", given);
      return false;
    }
  }
  for (int i = 1; i < argc; ++i) {
    std::optional<uint64_t> seeds;
    if (Take(argv[i], "--seed=", arguments.single) || Take(argv[i], "--replay=", arguments.single) ||
        Take(argv[i], "--shrink=", arguments.shrink)) {
      continue;
    }
    if (!Take(argv[i], "--seeds=", seeds)) {
      std::fprintf(stderr, "%s: unknown argument %s (there are --seed=N, --shrink=N and --seeds=N)\n", name,
                   argv[i]);
      return false;
    }
    arguments.count = *seeds;
  }
  return true;
}

int ShrinkHere(const Scenario& scenario, uint64_t seed) {
  const absl::StatusOr<ShrinkResult> result = Shrink(scenario, seed, {});
  if (!result.ok()) {
    std::fprintf(stderr, "%s: %s\n", scenario.name, std::string(result.status().message()).c_str());
    return 2;
  }
  std::printf("%sthe case:\n%s", ShrinkText(*result).c_str(), RenderCase(result->kept).c_str());
  return 1;
}

}  // namespace

int ScenarioTestMain(const Scenario& scenario, uint64_t default_seeds,
                     std::initializer_list<uint64_t> regressions, int argc, char** argv) {
  Arguments arguments{default_seeds, {}, {}};
  if (!Parse(scenario.name, argc, argv, arguments)) return 2;
  if (arguments.shrink.has_value()) return ShrinkHere(scenario, *arguments.shrink);
  std::vector<uint64_t> seeds;
  if (arguments.single.has_value()) {
    seeds = {*arguments.single};
  } else {
    seeds = regressions;
    uint64_t base = FreshSeed();
    if (const char* given = std::getenv("BYTETORRENT_SIM_BASE"); given && !absl::SimpleAtoi(given, &base)) {
      std::fprintf(stderr, "BYTETORRENT_SIM_BASE: not a number: %s\n", given);
      return 2;
    }
    std::printf("%s: %zu regression seeds, then %llu fresh ones from base seed %llu\n", scenario.name,
                seeds.size(), static_cast<unsigned long long>(arguments.count),
                static_cast<unsigned long long>(base));
    for (uint64_t i = 0; i < arguments.count; ++i) seeds.push_back(base + i);
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
