#include "core/base/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

namespace bt {
namespace {

std::vector<uint64_t> First(Rng rng, int count = 4) {
  std::vector<uint64_t> numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(rng.Next());
  return numbers;
}

// Computed with the published xoshiro256** and splitmix64 in another language: a replayed seed must mean
// the same run on every platform and for ever.
TEST(Rng, GivesTheKnownNumbers) {
  EXPECT_EQ(First(Rng(0)), (std::vector<uint64_t>{0x99ec5f36cb75f2b4, 0xbf6e1f784956452a, 0x1a5f849d4933e6e0,
                                                  0x6aa594f1262d2d2c}));
  EXPECT_EQ(First(Rng(42)), (std::vector<uint64_t>{0x15780b2e0c2ec716, 0x6104d9866d113a7e, 0xae17533239e499a1,
                                                   0xecb8ad4703b360a1}));
}

TEST(Rng, AForkDependsOnSeedPurposeAndIndexButNotOnPosition) {
  Rng rng(7);
  const auto before = First(rng.Fork("network", 3));
  rng.Next();
  EXPECT_EQ(First(rng.Fork("network", 3)), before);
  EXPECT_NE(First(rng.Fork("network", 4)), before);
  EXPECT_NE(First(rng.Fork("disk", 3)), before);
  EXPECT_NE(First(Rng(8).Fork("network", 3)), before);
  EXPECT_NE(First(rng.Fork("network", 0)), First(Rng(7)));
}

TEST(Rng, BelowStaysBelowAndReachesEveryValueAboutEquallyOften) {
  Rng rng(1);
  for (const uint64_t limit : {1u, 2u, 3u, 7u, 10u}) {
    std::vector<int> hits(limit);
    constexpr int kDraws = 20'000;
    for (int i = 0; i < kDraws; ++i) ++hits.at(rng.Below(limit));
    const int expected = kDraws / static_cast<int>(limit);
    for (const int count : hits) EXPECT_NEAR(count, expected, expected / 10 + 1) << limit;
  }
}

// With limit 3 * 2^62 a plain remainder would give the low third twice as often as the others, and a
// plain multiplication the multiples of three.
TEST(Rng, BelowIsUnbiasedForLimitsThatDoNotDivideTheRange) {
  Rng rng(2);
  constexpr uint64_t kThird = uint64_t{1} << 62;
  int thirds[3] = {};
  int remainders[3] = {};
  for (int i = 0; i < 30'000; ++i) {
    const uint64_t number = rng.Below(3 * kThird);
    ++thirds[number / kThird];
    ++remainders[number % 3];
  }
  for (const int count : thirds) EXPECT_NEAR(count, 10'000, 400);
  for (const int count : remainders) EXPECT_NEAR(count, 10'000, 400);
}

TEST(Rng, BelowTakesTheLargestLimit) {
  Rng rng(3);
  uint64_t highest = 0;
  for (int i = 0; i < 100; ++i) highest = std::max(highest, rng.Below(UINT64_MAX));
  EXPECT_GT(highest, UINT64_MAX / 2);
}

TEST(Rng, BetweenIncludesBothEnds) {
  Rng rng(4);
  std::set<uint64_t> seen;
  std::set<int64_t> durations;
  for (int i = 0; i < 200; ++i) {
    seen.insert(rng.Between(5, 7));
    durations.insert(rng.Between(Nanoseconds(1), Nanoseconds(2)).ns);
  }
  EXPECT_EQ(seen, (std::set<uint64_t>{5, 6, 7}));
  EXPECT_EQ(durations, (std::set<int64_t>{1, 2}));
}

TEST(Rng, ChanceIsNeverAtZeroAndAlwaysAtOne) {
  Rng rng(5);
  int half = 0;
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_FALSE(rng.Chance(0, 10));
    EXPECT_TRUE(rng.Chance(10, 10));
    half += rng.Chance(1, 2);
  }
  EXPECT_NEAR(half, 5000, 300);
}

TEST(Rng, ShuffleReachesEveryOrder) {
  Rng rng(6);
  std::set<std::vector<int>> orders;
  for (int i = 0; i < 1000; ++i) {
    std::vector<int> items = {1, 2, 3, 4};
    rng.Shuffle(items);
    orders.insert(items);
  }
  EXPECT_EQ(orders.size(), 24u);
}

TEST(RngDeathTest, StopsAtALimitOfZero) { EXPECT_DEATH(Rng(1).Below(0), "CHECK failed"); }

}  // namespace
}  // namespace bt
