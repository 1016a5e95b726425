#pragma once

// A campaign: a range of seeds of one scenario, run in several processes, chunk by chunk. It goes on after a
// failure, also after one that ends a process. Failures are grouped: by judge and sentence, with numbers and
// names of nodes left out.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sim/harness.h"

namespace bt::sim {

struct SeedRange {
  uint64_t first = 0;
  uint64_t count = 0;
};

struct SeedFailure {
  uint64_t seed = 0;
  std::string sentence;
};

// What came of a chunk of seeds. Results of any chunks can be added up.
struct ChunkResult {
  SeedRange seeds;
  uint64_t steps = 0;
  uint64_t events = 0;
  uint64_t simulated_ms = 0;
  FaultCounts faults;
  Figures figures;
  std::vector<SeedFailure> failures;

  void Add(const Report& report);
};

struct FailureGroup {
  std::string name;   // the sentence, normalised
  SeedFailure first;  // the lowest seed
  uint64_t count = 0;
};

class FailureGroups {
 public:
  void Add(const SeedFailure& failure);
  const std::vector<FailureGroup>& groups() const { return groups_; }

 private:
  std::vector<FailureGroup> groups_;
};

// "agreement: slot 7 of tracker-2 ..; .." becomes "agreement: slot N of NODE ..": what two failures of one
// mistake have in common. What follows a semicolon is the situation of one run.
std::string GroupName(const std::string& sentence);

// `seeds` without `done`, in chunks of at most `chunk_max`.
std::vector<SeedRange> ChunksLeft(SeedRange seeds, const std::vector<SeedRange>& done, uint64_t chunk_max);

struct CampaignHooks {
  // After each seed; false: stop here.
  std::function<bool(const Report&)> seed;
  // After each chunk; after a stop with what has been run of the others.
  std::function<void(const ChunkResult&)> chunk;
  // Called now and then, also while nothing ends.
  std::function<void()> tick;
};

void RunCampaign(const Scenario& scenario, const std::vector<SeedRange>& chunks, uint32_t jobs,
                 const CampaignHooks& hooks, Runs runs = Runs::kTwice);

}  // namespace bt::sim
