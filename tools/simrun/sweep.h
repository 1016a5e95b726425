#pragma once

// The command `sweep`: a campaign with its progress on the console and its results as JSON lines. A file of
// such lines begins with what was asked for; each further line is a chunk that is done. Files of several
// sweeps of one scenario can be concatenated or merged, and a sweep that was interrupted takes up its own.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/campaign.h"

namespace bt::sim {

struct SweepArguments {
  std::string scenario;
  SeedRange seeds;
  uint32_t jobs = 1;
  Runs runs = Runs::kTwice;
  uint64_t failures_max = 10;  // groups
  std::string json;            // appended to; empty: none
  std::vector<SeedRange> done;
};

int Sweep(const Scenario& scenario, const SweepArguments& arguments);

// What a file of JSON lines holds.
struct SweepFile {
  std::string scenario;
  SeedRange asked;
  std::vector<ChunkResult> chunks;
};

// The error names the line.
absl::StatusOr<SweepFile> ReadSweepFile(const std::string& path);

// Totals, groups and faults of what has been read.
std::string MergeText(const std::vector<SweepFile>& files);

}  // namespace bt::sim
