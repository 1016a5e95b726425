#include "sim/host.h"

#include <gtest/gtest.h>

#include "sim/harness.h"
#include "tests/sim/toy.h"

namespace bt::sim {
namespace {

DiskFaults SlowSync() {
  DiskFaults faults;
  faults.sync_min = faults.sync_max = Milliseconds(100);
  return faults;
}

TEST(Host, HoldsAMessageUntilTheWriteItRestsOnIsDurable) {
  World world(1);
  ToyPair pair(world, SlowSync());
  Add(pair.a(), 5);
  world.RunFor(Milliseconds(99));
  EXPECT_TRUE(pair.b().machine()->heard().empty());
  EXPECT_EQ(pair.a().held(), 1u);
  world.RunFor(Milliseconds(10));
  EXPECT_EQ(pair.b().machine()->heard(), std::vector<uint64_t>{5});
  EXPECT_EQ(pair.a().machine()->durable(), WriteSeq(1));
}

TEST(Host, DiscardsHeldMessagesAndUnsyncedWritesAtACrash) {
  World world(1);
  DiskFaults faults = SlowSync();
  faults.lose_percent = 100;
  ToyPair pair(world, faults);
  Add(pair.a(), 5);
  world.RunFor(Milliseconds(50));
  pair.a().Crash();
  pair.a().Start();
  world.RunFor(Seconds(1));
  EXPECT_TRUE(pair.b().machine()->heard().empty());
  EXPECT_TRUE(pair.a().machine()->kept().empty());
  EXPECT_EQ(world.faults().count(Fault::kLostWrite), 1u);
}

TEST(Host, RecoversEverythingDurableAfterACrash) {
  World world(1);
  ToyPair pair(world);
  for (uint64_t i = 0; i < 50; ++i) {
    Add(pair.a(), i);
    world.RunFor(Milliseconds(5));
  }
  pair.a().Crash();
  pair.a().Start();
  EXPECT_EQ(pair.a().machine()->kept().size(), 50u);
}

TEST(Host, GroupsTheWritesThatArriveDuringASync) {
  World world(1);
  ToyPair pair(world, SlowSync());
  for (uint64_t i = 1; i <= 10; ++i) Add(pair.a(), i);
  world.RunFor(Milliseconds(150));
  EXPECT_EQ(pair.a().machine()->durable(), WriteSeq(1));
  world.RunFor(Milliseconds(100));
  EXPECT_EQ(pair.a().machine()->durable(), WriteSeq(10));
}

TEST(Host, AStalledProcessHearsEverythingLaterAndItsTimersFireOnce) {
  World world(1);
  ToyPair pair(world);
  world.RunFor(Milliseconds(35));
  EXPECT_EQ(pair.b().machine()->pulses(), 3u);
  pair.b().Stall();
  Add(pair.a(), 1);
  Add(pair.a(), 2);
  world.RunFor(Seconds(5));
  EXPECT_TRUE(pair.b().machine()->heard().empty());
  EXPECT_EQ(pair.b().machine()->pulses(), 3u);
  pair.b().Resume();
  EXPECT_EQ(pair.b().machine()->heard(), (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(pair.b().machine()->pulses(), 4u);
}

TEST(Host, AfterAStallOneSendersMessagesStayInOrder) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    World world(seed);
    ToyPair pair(world);
    pair.b().Stall();
    for (uint64_t i = 1; i <= 5; ++i) {
      Add(pair.a(), i);
      world.RunFor(Milliseconds(20));
    }
    pair.b().Resume();
    EXPECT_EQ(pair.b().machine()->heard(), (std::vector<uint64_t>{1, 2, 3, 4, 5})) << "seed " << seed;
  }
}

TEST(Host, ASlowProcessTakesItsInputsOneByOneAndAllAtOnceWhenItIsQuickAgain) {
  World world(1);
  ToyPair pair(world);
  pair.b().SetPace(Milliseconds(100));
  for (uint64_t number = 1; number <= 10; ++number) Add(pair.a(), number);
  world.RunFor(Milliseconds(350));
  EXPECT_EQ(pair.b().machine()->heard().size(), 3u);
  pair.b().SetPace(Duration{0});
  EXPECT_EQ(pair.b().machine()->heard().size(), 10u);
  Add(pair.a(), 11);
  world.RunFor(Milliseconds(10));
  EXPECT_EQ(pair.b().machine()->heard().back(), 11u);
}

TEST(Host, ACrashedProcessHearsNothing) {
  World world(1);
  ToyPair pair(world);
  pair.b().Crash();
  Add(pair.a(), 1);
  world.RunFor(Seconds(1));
  pair.b().Start();
  world.RunFor(Seconds(1));
  EXPECT_TRUE(pair.b().machine()->heard().empty());
}

void ToyRun(World& world) {
  DiskFaults disk;
  disk.lose_percent = 30;
  disk.tear_percent = 50;
  NetworkFaults network;
  network.drop_ppm = 50'000;
  network.duplicate_ppm = 50'000;
  ToyPair pair(world, disk, network);
  RandomStream rng = world.Stream("test");
  for (uint64_t i = 1; i <= 2000; ++i) {
    ToyHost& host = *pair.hosts[rng.Below(2)];
    if (!host.alive()) {
      host.Start();
    } else if (rng.Chance(1, 20)) {
      const WriteSeq durable = host.machine()->durable();
      host.Crash();
      host.Start();
      if (host.machine()->kept().size() < durable.value()) world.Fail("a durable number is gone");
    } else {
      Add(host, i);
    }
    world.RunFor(rng.Between(Microseconds(1), Milliseconds(1)));
  }
}

constexpr Scenario kToy = {"toy", "two toys", ToyRun};

TEST(World, GivesEqualDigestsForEqualSeedsAndOthersForOthers) {
  const Report one = RunOnce(kToy, 1);
  EXPECT_EQ(one.failure, std::nullopt);
  EXPECT_EQ(one.digest, RunOnce(kToy, 1).digest);
  EXPECT_NE(one.digest, RunOnce(kToy, 2).digest);
  EXPECT_GT(one.faults.count(Fault::kTornWrite), 0u);
  EXPECT_GT(one.faults.count(Fault::kLostWrite), 0u);
  EXPECT_GT(one.faults.count(Fault::kKeptWrite), 0u);
  EXPECT_GT(one.faults.count(Fault::kDrop), 0u);
  EXPECT_GT(one.faults.count(Fault::kDuplicate), 0u);
}

TEST(World, DurableWritesSurviveTornAndLostOnesForManySeeds) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const Report report = RunOnce(kToy, seed);
    EXPECT_EQ(report.failure, std::nullopt) << "seed " << seed;
  }
}

TEST(Harness, NamesTheFirstDivergentEventOfARunThatIsNotAFunctionOfItsSeed) {
  g_leaking = true;
  const Report report = RunChecked(kToy, 3);
  g_leaking = false;
  ASSERT_TRUE(report.failure.has_value());
  EXPECT_NE(report.failure->find("first divergent event is step"), std::string::npos) << *report.failure;
  EXPECT_FALSE(report.trace.empty());
}

void Complains(World& world) {
  ToyPair pair(world);
  Add(pair.a(), 1);
  world.RunFor(Milliseconds(50));
  world.Fail("node a has more sense than is allowed");
}

TEST(Harness, PrintsSentenceSeedEventsReplayShrinkAndViewInThisOrder) {
  const Scenario scenario = {"complains", "fails", Complains, "//mine:simrun"};
  const std::string text = FailureText(scenario, RunChecked(scenario, 42));
  const size_t sentence = text.find("node a has more sense");
  const size_t seed = text.find("seed 42");
  const size_t events = text.find("WriteDone{seq=1}");
  const size_t replay = text.find("bazel run //mine:simrun -- replay --scenario=complains --seed=42");
  const size_t shrink = text.find("bazel run //mine:simrun -- shrink --scenario=complains --seed=42");
  EXPECT_NE(shrink, std::string::npos) << text;
  EXPECT_LT(replay, shrink);
  EXPECT_LT(shrink, text.find("bazel run //mine:simrun -- view --scenario=complains --seed=42 -o 42.html\n"));
  EXPECT_TRUE(text.ends_with("html\n")) << text;
  EXPECT_LT(sentence, seed);
  EXPECT_LT(seed, events);
  EXPECT_LT(events, replay);
}

TEST(Harness, AScenarioWithoutAProgramIsReplayedByTheTestThatRanIt) {
  const Scenario scenario = {"complains", "fails", Complains};
  EXPECT_EQ(Command(scenario, "shrink", 42),
            "bazel test //tests/sim:host_test --test_output=streamed --test_arg=--shrink=42");
}

void Dies(World&) { CHECK_MSG(false, "on purpose"); }

TEST(HarnessDeathTest, ACheckThatFailsInsideARunPrintsTheReplayCommand) {
  const Scenario scenario = {"dies", "dies", Dies, "//mine:simrun"};
  EXPECT_DEATH(RunOnce(scenario, 9), "replay --scenario=dies --seed=9");
}

}  // namespace
}  // namespace bt::sim
