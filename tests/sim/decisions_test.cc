#include "sim/decisions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "sim/world.h"

namespace bt::sim {
namespace {

WorldOptions Recording() {
  WorldOptions options;
  options.record_decisions = true;
  return options;
}

WorldOptions Given(const Decisions& decisions) {
  WorldOptions options = Recording();
  options.decisions = &decisions;
  return options;
}

// Everything that can be drawn, once.
std::vector<uint64_t> DrawAll(World& world) {
  RandomStream rng = world.Stream("all");
  RandomStream child = rng.Fork("child", 7);
  std::vector<uint64_t> values = {rng.Next(), rng.Below(10), rng.Between(5, 9), rng.Chance(1, 2) ? 1u : 0u};
  values.push_back(static_cast<uint64_t>(rng.Between(Milliseconds(1), Milliseconds(2)).ns));
  const uint32_t weights[] = {1, 0, 5};
  values.push_back(child.Weighted(weights));
  std::vector<uint64_t> order(5);
  std::iota(order.begin(), order.end(), 0);
  child.Shuffle(order);
  values.insert(values.end(), order.begin(), order.end());
  return values;
}

TEST(Decisions, ARecordingHasEachDrawOfEachStreamByNameAndOrder) {
  World world(3, Recording());
  const std::vector<uint64_t> values = DrawAll(world);
  const Decisions recording = world.Recording();
  ASSERT_EQ(recording.streams.size(), 2u);
  const StreamDecisions& all = recording.streams[0];
  EXPECT_EQ(all.name, "all");
  ASSERT_EQ(all.decisions.size(), 5u);
  EXPECT_EQ(all.decisions[0], (Decision{0, values[0], 0}));
  EXPECT_EQ(all.decisions[1], (Decision{1, values[1], 10}));
  EXPECT_EQ(all.decisions[2], (Decision{2, values[2] - 5, 5}));
  EXPECT_EQ(all.decisions[3], (Decision{3, values[3], 2}));
  EXPECT_EQ(recording.streams[1].name, "all/child 7");
  EXPECT_EQ(recording.streams[1].decisions.size(), 5u);
}

TEST(Decisions, RecordingChangesNothing) {
  World plain(3);
  World recorded(3, Recording());
  EXPECT_EQ(DrawAll(plain), DrawAll(recorded));
}

TEST(Decisions, ARecordingReplaysInAWorldOfAnotherSeed) {
  World first(3, Recording());
  const std::vector<uint64_t> values = DrawAll(first);
  const Decisions recording = first.Recording();
  World second(4, Given(recording));
  EXPECT_EQ(DrawAll(second), values);
  EXPECT_EQ(second.Recording(), recording);
}

TEST(Decisions, WhatIsLeftOutIsDrawnAsTheSeedHasItOrIsTheSimplest) {
  World first(3, Recording());
  const std::vector<uint64_t> values = DrawAll(first);
  Decisions changed;
  changed.streams = {{"all", {{1, 0, 10}}}};
  World drawn(3, Given(changed));
  std::vector<uint64_t> expected = values;
  expected[1] = 0;
  EXPECT_EQ(DrawAll(drawn), expected) << "a changed decision disturbs no other draw";

  changed.otherwise = Otherwise::kSimplest;
  World simplest(3, Given(changed));
  EXPECT_EQ(DrawAll(simplest), (std::vector<uint64_t>{0, 0, 5, 0, 1'000'000, 0, 0, 1, 2, 3, 4}));
}

TEST(Decisions, SparseIsTheSameRunWithoutTheSimplestDecisions) {
  World first(3, Recording());
  const std::vector<uint64_t> values = DrawAll(first);
  const Decisions sparse = first.Recording().Sparse();
  EXPECT_EQ(sparse.otherwise, Otherwise::kSimplest);
  for (const StreamDecisions& stream : sparse.streams) {
    for (const Decision& decision : stream.decisions) EXPECT_NE(decision.value, 0u);
  }
  World second(99, Given(sparse));
  EXPECT_EQ(DrawAll(second), values);
}

TEST(Decisions, AValueThatIsTooHighForTheDrawCountsAsTheHighestOne) {
  Decisions given;
  given.streams = {{"all", {{0, 1000, 0}, {1, 1000, 2000}}}};
  World world(3, Given(given));
  RandomStream rng = world.Stream("all");
  EXPECT_EQ(rng.Below(10), 9u);
  EXPECT_TRUE(rng.Chance(1, 1'000'000'000));
}

TEST(Decisions, AStreamThatIsRegisteredAnewGoesOnInItsDecisions) {
  World world(3, Recording());
  (void)world.Stream("again").Below(10);
  (void)world.Stream("again").Below(10);
  ASSERT_EQ(world.Recording().streams.size(), 1u);
  EXPECT_EQ(world.Recording().streams[0].decisions.back().ordinal, 1u);
}

}  // namespace
}  // namespace bt::sim
