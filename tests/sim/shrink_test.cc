#include "sim/shrink.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sim/apart.h"
#include "sim/verdict.h"
#include "tests/sim/toy.h"

namespace bt::sim {
namespace {

// Many people draw; the run fails when at least three high numbers have come and the switch is on. Everything
// else is noise.
void Crowd(World& world) {
  RandomStream rng = world.Stream("crowd");
  const bool on = rng.Chance(3, 4);
  const uint64_t people = rng.Between(10, 20);
  uint64_t high = 0;
  for (uint64_t i = 0; i < people; ++i) {
    RandomStream person = rng.Fork("person", i);
    for (int draw = 0; draw < 10; ++draw) high += person.Below(100) >= 90 ? 1 : 0;
  }
  world.Observe(0, high, people);
  if (on && high >= 3) world.Fail("crowd: " + std::to_string(high) + " high numbers");
  if (on && high < 3) world.Fail("few: another judge complains of what is simpler");
}

constexpr Scenario kCrowd = {"crowd", "many draw", Crowd};

uint64_t FailingSeed(const Scenario& scenario, const std::string& judge) {
  for (uint64_t seed = 1;; ++seed) {
    if (JudgeOf(RunApart(scenario, seed, {}).failure.value_or("")) == judge) return seed;
  }
}

TEST(Shrink, KeepsTheFewestDecisionsAtTheirLowestValues) {
  const absl::StatusOr<ShrinkResult> result = Shrink(kCrowd, FailingSeed(kCrowd, "crowd"), {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->locally_minimal);
  EXPECT_EQ(result->kept.sentence, "crowd: 3 high numbers");
  ASSERT_EQ(result->kept.decisions.kept(), 4u) << RenderCase(result->kept);
  for (const StreamDecisions& stream : result->kept.decisions.streams) {
    for (const Decision& decision : stream.decisions) {
      EXPECT_EQ(decision.value, stream.name == "crowd" ? 1u : 90u) << stream.name;
    }
  }
  EXPECT_GT(result->decisions_before, 90u);
}

TEST(Shrink, WithoutAnyKeptDecisionTheCasePasses) {
  const absl::StatusOr<ShrinkResult> result = Shrink(kCrowd, FailingSeed(kCrowd, "crowd"), {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(RunCase(kCrowd, result->kept).failure.has_value());
  for (size_t i = 0; i < result->kept.decisions.streams.size(); ++i) {
    for (size_t j = 0; j < result->kept.decisions.streams[i].decisions.size(); ++j) {
      Case less = result->kept;
      std::vector<Decision>& decisions = less.decisions.streams[i].decisions;
      decisions.erase(decisions.begin() + static_cast<ptrdiff_t>(j));
      EXPECT_NE(JudgeOf(RunCase(kCrowd, less).failure.value_or("")), "crowd") << "without " << i << ", " << j;
    }
  }
}

// A message that is lost, and one whose loss is a CHECK.
void Lossy(World& world) {
  NetworkFaults faults;
  faults.drop_ppm = 300'000;
  faults.duplicate_ppm = 100'000;
  ToyPair pair(world, {}, faults);
  RandomStream rng = world.Stream("workload");
  const uint64_t numbers = rng.Between(5, 40);
  for (uint64_t i = 1; i <= numbers; ++i) {
    Add(*pair.hosts[rng.Below(2)], i);
    world.RunFor(rng.Between(Microseconds(1), Milliseconds(5)));
  }
  world.RunFor(Seconds(1));
  const uint64_t heard = pair.a().machine()->heard().size() + pair.b().machine()->heard().size();
  if (world.faults().count(Fault::kDrop) >= 2) world.Fail("loss: " + std::to_string(heard) + " heard");
}

void LossyCheck(World& world) {
  Lossy(world);
  CHECK_MSG(!world.failed(), "on purpose");
}

TEST(Shrink, ARunOfMachinesIsBroughtToTheFaultsItNeeds) {
  constexpr Scenario kLossy = {"lossy", "two toys", Lossy};
  const absl::StatusOr<ShrinkResult> result = Shrink(kLossy, FailingSeed(kLossy, "loss"), {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->locally_minimal);
  EXPECT_EQ(result->after.fault_events.size(), 2u) << ShrinkText(*result);
  EXPECT_NE(ShrinkText(*result).find("a message is lost, "), std::string::npos) << ShrinkText(*result);
  EXPECT_EQ(result->after.nodes, 2u);
}

TEST(Shrink, AFailureThatIsACheckShrinksAsWell) {
  constexpr Scenario kDying = {"dying", "two toys, then a CHECK", LossyCheck};
  const absl::StatusOr<ShrinkResult> result =
      Shrink(kDying, FailingSeed(kDying, "CHECK in tests/sim/shrink_test.cc"), {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(JudgeOf(result->kept.sentence), "CHECK in tests/sim/shrink_test.cc");
  EXPECT_NE(result->kept.sentence.find("on purpose"), std::string::npos) << result->kept.sentence;
  EXPECT_EQ(result->after.fault_events.size(), 2u) << ShrinkText(*result);
}

TEST(Shrink, ASeedThatPassesIsRefused) {
  constexpr Scenario kQuiet = {"quiet", "nothing", [](World&) {}};
  EXPECT_FALSE(Shrink(kQuiet, 1, {}).ok());
}

TEST(CaseFile, IsReadAsItWasWritten) {
  Case kept;
  kept.scenario = "crowd";
  kept.seed = UINT64_MAX;
  kept.sentence = "crowd: 3\nhigh";
  kept.decisions = {{{"crowd", {{0, 1, 2}, {7, UINT64_MAX, 0}}}, {"network from 0/to 1/drop", {{17, 1, 2}}}},
                    Otherwise::kSimplest};
  const absl::StatusOr<Case> read = ParseCase(RenderCase(kept));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->scenario, kept.scenario);
  EXPECT_EQ(read->seed, kept.seed);
  EXPECT_EQ(read->sentence, "crowd: 3 high");
  EXPECT_EQ(read->decisions, kept.decisions);
}

TEST(CaseFile, ADamagedOneIsRefusedWithTheLine) {
  const std::string whole = RenderCase({"crowd", 5, "crowd: no", {{{"crowd", {{0, 1, 2}, {3, 4, 9}}}}}});
  const auto refused = [](const std::string& text) {
    const absl::StatusOr<Case> read = ParseCase(text);
    return read.ok() ? std::string() : std::string(read.status().message());
  };
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = whole;
    return refused(text.replace(text.find(from), from.size(), to));
  };
  EXPECT_EQ(refused(whole), "");
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(refused(whole.substr(0, size)), "") << size;
  }
  EXPECT_EQ(changed("version 1", "version 2").substr(0, 7), "line 1:");
  EXPECT_EQ(changed("seed 5", "seed x").substr(0, 7), "line 3:");
  EXPECT_EQ(changed("0 = 1 of 2", "0 = 2 of 2").substr(0, 7), "line 6:");
  EXPECT_EQ(changed("3 = 4", "0 = 4").substr(0, 7), "line 7:");
  EXPECT_EQ(changed("  3 = 4 of 9", "crowd").substr(0, 7), "line 7:");
}

}  // namespace
}  // namespace bt::sim
