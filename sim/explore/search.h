#pragma once

// Search: walks every future of a Model, breadth first, so that the counterexample is a shortest one. Each
// state is walked on from once, however many futures lead to it.

#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/explore/model.h"

namespace bt::sim::explore {

struct SearchOptions {
  uint64_t states_max = 1'000'000;
  // A state that was met before is not walked on from again. Without it each future is walked for itself, as
  // long as `states_max` of them allow.
  bool prune = true;
  // Takes the fingerprint of each state, if not null.
  absl::flat_hash_set<uint64_t>* fingerprints = nullptr;
  // Told now and then: how many states are known, and how many choices deep.
  std::function<void(uint64_t states, uint32_t depth)> progress;
};

struct Counterexample {
  std::string what;
  std::vector<Choice> path;  // the last one is wrong
};

struct SearchResult {
  uint64_t states = 0;
  uint64_t choices = 0;    // taken, in all states
  uint64_t met_again = 0;  // of these: led to a state that was known
  uint32_t depth = 0;      // choices on the longest path walked
  bool exhausted = false;  // no state is left to walk on from
  std::optional<Counterexample> found;
};

class Search {
 public:
  // Both must outlive it.
  Search(Model& model, const SearchOptions& options) : model_(model), options_(options) {}

  SearchResult Run();
  // Within a step of the model, for whoever must tell of a process that dies there: the choices that led
  // there, the last one being taken.
  std::vector<Choice> UnderWay() const { return PathTo(walking_, taking_); }

 private:
  // How a state was come to first. The first state's parent is itself.
  struct Origin {
    uint32_t parent = 0;
    Choice choice;
  };

  // True: it was not known, or that does not matter.
  bool Enter(Words state, Origin origin);
  void Expand(Words state, uint32_t number);
  std::vector<Choice> PathTo(uint32_t state, std::optional<Choice> last) const;

  Model& model_;
  const SearchOptions& options_;
  SearchResult result_;
  absl::flat_hash_set<uint64_t> known_;
  std::vector<Origin> origins_;  // by number of the state
  std::vector<uint32_t> layer_;  // the words of the states of one depth
  std::vector<uint32_t> next_;   // and of those one deeper
  std::vector<Choice> choices_;
  std::vector<uint32_t> reached_;
  uint32_t walking_ = 0;
  std::optional<Choice> taking_;
};

}  // namespace bt::sim::explore
