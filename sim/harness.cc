#include "sim/harness.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/base/rng.h"

namespace bt::sim {
namespace {

// What a signal handler may read: written before a run, as plain bytes.
char g_dying_words[1024] = "";
// The run this process is in, for who wants to hear of its death.
std::function<void(Report)> g_death;
const World* g_world = nullptr;
Report* g_report = nullptr;

void Fill(const World& world, Report& report) {
  report.seed = world.seed();
  report.digest = world.digest();
  report.steps = world.steps();
  report.events = world.events();
  report.end = world.now();
  report.faults = world.faults();
  report.figures = world.figures();
  report.failure = world.failure();
  report.nodes = world.nodes();
  for (const TraceRecord& record : world.trace()) report.trace.push_back(RenderTrace(record));
  report.decisions = world.Recording().streams;
  report.reached = world.reached();
}

// A CHECK aborts the process from within its own step, so that the heap is in order and the report can be
// made.
void OnAbort(int) {
  signal(SIGABRT, SIG_DFL);
  if (g_death != nullptr && g_world != nullptr) {
    Fill(*g_world, *g_report);
    g_death(std::move(*g_report));
  }
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, g_dying_words, std::strlen(g_dying_words));
}

// What there is to do about a run, one line each. A test that was made without a program draws no pages.
std::string Commands(const Scenario& scenario, uint64_t seed) {
  std::string text = absl::StrCat("replay:  ", Command(scenario, "replay", seed),
                                  "\nshrink:  ", Command(scenario, "shrink", seed), "\n");
  if (scenario.program != nullptr) {
    absl::StrAppend(&text, "view:    ", Command(scenario, "view", seed), " -o ", seed, ".html\n");
  }
  return text;
}

void PrepareForDeath(const Scenario& scenario, const World& world, Report& report) {
  const std::string words =
      absl::StrFormat("the process died inside a simulated run\nscenario %s, seed %d\n%s", scenario.name,
                      world.seed(), Commands(scenario, world.seed()));
  std::snprintf(g_dying_words, sizeof g_dying_words, "%s", words.c_str());
  g_world = &world;
  g_report = &report;
  signal(SIGABRT, OnAbort);
}

// Keeps of the trace what a report tells.
void Summarise(const TraceRecord& record, Report& report) {
  if (record.kind == TraceKind::kOperation) ++report.operations;
  if (record.kind != TraceKind::kFault || IsConsequence(static_cast<Fault>(record.number))) return;
  report.fault_events.push_back(
      absl::StrFormat("%14s  %s: %s", TimeText(record.at), record.who, record.text));
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

}  // namespace

uint64_t EventLimitBeside(uint64_t events) {
  constexpr uint64_t kFactor = 4;
  constexpr uint64_t kMore = 100'000;
  return std::min(events * kFactor + kMore, WorldOptions().event_limit);
}

Report RunOnce(const Scenario& scenario, uint64_t seed, WorldOptions options) {
  Report report;
  if (options.recorder.trace) {
    options.recorder.on_trace = [&report](const TraceRecord& record) { Summarise(record, report); };
  }
  if (const char* judge = std::getenv("BYTETORRENT_SIM_JUDGE")) options.judge = judge;
  World world(seed, std::move(options));
  PrepareForDeath(scenario, world, report);
  scenario.run(world);
  g_dying_words[0] = '\0';
  g_world = nullptr;
  Fill(world, report);
  return report;
}

void OnDeathInARun(std::function<void(Report)> death) { g_death = std::move(death); }

Report RunChecked(const Scenario& scenario, uint64_t seed, Runs runs) {
  Report report = RunOnce(scenario, seed);
  const Report again = runs == Runs::kTwice ? RunOnce(scenario, seed) : report;
  if (report.digest != again.digest || report.steps != again.steps || report.failure != again.failure) {
    report.failure = Divergence(scenario, seed, report.trace);
  } else if (report.failure.has_value()) {
    report.trace = RunOnce(scenario, seed, {.recorder = {.trace = true}}).trace;
  }
  if (runs == Runs::kTwice) {
    report.steps += again.steps;
    report.events += again.events;
  }
  return report;
}

std::string Command(const Scenario& scenario, std::string_view verb, uint64_t seed) {
  if (scenario.program != nullptr) {
    return absl::StrFormat("%s %s --scenario=%s --seed=%d", ProgramWords(scenario.program), std::string(verb),
                           scenario.name, seed);
  }
  const char* target = std::getenv("TEST_TARGET");
  return absl::StrFormat("bazel test %s --test_output=streamed --test_arg=--%s=%d",
                         target == nullptr ? "TARGET" : target, std::string(verb), seed);
}

std::string ProgramWords(std::string_view program) {
  const bool label = program.starts_with("//") || program.starts_with("@");
  return label ? absl::StrCat("bazel run ", std::string(program), " --") : std::string(program);
}

std::string FailureText(const Scenario& scenario, const Report& report) {
  std::string text = absl::StrFormat("%s\nscenario %s, seed %d\nfaults so far: %s\nthe last events:\n",
                                     report.failure.value_or("no failure"), scenario.name, report.seed,
                                     report.faults.ToString());
  for (const std::string& line : report.trace) text += line + "\n";
  return text + Commands(scenario, report.seed);
}

uint64_t FreshSeed() {
  uint64_t seed = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  seed ^= static_cast<uint64_t>(getpid()) << 40;
  if (const char* run = std::getenv("TEST_RUN_NUMBER")) seed += static_cast<uint64_t>(std::atoll(run)) << 20;
  // Short enough to be typed, and with room above it for the seeds of one test.
  return Rng(seed).Below(1'000'000'000) * 1000;
}

}  // namespace bt::sim
