// Replicas that know different values as chosen do not go on side by side: whoever finds out stops.

#include <gtest/gtest.h>

#include "core/base/fields.h"
#include "tests/core/paxos/cluster.h"

namespace bt::paxos {
namespace {

using Timer = Protocol::Timer;

Slice Value(std::string_view command) {
  return Slice::Own(Encode(Batch{Instant{5}, {Slice::Copy(command)}}));
}

constexpr Ballot kFirst{1, NodeId(1)};

TEST(Divergence, AFollowerWhoseChainDiffersFromTheLeadersStops) {
  Cluster cluster(3);
  cluster.Elect(1);
  for (const char* command : {"a", "b"}) {
    cluster.Propose(1, command);
    cluster.Settle();
  }
  const uint64_t chain = cluster.replica(2).chain();
  cluster.Inject({1, 2, Heartbeat{kFirst, 9, Slot(3), Prefix{Slot(3), chain + 1}}});
  cluster.Deliver(Everything());
  EXPECT_TRUE(cluster.replica(2).stopped());
  EXPECT_EQ(cluster.Diverged(2), "slot 3, node 1");
  EXPECT_EQ(cluster.InFlight(), "") << "the heartbeat is not answered";
  EXPECT_FALSE(cluster.armed(2, Timer::kElection));
}

TEST(Divergence, ChainsAreComparedAtTheLowerOfTheTwoWatermarks) {
  Cluster cluster(3);
  cluster.Elect(1);
  for (const char* command : {"a", "b", "c"}) {
    cluster.Propose(1, command);
    cluster.Settle();
  }
  cluster.Fire(1, Timer::kHeartbeat);
  cluster.Settle();  // the leader now knows where its followers are
  cluster.Propose(1, "d");
  cluster.Lose(To(3));
  cluster.Settle();
  cluster.Fire(1, Timer::kHeartbeat);
  size_t compared = 0;
  for (const Envelope& envelope : cluster.in_flight()) {
    const auto* heartbeat = std::get_if<Heartbeat>(&envelope.message);
    if (heartbeat == nullptr) continue;
    ++compared;
    EXPECT_EQ(heartbeat->common.slot, Slot(4)) << "of node " << envelope.to << ", as it last said";
    EXPECT_EQ(heartbeat->common.chain, cluster.replica(3).chain());
  }
  EXPECT_EQ(compared, 2u);
  // An older slot is compared, too.
  cluster.Inject({1, 2, Heartbeat{kFirst, 9, Slot(3), Prefix{Slot(2), 1}}});
  cluster.Settle();
  EXPECT_EQ(cluster.Diverged(2), "slot 2, node 1");
  EXPECT_EQ(cluster.Diverged(3), "");
}

TEST(Divergence, AReplicaThatIsTaughtAnotherValueForAChosenSlotStops) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Propose(1, "a");
  cluster.Settle();
  cluster.Inject({1, 3, CatchUpReply{Slot(2), Slot(2), Slot(1), {Value("other")}}});
  cluster.Deliver(Everything());
  EXPECT_EQ(cluster.Diverged(3), "slot 2, node 1");
  cluster.Inject({1, 2, Accept{kFirst, Slot(2), Slot(2), Value("other")}});
  cluster.Deliver(Everything());
  EXPECT_EQ(cluster.Diverged(2), "slot 2, node 1");
  EXPECT_EQ(cluster.InFlight(), "");
}

TEST(Divergence, AStoppedReplicaNeitherVotesNorServesAndRefusesWhatIsAskedOfIt) {
  Cluster cluster(3);
  cluster.Elect(1);
  const CallId waiting = cluster.Read(1);
  cluster.Inject({2, 1, Heartbeat{Ballot{2, NodeId(2)}, 1, Slot(0), Prefix{Slot(1), 1}}});
  cluster.Deliver(To(1));
  EXPECT_EQ(cluster.Diverged(1), "slot 1, node 2");
  EXPECT_EQ(cluster.Answer(waiting), "not leader");
  EXPECT_EQ(cluster.Answer(cluster.Propose(1, "a")), "not leader");
  cluster.Lose(Everything());
  const size_t written = cluster.durable(1).size() + cluster.unsynced(1);
  cluster.Inject({3, 1, PreVote{Ballot{7, NodeId(3)}, Slot(9)}});
  cluster.Inject({3, 1, Prepare{Ballot{7, NodeId(3)}, Slot(1)}});
  cluster.Inject({3, 1, CatchUp{Slot(1)}});
  cluster.Settle();
  EXPECT_EQ(cluster.InFlight(), "");
  EXPECT_EQ(cluster.durable(1).size() + cluster.unsynced(1), written);
}

TEST(Divergence, TheOthersGoOnWithoutTheOneThatStopped) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Inject({1, 3, Heartbeat{kFirst, 1, Slot(1), Prefix{Slot(1), 1}}});
  cluster.Settle();
  ASSERT_TRUE(cluster.replica(3).stopped());
  cluster.Propose(1, "a");
  cluster.Settle();
  EXPECT_EQ(cluster.Log(2), "- | a");
  cluster.Crash(1);
  cluster.Restart(1);
  cluster.Elect(2);
  cluster.Fire(1, Timer::kCatchUp);
  cluster.Settle();
  EXPECT_EQ(cluster.Log(1), "- | a | -");
  EXPECT_EQ(cluster.violation(), "");
}

// A replica can know a chosen value although its promise is below the ballot that chose it: it learned the
// value by catch-up. A leader of a lower ballot may then ask it for another value, and neither is wrong.
TEST(Divergence, AValueLearnedAboveThePromiseIsNeitherOverwrittenNorVotedAgainstNorADivergence) {
  Cluster cluster(5);
  cluster.Elect(1);
  cluster.Propose(1, "lost");  // slot 2 under 1.1, nowhere but at node 1
  const Envelope late = [&] {
    for (const Envelope& envelope : cluster.in_flight()) {
      if (envelope.to == 5) return envelope;
    }
    return Envelope{};
  }();
  cluster.Lose(Everything());
  cluster.Stall(1);
  cluster.Stall(5);
  cluster.Elect(2);  // slot 2: its no-op, chosen by nodes 2, 3 and 4 under 2.2
  ASSERT_EQ(cluster.Log(3), "- | -");
  cluster.Lose(To(1));
  cluster.Lose(To(5));
  cluster.Resume(5);
  cluster.Inject({5, 3, CatchUp{Slot(2)}});
  cluster.Deliver(To(3));
  const Slice chosen = std::get<CatchUpReply>(cluster.in_flight().back().message).values[0];
  cluster.Deliver(To(5));
  ASSERT_EQ(cluster.replica(5).chosen(), Slot(2));
  ASSERT_EQ(cluster.replica(5).ballot(), kFirst) << "it has promised nothing to node 2";

  cluster.Inject(late);
  cluster.Settle();
  EXPECT_FALSE(cluster.replica(5).stopped());
  EXPECT_EQ(cluster.Log(5), "- | -") << "what is chosen stays";
  EXPECT_EQ(cluster.InFlight(), "") << "no vote for the value that lost";
  // The chosen value is answered, under whatever ballot it comes.
  cluster.Fire(2, Timer::kHeartbeat);
  cluster.Settle();
  cluster.Lose(To(1));
  cluster.Inject({2, 5, Accept{Ballot{2, NodeId(2)}, Slot(2), Slot(1), chosen}});
  cluster.Deliver(To(5));
  cluster.Sync(5);
  EXPECT_EQ(cluster.InFlight(), "5>2 Accepted 2.2 @2");
  EXPECT_EQ(cluster.violation(), "");
}

}  // namespace
}  // namespace bt::paxos
