#include "core/machine/timer_table.h"

#include <gtest/gtest.h>

namespace bt {
namespace {

enum class Timer { kElection, kHeartbeat, kRetry, kCount };

TEST(TimerTable, StartsWithNothingArmed) {
  TimerTable<Timer> timers;
  EXPECT_EQ(timers.Next(), Instant::Never());
  EXPECT_FALSE(timers.armed(Timer::kElection));
  EXPECT_EQ(timers.PopDue(Instant{INT64_MAX - 1}), std::nullopt);
  EXPECT_EQ(timers.PopDue(Instant::Never()), std::nullopt);
}

TEST(TimerTable, NextIsTheEarliestDeadline) {
  TimerTable<Timer> timers;
  timers.Arm(Timer::kElection, Instant{30});
  timers.Arm(Timer::kRetry, Instant{10});
  EXPECT_EQ(timers.Next(), Instant{10});
  timers.Disarm(Timer::kRetry);
  EXPECT_EQ(timers.Next(), Instant{30});
}

TEST(TimerTable, ArmingAnArmedTimerMovesIt) {
  TimerTable<Timer> timers;
  timers.Arm(Timer::kElection, Instant{30});
  timers.Arm(Timer::kElection, Instant{50});
  EXPECT_EQ(timers.PopDue(Instant{40}), std::nullopt);
  EXPECT_EQ(timers.deadline(Timer::kElection), Instant{50});
}

TEST(TimerTable, PopsDueTimersOnceEarliestFirstAndTiesInEnumOrder) {
  TimerTable<Timer> timers;
  timers.Arm(Timer::kElection, Instant{20});
  timers.Arm(Timer::kHeartbeat, Instant{10});
  timers.Arm(Timer::kRetry, Instant{20});
  EXPECT_EQ(timers.PopDue(Instant{9}), std::nullopt);
  EXPECT_EQ(timers.PopDue(Instant{20}), Timer::kHeartbeat);
  EXPECT_EQ(timers.PopDue(Instant{20}), Timer::kElection);
  EXPECT_EQ(timers.PopDue(Instant{20}), Timer::kRetry);
  EXPECT_EQ(timers.PopDue(Instant{20}), std::nullopt);
  EXPECT_EQ(timers.Next(), Instant::Never());
}

}  // namespace
}  // namespace bt
