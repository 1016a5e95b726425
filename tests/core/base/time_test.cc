#include "core/base/time.h"

#include <gtest/gtest.h>

namespace bt {
namespace {

TEST(Instant, AddsDurationsAndStopsAtNever) {
  EXPECT_EQ(Instant{5} + Nanoseconds(7), Instant{12});
  EXPECT_EQ(Instant{5} + Nanoseconds(-7), Instant{-2});
  EXPECT_EQ(Instant::Never() + Seconds(1), Instant::Never());
  EXPECT_EQ(Instant{INT64_MAX - 1} + Seconds(1), Instant::Never());
  EXPECT_EQ(Instant{1} + Duration{INT64_MAX}, Instant::Never());
  EXPECT_EQ(Instant{INT64_MAX - 5} + Nanoseconds(5), Instant::Never());
}

TEST(Instant, ADistanceIsADuration) {
  EXPECT_EQ(Instant{Seconds(3).ns} - Instant{Seconds(1).ns}, Seconds(2));
  EXPECT_EQ(Instant{10} - Nanoseconds(3), Instant{7});
}

TEST(Duration, ConvertsTowardsZero) {
  EXPECT_EQ(Milliseconds(1999).seconds(), 1);
  EXPECT_EQ(Microseconds(2500).millis(), 2);
  EXPECT_EQ((Milliseconds(-1500)).seconds(), -1);
  EXPECT_EQ(Seconds(1) / 4, Milliseconds(250));
  EXPECT_EQ(Milliseconds(250) * 4, Seconds(1));
}

}  // namespace
}  // namespace bt
