#include "sim/clock.h"

#include <algorithm>

#include "core/base/check.h"

namespace bt::sim {

HostClock::HostClock(World& world, uint64_t node, ClockFaults faults)
    : world_(world), rng_(world.Stream("clock", node)), faults_(faults) {}

void HostClock::BeginLife() {
  frozen_ = false;
  if (!faults_.own) return;
  world_.Count(Fault::kClockOrigin);
  // From a machine that has just been switched on to one that has been up for a year.
  const uint64_t up_for = rng_.Below(uint64_t{1} << rng_.Between(0, 55));
  since_ = {world_.now(), Instant{static_cast<int64_t>(up_for)}};
  drift_ = 0;
  if (faults_.drift_ppm_max == 0) return;
  world_.Count(Fault::kClockDrift);
  const int64_t most = int64_t{faults_.drift_ppm_max} * kOne / 1'000'000;
  // 0, -1, 1, -2, 2 and so on, so that the simplest decision, which shrinking prefers, is a clock without
  // drift.
  const auto drawn = static_cast<int64_t>(rng_.Between(0, static_cast<uint64_t>(2 * most)));
  drift_ = drawn % 2 == 0 ? drawn / 2 : -(drawn + 1) / 2;
}

Instant HostClock::WorldTime(Instant local) const {
  CHECK_MSG(!frozen_, "a clock that stands still reaches no time");
  // A deadline of long ago, such as 0 for at once: years before it began, of which the drift would overflow.
  if (local <= since_.local) return world_.now();
  // Each round leaves of the error the share that the drift has in the rate, which is far below one.
  const Duration target = std::min(local - since_.local, kHorizon);
  Duration passes = target;
  while (true) {
    const Duration missing = target - Elapsed(passes);
    if (missing.ns == 0 || missing.ns == -1) break;
    passes = passes + missing;
  }
  return std::max(since_.world + passes, world_.now());
}

void HostClock::Jump(Duration forward) {
  CHECK(forward >= Duration{0});
  Rebase();
  since_.local = since_.local + forward;
}

void HostClock::Stall() {
  Rebase();
  if (faults_.freeze_percent == 0 || !rng_.Chance(faults_.freeze_percent, 100)) return;
  world_.Count(Fault::kClockFreeze);
  frozen_ = true;
}

void HostClock::Resume() {
  if (frozen_) since_.world = world_.now();
  frozen_ = false;
}

}  // namespace bt::sim
