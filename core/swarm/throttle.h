#pragma once

// Throttle: at most so many bytes a second over any while, and no more than a tenth of a second's worth at
// once after a pause (the generic cell rate algorithm of ITU-T I.371, with one time instead of a bucket).
// Pure; the client's uploads and downloads are its users.

#include <algorithm>
#include <cstdint>

#include "core/base/time.h"

namespace bt::swarm {

class Throttle {
 public:
  static constexpr Duration kBurst = Milliseconds(100);
  // Who waits is not woken for each few bytes.
  static constexpr Duration kPatience = Milliseconds(10);

  // 0: as many as there are.
  explicit Throttle(uint64_t bytes_per_second) : rate_(bytes_per_second) {}

  // Another rate from now on. The bytes that have gone and are not paid for yet stay owed, because a limit
  // that is changed again and again must be kept like others.
  void SetRate(uint64_t bytes_per_second, Instant now) {
    const uint64_t owed =
        limits() && paid_until_ > now ? static_cast<uint64_t>((paid_until_ - now).ns) * rate_ / kSecond : 0;
    rate_ = bytes_per_second;
    if (limits() && paid_until_ > now) paid_until_ = now + Takes(owed);
  }
  bool limits() const { return rate_ != 0; }
  // Whether anything may go now. What goes may be more than is left: the next one then waits for longer.
  bool Open(Instant now) const { return !limits() || paid_until_ <= now; }
  // At most 2^33 of them.
  void Spend(uint64_t bytes, Instant now) {
    if (!limits()) return;
    paid_until_ = std::max(paid_until_, now - kBurst) + Takes(bytes);
  }
  // What should go at once at most, so that what goes is even.
  uint64_t burst() const { return limits() ? rate_ / 10 : UINT64_MAX; }
  // When it is worth trying again, after it was not open.
  Instant next(Instant now) const { return std::max(paid_until_, now + kPatience); }

 private:
  static constexpr uint64_t kSecond = 1'000'000'000;  // in nanoseconds

  Duration Takes(uint64_t bytes) const { return Nanoseconds(static_cast<int64_t>(bytes * kSecond / rate_)); }

  uint64_t rate_;
  Instant paid_until_{};  // what went until now is paid for by then
};

}  // namespace bt::swarm
