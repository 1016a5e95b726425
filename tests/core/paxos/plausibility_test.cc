#include "core/paxos/plausibility.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/core/paxos/cluster.h"

namespace bt::paxos {
namespace {

using Timer = Protocol::Timer;

constexpr uint64_t kTop = std::numeric_limits<uint64_t>::max();
constexpr Instant kStart{1'000'000'000};

Message PrepareOf(uint64_t round) { return Prepare{Ballot{round, NodeId(2)}, Slot(1)}; }

Plausibility StartedAt(uint64_t promised) {
  Plausibility plausibility;
  plausibility.Start(promised, kStart);
  return plausibility;
}

TEST(Plausibility, ARoundIsBelievedUpToOneStepAboveThePromise) {
  Plausibility plausibility = StartedAt(7);
  EXPECT_TRUE(plausibility.Admits(PrepareOf(8), kStart));
  EXPECT_TRUE(plausibility.Admits(PrepareOf(7 + kRoundStep), kStart));
  EXPECT_FALSE(plausibility.Admits(PrepareOf(8 + kRoundStep), kStart));
  EXPECT_FALSE(plausibility.Admits(PrepareOf(kTop), kStart));
}

TEST(Plausibility, HoweverManyMessagesAskForMoreTheLimitRisesOneStepEachPause) {
  Plausibility plausibility = StartedAt(0);
  for (int64_t pause = 0; pause < 10; ++pause) {
    for (int i = 0; i < 1000; ++i) {
      plausibility.Admits(PrepareOf(plausibility.limit()), kStart + kRoundPause * pause);
      plausibility.Admits(PrepareOf(kTop), kStart + kRoundPause * pause);
    }
    EXPECT_EQ(plausibility.limit(), kRoundStep * static_cast<uint64_t>(pause + 1));
  }
}

TEST(Plausibility, RoundsFarBelowTheLimitDoNotMoveIt) {
  Plausibility plausibility = StartedAt(0);
  EXPECT_FALSE(plausibility.Admits(PrepareOf(2 * kRoundStep), kStart));
  EXPECT_TRUE(plausibility.Admits(PrepareOf(2 * kRoundStep), kStart + kRoundPause));
  for (int64_t pause = 2; pause < 100; ++pause) {
    EXPECT_TRUE(plausibility.Admits(PrepareOf(5), kStart + kRoundPause * pause));
  }
  EXPECT_EQ(plausibility.limit(), 2 * kRoundStep);
}

TEST(Plausibility, ANodeThatWasAwayForAYearOfElectionsClimbsAfterItsClusterInSeconds) {
  Plausibility plausibility = StartedAt(3);
  const uint64_t cluster = uint64_t{4} * 86'400 * 365;
  Instant now = kStart;
  while (!plausibility.Admits(PrepareOf(cluster), now)) now = now + Milliseconds(50);
  EXPECT_LE(now - kStart, Seconds(10));
}

TEST(Plausibility, TheLimitEndsWhereABallotAboveItStillExists) {
  Plausibility plausibility = StartedAt(kTop);
  EXPECT_EQ(plausibility.limit(), kRoundMax);
  EXPECT_FALSE(plausibility.Admits(PrepareOf(kTop), kStart + Seconds(1)));
  EXPECT_EQ(plausibility.limit(), kRoundMax);
}

TEST(Plausibility, RoundsAndSlotsAreFoundWhereverTheyStand) {
  Plausibility plausibility = StartedAt(0);
  const Ballot ballot{1, NodeId(2)};
  const Ballot top{kTop, NodeId(2)};
  const Slot far = kSlotMax + 1;
  const Message refused[] = {
      PreVote{ballot, far},
      PreVoteReply{ballot, top, false},
      Rejected{ballot, top},
      Promise{ballot, Slot(1), far, Slot(0), {}},
      Promise{ballot, Slot(1), Slot(0), far, {}},
      Promise{ballot, Slot(1), Slot(0), Slot(0), {{Slot(1), ballot, {}}, {far, ballot, {}}}},
      Promise{ballot, Slot(1), Slot(0), Slot(0), {{Slot(1), top, {}}}},
      Heartbeat{ballot, 1, Slot(0), Prefix{far, 0}},
      CatchUpReply{far, Slot(1), {}},
  };
  for (const Message& message : refused) EXPECT_FALSE(plausibility.Admits(message, kStart));
  EXPECT_TRUE(plausibility.Admits(Heartbeat{ballot, kTop, kSlotMax, {}}, kStart)) << "no ballot's round";
}

// One frame of a stranger used to end all elections for ever: the round it brought was promised.
TEST(Plausibility, AMessageOfTheHighestRoundChangesNothing) {
  for (const Message& message :
       {Message(Prepare{Ballot{kTop, NodeId(2)}, Slot(1)}),
        Message(Heartbeat{Ballot{kTop, NodeId(2)}, 1, Slot(0), {}}),
        Message(Watermark{Ballot{kTop, NodeId(2)}, Slot(0)}),
        Message(Accept{Ballot{kTop, NodeId(2)}, Slot(2), Slot(0), Slice::Static("x")}),
        Message(Rejected{Ballot{1, NodeId(1)}, Ballot{kTop, NodeId(2)}}),
        Message(PreVoteReply{Ballot{2, NodeId(1)}, Ballot{kTop, NodeId(2)}, false})}) {
    Cluster cluster(3);
    cluster.Elect(1);
    for (const uint32_t node : {1, 3}) cluster.Inject({2, node, message});
    cluster.Settle();
    EXPECT_TRUE(cluster.replica(1).is_leader());
    EXPECT_EQ(cluster.replica(3).ballot(), (Ballot{1, NodeId(1)}));
    cluster.Elect(3);
    EXPECT_EQ(cluster.replica(3).ballot().round, 2u);
  }
}

TEST(Plausibility, ARoundThatWasBelievedIsElectedPast) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Inject({2, 3, Prepare{Ballot{1 + kRoundStep, NodeId(2)}, Slot(1)}});
  cluster.Settle();
  ASSERT_EQ(cluster.replica(3).ballot().round, 1 + kRoundStep);
  cluster.Lose(Everything());
  cluster.Fire(1, Timer::kHeartbeat);
  cluster.Settle();  // node 3 refuses the leader, which steps down and then stands above it
  EXPECT_FALSE(cluster.replica(1).is_leader());
  cluster.Elect(1);
  EXPECT_EQ(cluster.replica(2).ballot(), (Ballot{2 + kRoundStep, NodeId(1)}));
  EXPECT_EQ(cluster.replica(3).leader(), NodeId(1));
}

TEST(Plausibility, AWatermarkThatNobodyHasIsForgotten) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Inject({1, 3, CatchUpReply{Slot(2), Slot(1'000'000), {}}});
  cluster.Inject({1, 3, Watermark{Ballot{1, NodeId(1)}, Slot(1'000'000)}});
  cluster.Deliver(Everything());
  int asked = 0;
  while (cluster.armed(3, Timer::kCatchUp)) {
    ASSERT_LT(++asked, 10);
    cluster.Fire(3, Timer::kCatchUp);
    cluster.Settle();
  }
  EXPECT_GT(asked, 0);
}

}  // namespace
}  // namespace bt::paxos
