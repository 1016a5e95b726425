#include "tools/simrun/simrun_main.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/version.h"
#include "sim/apart.h"
#include "sim/shrink.h"
#include "sim/verdict.h"
#include "sim/why.h"
#include "tools/simrun/output_file.h"
#include "tools/simrun/program.h"
#include "tools/simrun/steer.h"
#include "tools/simrun/sweep.h"
#include "tools/simrun/view.h"

namespace bt::sim {
namespace {

struct Arguments {
  std::string scenario;
  uint64_t seed = 0;
  // sweep
  uint64_t seeds = 1000;
  std::optional<uint64_t> first_seed;
  uint32_t jobs = 1;
  bool once = false;
  uint64_t failures = 10;
  std::string json;
  std::string resume;
  // steer
  uint32_t branches = Steering::kBranchesPercent;
  std::string cases = ".";
  std::string kinds;
  // replay, view
  std::string case_file;
  std::string trace;
  double from = 0;
  double to = -1;
  // why
  uint32_t futures = 100;
  // shrink
  double seconds = 120;
  std::string output;  // view's and why's, too
  // merge
  std::vector<std::string> files;
};

using Scenarios = std::vector<Scenario>;

const Scenario* Find(const Scenarios& scenarios, const std::string& name) {
  for (const Scenario& scenario : scenarios) {
    if (name == scenario.name) return &scenario;
  }
  return nullptr;
}

int Wrong(const std::string& why) {
  std::fprintf(stderr, "simrun: %s\n", why.c_str());
  return 2;
}

int CannotWrite(const std::string& path) { return Wrong("cannot write " + path); }

void PrintProgress(const std::string& line) {
  std::printf("  %s\n", line.c_str());
  std::fflush(stdout);
}

int RunSweep(const Scenarios& scenarios, const Arguments& arguments) {
  SweepArguments sweep{.scenario = arguments.scenario,
                       .seeds = {arguments.first_seed.value_or(FreshSeed()), arguments.seeds},
                       .jobs = arguments.jobs,
                       .runs = arguments.once ? Runs::kOnce : Runs::kTwice,
                       .failures_max = arguments.failures,
                       .json = arguments.json};
  if (!arguments.resume.empty()) {
    const absl::StatusOr<SweepFile> file = ReadSweepFile(arguments.resume);
    if (!file.ok()) return Wrong(std::string(file.status().message()));
    sweep.scenario = file->scenario;
    sweep.seeds = file->asked;
    sweep.json = arguments.resume;
    for (const ChunkResult& chunk : file->chunks) sweep.done.push_back(chunk.seeds);
  }
  if (sweep.scenario.empty()) return Wrong("sweep needs --scenario or --resume");
  const Scenario* scenario = Find(scenarios, sweep.scenario);
  if (scenario == nullptr) return Wrong("there is no scenario " + sweep.scenario + " (see --help)");
  return Sweep(*scenario, sweep);
}

// What two runs of one seed have in common.
std::string RunText(const Report& report) {
  return absl::StrFormat("%d steps, %d events, %s simulated, digest %016x\n", report.steps, report.events,
                         TimeText(report.end), report.digest);
}

void PrintPassed(const Scenario& scenario, const Report& report) {
  std::printf("scenario %s, seed %llu: no judge complained\n%sfaults: %s\n%s", scenario.name,
              static_cast<unsigned long long>(report.seed), RunText(report).c_str(),
              report.faults.ToString().c_str(), report.figures.ToString().c_str());
}

void SetTimes(const Arguments& arguments, RecorderOptions& recorder) {
  recorder.from = Instant{static_cast<int64_t>(arguments.from * 1e9)};
  if (arguments.to >= 0) recorder.to = Instant{static_cast<int64_t>(arguments.to * 1e9)};
}

// A case's decisions go into the options; it outlives the run.
int RunReplay(const Scenario& scenario, const Arguments& arguments, uint64_t seed,
              const Decisions* decisions) {
  WorldOptions options;
  options.decisions = decisions;
  const WorldOptions plain = options;
  options.recorder.trace = true;
  SetTimes(arguments, options.recorder);
  if (!arguments.trace.empty()) {
    options.recorder.trace_file = std::fopen(arguments.trace.c_str(), "w");
    if (options.recorder.trace_file == nullptr) return CannotWrite(arguments.trace);
    setvbuf(options.recorder.trace_file, nullptr, _IOLBF, 0);  // a run that dies leaves all its lines
  }
  Report report = RunApart(scenario, seed, options);
  if (options.recorder.trace_file != nullptr) std::fclose(options.recorder.trace_file);
  if (!report.failure.has_value()) {
    const Report again = RunApart(scenario, seed, plain);
    if (again.failure.has_value()) report.failure = again.failure;
    if (again.digest != report.digest) report.failure = "two runs of one seed differ";
  }
  if (!report.failure.has_value()) {
    PrintPassed(scenario, report);
    return 0;
  }
  std::fputs((FailureText(scenario, report) + RunText(report)).c_str(), stdout);
  return 1;
}

// The run happens in another process, which a CHECK may end: its records come through a file without a name.
int WritePage(const Scenario& scenario, const Arguments& arguments, uint64_t seed, const Decisions* decisions,
              uint64_t cause, OutputFile& page) {
  std::FILE* const lines = std::tmpfile();
  if (lines == nullptr) return Wrong("cannot make a file in the folder for temporary files");
  setvbuf(lines, nullptr, _IOLBF, 1 << 16);
  WorldOptions options;
  options.decisions = decisions;
  SetTimes(arguments, options.recorder);
  options.recorder.on_trace = [lines](const TraceRecord& record) {
    std::fputs(ViewLine(record).c_str(), lines);
  };
  const Report report = RunApart(scenario, seed, options);
  const ViewStats stats = WriteView(scenario.name, report, cause, lines, page.stream());
  std::fclose(lines);
  if (!page.Keep()) return CannotWrite(page.path());
  std::printf("%s: %llu records%s; %s\n", page.path().c_str(), static_cast<unsigned long long>(stats.records),
              stats.left_out == 0 ? "" : ", the last ones (--from and --to choose others)",
              report.failure ? report.failure->c_str() : "no judge complained");
  return 0;
}

int RunView(const Scenario& scenario, const Arguments& arguments, uint64_t seed, const Decisions* decisions) {
  if (arguments.output.empty()) return Wrong("view needs -o FILE: the page it writes");
  OutputFile page;
  if (!page.Open(arguments.output)) return CannotWrite(arguments.output);
  return WritePage(scenario, arguments, seed, decisions, 0, page);
}

int RunWhy(const Scenario& scenario, const Arguments& arguments, uint64_t seed, const Decisions* decisions) {
  OutputFile page;
  if (!arguments.output.empty() && !page.Open(arguments.output)) return CannotWrite(arguments.output);
  const absl::StatusOr<WhyResult> result =
      Why(scenario, seed, {.futures = arguments.futures, .decisions = decisions, .progress = PrintProgress});
  if (!result.ok()) return Wrong(std::string(result.status().message()));
  std::fputs(WhyText(*result).c_str(), stdout);
  return page.is_open() ? WritePage(scenario, arguments, seed, decisions, result->event, page) : 0;
}

using Run = int (*)(const Scenario&, const Arguments&, uint64_t seed, const Decisions*);
int RunCase(const Scenarios& scenarios, const Arguments& arguments, Run run) {
  std::ifstream in(arguments.case_file);
  if (!in) return Wrong("cannot read " + arguments.case_file);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const absl::StatusOr<Case> kept = ParseCase(text);
  if (!kept.ok()) return Wrong(arguments.case_file + ", " + std::string(kept.status().message()));
  const Scenario* scenario = Find(scenarios, kept->scenario);
  if (scenario == nullptr) return Wrong(arguments.case_file + ": there is no scenario " + kept->scenario);
  return run(*scenario, arguments, kept->seed, &kept->decisions);
}

int RunShrink(const Scenario& scenario, const Arguments& arguments, uint64_t seed,
              const Decisions* decisions) {
  OutputFile out;
  if (!arguments.output.empty() && !out.Open(arguments.output)) return CannotWrite(arguments.output);
  const absl::StatusOr<ShrinkResult> result = Shrink(
      scenario, seed, {.seconds = arguments.seconds, .decisions = decisions, .progress = PrintProgress});
  if (!result.ok()) return Wrong(std::string(result.status().message()));
  std::fputs(ShrinkText(*result).c_str(), stdout);
  const std::string text = RenderCase(result->kept);
  if (!out.is_open()) {
    std::printf("the case:\n%s", text.c_str());
    return 0;
  }
  std::fputs(text.c_str(), out.stream());
  if (!out.Keep()) return CannotWrite(out.path());
  std::printf("replay:  %s replay --case=%s\n", ProgramWords(scenario.program).c_str(),
              arguments.output.c_str());
  return 0;
}

int RunSteer(const Scenario& scenario, const Arguments& arguments) {
  return Steer(scenario, {.first_seed = arguments.first_seed.value_or(FreshSeed()),
                          .runs = arguments.seeds,
                          .jobs = arguments.jobs,
                          .branches_percent = arguments.branches,
                          .failures_max = arguments.failures,
                          .cases = arguments.cases,
                          .kinds = arguments.kinds});
}

int RunMerge(const Arguments& arguments) {
  std::vector<SweepFile> files;
  for (const std::string& path : arguments.files) {
    absl::StatusOr<SweepFile> file = ReadSweepFile(path);
    if (!file.ok()) return Wrong(std::string(file.status().message()));
    files.push_back(std::move(*file));
  }
  std::fputs(MergeText(files).c_str(), stdout);
  return 0;
}

class CommandLine {
 public:
  CommandLine(const Scenarios& scenarios, const std::vector<SimrunCommand>& more)
      : scenarios_(scenarios), more_(more), app_(About(scenarios)) {
    const std::string scenario = "--scenario=" + std::string(scenarios.empty() ? "S" : scenarios[0].name);
    app_.footer("Examples:\n  simrun sweep " + scenario +
                " --seeds=10000 --jobs=2 --json=sweep.jsonl\n  simrun replay " + scenario +
                " --seed=81732 --trace=run.txt --from=3.5 --to=4\n  simrun shrink " + scenario +
                " --seed=81732 -o 81732.case\n"
                "  simrun replay --case=81732.case\n"
                "  simrun view --case=81732.case -o 81732.html");
    app_.require_subcommand(1);
    app_.set_version_flag("--version", std::string("simrun ") + kVersion);
    AddSweep();
    AddSteer();
    AddReplay();
    AddView();
    AddWhy();
    AddShrink();
    merge_ = app_.add_subcommand("merge", "Adds up the files of several sweeps");
    merge_->add_option("files", arguments_.files, "written by sweep --json")->required();
    for (const SimrunCommand& command : more_) app_.add_subcommand(command.name, command.about);
  }

  int Run(int argc, char** argv) {
    for (const SimrunCommand& command : more_) {
      if (argc > 1 && std::string_view(argv[1]) == command.name) return command.run(argc - 1, argv + 1);
    }
    try {
      app_.parse(argc, argv);
      if (arguments_.to >= 0 && arguments_.to < arguments_.from) {
        throw CLI::ValidationError("--to", "is before --from: nothing would be traced");
      }
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() == 0) return app_.exit(error);
      return Wrong(error.what());
    }
    if (sweep_->parsed()) return RunSweep(scenarios_, arguments_);
    if (merge_->parsed()) return RunMerge(arguments_);
    if (steer_->parsed()) return RunSteer(*Find(scenarios_, arguments_.scenario), arguments_);
    const auto run = view_->parsed()     ? RunView
                     : why_->parsed()    ? RunWhy
                     : shrink_->parsed() ? RunShrink
                                         : RunReplay;
    if (!arguments_.case_file.empty()) return RunCase(scenarios_, arguments_, run);
    if (arguments_.scenario.empty()) return Wrong("which run? --scenario and --seed, or --case, are needed");
    return run(*Find(scenarios_, arguments_.scenario), arguments_, arguments_.seed, nullptr);
  }

 private:
  static std::string About(const Scenarios& scenarios) {
    std::string text = "Runs simulated worlds: every run is a function of its seed.\nScenarios:";
    for (const Scenario& scenario : scenarios) {
      text += absl::StrFormat("\n  %-16s %s", scenario.name, scenario.about);
    }
    return text;
  }

  CLI::Option* AddScenario(CLI::App* command) {
    return command->add_option("--scenario", arguments_.scenario, "which scenario")
        ->check([this](const std::string& name) {
          return Find(scenarios_, name) != nullptr ? std::string()
                                                   : "there is no scenario " + name + " (see --help)";
        });
  }
  static std::string SeedError(const std::string& text) {
    uint64_t seed = 0;
    if (absl::SimpleAtoi(text, &seed)) return std::string();
    return text + " is no seed: a seed is a number from 0 to 18446744073709551615";
  }
  CLI::Option* AddSeed(CLI::App* command) {
    return command->add_option("--seed", arguments_.seed, "which seed")->check(SeedError);
  }

  void AddSweep() {
    sweep_ = app_.add_subcommand("sweep", "Runs many seeds, each twice, and groups what fails");
    AddScenario(sweep_);
    sweep_->add_option("--seeds", arguments_.seeds, "how many")
        ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000'000}));
    sweep_->add_option("--first-seed", arguments_.first_seed, "the first one; fresh if not given")
        ->check(SeedError);
    sweep_->add_option("--jobs", arguments_.jobs, "processes")->check(CLI::Range(1, 256));
    sweep_->add_flag("--once", arguments_.once,
                     "each seed once: twice as many, and none shown to be repeatable");
    sweep_->add_option("--failures", arguments_.failures, "stop after so many different failures")
        ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000'000}));
    CLI::Option* json =
        sweep_->add_option("--json", arguments_.json, "append the results to this file, as JSON lines");
    sweep_->add_option("--resume", arguments_.resume, "go on with the sweep of this file, written by --json")
        ->excludes(json);
  }

  void AddSteer() {
    steer_ =
        app_.add_subcommand("steer", "Runs seeds, and branches of those that have reached something new");
    AddScenario(steer_)->required();
    steer_->add_option("--runs", arguments_.seeds, "how many")
        ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000'000}));
    steer_->add_option("--first-seed", arguments_.first_seed, "the first one; fresh if not given")
        ->check(SeedError);
    steer_->add_option("--jobs", arguments_.jobs, "processes")->check(CLI::Range(1, 256));
    steer_->add_option("--failures", arguments_.failures, "stop after so many different failures")
        ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000'000}));
    steer_->add_option("--branches", arguments_.branches, "so many of a hundred runs branch; 0: seeds alone")
        ->check(CLI::Range(0, 100))
        ->capture_default_str();
    steer_->add_option("--cases", arguments_.cases, "write the cases of what fails into this folder");
    steer_->add_option("--kinds", arguments_.kinds, "write how often each kind of step was reached");
  }

  void AddSeedOrCase(CLI::App* command) {
    CLI::Option* scenario = AddScenario(command);
    CLI::Option* seed = AddSeed(command);
    scenario->needs(seed);
    seed->needs(scenario);
    command->add_option("--case", arguments_.case_file, "a case that shrink or steer has written")
        ->excludes(scenario);
  }

  // Of a seed or a case, and a part of the simulated time.
  void AddRun(CLI::App* command) {
    AddSeedOrCase(command);
    command->add_option("--from", arguments_.from, "what happens from this simulated second on")
        ->check(CLI::NonNegativeNumber);
    command->add_option("--to", arguments_.to, "and up to this one")->check(CLI::NonNegativeNumber);
  }
  void AddReplay() {
    replay_ = app_.add_subcommand("replay", "Runs one seed or one case again and shows what happened");
    AddRun(replay_);
    replay_->add_option("--trace", arguments_.trace, "write every step into this file");
  }
  void AddView() {
    view_ = app_.add_subcommand("view", "Draws the run of one seed or one case: a page for a browser");
    AddRun(view_);
    view_->add_option("-o,--output", arguments_.output, "write the page into this file");
  }
  void AddWhy() {
    why_ = app_.add_subcommand("why", "Finds the event after which a failure had become inevitable");
    AddRun(why_);
    why_->add_option("--futures", arguments_.futures, "how many futures of an event; 99 % must fail")
        ->check(CLI::Range(1, 100'000));
    why_->add_option("-o,--output", arguments_.output, "draw the run as view does, with that event marked");
  }

  void AddShrink() {
    shrink_ = app_.add_subcommand("shrink", "Finds a small case that fails as the seed or the case does");
    AddSeedOrCase(shrink_);
    shrink_->add_option("--seconds", arguments_.seconds, "how long to look")->check(CLI::PositiveNumber);
    shrink_->add_option("-o,--output", arguments_.output, "write the case into this file");
  }

  const Scenarios& scenarios_;
  const std::vector<SimrunCommand>& more_;
  Arguments arguments_;
  CLI::App app_;
  CLI::App* sweep_ = nullptr;
  CLI::App* steer_ = nullptr;
  CLI::App* replay_ = nullptr;
  CLI::App* view_ = nullptr;
  CLI::App* why_ = nullptr;
  CLI::App* shrink_ = nullptr;
  CLI::App* merge_ = nullptr;
};

}  // namespace

int SimrunMain(std::vector<Scenario> scenarios, int argc, char** argv,
               const std::vector<SimrunCommand>& more) {
  // `bazel run` starts programs somewhere else: files are named from where the user is.
  const char* directory = std::getenv("BUILD_WORKING_DIRECTORY");
  const std::string program = ProgramAsTyped(argv[0], directory != nullptr);
  for (Scenario& scenario : scenarios) {
    if (scenario.program == nullptr) scenario.program = program.c_str();
  }
  if (directory != nullptr && chdir(directory) != 0) return Wrong(std::string("cannot go to ") + directory);
  return CommandLine(scenarios, more).Run(argc, argv);
}

int SimrunMain(const std::vector<const Scenario*>& scenarios, int argc, char** argv,
               const std::vector<SimrunCommand>& more) {
  std::vector<Scenario> copies;
  for (const Scenario* scenario : scenarios) copies.push_back(*scenario);
  return SimrunMain(std::move(copies), argc, argv, more);
}

}  // namespace bt::sim
