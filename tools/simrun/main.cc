// simrun: campaigns over simulated runs, and replays of one.
//
//   simrun sweep  --scenario=S --seeds=N [--first-seed=N] [--jobs=N]
//   simrun replay --scenario=S --seed=N [--trace=FILE] [--from=T --to=T]

#include <absl/strings/str_format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "core/base/version.h"
#include "sim/harness.h"
#include "sim/scenarios/scenarios.h"

namespace bt::sim {
namespace {

struct Arguments {
  std::string scenario;
  uint64_t seeds = 1000;
  std::optional<uint64_t> first_seed;
  uint32_t jobs = 1;
  uint64_t seed = 0;
  std::string trace;
  double from = 0;
  double to = -1;
};

const Scenario* Find(const std::string& name) {
  for (const Scenario* scenario : AllScenarios()) {
    if (name == scenario->name) return scenario;
  }
  return nullptr;
}

// What a worker says of one seed, through a pipe in one write.
struct Line {
  uint64_t seed;
  uint64_t steps;
  uint64_t events;
  int64_t simulated_ns;
  FaultCounts faults;
  bool failed;
};
static_assert(sizeof(Line) < 512, "a write to a pipe is atomic up to 512 bytes");

[[noreturn]] void Work(const Scenario& scenario, uint64_t first, uint64_t count, uint32_t step, int out) {
  for (uint64_t i = 0; i < count; i += step) {
    const Report report = RunChecked(scenario, first + i);
    const Line line{first + i,         report.steps,  report.events,
                    report.end.ns * 2, report.faults, report.failure.has_value()};
    if (write(out, &line, sizeof line) != sizeof line) _exit(1);
    if (line.failed) break;
  }
  _exit(0);
}

class Sweep {
 public:
  Sweep(const Scenario& scenario, const Arguments& arguments)
      : scenario_(scenario), arguments_(arguments), first_(arguments.first_seed.value_or(FreshSeed())) {}

  int Run() {
    std::printf("%s: %llu seeds from %llu, %u job%s\n", scenario_.name, Wide(arguments_.seeds), Wide(first_),
                arguments_.jobs, arguments_.jobs == 1 ? "" : "s");
    std::fflush(stdout);
    int ends[2];
    if (pipe(ends) != 0) {
      std::perror("simrun: pipe");
      return 1;
    }
    std::vector<pid_t> workers;
    for (uint32_t job = 0; job < arguments_.jobs; ++job) {
      const pid_t pid = fork();
      if (pid < 0) {
        std::perror("simrun: fork");
        return 1;
      }
      if (pid == 0) {
        close(ends[0]);
        const uint64_t count = arguments_.seeds > job ? arguments_.seeds - job : 0;
        Work(scenario_, first_ + job, count, arguments_.jobs, ends[1]);
      }
      workers.push_back(pid);
    }
    close(ends[1]);
    Collect(ends[0], workers);
    bool died = false;
    for (const pid_t pid : workers) {
      int status = 0;
      waitpid(pid, &status, 0);
      died |= !stopping_ && !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    Summary();
    if (failed_.has_value()) {
      std::fputs(FailureText(scenario_, RunChecked(scenario_, *failed_)).c_str(), stdout);
      return 1;
    }
    return died ? 1 : 0;
  }

 private:
  static unsigned long long Wide(uint64_t value) { return value; }

  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

  void Collect(int in, const std::vector<pid_t>& workers) {
    Line line;
    double shown = 0;
    while (read(in, &line, sizeof line) == sizeof line) {
      ++done_;
      steps_ += line.steps;
      events_ += line.events;
      simulated_ += static_cast<double>(line.simulated_ns) / 1e9;
      faults_.Add(line.faults);
      if (line.failed && !failed_.has_value()) {
        failed_ = line.seed;
        stopping_ = true;
        for (const pid_t pid : workers) kill(pid, SIGTERM);
      }
      if (Seconds() - shown >= 2) {
        shown = Seconds();
        std::printf("  %llu of %llu seeds, %.0f s, %.0f events/s\n", Wide(done_), Wide(arguments_.seeds),
                    shown, static_cast<double>(events_) / shown);
        std::fflush(stdout);
      }
    }
    close(in);
  }

  void Summary() const {
    const double seconds = Seconds();
    std::printf(
        "%llu seeds, each run twice, in %.1f s: %.0f events/s per job, %.0f events/s and %.0f steps/s in "
        "all, "
        "%.0f times real time\nfaults: %s\n",
        Wide(done_), seconds, static_cast<double>(events_) / seconds / arguments_.jobs,
        static_cast<double>(events_) / seconds, static_cast<double>(steps_) / seconds, simulated_ / seconds,
        faults_.ToString().c_str());
    std::fflush(stdout);
  }

  const Scenario& scenario_;
  const Arguments& arguments_;
  uint64_t first_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  uint64_t done_ = 0;
  uint64_t steps_ = 0;
  uint64_t events_ = 0;
  double simulated_ = 0;
  FaultCounts faults_;
  std::optional<uint64_t> failed_;
  bool stopping_ = false;
};

int Replay(const Scenario& scenario, const Arguments& arguments) {
  WorldOptions options;
  options.recorder.trace = true;
  options.recorder.from = Instant{static_cast<int64_t>(arguments.from * 1e9)};
  if (arguments.to >= 0) options.recorder.to = Instant{static_cast<int64_t>(arguments.to * 1e9)};
  if (!arguments.trace.empty()) {
    options.recorder.trace_file = std::fopen(arguments.trace.c_str(), "w");
    if (options.recorder.trace_file == nullptr) {
      std::fprintf(stderr, "simrun: cannot write %s\n", arguments.trace.c_str());
      return 2;
    }
  }
  Report report = RunOnce(scenario, arguments.seed, options);
  if (options.recorder.trace_file != nullptr) std::fclose(options.recorder.trace_file);
  if (!report.failure.has_value() && RunOnce(scenario, arguments.seed).digest != report.digest) {
    report = RunChecked(scenario, arguments.seed);
  }
  if (report.failure.has_value()) {
    std::fputs(FailureText(scenario, report).c_str(), stdout);
    return 1;
  }
  std::printf(
      "scenario %s, seed %llu: no judge complained\n%llu steps, %llu events, %s simulated, digest %016llx\n"
      "faults: %s\n",
      scenario.name, static_cast<unsigned long long>(arguments.seed),
      static_cast<unsigned long long>(report.steps), static_cast<unsigned long long>(report.events),
      TimeText(report.end).c_str(), static_cast<unsigned long long>(report.digest),
      report.faults.ToString().c_str());
  return 0;
}

int Main(int argc, char** argv) {
  // `bazel run` starts programs somewhere else: files are named from where the user is.
  const char* directory = std::getenv("BUILD_WORKING_DIRECTORY");
  if (directory != nullptr && chdir(directory) != 0) {
    std::fprintf(stderr, "simrun: cannot go to %s\n", directory);
    return 2;
  }
  Arguments arguments;
  std::string names;
  for (const Scenario* scenario : AllScenarios()) {
    names += absl::StrFormat("\n  %-16s %s", scenario->name, scenario->about);
  }
  CLI::App app{"Runs simulated worlds: every run is a function of its seed.\nScenarios:" + names};
  app.footer(
      "Examples:\n"
      "  simrun sweep --scenario=tracker_faults --seeds=10000 --jobs=2\n"
      "  simrun replay --scenario=tracker_faults --seed=81732 --trace=run.txt --from=3.5 --to=4");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("simrun ") + kVersion);
  const auto known = [](const std::string& name) {
    return Find(name) != nullptr ? std::string() : "there is no scenario " + name + " (see --help)";
  };
  CLI::App* sweep = app.add_subcommand("sweep", "Runs many seeds, each twice; stops at the first failure");
  sweep->add_option("--scenario", arguments.scenario, "which scenario")->required()->check(known);
  sweep->add_option("--seeds", arguments.seeds, "how many")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000'000}));
  sweep->add_option("--first-seed", arguments.first_seed, "the first one; fresh if not given");
  sweep->add_option("--jobs", arguments.jobs, "processes")->check(CLI::Range(1, 256));
  CLI::App* replay = app.add_subcommand("replay", "Runs one seed again and shows what happened");
  replay->add_option("--scenario", arguments.scenario, "which scenario")->required()->check(known);
  replay->add_option("--seed", arguments.seed, "which seed")->required();
  replay->add_option("--trace", arguments.trace, "write every step into this file");
  replay->add_option("--from", arguments.from, "trace from this simulated second on")
      ->check(CLI::NonNegativeNumber);
  replay->add_option("--to", arguments.to, "and up to this one")->check(CLI::NonNegativeNumber);
  try {
    app.parse(argc, argv);
    if (arguments.to >= 0 && arguments.to < arguments.from) {
      throw CLI::ValidationError("--to", "is before --from: nothing would be traced");
    }
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const Scenario& scenario = *Find(arguments.scenario);
  return sweep->parsed() ? Sweep(scenario, arguments).Run() : Replay(scenario, arguments);
}

}  // namespace
}  // namespace bt::sim

int main(int argc, char** argv) { return bt::sim::Main(argc, argv); }
