#pragma once

// Draw: the places of a table, each once, in an order drawn from a seed. Which peers of a large swarm an
// asker is told decides where its connections go, so the draws of different seeds are independent: no peer is
// told to everybody who asks within one moment. For the registry's lookups and the node's announces.

#include <cstdint>
#include <numeric>

#include "core/base/rng.h"

namespace bt::tracker {

class Draw {
 public:
  Draw(uint32_t size, uint64_t seed) : size_(size) {
    if (size == 0) return;
    Rng rng(seed);
    start_ = rng.Below(size);
    // A step without a common divisor comes by each place before it comes by one twice.
    step_ = rng.Between(1, size);
    while (std::gcd(step_, uint64_t{size}) != 1) ++step_;
  }

  // The i-th place, for i below the size.
  uint32_t at(uint32_t i) const { return static_cast<uint32_t>((start_ + i * step_) % size_); }

 private:
  uint32_t size_;
  uint64_t start_ = 0;
  uint64_t step_ = 1;
};

}  // namespace bt::tracker
