#pragma once

// Why: after which event of a failing run had its failure become inevitable? A future of event E is the same
// run up to E with everything that its streams decide afterwards drawn anew. Machines keep the generators
// that they were given before. The failure is inevitable after E when at least 99 of 100 futures of E fail
// with the same judge. The search halves the run, so it takes for granted that what is inevitable stays so:
// the event that it names is one after which the failure is inevitable, and before which it is not.

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sim/harness.h"

namespace bt::sim {

struct WhyOptions {
  uint32_t futures = 100;                                 // of one event
  const Decisions* decisions = nullptr;                   // of a case; outlives the search
  std::function<void(const std::string& line)> progress;  // after each event that was looked at
};

struct WhyResult {
  Report failing;               // the run itself
  uint64_t event = 0;           // 0: it was so from the beginning
  std::vector<TraceRecord> at;  // what happened with that event
  uint32_t failing_before = 0;  // of `futures_before` futures of the event before it; 0 of 0 for event 0
  uint32_t futures_before = 0;
  uint64_t runs = 0;
};

// An error when the seed does not fail.
absl::StatusOr<WhyResult> Why(const Scenario& scenario, uint64_t seed, const WhyOptions& options);

// What was found, for people.
std::string WhyText(const WhyResult& result);

}  // namespace bt::sim
