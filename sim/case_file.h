#pragma once

// A case: a run that somebody wants to keep, as a text file of the decisions that are not the simplest. It
// replays as long as the streams are called the same, whatever else has changed.
//
//     bytetorrent simulation case, version 1
//     scenario tracker_faults
//     seed 81732
//     sentence agreement: slot 7 was decided twice
//     tracker_faults
//       2 = 5 of 12
//     network from 0/to 1/drop
//       17 = 1 of 2
//     end
//
// A line that is not indented names a stream; the lines below it are its decisions: ordinal, value, bound
// ("any" for 64-bit numbers).

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "sim/decisions.h"

namespace bt::sim {

struct Case {
  std::string scenario;
  uint64_t seed = 0;     // of the run it was found in
  std::string sentence;  // the judge's
  Decisions decisions;   // Otherwise::kSimplest
};

std::string RenderCase(const Case& kept);
// The error says which line is wrong and why.
absl::StatusOr<Case> ParseCase(std::string_view text);

}  // namespace bt::sim
