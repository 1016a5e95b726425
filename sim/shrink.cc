#include "sim/shrink.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "sim/apart.h"
#include "sim/verdict.h"

namespace bt::sim {
namespace {

constexpr uint32_t kSecondsPerRun = 30;
// Streams that are drawn from a few times decide about topology, workload and rates: their values are lowered
// first, since each of them stands for much.
constexpr size_t kShortStream = 64;

WorldOptions TracedOptions(const Decisions* decisions) {
  WorldOptions options;
  options.recorder.trace = true;
  options.record_decisions = true;
  options.decisions = decisions;
  return options;
}

class Shrinker {
 public:
  Shrinker(const Scenario& scenario, const ShrinkOptions& options) : scenario_(scenario), options_(options) {}

  absl::StatusOr<ShrinkResult> Run(uint64_t seed);

 private:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  bool Over() const { return Seconds() > options_.seconds; }
  // True when the candidate fails with the judge looked for; then it is the best, less what it did not draw.
  bool Try(Decisions candidate);
  // Each of these says whether it has made progress.
  bool DropStreams();
  bool DropDecisions(size_t stream);
  bool LowerValues(size_t stream);
  bool Lower(const std::string& stream, const Decision& decision);
  bool Round(bool first);
  void Tell();

  const Scenario& scenario_;
  const ShrinkOptions& options_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double told_ = 0;
  uint64_t seed_ = 0;
  std::string judge_;
  uint64_t event_limit_ = 0;
  Decisions best_;
  size_t runs_ = 0;
};

void Shrinker::Tell() {
  if (options_.progress == nullptr || Seconds() - told_ < 2) return;
  told_ = Seconds();
  options_.progress(absl::StrFormat("%.0f s, %d runs: %d decisions of %d streams are left", told_, runs_,
                                    best_.kept(), best_.streams.size()));
}

bool Shrinker::Try(Decisions candidate) {
  if (Over()) return false;
  Tell();
  ++runs_;
  WorldOptions options;
  options.record_decisions = true;
  options.decisions = &candidate;
  options.event_limit = event_limit_;
  Report report = RunApart(scenario_, seed_, options, kSecondsPerRun);
  if (!report.failure.has_value() || JudgeOf(*report.failure) != judge_) return false;
  best_ = Decisions{std::move(report.decisions)}.Sparse();
  return true;
}

// From the end on: what comes late depends on what came early, not the other way.
bool Shrinker::DropStreams() {
  bool progress = false;
  for (size_t width = std::max<size_t>(1, best_.streams.size() / 2);; width = width / 2) {
    for (size_t end = best_.streams.size(); end > 0 && !Over();) {
      const size_t begin = end > width ? end - width : 0;
      Decisions candidate = best_;
      candidate.streams.erase(candidate.streams.begin() + static_cast<ptrdiff_t>(begin),
                              candidate.streams.begin() + static_cast<ptrdiff_t>(end));
      progress |= Try(std::move(candidate));
      end = std::min(begin, best_.streams.size());
    }
    if (width <= 1) return progress;
  }
}

bool Shrinker::DropDecisions(size_t stream) {
  bool progress = false;
  const std::string name = best_.streams[stream].name;
  const auto decisions_of = [&](Decisions& all) -> std::vector<Decision>* {
    for (StreamDecisions& one : all.streams) {
      if (one.name == name) return &one.decisions;
    }
    return nullptr;
  };
  for (size_t width = std::max<size_t>(1, best_.streams[stream].decisions.size() / 2);; width = width / 2) {
    const std::vector<Decision>* kept = decisions_of(best_);
    for (size_t end = kept == nullptr ? 0 : kept->size(); end > 0 && !Over();) {
      const size_t begin = end > width ? end - width : 0;
      Decisions candidate = best_;
      std::vector<Decision>& decisions = *decisions_of(candidate);
      decisions.erase(decisions.begin() + static_cast<ptrdiff_t>(begin),
                      decisions.begin() + static_cast<ptrdiff_t>(end));
      progress |= Try(std::move(candidate));
      kept = decisions_of(best_);
      end = std::min(begin, kept == nullptr ? 0 : kept->size());
    }
    if (width <= 1) return progress;
  }
}

// The lowest value with which the run still fails, by halves: what fails need not be an interval.
bool Shrinker::Lower(const std::string& stream, const Decision& decision) {
  bool progress = false;
  uint64_t passes = 0;
  for (uint64_t fails = decision.value; fails - passes > 1 && !Over();) {
    const uint64_t middle = passes + (fails - passes) / 2;
    Decisions candidate = best_;
    bool there = false;
    for (StreamDecisions& one : candidate.streams) {
      for (Decision& other : one.decisions) {
        if (one.name != stream || other.ordinal != decision.ordinal) continue;
        other.value = middle;
        there = true;
      }
    }
    if (!there) return progress;
    if (Try(std::move(candidate))) {
      fails = middle;
      progress = true;
    } else {
      passes = middle;
    }
  }
  return progress;
}

bool Shrinker::LowerValues(size_t stream) {
  bool progress = false;
  const StreamDecisions before = best_.streams[stream];
  for (const Decision& decision : before.decisions) {
    // Of a 64-bit number another one is not simpler.
    if (decision.bound > 2) progress |= Lower(before.name, decision);
  }
  return progress;
}

bool Shrinker::Round(bool first) {
  const auto each = [&](auto&& wanted, auto&& shrink) {
    bool progress = false;
    for (size_t i = 0; i < best_.streams.size() && !Over(); ++i) {
      if (wanted(best_.streams[i])) progress |= shrink(i);
    }
    return progress;
  };
  // Those without a parent: of a scenario, a cluster, a client.
  const auto topology = [](const StreamDecisions& stream) {
    return stream.decisions.size() <= kShortStream && stream.name.find('/') == std::string::npos;
  };
  // Where there is only one, DropStreams has tried.
  const auto several = [](const StreamDecisions& stream) { return stream.decisions.size() > 1; };
  const auto drop = [&](size_t stream) { return DropDecisions(stream); };
  const auto lower = [&](size_t stream) { return LowerValues(stream); };
  bool progress = DropStreams();
  if (first) progress |= each(topology, drop) | each(topology, lower) | DropStreams();
  progress |= each(several, drop);
  return progress |
         each([](const StreamDecisions& stream) { return stream.decisions.size() <= kShortStream; }, lower);
}

absl::StatusOr<ShrinkResult> Shrinker::Run(uint64_t seed) {
  seed_ = seed;
  ShrinkResult result;
  result.before = RunApart(scenario_, seed, TracedOptions(options_.decisions));
  if (!result.before.failure.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s %d of %s passes: there is nothing to shrink",
                        options_.decisions == nullptr ? "seed" : "the case of seed", seed, scenario_.name));
  }
  judge_ = std::string(JudgeOf(*result.before.failure));
  event_limit_ = EventLimitBeside(result.before.events);
  Decisions recorded = Decisions{result.before.decisions}.Sparse();
  result.decisions_before = recorded.kept();
  if (!Try(std::move(recorded))) {
    return absl::InternalError(
        "the recording of the run does not fail as the run did: it draws outside of the "
        "world's streams");
  }
  bool progress = Round(true);
  while (progress && !Over()) progress = Round(false);
  result.locally_minimal = !progress && !Over();
  result.kept = {scenario_.name, seed, "", std::move(best_)};
  result.after = RunCase(scenario_, result.kept);
  const Report again = RunCase(scenario_, result.kept);
  if (again.digest != result.after.digest || again.failure != result.after.failure ||
      !again.failure.has_value()) {
    return absl::InternalError("two runs of the shrunk case differ");
  }
  result.kept.sentence = *result.after.failure;
  result.runs = runs_;
  return result;
}

std::string Sizes(const Report& report, size_t decisions) {
  return absl::StrFormat("%d nodes, %d operations, %d fault events, %d decisions, %s simulated", report.nodes,
                         report.operations, report.fault_events.size(), decisions, TimeText(report.end));
}

}  // namespace

absl::StatusOr<ShrinkResult> Shrink(const Scenario& scenario, uint64_t seed, const ShrinkOptions& options) {
  return Shrinker(scenario, options).Run(seed);
}

std::string ShrinkText(const ShrinkResult& result) {
  std::string text = absl::StrCat(
      result.kept.sentence, "\nscenario ", result.kept.scenario, ", seed ", result.kept.seed,
      "\nbefore: ", Sizes(result.before, result.decisions_before),
      "\nafter:  ", Sizes(result.after, result.kept.decisions.kept()), "\n", result.runs, " runs; ",
      result.locally_minimal ? "locally minimal: without any one of the decisions it passes"
                             : "the time was over: a smaller one may exist",
      "\nthe faults that are left:\n");
  for (const std::string& event : result.after.fault_events) absl::StrAppend(&text, event, "\n");
  if (result.after.fault_events.empty()) text += "  none\n";
  return text;
}

Report RunCase(const Scenario& scenario, const Case& kept) {
  return RunApart(scenario, kept.seed, TracedOptions(&kept.decisions));
}

}  // namespace bt::sim
