// The judges of what callers are owed and of a healed majority: each shown what it must condemn.

#include "sim/check/availability.h"

#include <gtest/gtest.h>

#include <string_view>
#include <utility>

#include "sim/check/answers.h"
#include "sim/check/steps.h"
#include "tests/sim/says.h"

namespace bt::sim {
namespace {

constexpr CallId kCall{7};
constexpr uint32_t kClient = 3;

// A node whose clock began long before the world, and steps each tenth of a second.
struct Answers : testing::Test {
  Answers() { judge.OnStart(clock(), Seconds(6)); }

  Instant clock() const { return world.now() + Seconds(1000); }
  void Run(Duration duration) {
    for (const Instant end = world.now() + duration; world.now() < end && !world.failed();) {
      world.RunFor(Milliseconds(100));
      judge.OnStep(clock());
    }
  }

  World world{1};
  AnswerJudge judge{world, "tracker-1"};
};

TEST_F(Answers, AreContentWithOneAnswerInTime) {
  judge.OnCall(kCall, kClient, clock());
  EXPECT_FALSE(judge.idle());
  Run(Seconds(5));
  judge.OnReply(kCall, clock());
  EXPECT_TRUE(judge.idle());
  EXPECT_FALSE(world.failed());
}

TEST_F(Answers, FindASecondAnswer) {
  judge.OnCall(kCall, kClient, clock());
  judge.OnReply(kCall, clock());
  EXPECT_FALSE(world.failed());
  judge.OnReply(kCall, clock());
  EXPECT_TRUE(Says(world, "answers: tracker-1 answers call 7, which it has answered before"));
}

TEST_F(Answers, MayComeOnceAfterTheCallerHasHungUp) {
  judge.OnCall(kCall, kClient, clock());
  judge.OnHungUp(kCall);
  EXPECT_TRUE(judge.idle());
  judge.OnReply(kCall, clock());
  EXPECT_FALSE(world.failed());
  judge.OnReply(kCall, clock());
  EXPECT_TRUE(Says(world, "answered before"));
}

TEST_F(Answers, FindACallerThatIsForgotten) {
  judge.OnCall(kCall, kClient, clock());
  Run(Seconds(7));
  EXPECT_TRUE(Says(world, "answers: tracker-1 has not answered client 3 since 1000.000000s of its clock"));
}

TEST_F(Answers, DoNotCountTheTimeInWhichTheProcessStood) {
  judge.OnCall(kCall, kClient, clock());
  Run(Seconds(5));
  world.RunFor(Seconds(60));
  Run(Milliseconds(500));
  EXPECT_FALSE(world.failed());
  Run(Seconds(1));
  EXPECT_TRUE(Says(world, "has not answered client 3"));
}

TEST_F(Answers, MayComeFirstThingAfterTheProcessStood) {
  judge.OnCall(kCall, kClient, clock());
  Run(Seconds(5));
  world.RunFor(Seconds(60));
  judge.OnReply(kCall, clock());
  EXPECT_FALSE(world.failed());
}

TEST_F(Answers, AreNotOwedByAProcessThatIsGone) {
  judge.OnCall(kCall, kClient, clock());
  judge.OnEnded();
  judge.OnStart(clock(), Seconds(6));
  Run(Seconds(10));
  EXPECT_FALSE(world.failed());
}

TEST_F(Answers, ArePromptOnceNothingStandsInTheWay) {
  judge.OnCall(kCall, AnswerJudge::kOperator, clock());
  judge.ExpectPromptness(world.now() + Seconds(1), Seconds(2));
  Run(Milliseconds(2900));
  EXPECT_FALSE(world.failed());
  Run(Milliseconds(200));
  EXPECT_TRUE(Says(world, "availability: tracker-1 has not answered the operator, which asked at 0.000000s"));
}

struct Steps : testing::Test {
  static constexpr NodeId kPeer{2};
  static constexpr NodeId kOther{3};

  Steps() {
    judge.OnStart({.reads = 2 * StepJudge::kAnswer,
                   .commands = 2 * StepJudge::kCommand,
                   .forwards = 10,
                   .answer_bytes = 1000,
                   .sent_bytes = 1000});
  }

  static tracker_api::Response ListOf(size_t entries) {
    tracker_api::Listing listing;
    listing.torrents.resize(entries);
    tracker_api::Response response;
    response.body = std::move(listing);
    return response;
  }

  World world{1};
  StepJudge judge{world, "tracker-1"};
};

TEST_F(Steps, HaveRoomForOneAnswerHoweverLongAndForSeveralShortOnes) {
  judge.OnRead(ListOf(1000));
  judge.OnStep({.reads = 1000 + StepJudge::kAnswer});
  judge.OnRead(ListOf(0));
  judge.OnRead(ListOf(1000));
  judge.OnStep({.reads = 1000 + 2 * StepJudge::kAnswer});
  EXPECT_FALSE(world.failed());
}

TEST_F(Steps, MustNotGoOnAnsweringWhenTheyHaveNoRoomLeft) {
  judge.OnRead(ListOf(5));
  judge.OnRead(ListOf(12));
  EXPECT_FALSE(world.failed());
  judge.OnRead(ListOf(0));
  EXPECT_TRUE(Says(
      world, "steps: tracker-1 goes on answering reads in a step in which that has cost 49, and it has"));
}

TEST_F(Steps, MayApplyAsManyCommandsAsThereIsRoomFor) {
  judge.OnApplied(1);
  judge.OnApplied(1);
  judge.OnStep({.commands = 2 * StepJudge::kCommand});
  judge.OnApplied(2);
  EXPECT_FALSE(world.failed());
  judge.OnApplied(1);
  EXPECT_TRUE(Says(
      world, "steps: tracker-1 goes on applying commands in a step in which that has cost 8, and it has"));
}

TEST_F(Steps, MayForwardOneLongCommandOrAsManyShortOnesAsThereIsRoomFor) {
  judge.OnForwarded(1 << 20);
  judge.OnStep({});
  for (int i = 0; i < 3; ++i) judge.OnForwarded(63);
  EXPECT_FALSE(world.failed());
  judge.OnForwarded(1);
  EXPECT_TRUE(
      Says(world, "steps: tracker-1 goes on forwarding commands in a step in which that has cost 12"));
}

TEST_F(Steps, MayAnswerSoManyBytes) {
  judge.OnAnswer(999);
  judge.OnAnswer(5000);
  judge.OnStep({});
  judge.OnAnswer(1000);
  EXPECT_FALSE(world.failed());
  judge.OnAnswer(1);
  EXPECT_TRUE(
      Says(world, "steps: tracker-1 goes on answering in bytes in a step in which that has cost 1000"));
}

TEST_F(Steps, MaySendEachPeerSoManyBytes) {
  judge.OnSent(kPeer, 999);
  judge.OnSent(kOther, 5000);
  judge.OnSent(kPeer, 5000);
  judge.OnStep({});
  judge.OnSent(kPeer, 1000);
  EXPECT_FALSE(world.failed());
  judge.OnSent(kPeer, 1);
  EXPECT_TRUE(Says(world, "steps: tracker-1 goes on sending bytes to one peer in a step in which that has"));
}

TEST_F(Steps, MustBeCountedByTheNodeItself) {
  judge.OnRead(ListOf(5));
  judge.OnStep({.reads = StepJudge::kAnswer});
  EXPECT_TRUE(Says(world, "steps: tracker-1 says that the reads of a step have cost 16, and they cost 21"));
}

struct Availability : testing::Test {
  void Begin(uint32_t node) { judge.OnNote(NodeId(node), paxos::Promised{{++round, NodeId(node)}}); }
  void Heal() {
    judge.OnHealed({.core = {NodeId(1), NodeId(2)},
                    .lag = 100,
                    .latency_max = Milliseconds(5),
                    .stragglers_max = Milliseconds(300),
                    .has_leader = [this] { return led; }});
  }

  World world{1};
  paxos::Config config;
  AvailabilityJudge judge{world, config};
  uint64_t round = 0;
  bool led = true;
};

TEST_F(Availability, IsJudgedFromTheHealingOn) {
  for (int i = 0; i < 100; ++i) Begin(1);
  EXPECT_EQ(judge.settled(), Instant::Never());
  Heal();
  // 300 ms for stragglers, four timeouts of at most 1250 ms, 100 slots at 10 ms each.
  EXPECT_EQ(judge.settled(), world.now() + Milliseconds(6300));
  EXPECT_FALSE(world.failed());
}

TEST_F(Availability, FindsAnElectionUnderALeaderThatIsWell) {
  Heal();
  world.RunFor(Milliseconds(6300));
  Begin(3);  // cut off for good: whatever it does
  judge.OnNote(NodeId(2), paxos::Promised{{++round, NodeId(1)}});
  EXPECT_FALSE(world.failed());
  world.RunFor(Milliseconds(1));
  Begin(2);
  EXPECT_TRUE(Says(world, "elections: tracker-2 begins ballot 3.2"));
}

TEST_F(Availability, FindsAMajorityWithoutALeader) {
  led = false;
  Heal();
  world.RunFor(Milliseconds(6299));
  EXPECT_FALSE(world.failed());
  world.RunFor(Milliseconds(1));
  EXPECT_TRUE(
      Says(world, "availability: nobody leads at 6.300000s, though the core was healed at 0.000000s"));
}

TEST_F(Availability, RestsWhileALeaderIsMadeToHandOver) {
  Heal();
  world.RunFor(Milliseconds(6000));
  judge.Rest();
  led = false;
  world.RunFor(Milliseconds(301));
  EXPECT_FALSE(world.failed());
}

TEST_F(Availability, FindsAStormOfElections) {
  Heal();
  for (int i = 0; i < 100; ++i) Begin(1);  // somebody's disk may still hang
  world.RunFor(Milliseconds(301));
  for (int i = 0; i < 4; ++i) {
    Begin(1);
    Begin(2);
  }
  EXPECT_FALSE(world.failed());
  Begin(1);
  EXPECT_TRUE(Says(world, "elections: 9 ballots were begun since all faults were over at 0.300000s"));
}

}  // namespace
}  // namespace bt::sim
