// Linearizable reads by read-index, as transcripts.

#include <gtest/gtest.h>

#include "tests/core/paxos/cluster.h"

namespace bt::paxos {
namespace {

using Timer = Protocol::Timer;

TEST(Reads, WaitForAHeartbeatRoundThatBeganAfterThem) {
  Cluster cluster(3);
  cluster.Elect(1);
  const CallId read = cluster.Read(1);
  EXPECT_EQ(cluster.Answer(read), "");
  EXPECT_EQ(cluster.InFlight(), "1>2 Heartbeat 1.1 #2 chosen 1; 1>3 Heartbeat 1.1 #2 chosen 1");
  cluster.Deliver(To(2));
  cluster.Deliver(To(1));
  EXPECT_EQ(cluster.Answer(read), "read at 1");
}

TEST(Reads, AnAnswerToAnEarlierRoundConfirmsNothing) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Fire(1, Timer::kHeartbeat);  // round 2
  cluster.Deliver(To(2));
  const CallId read = cluster.Read(1);  // round 3
  cluster.Lose(From(1));
  cluster.Deliver(To(1));
  EXPECT_EQ(cluster.Answer(read), "");
  cluster.Fire(1, Timer::kHeartbeat);  // round 4 confirms round 3, too
  cluster.Settle();
  EXPECT_EQ(cluster.Answer(read), "read at 1");
}

TEST(Reads, ThoseThatComeDuringARoundShareTheNext) {
  Cluster cluster(3);
  cluster.Elect(1);
  const CallId first = cluster.Read(1);
  cluster.Propose(1, "a");
  std::vector<CallId> later;
  for (int i = 0; i < 100; ++i) later.push_back(cluster.Read(1));
  size_t heartbeats = 0;
  for (const Envelope& envelope : cluster.in_flight()) heartbeats += Of<Heartbeat>()(envelope) ? 1 : 0;
  EXPECT_EQ(heartbeats, 2u);
  cluster.Settle();
  EXPECT_EQ(cluster.Answer(first), "read at 1");
  for (const CallId call : later) EXPECT_NE(cluster.Answer(call), "");
}

TEST(Reads, ReflectEveryCommandChosenBeforeThem) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Propose(1, "a");
  cluster.Settle();
  const CallId read = cluster.Read(1);
  cluster.Settle();
  EXPECT_EQ(cluster.Answer(read), "read at 2");
}

TEST(Reads, ANewLeaderServesNoneBeforeItsOwnNoOpIsChosen) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Propose(1, "a");
  // Chosen and applied at node 1, but node 2 does not know it yet.
  cluster.Deliver(Of<Accept>());
  for (uint32_t node = 1; node <= 3; ++node) cluster.Sync(node);
  cluster.Deliver(Of<Accepted>());
  ASSERT_EQ(cluster.Log(1), "- | a");
  cluster.Lose(Everything());
  cluster.Stall(1);
  cluster.Pass(Milliseconds(1000));
  cluster.Fire(2, Timer::kElection);
  cluster.UntilLeader(2, [&] {
    cluster.Lose(To(1));
    cluster.Deliver(Everything());
    cluster.Sync(2);
    cluster.Sync(3);
  });
  const CallId read = cluster.Read(2);
  // Its heartbeats are answered by everybody, but its Accepts are not yet.
  cluster.Deliver(Of<Heartbeat>());
  cluster.Deliver(Of<HeartbeatReply>());
  cluster.Fire(2, Timer::kHeartbeat);
  cluster.Deliver(Of<Heartbeat>());
  cluster.Deliver(Of<HeartbeatReply>());
  EXPECT_EQ(cluster.Answer(read), "") << "slot 1 would not reflect \"a\"";
  cluster.Settle();
  EXPECT_EQ(cluster.Answer(read), "read at 3");
  EXPECT_EQ(cluster.Log(2), "- | a | -");
}

TEST(Reads, AFollowerSendsThemToTheLeader) {
  Cluster cluster(3);
  cluster.Elect(1);
  EXPECT_EQ(cluster.Answer(cluster.Read(2)), "not leader (1)");
}

TEST(Reads, AreBounded) {
  Config config;
  config.pending_reads_max = 2;
  Cluster cluster(3, 1, config);
  cluster.Elect(1);
  cluster.Read(1);
  cluster.Read(1);
  EXPECT_EQ(cluster.Answer(cluster.Read(1)), "busy");
}

}  // namespace
}  // namespace bt::paxos
