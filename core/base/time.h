#pragma once

// Instant and Duration: integer nanoseconds. A machine never reads a clock; it is told `now`.

#include <compare>
#include <cstdint>

namespace bt {

struct Duration {
  int64_t ns = 0;

  friend constexpr auto operator<=>(Duration, Duration) = default;
  friend constexpr Duration operator+(Duration a, Duration b) { return {a.ns + b.ns}; }
  friend constexpr Duration operator-(Duration a, Duration b) { return {a.ns - b.ns}; }
  friend constexpr Duration operator*(Duration a, int64_t n) { return {a.ns * n}; }
  friend constexpr Duration operator/(Duration a, int64_t n) { return {a.ns / n}; }
  constexpr int64_t micros() const { return ns / 1000; }
  constexpr int64_t millis() const { return ns / 1'000'000; }
  constexpr int64_t seconds() const { return ns / 1'000'000'000; }
};

constexpr Duration Nanoseconds(int64_t n) { return {n}; }
constexpr Duration Microseconds(int64_t n) { return {n * 1000}; }
constexpr Duration Milliseconds(int64_t n) { return {n * 1'000'000}; }
constexpr Duration Seconds(int64_t n) { return {n * 1'000'000'000}; }

// Nanoseconds since an origin of the host's choosing (monotonic: never goes back on one node).
struct Instant {
  int64_t ns = 0;

  static constexpr Instant Never() { return {INT64_MAX}; }

  friend constexpr auto operator<=>(Instant, Instant) = default;
  friend constexpr Instant operator+(Instant t, Duration d) {
    return t.ns > INT64_MAX - (d.ns > 0 ? d.ns : 0) ? Never() : Instant{t.ns + d.ns};
  }
  friend constexpr Instant operator-(Instant t, Duration d) { return {t.ns - d.ns}; }
  friend constexpr Duration operator-(Instant a, Instant b) { return {a.ns - b.ns}; }
};

}  // namespace bt
