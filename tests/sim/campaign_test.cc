#include "sim/campaign.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "core/base/check.h"

namespace bt::sim {
namespace {

// Fails in three ways, by the seed.
void Mixed(World& world) {
  const uint64_t seed = world.seed();
  world.Observe(0, 1, seed);
  if (seed % 10 == 3)
    world.Fail("order: node-" + std::to_string(seed) + " was late by " + std::to_string(seed * 7));
  CHECK_MSG(seed % 10 != 5, "on purpose");
  if (seed % 20 == 17) raise(SIGKILL);
}
constexpr Scenario kMixed = {"mixed", "fails in three ways", Mixed};

struct Seen {
  std::vector<uint64_t> seeds;
  std::vector<ChunkResult> chunks;
  FailureGroups groups;

  CampaignHooks Hooks(size_t stop_after = SIZE_MAX) {
    return {.seed =
                [this, stop_after](const Report& report) {
                  seeds.push_back(report.seed);
                  if (report.failure.has_value()) groups.Add({report.seed, *report.failure});
                  return seeds.size() < stop_after;
                },
            .chunk = [this](const ChunkResult& chunk) { chunks.push_back(chunk); },
            .tick = [] {}};
  }
};

TEST(Campaign, GoesOnAfterFailuresAndAfterProcessesThatDied) {
  for (const uint32_t jobs : {1u, 3u}) {
    Seen seen;
    RunCampaign(kMixed, ChunksLeft({100, 40}, {}, 7), jobs, seen.Hooks());
    std::sort(seen.seeds.begin(), seen.seeds.end());
    ASSERT_EQ(seen.seeds.size(), 40u);
    EXPECT_EQ(seen.seeds.front(), 100u);
    EXPECT_EQ(seen.seeds.back(), 139u);
    std::vector<FailureGroup> groups = seen.groups.groups();
    std::sort(groups.begin(), groups.end(),
              [](const FailureGroup& a, const FailureGroup& b) { return a.first.seed < b.first.seed; });
    ASSERT_EQ(groups.size(), 3u);
    EXPECT_EQ(groups[0].name, "order: NODE was late by N");
    EXPECT_EQ(groups[0].count, 4u);
    EXPECT_EQ(groups[0].first.seed, 103u);
    EXPECT_EQ(groups[1].count, 4u);
    EXPECT_EQ(groups[1].name.find("CHECK in tests/sim/campaign_test.cc: seed % N != N (on purpose)"), 0u)
        << groups[1].name;
    EXPECT_EQ(groups[2].name, "died: signal N");
    EXPECT_EQ(groups[2].count, 2u);
    uint64_t counted = 0;
    for (const ChunkResult& chunk : seen.chunks) counted += chunk.seeds.count;
    EXPECT_EQ(counted, 40u);
  }
}

// Another run each time.
void Unsteady(World& world) {
  static uint64_t runs = 0;
  world.Observe(0, 1, ++runs);
}
constexpr Scenario kUnsteady = {"unsteady", "is never the same", Unsteady};

TEST(Campaign, FindsARunThatIsAnotherOneTheNextTimeUnlessItRunsEachOnce) {
  Seen twice;
  RunCampaign(kUnsteady, {{1, 2}}, 1, twice.Hooks());
  EXPECT_EQ(twice.chunks.at(0).failures.size(), 2u);
  Seen once;
  RunCampaign(kUnsteady, {{1, 2}}, 1, once.Hooks(), Runs::kOnce);
  EXPECT_EQ(once.chunks.at(0).failures.size(), 0u);
  EXPECT_EQ(once.chunks.at(0).events * 2, twice.chunks.at(0).events);
}

TEST(Campaign, StopsWhenItIsToldAndSaysWhatHasBeenRun) {
  Seen seen;
  RunCampaign(kMixed, ChunksLeft({200, 40}, {}, 40), 1, seen.Hooks(5));
  EXPECT_EQ(seen.seeds.size(), 5u);
  ASSERT_EQ(seen.chunks.size(), 1u);
  EXPECT_EQ(seen.chunks[0].seeds.count, 5u);
  EXPECT_EQ(seen.chunks[0].failures.size(), 1u);
}

TEST(Campaign, ChunksLeftAreThoseThatNoSweepHasDone) {
  const auto covered = [](const std::vector<SeedRange>& chunks) {
    std::set<uint64_t> seeds;
    for (const SeedRange& chunk : chunks) {
      EXPECT_GT(chunk.count, 0u);
      EXPECT_LE(chunk.count, 4u);
      for (uint64_t i = 0; i < chunk.count; ++i) EXPECT_TRUE(seeds.insert(chunk.first + i).second);
    }
    return std::vector<uint64_t>(seeds.begin(), seeds.end());
  };
  EXPECT_EQ(covered(ChunksLeft({10, 6}, {}, 4)), (std::vector<uint64_t>{10, 11, 12, 13, 14, 15}));
  EXPECT_EQ(covered(ChunksLeft({10, 6}, {{14, 2}, {11, 1}}, 4)), (std::vector<uint64_t>{10, 12, 13}));
  EXPECT_EQ(covered(ChunksLeft({10, 6}, {{0, 12}, {13, 100}}, 4)), (std::vector<uint64_t>{12}));
  EXPECT_TRUE(ChunksLeft({10, 6}, {{10, 6}}, 4).empty());
}

TEST(Campaign, AGroupsNameLeavesOutNumbersNodesAndTheSituation) {
  EXPECT_EQ(GroupName("agreement: slot 7 of tracker-2 was 0x1f and is 12; tracker-1 leads"),
            "agreement: slot N of NODE was 0x1f and is N");
  EXPECT_EQ(GroupName("liveness: 90 s after healing"), GroupName("liveness: 600 s after healing"));
  EXPECT_NE(GroupName("claims: one is lost"), GroupName("durability: one is lost"));
}

}  // namespace
}  // namespace bt::sim
