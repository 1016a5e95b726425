#pragma once

// Steering: a campaign that goes on from what has turned out well. A run that reaches pairs of kinds of steps
// that none before has reached is kept as a recipe; later runs repeat one of these until the new thing came
// about, or shortly before or after that, and have another future from there on.

#include <absl/container/flat_hash_set.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/base/rng.h"
#include "sim/decisions.h"
#include "sim/harness.h"
#include "sim/step_kinds.h"

namespace bt::sim {

// A run: a seed, and where it parts from what the seed alone would draw.
struct Recipe {
  uint64_t seed = 0;
  std::vector<Redraw> redraws;  // in order
};

class Steering {
 public:
  static constexpr size_t kRecipesMax = 4096;  // kept ones; the oldest go first
  static constexpr size_t kRedrawsMax = 6;     // of one recipe
  static constexpr uint32_t kBranchesPercent = 25;
  static constexpr uint32_t kTries = 48;    // that a recipe gets for having reached something new
  static constexpr size_t kPlacesMax = 16;  // of new things in one run that are gone back to

  // Fresh seeds are counted from `first_seed`; what is drawn follows from it.
  explicit Steering(uint64_t first_seed, uint32_t branches_percent = kBranchesPercent)
      : rng_(Rng(first_seed).Fork("steering")), next_seed_(first_seed), branches_percent_(branches_percent) {}

  Recipe Next();
  // What a run of `recipe` has reached; whether something of it was new.
  bool Learn(const Recipe& recipe, const ReachedKinds& reached);

  const std::map<std::string, uint64_t>& kinds() const { return kinds_; }  // by name, how often
  size_t pairs() const { return pairs_.size(); }
  size_t recipes() const { return kept_.size(); }

 private:
  struct Kept {
    Recipe recipe;
    std::vector<uint64_t> places;  // the events with which something new came about
    uint32_t tries = 0;            // left
  };

  Rng rng_;
  uint64_t next_seed_;
  const uint32_t branches_percent_;
  std::vector<Kept> kept_;
  std::map<std::string, uint64_t> kinds_;
  absl::flat_hash_set<uint64_t> pairs_;
};

struct SteeredHooks {
  // After each run; false: stop here.
  std::function<bool(const Recipe& recipe, const Report& report)> run;
  std::function<void()> tick;  // now and then
};

// `runs` runs of the scenario as `steering` says, in `jobs` processes.
void RunSteered(const Scenario& scenario, uint64_t runs, uint32_t jobs, Steering& steering,
                const SteeredHooks& hooks);

}  // namespace bt::sim
