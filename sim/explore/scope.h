#pragma once

// Scope: how much may happen in the futures that are walked, and what of it each future has left.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/check.h"
#include "core/base/halves.h"

namespace bt::sim::explore {

inline constexpr uint32_t kNodesMax = 5;
// Of one thing, in one future.
inline constexpr uint32_t kBudgetMax = 15;

struct Scope {
  uint32_t nodes = 3;
  // In all.
  uint32_t crashes = 0;     // a node loses what is not durable, and what waits for that, and begins again
  uint32_t losses = 0;      // of the first message of a link
  uint32_t duplicates = 0;  // the first message of a link arrives and stays
  uint32_t overtakes = 0;   // the second message of a link arrives before the first
  // Each write is durable in the step that makes it; otherwise when its disk gets to it, in order.
  bool disk_at_once = false;
};

// What is left: sixteen counts of four bits. First the faults, then the timers, then the kinds of calls.
class Budgets {
 public:
  enum Place : uint32_t { kCrashes, kLosses, kDuplicates, kOvertakes, kTimers, kCalls = 8, kPlaces = 16 };

  Budgets() = default;
  Budgets(uint32_t low, uint32_t high) : bits_(Join(high, low)) {}

  void Set(uint32_t place, uint32_t count) {
    CHECK(place < kPlaces && count <= kBudgetMax);
    bits_ = (bits_ & ~(uint64_t{kBudgetMax} << (4 * place))) | uint64_t{count} << (4 * place);
  }
  uint32_t Left(uint32_t place) const { return static_cast<uint32_t>(bits_ >> (4 * place)) & kBudgetMax; }
  void Spend(uint32_t place) {
    CHECK(Left(place) > 0);
    bits_ -= uint64_t{1} << (4 * place);
  }
  uint32_t low() const { return LowHalf(bits_); }
  uint32_t high() const { return HighHalf(bits_); }

 private:
  uint64_t bits_ = 0;
};

}  // namespace bt::sim::explore
