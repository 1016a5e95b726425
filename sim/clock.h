#pragma once

// HostClock: the clock of one machine, as CLOCK_MONOTONIC gives it to a process: an origin of its own, drawn
// anew with each start, a rate that is not quite the world's, leaps forward, and standing still while the
// machine is suspended. It never goes back within a life. What runs on the host sees this clock alone; the
// event heap, the trace and the judges use the world's.

#include <cstdint>

#include "core/base/time.h"
#include "sim/random_stream.h"
#include "sim/world.h"

namespace bt::sim {

struct ClockFaults {
  bool own = false;  // without it: the world's clock
  uint32_t drift_ppm_max = 0;
  uint32_t freeze_percent = 0;  // stalls that stop the clock, too

  // From here on the clock goes on; its rate stays.
  void StopFaults() { freeze_percent = 0; }
};

class HostClock {
 public:
  HostClock(World& world, uint64_t node, ClockFaults faults);

  // Another origin and another rate.
  void BeginLife();
  Instant Now() const { return frozen_ ? since_.local : At(world_.now()); }
  // A time of the world, not in the past, at which this clock shows at least `local`. Not while it stands
  // still.
  Instant WorldTime(Instant local) const;

  void Jump(Duration forward);
  // The process stalls, and goes on: the clock stands still meanwhile, when so drawn.
  void Stall();
  void Resume();
  void StopFaults() { faults_.StopFaults(); }

  int64_t drift_ppm() const { return drift_ * 1'000'000 / kOne; }

 private:
  static constexpr int64_t kOne = int64_t{1} << 20;  // drift_ is in these parts, each about a millionth
  // A deadline further off wakes its node too early, which is harmless; further on the arithmetic overflows.
  static constexpr Duration kHorizon = Nanoseconds(int64_t{1} << 46);

  struct Reading {
    Instant world;
    Instant local;
  };
  Duration Elapsed(Duration of_the_world) const {
    return of_the_world + Nanoseconds(of_the_world.ns * drift_ >> 20);
  }
  Instant At(Instant world) const { return since_.local + Elapsed(world - since_.world); }
  void Rebase() { since_ = {world_.now(), Now()}; }

  World& world_;
  RandomStream rng_;
  ClockFaults faults_;
  Reading since_;
  int64_t drift_ = 0;
  bool frozen_ = false;
};

}  // namespace bt::sim
