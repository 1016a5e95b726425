// Replays the cases given as arguments; each must pass. What a case cannot be read for is a failure as well.

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "sim/scenarios/scenarios.h"
#include "sim/shrink.h"

namespace bt::sim {
namespace {

bool Passes(const char* path) {
  std::ifstream in(path);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const absl::StatusOr<Case> kept = ParseCase(text);
  if (!kept.ok()) {
    std::printf("%s: %s\n", path, std::string(kept.status().message()).c_str());
    return false;
  }
  for (const Scenario* scenario : AllScenarios()) {
    if (kept->scenario != scenario->name) continue;
    const Report report = RunCase(*scenario, *kept);
    if (!report.failure.has_value()) return true;
    std::printf("%s fails again\n%s", path, FailureText(*scenario, report).c_str());
    return false;
  }
  std::printf("%s: there is no scenario %s\n", path, kept->scenario.c_str());
  return false;
}

}  // namespace
}  // namespace bt::sim

int main(int argc, char** argv) {
  int failed = 0;
  for (int i = 1; i < argc; ++i) failed += bt::sim::Passes(argv[i]) ? 0 : 1;
  std::printf("%d cases, %d failed\n", argc - 1, failed);
  return argc > 1 && failed == 0 ? 0 : 1;
}
