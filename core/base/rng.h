#pragma once

// Rng: xoshiro256** seeded through splitmix64. Integer-only, the same on every platform.
// Fork it per (node, purpose): an extra draw in one place then disturbs no other.

#include <cstdint>
#include <string_view>
#include <utility>

#include "core/base/time.h"

namespace bt {

class Rng {
 public:
  explicit Rng(uint64_t seed);

  // An independent stream, a function of this stream's seed (not of its position) and the arguments.
  Rng Fork(std::string_view purpose, uint64_t index = 0) const;

  uint64_t Next();
  // Uniform in [0, limit); limit must not be 0.
  uint64_t Below(uint64_t limit);
  // Uniform in [low, high], both included.
  uint64_t Between(uint64_t low, uint64_t high) { return low + Below(high - low + 1); }
  Duration Between(Duration low, Duration high) {
    return {static_cast<int64_t>(Between(static_cast<uint64_t>(low.ns), static_cast<uint64_t>(high.ns)))};
  }
  // True numerator times in denominator.
  bool Chance(uint64_t numerator, uint64_t denominator) { return Below(denominator) < numerator; }

  template <class Container>
  void Shuffle(Container& items) {
    for (size_t i = items.size(); i > 1; --i) {
      using std::swap;
      swap(items[i - 1], items[Below(i)]);
    }
  }

  uint64_t seed() const { return seed_; }

 private:
  uint64_t seed_;
  uint64_t state_[4] = {};
};

}  // namespace bt
