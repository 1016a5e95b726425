#include "sim/steering.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <optional>
#include <string>

#include "sim/apart.h"

namespace bt::sim {
namespace {

constexpr uint64_t kRungs = 9;
constexpr uint32_t kHalf = 50;  // of a hundred runs branch
constexpr uint64_t kDraws = 60;

// A ladder: each draw climbs with a chance of one in four, or falls to the ground. Who draws sixty times
// comes to the top in one run of some ten thousand.
class Ladder final : public EventSink {
 public:
  explicit Ladder(World& world) : world_(world), rng_(world.Stream("ladder")) {}
  void Fire(uint64_t draw) override {
    rung_ = rng_.Below(4) == 3 ? rung_ + 1 : 0;
    world_.Observe(0, draw, rung_);
    if (StepKinds* kinds = world_.kinds()) {
      kinds->Take(0, world_.events(), rung_, [&] { return "rung " + std::to_string(rung_); });
    }
    if (rung_ == kRungs) world_.Fail("ladder: at the top");
    if (draw < kDraws) world_.After(Milliseconds(1), this, draw + 1);
  }

 private:
  World& world_;
  RandomStream rng_;
  uint64_t rung_ = 0;
};

void RunLadder(World& world) {
  Ladder ladder(world);
  world.After(Milliseconds(1), &ladder, 1);
  world.RunFor(Seconds(1));
}

constexpr Scenario kLadder = {"ladder", "hard to climb", RunLadder};

// The first recipe that fails, in at most `runs`.
std::optional<Recipe> Find(uint64_t first_seed, uint64_t runs, uint32_t branches_percent) {
  std::optional<Recipe> found;
  Steering steering(first_seed, branches_percent);
  RunSteered(kLadder, runs, 1, steering,
             {.run =
                  [&](const Recipe& recipe, const Report& report) {
                    if (report.failure.has_value()) found = recipe;
                    return !found.has_value();
                  },
              .tick = [] {}});
  return found;
}

TEST(Steering, ComesInSomeHundredRunsWhereSeedsAloneDoNotCome) {
  constexpr uint64_t kRuns = 1500;
  const std::optional<Recipe> found = Find(1, kRuns, kHalf);
  ASSERT_TRUE(found.has_value());
  EXPECT_FALSE(found->redraws.empty());
  EXPECT_FALSE(Find(1, kRuns, 0).has_value());
}

TEST(Steering, WhatFailedFailsAgainByItsRecipeAndByItsDecisionsAlone) {
  const std::optional<Recipe> found = Find(1, 1500, kHalf);
  ASSERT_TRUE(found.has_value());
  WorldOptions options;
  options.redraws = found->redraws;
  options.record_decisions = true;
  const Report again = RunOnce(kLadder, found->seed, options);
  ASSERT_EQ(again.failure, "ladder: at the top");
  const Decisions decisions = Decisions{again.decisions}.Sparse();
  WorldOptions kept;
  kept.decisions = &decisions;
  const Report replayed = RunOnce(kLadder, found->seed, kept);
  EXPECT_EQ(replayed.failure, again.failure);
  EXPECT_EQ(replayed.digest, again.digest);
}

TEST(Steering, TwoCampaignsFromOneSeedAreTheSame) {
  const std::optional<Recipe> one = Find(1, 1500, kHalf);
  const std::optional<Recipe> other = Find(1, 1500, kHalf);
  ASSERT_TRUE(one.has_value() && other.has_value());
  EXPECT_EQ(one->seed, other->seed);
  ASSERT_EQ(one->redraws.size(), other->redraws.size());
  for (size_t i = 0; i < one->redraws.size(); ++i) {
    EXPECT_EQ(one->redraws[i].after, other->redraws[i].after);
    EXPECT_EQ(one->redraws[i].future, other->redraws[i].future);
  }
}

TEST(Steering, GoesBackToWhatWasNewAsOftenAsItIsWorthAndNoMore) {
  Steering steering(100, 100);
  EXPECT_TRUE(steering.Next().redraws.empty()) << "nothing is known yet";
  const ReachedKinds reached{.kinds = {{1, "kind", 1}}, .pairs = {{7, 1000}}};
  EXPECT_TRUE(steering.Learn({5, {}}, reached));
  EXPECT_FALSE(steering.Learn({6, {}}, reached)) << "not new any more";
  for (uint32_t i = 0; i < Steering::kTries; ++i) {
    const Recipe recipe = steering.Next();
    EXPECT_EQ(recipe.seed, 5u);
    ASSERT_EQ(recipe.redraws.size(), 1u);
    EXPECT_LT(recipe.redraws[0].after, 1000u + 4096);
  }
  EXPECT_TRUE(steering.Next().redraws.empty()) << "its tries are used up";
}

TEST(Steering, ARunThatDiesIsAFailureAndTheOthersGoOn) {
  constexpr Scenario kDies = {"dies", "sometimes", [](World& world) {
                                if (world.seed() == 3) raise(SIGKILL);
                              }};
  Steering steering(1);
  uint64_t runs = 0, failed = 0;
  RunSteered(kDies, 20, 1, steering,
             {.run =
                  [&](const Recipe& recipe, const Report& report) {
                    ++runs;
                    if (report.failure.has_value()) {
                      ++failed;
                      EXPECT_EQ(recipe.seed, 3u);
                    }
                    return true;
                  },
              .tick = [] {}});
  EXPECT_EQ(runs, 20u);
  EXPECT_EQ(failed, 1u);
}

}  // namespace
}  // namespace bt::sim
