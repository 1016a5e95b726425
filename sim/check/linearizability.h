#pragma once

// Linearizability of one key's history: Wing & Gong's search with Lowe's memoisation of (operations
// already placed, state). Operations that never returned may have taken effect at any later time, or not
// at all. The search is bounded: "unknown" is an answer, and a failure.
//
// Spec names   State (copyable, AbslHashValue, ==),   Op,   and
//     static bool Apply(State& state, const Op& op);   false: the op's answer is impossible in this state
//     static bool ChangesNothing(const Op& op);   with its answer, in no state
//     static std::string Describe(const Op& op);
//     static std::string DescribeState(const State& state);
// An Op that never returned must let Apply succeed whatever the answer would have been.

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/container/inlined_vector.h>

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
  using State = typename Spec::State;
  using Operation = Timed<typename Spec::Op>;

  explicit LinearizabilitySearch(std::vector<Operation> history) : history_(std::move(history)) {
    std::stable_sort(history_.begin(), history_.end(),
                     [](const Operation& a, const Operation& b) { return a.called < b.called; });
    placed_.resize((history_.size() + 63) / 64);
    for (size_t i = 0; i < history_.size(); ++i) {
      if (!Answered(i)) unanswered_.push_back(i);
    }
    missing_ = history_.size() - unanswered_.size();
  }

  Linearizable Run() {
    SkipPlaced();
    Enter(State(), kNone);
    while (!stack_.empty()) {
      if (missing_ == 0) return Linearizable::kYes;
      if (steps_ >= kStepsMax) return Linearizable::kUnknown;
      if (!Descend()) Leave();
    }
    return Linearizable::kNo;
  }

  // After Run has said no, for people: the operations of the shortest part of the history that cannot be
  // explained, in the order of their calls, each client in a lane of its own: "*" is its call, "|" that it
  // waits for an answer. The part ends with the first answer that no order explains; it begins where last
  // nobody waited, and with what the state can have been there. Of a long one the end is shown.
  std::string Timeline() const {
    size_t end = quiet_;
    while (end < history_.size() && history_[end].called <= stuck_) ++end;
    const size_t begin = end - std::min(end - quiet_, kLinesMax);
    absl::btree_map<uint32_t, Instant> lanes;  // by client: when it has its answer
    for (size_t i = begin; i < end; ++i) lanes[history_[i].client] = Instant{INT64_MIN};
    std::string text = "    clients";
    for (const auto& [client, until] : lanes) text += " " + std::to_string(client);
    text += "; at first: ";
    for (const State& state : quiet_states_) {
      text += (&state == &quiet_states_.front() ? "" : " or ") + Spec::DescribeState(state);
    }
    text += "\n";
    for (const size_t i : unanswered_) {
      if (i < quiet_) text += "    earlier, and perhaps not yet done: " + LineOf(history_[i]) + "\n";
    }
    if (begin > quiet_) text += "    after " + std::to_string(begin - quiet_) + " operations that fit\n";
    for (size_t i = begin; i < end; ++i) {
      text += "    ";
      for (auto& [client, until] : lanes) {
        const bool calls = client == history_[i].client;
        if (calls) until = history_[i].returned;
        text += calls ? '*' : until > history_[i].called ? '|' : '.';
      }
      text += "  " + LineOf(history_[i]);
      if (history_[i].returned == stuck_) text += "  <- no order explains this answer";
      text += "\n";
    }
    return text;
  }

 private:
  static constexpr size_t kNone = SIZE_MAX;
  static constexpr size_t kLinesMax = 60;

  // The operations placed so far, in few words: all answered ones below `first` are.
  struct Memo {
    size_t first;
    absl::InlinedVector<uint64_t, 4> placed;  // from `first`'s word on, then which of the unanswered ones
    State state;

    template <class H>
    friend H AbslHashValue(H hash, const Memo& memo) {
      return H::combine(std::move(hash), memo.first, memo.placed, memo.state);
    }
    friend bool operator==(const Memo&, const Memo&) = default;
  };
  // A point of the search: what has been placed last, and which candidate comes next.
  struct Frame {
    State state;
    size_t operation;
    size_t first_before;
    size_t last_word;      // no operation in a higher word of placed_ is placed
    Instant first_return;  // of those not placed
    size_t cursor = 0;
    bool exhausted = false;
  };

  static std::string LineOf(const Operation& operation) {
    return TimeText(operation.called) + " .. " +
           (operation.returned == Instant::Never() ? "no answer" : TimeText(operation.returned)) +
           "  client " + std::to_string(operation.client) + "  " + Spec::Describe(operation.op);
  }

  bool Answered(size_t i) const { return history_[i].returned != Instant::Never(); }
  bool Placed(size_t i) const { return placed_[i / 64] >> (i % 64) & 1; }
  void Flip(size_t i) { placed_[i / 64] ^= uint64_t{1} << (i % 64); }
  // Those below first_ are placed, or have no answer.
  void SkipPlaced() {
    while (first_ < history_.size() && (Placed(first_) || !Answered(first_))) ++first_;
  }

  // Only an operation called before every unplaced one has returned can come next.
  Instant FirstReturn() const {
    Instant first = Instant::Never();
    for (size_t i = first_; i < history_.size() && history_[i].called <= first; ++i) {
      if (!Placed(i)) first = std::min(first, history_[i].returned);
    }
    return first;
  }

  Memo Remember(const Frame& frame) const {
    Memo memo{.first = first_, .placed = {}, .state = frame.state};
    for (size_t word = first_ / 64; word <= frame.last_word && word < placed_.size(); ++word) {
      memo.placed.push_back(placed_[word]);
    }
    uint64_t bits = 0;
    for (size_t i = 0; i < unanswered_.size(); ++i) {
      bits |= uint64_t{Placed(unanswered_[i])} << (i % 64);
      if (i % 64 == 63 || i + 1 == unanswered_.size()) memo.placed.push_back(std::exchange(bits, 0));
    }
    return memo;
  }

  // Places the operation; false when this point of the search was met before.
  bool Enter(State state, size_t operation) {
    Frame frame{.state = std::move(state), .operation = operation, .first_before = first_};
    frame.last_word = stack_.empty() ? 0 : stack_.back().last_word;
    if (operation != kNone) {
      Flip(operation);
      missing_ -= Answered(operation);
      frame.last_word = std::max(frame.last_word, operation / 64);
      SkipPlaced();
    }
    frame.first_return = FirstReturn();
    ++steps_;
    const bool fresh = seen_.insert(Remember(frame)).second;
    if (fresh && missing_ > 0) Note(frame);
    stack_.push_back(std::move(frame));
    if (!fresh) Leave();
    return fresh;
  }

  void Leave() {
    const Frame& frame = stack_.back();
    if (frame.operation != kNone) {
      Flip(frame.operation);
      missing_ += Answered(frame.operation);
    }
    first_ = frame.first_before;
    stack_.pop_back();
  }

  // For the timeline: how far the search has come, and the last place where nobody waited. Every order passes
  // there in a state with all earlier answers explained and nothing later placed.
  void Note(const Frame& frame) {
    stuck_ = std::max(stuck_, frame.first_return);
    if (first_ < quiet_ || !IsQuiet(first_)) return;
    for (size_t i = first_; i <= frame.last_word * 64 + 63 && i < history_.size(); ++i) {
      if (Placed(i) && Answered(i)) return;
    }
    if (first_ > quiet_) quiet_states_.clear();
    quiet_ = first_;
    if (std::find(quiet_states_.begin(), quiet_states_.end(), frame.state) == quiet_states_.end()) {
      quiet_states_.push_back(frame.state);
    }
  }
  bool IsQuiet(size_t i) {
    if (returned_before_.empty()) {
      Instant last{INT64_MIN};
      for (const Operation& operation : history_) {
        returned_before_.push_back(last);
        if (operation.returned != Instant::Never()) last = std::max(last, operation.returned);
      }
    }
    return returned_before_[i] < history_[i].called;
  }

  // Goes on with the next candidate of the top frame; false when it has none left.
  bool Descend() {
    const size_t top = stack_.size() - 1;  // Enter moves the frames
    if (stack_[top].exhausted) return false;
    if (stack_[top].cursor == 0 && PlaceWithoutEffect(top)) return true;
    if (stack_[top].exhausted) return false;
    const Instant first_return = stack_[top].first_return;
    const size_t first = first_;
    while (true) {
      const size_t cursor = stack_[top].cursor++;
      const bool old = cursor < unanswered_.size();
      const size_t i = old ? unanswered_[cursor] : first + (cursor - unanswered_.size());
      if (i >= history_.size() || history_[i].called > first_return) {
        if (!old) return false;
        stack_[top].cursor = unanswered_.size();  // those after it were called later still
        continue;
      }
      if (Placed(i) || (!old && !Answered(i))) continue;
      State next = stack_[top].state;
      // An unanswered operation without effect need not be placed; one with an answer has had its turn above.
      if (!Spec::Apply(next, history_[i].op)) continue;
      if (Answered(i) ? Spec::ChangesNothing(history_[i].op) : next == stack_[top].state) continue;
      if (Enter(std::move(next), i)) return true;
    }
  }

  // An answered operation that fits the state and changes nothing can come now: if it fits anywhere, moving
  // it here breaks nothing. Without this rule concurrent reads would be tried in every order.
  bool PlaceWithoutEffect(size_t top) {
    for (size_t i = first_; i < history_.size() && history_[i].called <= stack_[top].first_return; ++i) {
      if (Placed(i) || !Answered(i) || !Spec::ChangesNothing(history_[i].op)) continue;
      State next = stack_[top].state;
      if (!Spec::Apply(next, history_[i].op)) continue;
      stack_[top].exhausted = true;
      return Enter(std::move(next), i);
    }
    return false;
  }

  std::vector<Operation> history_;
  std::vector<size_t> unanswered_;
  std::vector<uint64_t> placed_;
  size_t missing_ = 0;  // answered and not placed
  size_t first_ = 0;
  uint64_t steps_ = 0;
  std::vector<Frame> stack_;
  absl::flat_hash_set<Memo> seen_;  // look-up only
  // For the timeline.
  Instant stuck_{INT64_MIN};
  size_t quiet_ = 0;
  std::vector<State> quiet_states_;
  std::vector<Instant> returned_before_;  // by operation: the last answer to an earlier one
};

}  // namespace bt::sim
