#include "sim/why.h"

#include <absl/status/status.h>
#include <absl/strings/str_format.h>

#include <utility>

#include "sim/apart.h"
#include "sim/verdict.h"

namespace bt::sim {
namespace {

constexpr uint32_t kSecondsPerRun = 60;

class Search {
 public:
  Search(const Scenario& scenario, uint64_t seed, const WhyOptions& options)
      : scenario_(scenario), seed_(seed), options_(options) {}

  absl::StatusOr<WhyResult> Run() {
    WorldOptions plain;
    plain.decisions = options_.decisions;
    result_.failing = RunApart(scenario_, seed_, plain, kSecondsPerRun);
    if (!result_.failing.failure) return absl::InvalidArgumentError("this run passes: no judge complains");
    uint64_t inevitable = result_.failing.events;
    uint64_t open = 0;  // behind the last event after which it is not inevitable
    while (open < inevitable) {
      const uint64_t middle = open + (inevitable - open) / 2;
      const Futures futures = Look(middle);
      if (futures.inevitable) {
        inevitable = middle;
      } else {
        open = middle + 1;
        result_.failing_before = futures.failing;
        result_.futures_before = futures.seen;
      }
    }
    result_.event = inevitable;
    Describe();
    return std::move(result_);
  }

 private:
  struct Futures {
    uint32_t seen = 0;  // no more than it takes to know
    uint32_t failing = 0;
    bool inevitable = false;
  };

  Futures Look(uint64_t event) {
    const uint32_t passing_max = options_.futures / 100;
    Futures futures;
    while (futures.seen < options_.futures && futures.seen - futures.failing <= passing_max) {
      ++futures.seen;
      if (Fails(event, futures.seen)) ++futures.failing;
    }
    futures.inevitable = futures.seen - futures.failing <= passing_max;
    if (options_.progress) {
      options_.progress(absl::StrFormat("after event %d of %d: %d of %d futures fail%s", event,
                                        result_.failing.events, futures.failing, futures.seen,
                                        futures.inevitable ? ", inevitable" : ""));
    }
    return futures;
  }

  bool Fails(uint64_t event, uint64_t future) {
    ++result_.runs;
    WorldOptions options;
    options.decisions = options_.decisions;
    options.redraws = {{.after = event, .future = future}};
    options.event_limit = EventLimitBeside(result_.failing.events);
    const Report report = RunApart(scenario_, seed_, options, kSecondsPerRun);
    return report.failure && JudgeOf(*report.failure) == JudgeOf(*result_.failing.failure);
  }

  // What the event did is told by a run in this process, which ends with the event: nothing dies before.
  void Describe() {
    if (result_.event == 0) return;
    WorldOptions options;
    options.decisions = options_.decisions;
    options.event_limit = result_.event;
    options.recorder.on_trace = [this](const TraceRecord& record) {
      if (record.event == result_.event && record.kind != TraceKind::kFailure) result_.at.push_back(record);
    };
    RunOnce(scenario_, seed_, std::move(options));
  }

  const Scenario& scenario_;
  const uint64_t seed_;
  const WhyOptions& options_;
  WhyResult result_;
};

}  // namespace

absl::StatusOr<WhyResult> Why(const Scenario& scenario, uint64_t seed, const WhyOptions& options) {
  return Search(scenario, seed, options).Run();
}

std::string WhyText(const WhyResult& result) {
  std::string text = *result.failing.failure + "\n";
  if (result.event == 0) {
    return text + "It was inevitable from the beginning: what was drawn before the first event decides it.\n";
  }
  text += absl::StrFormat(
      "It became inevitable with event %d of %d; before it %d of the %d futures looked at failed (%d "
      "runs).\n",
      result.event, result.failing.events, result.failing_before, result.futures_before, result.runs);
  if (result.at.empty()) text += "That event leaves no line in the trace.\n";
  for (const TraceRecord& record : result.at) text += RenderTrace(record) + "\n";
  return text;
}

}  // namespace bt::sim
