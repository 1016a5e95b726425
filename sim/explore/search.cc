#include "sim/explore/search.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/base/digest.h"

namespace bt::sim::explore {
namespace {

// A state is known by 64 bits of it: of ten million states two are taken for one with a chance of 3 in a
// million.
uint64_t KeyOf(Words state) {
  return HashBytes({reinterpret_cast<const char*>(state.data()), state.size_bytes()});
}

constexpr uint64_t kProgressEvery = uint64_t{1} << 19;

}  // namespace

std::vector<Choice> Search::PathTo(uint32_t state, std::optional<Choice> last) const {
  std::vector<Choice> path;
  if (last) path.push_back(*last);
  for (; origins_[state].parent != state; state = origins_[state].parent) {
    path.push_back(origins_[state].choice);
  }
  std::reverse(path.begin(), path.end());
  return path;
}

bool Search::Enter(Words state, Origin origin) {
  if (options_.prune && !known_.insert(KeyOf(state)).second) return false;
  if (options_.fingerprints != nullptr) options_.fingerprints->insert(model_.Fingerprint(state));
  ++result_.states;
  origins_.push_back(origin);
  next_.insert(next_.end(), state.begin(), state.end());
  if (options_.progress && result_.states % kProgressEvery == 0) {
    options_.progress(result_.states, result_.depth);
  }
  return true;
}

void Search::Expand(Words state, uint32_t number) {
  walking_ = number;
  taking_.reset();
  model_.List(state, choices_);
  for (const Choice choice : choices_) {
    taking_ = choice;
    ++result_.choices;
    if (std::optional<std::string> wrong = model_.Take(state, choice, reached_)) {
      result_.found = Counterexample{*std::move(wrong), PathTo(number, choice)};
      return;
    }
    if (!Enter(reached_, {number, choice})) ++result_.met_again;
  }
}

SearchResult Search::Run() {
  CHECK(options_.states_max < UINT32_MAX);
  const size_t size = model_.size();
  reached_.resize(size);
  if (std::optional<std::string> wrong = model_.Begin(reached_)) {
    result_.found = Counterexample{*std::move(wrong), {}};
    return result_;
  }
  Enter(reached_, {});
  uint32_t number = 0;
  while (true) {
    layer_.clear();
    std::swap(layer_, next_);
    for (size_t at = 0; at < layer_.size(); at += size, ++number) {
      if (result_.states >= options_.states_max) return result_;
      Expand({layer_.data() + at, size}, number);
      if (result_.found) return result_;
    }
    if (next_.empty()) break;
    ++result_.depth;
  }
  result_.exhausted = true;
  return result_;
}

}  // namespace bt::sim::explore
