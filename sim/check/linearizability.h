#pragma once

// Linearizability of one key's history: Wing & Gong's search with Lowe's memoisation of (operations
// already placed, state). Operations that never returned may have taken effect at any later time, or not
// at all. The search is bounded: "unknown" is an answer, and a failure.
//
// Spec names   State (copyable, AbslHashValue, ==),   Op,   and
//     static bool Apply(State& state, const Op& op);   false: the op's answer is impossible in this state
//     static std::string Describe(const Op& op);
// An Op that never returned must let Apply succeed whatever the answer would have been.

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/time.h"
#include "sim/world.h"

namespace bt::sim {

template <class Op>
struct Timed {
  Instant called;
  Instant returned = Instant::Never();  // Never: no answer
  uint32_t client = 0;
  Op op;
};

enum class Linearizable : uint8_t { kYes, kNo, kUnknown };

template <class Spec>
class LinearizabilitySearch {
 public:
  static constexpr uint64_t kStepsMax = 2'000'000;

  explicit LinearizabilitySearch(std::vector<Timed<typename Spec::Op>> history)
      : history_(std::move(history)) {
    std::sort(history_.begin(), history_.end(),
              [](const auto& a, const auto& b) { return a.called < b.called; });
    placed_.resize((history_.size() + 63) / 64);
    for (const auto& entry : history_) completed_ += entry.returned != Instant::Never();
  }

  Linearizable Run() {
    if (Search(typename Spec::State())) return Linearizable::kYes;
    return steps_ >= kStepsMax ? Linearizable::kUnknown : Linearizable::kNo;
  }

  // The history as a timeline, for people.
  std::string Timeline() const {
    std::string text;
    for (const auto& entry : history_) {
      text += "    " + TimeText(entry.called) + " .. " +
              (entry.returned == Instant::Never() ? "no answer" : TimeText(entry.returned)) + "  client " +
              std::to_string(entry.client) + "  " + Spec::Describe(entry.op) + "\n";
    }
    return text;
  }

 private:
  using Memo = std::pair<std::vector<uint64_t>, typename Spec::State>;

  bool Placed(size_t i) const { return placed_[i / 64] >> (i % 64) & 1; }

  bool Search(const typename Spec::State& state) {
    if (completed_ == 0) return true;
    if (++steps_ >= kStepsMax || !seen_.insert(Memo(placed_, state)).second) return false;
    // Only an operation called before every unplaced one has returned can come next.
    Instant first_return = Instant::Never();
    for (size_t i = first_unplaced_; i < history_.size(); ++i) {
      if (!Placed(i)) first_return = std::min(first_return, history_[i].returned);
    }
    const auto is_candidate = [&](size_t i) {
      return i < history_.size() && history_[i].called <= first_return;
    };
    // An answered operation that fits the state and does not change it can come now: if it fits anywhere,
    // moving it here breaks nothing. Without this rule concurrent reads would be tried in every order.
    for (size_t i = first_unplaced_; is_candidate(i); ++i) {
      if (Placed(i) || history_[i].returned == Instant::Never()) continue;
      typename Spec::State next = state;
      if (Spec::Apply(next, history_[i].op) && next == state) return PlaceAndSearch(i, next);
    }
    for (size_t i = first_unplaced_; is_candidate(i); ++i) {
      if (Placed(i)) continue;
      typename Spec::State next = state;
      // An unanswered operation without effect need not be placed.
      if (!Spec::Apply(next, history_[i].op) || next == state) continue;
      if (PlaceAndSearch(i, next)) return true;
      if (steps_ >= kStepsMax) return false;
    }
    return false;
  }

  bool PlaceAndSearch(size_t i, const typename Spec::State& next) {
    const bool counts = history_[i].returned != Instant::Never();
    const size_t unplaced_before = first_unplaced_;
    placed_[i / 64] |= uint64_t{1} << (i % 64);
    completed_ -= counts;
    while (first_unplaced_ < history_.size() && Placed(first_unplaced_)) ++first_unplaced_;
    const bool found = Search(next);
    placed_[i / 64] &= ~(uint64_t{1} << (i % 64));
    completed_ += counts;
    first_unplaced_ = unplaced_before;
    return found;
  }

  std::vector<Timed<typename Spec::Op>> history_;
  std::vector<uint64_t> placed_;
  size_t completed_ = 0;
  size_t first_unplaced_ = 0;
  uint64_t steps_ = 0;
  absl::flat_hash_set<Memo> seen_;  // look-up only
};

}  // namespace bt::sim
