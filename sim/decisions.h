#pragma once

// Decisions: a run as the list of what its random streams decided. A world can write the list while it runs
// (a recording), and it can be given one: then a stream takes its n-th value from the list instead of its
// generator. A list may be changed at any point and need not be complete; `Otherwise` says what a draw gets
// that the list does not have. A value that is too high for what is asked (the code has changed since) counts
// as the highest one possible.
//
// The simplest value of each decision is 0: no fault, no choice, the shortest time. Code that draws keeps to
// it.

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace bt::sim {

// One draw, reduced to what was asked for: below `bound`, or any number when `bound` is 0.
struct Decision {
  uint64_t ordinal = 0;  // the draw's place in its stream, from 0
  uint64_t value = 0;
  uint64_t bound = 0;

  bool operator==(const Decision&) const = default;
  static constexpr void Fields(auto& self, auto&& visit) {
    visit("ordinal", self.ordinal);
    visit("value", self.value);
    visit("bound", self.bound);
  }
};

struct StreamDecisions {
  std::string name;
  std::vector<Decision> decisions;  // by ordinal, none twice

  bool operator==(const StreamDecisions&) const = default;
  static constexpr void Fields(auto& self, auto&& visit) {
    visit("name", self.name);
    visit("decisions", self.decisions);
  }
};

enum class Otherwise : uint8_t { kDrawn, kSimplest };

struct Decisions {
  std::vector<StreamDecisions> streams;  // none twice; a recording has them in the order of registration
  Otherwise otherwise = Otherwise::kDrawn;

  // How many decisions there are that are not the simplest.
  size_t kept() const;
  // The same run for who falls back on the simplest: without the simplest decisions, and without the streams
  // that have no other.
  Decisions Sparse() const;

  bool operator==(const Decisions&) const = default;
};

// Where one stream's draws pass by: takes what is given, writes down what was decided.
class Tape {
 public:
  Tape(std::string name, const StreamDecisions* given, Otherwise otherwise)
      : given_(given), otherwise_(otherwise), recorded_{std::move(name), {}} {}

  // `drawn` is what the generator says, and holds in another future than that of the list.
  uint64_t Decide(uint64_t drawn, uint64_t bound, bool other_future);
  const std::string& name() const { return recorded_.name; }
  const StreamDecisions& recorded() const { return recorded_; }

 private:
  const StreamDecisions* given_;  // null: the list has nothing of this stream
  size_t next_given_ = 0;
  Otherwise otherwise_;
  StreamDecisions recorded_;
};

// Another future of a run: what is drawn after its first `after` events comes from other generators, which
// `future` chooses.
struct Redraw {
  uint64_t after = 0;
  uint64_t future = 0;
};

// The tapes of one world, by the names of its streams.
class Tapes {
 public:
  // `given` may be null and else outlives the tapes.
  explicit Tapes(const Decisions* given);

  // From here on streams draw from other generators, which `future` chooses; not 0.
  void BeginFuture(uint64_t future) { future_ = future; }
  uint64_t future() const { return future_; }

  // The same tape for the same name: a stream that is registered anew goes on in its decisions.
  Tape* Open(const std::string& name);
  Decisions Recording() const;

 private:
  Otherwise otherwise_;
  absl::flat_hash_map<std::string, const StreamDecisions*> given_;  // look-up only
  absl::flat_hash_map<std::string, Tape*> by_name_;                 // look-up only
  std::deque<Tape> tapes_;
  uint64_t future_ = 0;  // 0: the one that the seed has
};

}  // namespace bt::sim
