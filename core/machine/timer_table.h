#pragma once

// TimerTable: absolute deadlines in a table indexed by the protocol's Timer enum. Arming an armed timer
// moves it. The earliest deadline is the host's next wake-up.

#include <array>
#include <bitset>
#include <cstddef>
#include <optional>
#include <utility>

#include "core/base/time.h"

namespace bt {

template <class Timer>
class TimerTable {
 public:
  static constexpr size_t kCount = static_cast<size_t>(Timer::kCount);

  TimerTable() { deadlines_.fill(Instant::Never()); }

  void Arm(Timer timer, Instant deadline) { deadlines_[Index(timer)] = deadline; }
  void Disarm(Timer timer) { deadlines_[Index(timer)] = Instant::Never(); }
  bool armed(Timer timer) const { return deadlines_[Index(timer)] != Instant::Never(); }
  Instant deadline(Timer timer) const { return deadlines_[Index(timer)]; }

  // Instant::Never() when nothing is armed.
  Instant Next() const {
    Instant next = Instant::Never();
    for (const Instant deadline : deadlines_) next = deadline < next ? deadline : next;
    return next;
  }

  // Takes one timer that is due at `now` and not in `except` off the table (the earliest; ties by enum
  // order).
  std::optional<Timer> PopDue(Instant now, std::bitset<kCount> except = {}) {
    size_t best = kCount;
    for (size_t i = 0; i < kCount; ++i) {
      if (deadlines_[i] <= now && deadlines_[i] != Instant::Never() && !except[i] &&
          (best == kCount || deadlines_[i] < deadlines_[best])) {
        best = i;
      }
    }
    if (best == kCount) return std::nullopt;
    deadlines_[best] = Instant::Never();
    return static_cast<Timer>(best);
  }

 private:
  static size_t Index(Timer timer) { return static_cast<size_t>(timer); }

  std::array<Instant, kCount> deadlines_;
};

}  // namespace bt
