#pragma once

// RandomStream: where the simulator's side of a world draws. It draws like core's Rng and has a name; each of
// its draws is one decision of the run, which a tape can record or replace (decisions.h). Made by
// World::Stream alone, and one stream per (purpose, thing): what is drawn for one thing then keeps its place
// when another draws more or less. A machine never sees a stream: it gets an Rng that one decision has
// seeded.
//
// Draw so that the lowest value is the simplest: Chance says whether the fault happens, Below(n) counts from
// nothing, Between begins with the least.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/rng.h"
#include "core/base/time.h"
#include "sim/decisions.h"

namespace bt::sim {

class RandomStream {
 public:
  // `tapes` is null when nobody records or replaces.
  RandomStream(Rng rng, Tapes* tapes, std::string_view purpose, uint64_t index)
      : rng_(rng), tapes_(tapes), tape_(tapes == nullptr ? nullptr : tapes->Open(Name("", purpose, index))) {}
  RandomStream(RandomStream&&) = default;
  RandomStream& operator=(RandomStream&&) = default;

  // A registered stream of its own, named after this one and the arguments; independent of this one's draws.
  RandomStream Fork(std::string_view purpose, uint64_t index = 0) const {
    Tape* tape = tape_ == nullptr ? nullptr : tapes_->Open(Name(tape_->name() + "/", purpose, index));
    return {rng_.Fork(purpose, index), tapes_, tape};
  }

  // Any 64-bit number.
  uint64_t Next() { return Decide(Generator().Next(), 0); }
  // Uniform in [0, limit); limit must not be 0.
  uint64_t Below(uint64_t limit) { return Decide(Generator().Below(limit), limit); }
  // Uniform in [low, high], both included.
  uint64_t Between(uint64_t low, uint64_t high) { return low + Below(high - low + 1); }
  Duration Between(Duration low, Duration high) {
    return {static_cast<int64_t>(Between(static_cast<uint64_t>(low.ns), static_cast<uint64_t>(high.ns)))};
  }
  // True numerator times in denominator.
  bool Chance(uint64_t numerator, uint64_t denominator) {
    return Decide(Generator().Chance(numerator, denominator) ? 1 : 0, 2) != 0;
  }
  // A place in `weights`, each as often as its weight says; they must not all be 0. The decision is the place
  // itself, so that one that was recorded stays what it was when the weights change.
  size_t Weighted(std::span<const uint32_t> weights) {
    uint64_t total = 0;
    for (const uint32_t weight : weights) total += weight;
    uint64_t draw = Generator().Below(total);
    size_t place = 0;
    while (draw >= weights[place]) draw -= weights[place++];
    return Decide(place, weights.size());
  }
  // The simplest order is the one they have.
  template <class Container>
  void Shuffle(Container& items) {
    for (size_t i = items.size(); i > 1; --i) {
      using std::swap;
      swap(items[i - 1], items[i - 1 - Below(i)]);
    }
  }

 private:
  RandomStream(Rng rng, Tapes* tapes, Tape* tape) : rng_(rng), tapes_(tapes), tape_(tape) {}

  // A stream that meets another future goes on with another generator.
  Rng& Generator() {
    if (tapes_ != nullptr && tapes_->future() != future_) [[unlikely]] {
      future_ = tapes_->future();
      rng_ = rng_.Fork("future", future_);
    }
    return rng_;
  }

  // The generator draws in any case: what a tape replaces disturbs none of the later draws.
  uint64_t Decide(uint64_t drawn, uint64_t bound) {
    if (tape_ != nullptr) [[unlikely]] {
      return tape_->Decide(drawn, bound, future_ != 0);
    }
    return drawn;
  }
  static std::string Name(std::string parent, std::string_view purpose, uint64_t index) {
    parent += purpose;
    if (index != 0) parent += ' ' + std::to_string(index);
    return parent;
  }

  Rng rng_;
  Tapes* tapes_;
  Tape* tape_;
  uint64_t future_ = 0;
};

}  // namespace bt::sim
