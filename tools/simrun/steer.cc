#include "tools/simrun/steer.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <utility>
#include <vector>

#include "sim/apart.h"
#include "sim/campaign.h"
#include "sim/case_file.h"
#include "sim/steering.h"
#include "tools/simrun/output_file.h"

namespace bt::sim {
namespace {

constexpr double kProgressEvery = 2;  // seconds
constexpr size_t kNamedMax = 12;      // kinds on the console that were never reached

unsigned long long Wide(uint64_t value) { return value; }

class Steerer {
 public:
  Steerer(const Scenario& scenario, const SteerArguments& arguments)
      : scenario_(scenario),
        arguments_(arguments),
        steering_(arguments.first_seed, arguments.branches_percent) {}

  int Run() {
    OutputFile kinds;
    if (!arguments_.kinds.empty() && !kinds.Open(arguments_.kinds)) return CannotWrite(arguments_.kinds);
    std::printf("%s: %llu runs, fresh seeds from %llu, %u job%s\n", scenario_.name, Wide(arguments_.runs),
                Wide(arguments_.first_seed), arguments_.jobs, arguments_.jobs == 1 ? "" : "s");
    RunSteered(scenario_, arguments_.runs, arguments_.jobs, steering_,
               {.run = [this](const Recipe& recipe, const Report& report) { return Take(recipe, report); },
                .tick = [this] { Progress(); }});
    PrintSummary();
    if (kinds.is_open()) {
      for (const auto& [name, count] : AllKinds())
        std::fprintf(kinds.stream(), "%12llu  %s\n", Wide(count), name.c_str());
      if (!kinds.Keep()) return CannotWrite(arguments_.kinds);
    }
    if (!written_) return 2;
    return groups_.groups().empty() ? 0 : 1;
  }

 private:
  static int CannotWrite(const std::string& path) {
    std::fprintf(stderr, "simrun: cannot write %s\n", path.c_str());
    return 2;
  }
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

  bool Take(const Recipe& recipe, const Report& report) {
    ++runs_;
    if (!recipe.redraws.empty()) ++branched_;
    events_ += report.events;
    if (!report.failure.has_value()) return true;
    ++failed_;
    const size_t before = groups_.groups().size();
    groups_.Add({report.seed, *report.failure});
    if (groups_.groups().size() == before) return true;
    std::printf("  run %llu, %.0f s: %s\n", Wide(runs_), Seconds(), report.failure->c_str());
    written_ = WriteCase(recipe, *report.failure) && written_;
    std::fflush(stdout);
    return written_ && groups_.groups().size() < arguments_.failures_max;
  }

  // All that the failing run has decided.
  bool WriteCase(const Recipe& recipe, const std::string& sentence) {
    const std::string path =
        absl::StrCat(arguments_.cases, "/", scenario_.name, "-", groups_.groups().size(), ".case");
    OutputFile file;
    if (!file.Open(path)) return CannotWrite(path) == 0;
    WorldOptions options;
    options.redraws = recipe.redraws;
    options.record_decisions = true;
    const Report report = RunApart(scenario_, recipe.seed, options);
    std::fputs(
        RenderCase({scenario_.name, recipe.seed, sentence, Decisions{report.decisions}.Sparse()}).c_str(),
        file.stream());
    if (!file.Keep()) return CannotWrite(path) == 0;
    const std::string program = ProgramWords(scenario_.program);
    std::printf("  replay:  %s replay --case=%s\n  shrink:  %s shrink --case=%s\n", program.c_str(),
                path.c_str(), program.c_str(), path.c_str());
    return true;
  }

  // Those that could be, and those that were: a kind that is named otherwise than expected is not lost.
  std::map<std::string, uint64_t> AllKinds() const {
    std::map<std::string, uint64_t> all = steering_.kinds();
    if (scenario_.kinds != nullptr) {
      for (const std::string& name : scenario_.kinds()) all.emplace(name, 0);
    }
    return all;
  }

  void Progress() {
    if (Seconds() - shown_ < kProgressEvery || runs_ == 0) return;
    shown_ = Seconds();
    std::printf("  %llu of %llu runs, %.0f s, %zu kinds of steps, %zu pairs, %zu recipes, %llu failed\n",
                Wide(runs_), Wide(arguments_.runs), shown_, steering_.kinds().size(), steering_.pairs(),
                steering_.recipes(), Wide(failed_));
    std::fflush(stdout);
  }

  void PrintSummary() const {
    std::printf("%llu runs, %llu of them branches, in %.1f s: %.0f events/s; %zu kinds of steps, %zu pairs\n",
                Wide(runs_), Wide(branched_), Seconds(), static_cast<double>(events_) / Seconds(),
                steering_.kinds().size(), steering_.pairs());
    std::vector<std::string> never;
    const std::map<std::string, uint64_t> all = AllKinds();
    for (const auto& [name, count] : all) {
      if (count == 0) never.push_back(name);
    }
    if (scenario_.kinds != nullptr) {
      std::printf("never reached: %zu of %zu kinds", never.size(), all.size());
      for (size_t i = 0; i < std::min(never.size(), kNamedMax); ++i)
        std::printf("%s %s", i == 0 ? ":" : ",", never[i].c_str());
      std::printf("%s\n", never.size() > kNamedMax ? ", ... (--kinds=FILE has all)" : "");
    }
    for (const FailureGroup& group : groups_.groups())
      std::printf("%llu of %llu: %s\n", Wide(group.count), Wide(runs_), group.name.c_str());
    std::fflush(stdout);
  }

  const Scenario& scenario_;
  const SteerArguments& arguments_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  Steering steering_;
  FailureGroups groups_;
  uint64_t runs_ = 0;
  uint64_t branched_ = 0;
  uint64_t failed_ = 0;
  uint64_t events_ = 0;
  double shown_ = 0;
  bool written_ = true;
};

}  // namespace

int Steer(const Scenario& scenario, const SteerArguments& arguments) {
  return Steerer(scenario, arguments).Run();
}

}  // namespace bt::sim
