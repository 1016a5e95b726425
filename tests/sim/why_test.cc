#include "sim/why.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sim/apart.h"

namespace bt::sim {
namespace {

constexpr uint64_t kTicks = 40;
constexpr uint64_t kFatal = 27;  // the tick that decides

// Something is drawn at each tick; what is drawn at one of them decides, and is noticed at the last.
class Ticks final : public EventSink {
 public:
  explicit Ticks(World& world) : world_(world), rng_(world.Stream("ticks")) {}
  void Fire(uint64_t tick) override {
    const bool drawn = rng_.Chance(1, 2);
    if (tick == kFatal) doomed_ = drawn;
    world_.Trace({.who = "clock"}, [&] { return "tick " + std::to_string(tick); });
    world_.Observe(0, tick, drawn);
    if (tick == kTicks && doomed_) world_.Fail("fate: it came as it had to");
    if (tick == kTicks && !doomed_ && rng_.Chance(1, 2)) world_.Fail("chance: another judge");
    if (tick < kTicks) world_.After(Milliseconds(1), this, tick + 1);
  }

 private:
  World& world_;
  RandomStream rng_;
  bool doomed_ = false;
};

void RunTicks(World& world) {
  Ticks ticks(world);
  world.After(Milliseconds(1), &ticks, 1);
  world.RunFor(Seconds(1));
}

void RunAlways(World& world) {
  Ticks ticks(world);
  world.After(Milliseconds(1), &ticks, 1);
  world.RunFor(Milliseconds(10));
  world.Fail("fate: always");
}

constexpr Scenario kTicksScenario = {"ticks", "one tick decides", RunTicks};
constexpr Scenario kAlways = {"always", "fails whatever is drawn", RunAlways};

uint64_t SeedOf(const std::string& judge) {
  for (uint64_t seed = 1;; ++seed) {
    const std::string failure = RunApart(kTicksScenario, seed, {}).failure.value_or("");
    if (judge.empty() ? failure.empty() : failure.starts_with(judge)) return seed;
  }
}

TEST(Why, NamesTheEventThatDecided) {
  const absl::StatusOr<WhyResult> result = Why(kTicksScenario, SeedOf("fate"), {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->event, kFatal);
  EXPECT_LT(result->failing_before, result->futures_before);
  const std::string text = WhyText(*result);
  EXPECT_NE(text.find("fate: it came as it had to"), std::string::npos);
  EXPECT_NE(text.find("inevitable with event 27 of 40"), std::string::npos) << text;
  EXPECT_NE(text.find("tick 27"), std::string::npos) << text;
  EXPECT_EQ(text.find("tick 28"), std::string::npos) << text;
}

// What a later draw decides is open until then, and counts with its own judge alone.
TEST(Why, TheLastEventMayDecide) {
  const absl::StatusOr<WhyResult> result = Why(kTicksScenario, SeedOf("chance"), {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->event, kTicks);
}

TEST(Why, WhatFailsWhateverIsDrawnIsInevitableFromTheBeginning) {
  const absl::StatusOr<WhyResult> result = Why(kAlways, 1, {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->event, 0u);
  EXPECT_NE(WhyText(*result).find("from the beginning"), std::string::npos);
}

TEST(Why, ARunThatPassesHasNoCause) {
  EXPECT_EQ(Why(kTicksScenario, SeedOf(""), {}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Why, EachEventThatIsLookedAtIsTold) {
  std::vector<std::string> lines;
  const auto result =
      Why(kTicksScenario, SeedOf("fate"),
          {.futures = 40, .progress = [&](const std::string& line) { lines.push_back(line); }});
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_GE(lines.size(), 2u);
  EXPECT_TRUE(lines[0].starts_with("after event 20 of 40: ")) << lines[0];
  EXPECT_TRUE(lines[0].ends_with("futures fail")) << lines[0];
  EXPECT_EQ(lines[1], "after event 30 of 40: 40 of 40 futures fail, inevitable");
}

// A case's list decides until the futures part, and no longer.
TEST(Why, ACasesDecisionsHoldUntilThen) {
  Decisions decisions;
  decisions.otherwise = Otherwise::kSimplest;
  decisions.streams.push_back({"ticks", {{.ordinal = kFatal - 1, .value = 1, .bound = 2}}});
  const absl::StatusOr<WhyResult> result = Why(kTicksScenario, 1, {.decisions = &decisions});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->event, kFatal);
}

// The part before is the same, event by event, and each future is another.
TEST(Why, FuturesPartAfterTheEventAndNotBefore) {
  const auto drawn = [](uint64_t future) {
    std::vector<uint64_t> values;
    WorldOptions options;
    options.redraws = {{.after = 10, .future = future}};
    World world(7, options);
    RunTicks(world);
    const Decisions recording = world.Recording();
    for (const Decision& decision : recording.streams.at(0).decisions) values.push_back(decision.value);
    return values;
  };
  const std::vector<uint64_t> one = drawn(1), other = drawn(2);
  ASSERT_GE(std::min(one.size(), other.size()), kTicks);
  EXPECT_TRUE(std::equal(one.begin(), one.begin() + 10, other.begin()));
  EXPECT_FALSE(std::equal(one.begin() + 10, one.begin() + kTicks, other.begin() + 10));
}

}  // namespace
}  // namespace bt::sim
