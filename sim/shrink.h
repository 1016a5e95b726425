#pragma once

// Shrinking: from a seed that fails to a small case that fails with the same judge. The run is recorded; then
// decisions are set to the simplest, whole streams first, then halves of what is left, then single ones, and
// what cannot be dropped is lowered, as long as the run still fails. What the failing run no longer draws
// falls away by itself. A round without success proves the result locally minimal: without any one kept
// decision the run passes, or fails with another judge.

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "sim/case_file.h"
#include "sim/harness.h"

namespace bt::sim {

struct ShrinkOptions {
  double seconds = 120;                                   // wall-clock; what is reached then is the result
  const Decisions* decisions = nullptr;                   // of a case; outlives the search
  std::function<void(const std::string& line)> progress;  // now and then
};

struct ShrinkResult {
  Case kept;
  Report before;  // the first run and the last, both with trace and fault events
  Report after;
  size_t decisions_before = 0;  // that are not the simplest
  size_t runs = 0;
  bool locally_minimal = false;  // false: the time was over first
};

// An error when the seed does not fail, or when its recording does not fail in the same way.
absl::StatusOr<ShrinkResult> Shrink(const Scenario& scenario, uint64_t seed, const ShrinkOptions& options);

// What was found, for people: the sentence, the sizes before and after, each fault that is left.
std::string ShrinkText(const ShrinkResult& result);

// One run of a case, with trace.
Report RunCase(const Scenario& scenario, const Case& kept);

}  // namespace bt::sim
