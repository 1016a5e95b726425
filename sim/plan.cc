#include "sim/plan.h"

namespace bt::sim {
namespace {

// A rate for a fault that half of the seeds leave out; log-uniform, so that rare and frequent both come.
// Each kind draws from a stream of its own, so that leaving one out changes no other.
uint32_t Maybe(const RandomStream& plan, std::string_view kind, uint32_t most, uint32_t left_out_of_six = 3) {
  RandomStream rng = plan.Fork(kind);
  if (!rng.Chance(6 - left_out_of_six, 6)) return 0;
  const uint64_t shift = rng.Below(6);
  const uint64_t top = most >> shift;
  return static_cast<uint32_t>(top == 0 ? 1 : rng.Between(1, top));
}

void DrawNetworkFaults(RandomStream& rng, FaultPlan& plan) {
  plan.network.drop_ppm = Maybe(rng, "drop", 100'000);
  plan.network.duplicate_ppm = Maybe(rng, "duplicate", 100'000);
  plan.network.reorder_ppm = Maybe(rng, "reorder", 200'000);
  plan.network.reorder_extra_max = Milliseconds(static_cast<int64_t>(1 << rng.Below(11)));
  plan.streams.refuse_ppm = Maybe(rng, "refuse", 200'000);
  plan.streams.reset_ppm = Maybe(rng, "reset", 10'000);
  plan.streams.slow_ppm = Maybe(rng, "slow stream", 300'000);
  plan.streams.half_open_percent = Maybe(rng, "half open", 100);
}

void DrawDiskFaults(RandomStream& rng, FaultPlan& plan) {
  plan.disk.lose_percent = static_cast<uint32_t>(rng.Below(60));
  plan.disk.tear_percent = static_cast<uint32_t>(rng.Below(40));
  plan.disk.process_only_percent = Maybe(rng, "process only", 60);
  plan.disk.interrupt_recovery_percent = Maybe(rng, "interrupt recovery", 40);
  plan.disk.slow_ppm = Maybe(rng, "slow sync", 50'000);
  plan.disk.alter_percent = Maybe(rng, "alter", 60);
  plan.disk.hang_ppm = Maybe(rng, "hang", 2'000, 4);
  if (rng.Chance(1, 8)) plan.disk.gray_ppm = 1'000;
  if (rng.Chance(1, 6)) plan.disk.bytes_per_second = uint64_t{50'000} << rng.Below(8);
  plan.disk.read_error_ppm = Maybe(rng, "read error", 50'000, 4);
  plan.disk.write_error_ppm = Maybe(rng, "write error", 5'000, 4);
  plan.disk.no_space_ppm = Maybe(rng, "no space", 5'000, 4);
  plan.disk.sync_error_ppm = Maybe(rng, "sync error", 10'000);
  plan.disk.stale_read_ppm = Maybe(rng, "stale read", 50'000, 4);
  plan.crash_while_writing_permille = Maybe(rng, "crash while writing", 60);
}

void DrawClockFaults(RandomStream& rng, FaultPlan& plan) {
  // A quartz is off by up to 100 ppm, a bad one or a busy virtual machine by more; some worlds go far beyond.
  plan.clock.drift_ppm_max = rng.Chance(1, 4) ? 50'000 : 500;
  plan.clock.freeze_percent = Maybe(rng, "clock freeze", 100);
}

void DrawNemesis(RandomStream& rng, FaultPlan& plan) {
  plan.interval = Milliseconds(static_cast<int64_t>(rng.Between(30, 800)));
  plan.crash = Maybe(rng, "crash", 100, 2);
  plan.stall = Maybe(rng, "stall", 100, 2);
  plan.damage = Maybe(rng, "damage", 30, 4);
  plan.clock_jump = Maybe(rng, "clock jump", 30);
  plan.partition = Maybe(rng, "partition", 100, 2);
  plan.one_way = Maybe(rng, "one way", 100, 2);
  plan.slow_link = Maybe(rng, "slow link", 50);
  plan.broken_link = Maybe(rng, "broken link", 50);
  plan.lossy_link = Maybe(rng, "lossy link", 20);
  plan.slow_replies = Maybe(rng, "slow replies", 30);
  plan.slow_process = Maybe(rng, "slow process", 30);
  plan.down_max = Milliseconds(static_cast<int64_t>(rng.Between(10, 4000)));
  plan.stall_max = Milliseconds(static_cast<int64_t>(rng.Between(10, 6000)));
  plan.jump_max = Milliseconds(static_cast<int64_t>(1 << rng.Below(13)));
  plan.pace_max = Microseconds(static_cast<int64_t>(100 << rng.Below(8)));
  plan.cut_max = Milliseconds(static_cast<int64_t>(rng.Between(10, 5000)));
  plan.everyone_may_be_down = rng.Chance(1, 2);
  if (rng.Chance(1, 5)) {
    // Musical chairs: one short partition after the other, so that majorities form, write, and dissolve.
    plan.network.drop_ppm = 0;
    plan.interval = Milliseconds(static_cast<int64_t>(rng.Between(60, 300)));
    plan.cut_max = plan.interval * 2;
    plan.partition = 100;
    plan.one_way = plan.slow_link = plan.broken_link = 0;
    plan.crash = plan.stall = static_cast<uint32_t>(rng.Below(10));
  }
}

}  // namespace

FaultPlan DrawPlan(RandomStream& rng) {
  FaultPlan plan;
  plan.network.latency_max = Microseconds(static_cast<int64_t>(100 << rng.Below(8)));
  plan.streams.latency_max = plan.network.latency_max;
  plan.streams.bytes_per_second = uint64_t{100'000} << rng.Below(11);
  plan.disk.sync_max = Microseconds(static_cast<int64_t>(200 << rng.Below(8)));
  plan.clock.own = true;
  if (!rng.Chance(9, 10)) return plan;  // clean

  DrawNetworkFaults(rng, plan);
  DrawDiskFaults(rng, plan);
  DrawClockFaults(rng, plan);
  DrawNemesis(rng, plan);
  return plan;
}

}  // namespace bt::sim
