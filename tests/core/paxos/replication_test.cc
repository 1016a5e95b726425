// How commands are chosen, spread and caught up with, as transcripts.

#include <gtest/gtest.h>

#include "core/base/fields.h"
#include "tests/core/paxos/cluster.h"

namespace bt::paxos {
namespace {

using Timer = Protocol::Timer;

TEST(Replication, ACommandIsChosenByAQuorumAndToldAtOnce) {
  Cluster cluster(3);
  cluster.Elect(1);
  const CallId call = cluster.Propose(1, "a");
  EXPECT_EQ(cluster.Answer(call), "at 2[0]");
  EXPECT_EQ(cluster.InFlight(), "1>2 Accept 1.1 @2 chosen 1; 1>3 Accept 1.1 @2 chosen 1")
      << "the leader sends while its own disk writes";
  cluster.Deliver(Everything());
  EXPECT_EQ(cluster.InFlight(), "") << "an acceptance is told when it is durable";
  cluster.Sync(2);
  EXPECT_EQ(cluster.InFlight(), "2>1 Accepted 1.1 @2");
  cluster.Deliver(Everything());
  EXPECT_EQ(cluster.Log(1), "-") << "one follower and no own vote yet";
  cluster.Sync(1);
  EXPECT_EQ(cluster.Log(1), "- | a");
  EXPECT_EQ(cluster.InFlight(), "1>2 Chosen 2; 1>3 Chosen 2");
  cluster.Deliver(Everything());
  EXPECT_EQ(cluster.Log(2), "- | a");
  EXPECT_EQ(cluster.Log(3), "- | a") << "its entry is not durable yet, but the value is chosen";
}

TEST(Replication, TwoFollowersChooseWithoutTheLeadersDisk) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Propose(1, "a");
  cluster.Deliver(Everything());
  cluster.Sync(2);
  cluster.Sync(3);
  cluster.Deliver(Everything());
  EXPECT_EQ(cluster.Log(1), "- | a");
}

TEST(Replication, AFollowersRepeatedAcceptedIsOneVote) {
  Cluster cluster(5);
  cluster.Elect(1);
  cluster.Propose(1, "a");
  cluster.Deliver(To(2));
  cluster.Sync(2);
  const Envelope accepted = cluster.in_flight().back();
  ASSERT_EQ(Describe(accepted), "2>1 Accepted 1.1 @2");
  for (int i = 0; i < 4; ++i) cluster.Inject(accepted);
  cluster.Deliver(To(1));
  cluster.Sync(1);
  EXPECT_EQ(cluster.Log(1), "-");
  cluster.Settle();
  EXPECT_EQ(cluster.Log(1), "- | a");
}

TEST(Replication, AnAcceptedOfAnOlderBallotCountsForNothing) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Propose(1, "a");  // slot 2 under 1.1
  cluster.Deliver(To(2));
  cluster.Sync(2);
  const Envelope stale = cluster.in_flight().back();
  cluster.Lose(Everything());
  cluster.Crash(1);
  cluster.Restart(1);  // "a" was not durable here
  cluster.Pass(Milliseconds(1000));
  cluster.Fire(1, Timer::kElection);
  cluster.UntilLeader(1, [&] {
    cluster.Lose(To(2));
    cluster.Deliver(Everything());
    cluster.Sync(1);
    cluster.Sync(3);
  });
  ASSERT_NE(cluster.InFlight().find("1>3 Accept 2.1 @2"), std::string::npos) << cluster.InFlight();
  cluster.Lose(Everything());
  cluster.Inject(stale);
  cluster.Deliver(To(1));
  cluster.Sync(1);  // its own vote
  EXPECT_EQ(cluster.replica(1).chosen(), Slot(1)) << "node 2 accepted another value, under 1.1";
  EXPECT_EQ(cluster.violation(), "");
}

// A follower answers what it was sent. An acceptance of a slot outside [first proposed, next) says nothing:
// it neither counts as having heard from the follower nor as a vote in a slot that is not proposed yet.
TEST(Replication, AnAcceptedOfASlotNeverProposedUnderThisBallotIsNoSignOfLife) {
  for (const Slot slot : {Slot(0), Slot(1), Slot(4), Slot(1'000)}) {
    Cluster cluster(3);
    cluster.Elect(1);
    cluster.Elect(2);  // slot 2 is its first
    cluster.Propose(2, "a");
    cluster.Settle();
    cluster.Lose(Everything());
    const Ballot ballot = cluster.replica(2).ballot();
    for (int i = 0; i < 20 && cluster.replica(2).is_leader(); ++i) {
      cluster.Lose(Everything());
      cluster.Inject({3, 2, Accepted{ballot, slot}});
      cluster.Deliver(To(2));
      cluster.Fire(2, Timer::kHeartbeat);
    }
    EXPECT_FALSE(cluster.replica(2).is_leader()) << "slot " << slot.value();
    EXPECT_EQ(cluster.violation(), "");
  }
}

TEST(Replication, ALateDiskCompletionIsNotCreditedToANewerBallot) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Propose(1, "a");  // slot 2 under 1.1, not synced at node 1
  cluster.Lose(Everything());
  cluster.Pass(Milliseconds(1000));
  // The same node is elected again under 2.1 while that write is still under way.
  cluster.Fire(1, Timer::kHeartbeat);
  ASSERT_FALSE(cluster.replica(1).is_leader());
  cluster.Lose(Everything());
  cluster.Fire(1, Timer::kElection);
  cluster.Deliver(To(2));
  cluster.Deliver(To(1));
  cluster.SyncOnly(1, 2);  // "a" under 1.1, and the promise of 2.1
  cluster.Deliver(To(2));
  cluster.Sync(2);
  cluster.Deliver(To(1));
  ASSERT_TRUE(cluster.replica(1).is_leader());
  ASSERT_EQ(cluster.unsynced(1), 2u) << "\"a\" again and a no-op, under 2.1";
  // Node 2 accepts under 2.1; node 1's own disk has not.
  cluster.Deliver(Of<Accept>() && To(2));
  cluster.Lose(Everything());
  cluster.Sync(2);
  cluster.Deliver(To(1));
  EXPECT_EQ(cluster.replica(1).chosen(), Slot(1));
  cluster.SyncOnly(1, 1);
  EXPECT_EQ(cluster.replica(1).chosen(), Slot(2));
  cluster.SyncOnly(1, 1);
  EXPECT_EQ(cluster.replica(1).chosen(), Slot(3));
}

TEST(Replication, TheWatermarkDoesNotReachAStaleLocalEntry) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Propose(1, "stale");  // slot 2 under 1.1: at nodes 1 and... only 1
  cluster.Lose(Everything());
  cluster.Sync(1);
  cluster.Stall(1);
  cluster.Elect(2);  // slot 2: the no-op of 2.2
  cluster.Propose(2, "good");
  cluster.Settle();
  ASSERT_EQ(cluster.Log(2), "- | - | good");
  cluster.Lose([](const Envelope& e) { return e.to == 1 && !std::holds_alternative<Watermark>(e.message); });
  cluster.Resume(1);
  cluster.Deliver(Of<Watermark>() && To(1));
  EXPECT_EQ(cluster.replica(1).leader(), NodeId(2));
  EXPECT_EQ(cluster.Log(1), "-") << "what it holds in slot 2 is not what was chosen";
  cluster.Fire(1, Timer::kCatchUp);
  EXPECT_EQ(cluster.InFlight(), "1>2 CatchUp from 2");
  cluster.Settle();
  EXPECT_EQ(cluster.Log(1), "- | - | good");
  EXPECT_EQ(cluster.violation(), "");
}

TEST(Replication, AStalledLeaderThatResumesIsHarmless) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Propose(1, "a");
  cluster.Settle();
  cluster.Stall(1);
  cluster.Elect(2);
  cluster.Propose(2, "b");
  cluster.Settle();
  // It wakes, and believes that it leads.
  cluster.Lose(To(1));
  cluster.Resume(1);
  ASSERT_TRUE(cluster.replica(1).is_leader());
  const CallId read = cluster.Read(1);
  cluster.Propose(1, "ghost");
  cluster.Deliver(From(1));
  EXPECT_EQ(cluster.InFlight(),
            "2>1 Rejected 1.1 promised 2.2; 3>1 Rejected 1.1 promised 2.2; "
            "2>1 Rejected 1.1 promised 2.2; 3>1 Rejected 1.1 promised 2.2");
  cluster.Settle();
  EXPECT_FALSE(cluster.replica(1).is_leader());
  EXPECT_EQ(cluster.Answer(read), "not leader");
  cluster.Fire(2, Timer::kHeartbeat);
  cluster.Settle();
  cluster.Fire(1, Timer::kCatchUp);
  cluster.Settle();
  EXPECT_EQ(cluster.Log(1), "- | a | - | b");
  EXPECT_EQ(cluster.Log(2), cluster.Log(1));
  EXPECT_EQ(cluster.violation(), "");
}

TEST(Replication, WhatWaitsForTheWindowSharesASlot) {
  Config config;
  config.window_slots = 2;
  config.batch_commands_max = 3;
  Cluster cluster(3, 1, config);
  cluster.Elect(1);
  std::vector<CallId> calls;
  for (const char* command : {"a", "b", "c", "d", "e", "f"}) calls.push_back(cluster.Propose(1, command));
  EXPECT_EQ(cluster.Answer(calls[0]), "at 2[0]");
  EXPECT_EQ(cluster.Answer(calls[1]), "at 3[0]");
  EXPECT_EQ(cluster.Answer(calls[2]), "");
  cluster.Settle();
  EXPECT_EQ(cluster.Answer(calls[4]), "at 4[2]");
  EXPECT_EQ(cluster.Answer(calls[5]), "at 5[0]");
  for (uint32_t node = 1; node <= 3; ++node) EXPECT_EQ(cluster.Log(node), "- | a | b | c d e | f");
}

TEST(Replication, QueuesAreBoundedAndSayBusy) {
  Config config;
  config.window_slots = 1;
  config.pending_commands_max = 2;
  Cluster cluster(3, 1, config);
  cluster.Elect(1);
  for (const char* command : {"a", "b", "c"}) cluster.Propose(1, command);
  EXPECT_EQ(cluster.Answer(cluster.Propose(1, "d")), "busy");
  EXPECT_EQ(cluster.Answer(cluster.Propose(1, std::string(kCommandBytesMax + 1, 'x'))), "too large");
  cluster.Settle();
  EXPECT_EQ(cluster.Log(2), "- | a | b c");
}

TEST(Replication, AFollowerThatDoesNotAnswerIsSentABoundedAmountAndFedOnWhenItDoes) {
  Config config;
  config.peer_slots_max = 3;
  Cluster cluster(3, 1, config);
  cluster.Elect(1);
  cluster.Stall(3);
  for (int i = 0; i < 10; ++i) {
    cluster.Propose(1, std::to_string(i));
    cluster.Settle();
  }
  EXPECT_EQ(cluster.replica(1).chosen(), Slot(11));
  size_t accepts = 0;
  for (const Envelope& envelope : cluster.in_flight()) accepts += Of<Accept>()(envelope) ? 1 : 0;
  EXPECT_EQ(accepts, 3u);
  cluster.Resume(3);
  cluster.Settle();
  EXPECT_EQ(cluster.replica(3).chosen(), Slot(11)) << "fed from the leader's log, nothing asked for";
  EXPECT_EQ(cluster.Log(3), cluster.Log(1));
}

TEST(Replication, WhatWasLostOnTheWayIsSentAgain) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Crash(3);
  cluster.Propose(1, "a");
  cluster.Lose(Everything());
  cluster.Sync(1);
  for (int i = 0; i < 8; ++i) {
    cluster.Fire(1, Timer::kHeartbeat);
    cluster.Settle();
  }
  EXPECT_EQ(cluster.Log(1), "- | a");
  EXPECT_EQ(cluster.Log(2), "- | a");
}

TEST(Replication, WhatIsAnsweredIsNotSentAgainWhileASlotBelowItIsAwaited) {
  Cluster cluster(3);
  cluster.Elect(1);
  uint32_t sent[2] = {0, 0};  // Accepts of slots 2 and 3 to node 3
  const auto on_the_way = [&](const Envelope& envelope) {
    const auto* accept = std::get_if<Accept>(&envelope.message);
    if (envelope.to != 3 || accept == nullptr || accept->slot < Slot(2)) return false;
    ++sent[accept->slot.value() - 2];
    return accept->slot == Slot(2);
  };
  cluster.Propose(1, "a");
  EXPECT_EQ(cluster.Lose(on_the_way), 1u);  // as if it were so long that it takes minutes
  cluster.Settle();
  cluster.Propose(1, "b");
  cluster.Lose(on_the_way);
  cluster.Settle();
  for (int i = 0; i < 20; ++i) {
    cluster.Fire(1, Timer::kHeartbeat);
    cluster.Deliver(Everything());  // the beats
    cluster.Deliver(Everything());  // their answers
    cluster.Lose(on_the_way);
  }
  EXPECT_GT(sent[0], 2u);
  EXPECT_EQ(sent[1], 1u);
  EXPECT_EQ(cluster.Log(3), "-");
  cluster.Settle();
  for (int i = 0; i < 10; ++i) {
    cluster.Fire(1, Timer::kHeartbeat);
    cluster.Settle();
  }
  EXPECT_EQ(cluster.Log(3), "- | a | b");
}

TEST(Replication, ACrashedFollowerCatchesUpInBoundedPieces) {
  Config config;
  config.catch_up_bytes_max = 250;
  Cluster cluster(3, 1, config);
  cluster.Elect(1);
  cluster.Crash(3);
  for (int i = 0; i < 10; ++i) {
    cluster.Propose(1, std::string(100, static_cast<char>('a' + i)));
    cluster.Settle();
  }
  cluster.Elect(2);  // nothing of ballot 1.1 will be sent to node 3 by itself
  cluster.Restart(3);
  cluster.Fire(2, Timer::kHeartbeat);
  cluster.Settle();
  cluster.Fire(3, Timer::kCatchUp);
  size_t pieces = 0;
  while (cluster.replica(3).chosen() < cluster.replica(2).chosen()) {
    ASSERT_GT(cluster.Deliver(Of<CatchUp>()), 0u) << cluster.InFlight();
    for (const Envelope& envelope : cluster.in_flight()) {
      if (const auto* reply = std::get_if<CatchUpReply>(&envelope.message)) {
        size_t bytes = 0;
        for (const Slice& value : reply->values) bytes += value.size();
        EXPECT_LE(bytes, config.catch_up_bytes_max);
      }
    }
    pieces += cluster.Deliver(Of<CatchUpReply>());
  }
  EXPECT_GE(pieces, 5u);
  EXPECT_EQ(cluster.Log(3), cluster.Log(1));
  EXPECT_EQ(cluster.violation(), "");
}

TEST(Replication, CatchUpGoesOnWithAnotherPeerWhenTheFirstIsSilent) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Crash(3);
  cluster.Propose(1, "a");
  cluster.Settle();
  cluster.Elect(2);
  cluster.Restart(3);
  cluster.Fire(2, Timer::kHeartbeat);
  cluster.Settle();
  bool asked_another = false;
  for (int i = 0; i < 30 && !asked_another; ++i) {
    cluster.Fire(3, Timer::kCatchUp);
    asked_another = cluster.InFlight().find("3>1 CatchUp") != std::string::npos;
    if (!asked_another) cluster.Lose(From(3));
  }
  ASSERT_TRUE(asked_another);
  cluster.Settle();
  EXPECT_EQ(cluster.Log(3), cluster.Log(2));
}

TEST(Replication, TheWholeClusterRestartsWithEverythingThatWasChosen) {
  Cluster cluster(3);
  cluster.Elect(1);
  for (const char* command : {"a", "b", "c"}) {
    cluster.Propose(1, command);
    cluster.Settle();
  }
  for (uint32_t node = 1; node <= 3; ++node) cluster.Crash(node);
  for (uint32_t node = 1; node <= 3; ++node) cluster.Restart(node);
  cluster.Elect(2);
  for (uint32_t node = 1; node <= 3; ++node) EXPECT_EQ(cluster.Log(node), "- | a | b | c | -");
  EXPECT_EQ(cluster.violation(), "");
}

TEST(Replication, AQuietClusterWakesOnlyForHeartbeatsAndWritesNothing) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Fire(1, Timer::kHeartbeat);
  cluster.Settle();  // the watermark is written down once
  const size_t written = cluster.durable(1).size() + cluster.durable(2).size();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(cluster.FireNext());
    EXPECT_TRUE(cluster.replica(1).is_leader());
    EXPECT_EQ(cluster.in_flight().size(), 2u) << cluster.InFlight();
    cluster.Settle();
  }
  EXPECT_EQ(cluster.durable(1).size() + cluster.durable(2).size(), written);
}

TEST(Replication, LogTimeGoesOnUnderTheNextLeaderWithoutComparingClocks) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Propose(1, "a");
  cluster.Settle();
  cluster.Pass(Seconds(100));
  cluster.Elect(2);
  cluster.Pass(Milliseconds(100));
  cluster.Propose(2, "b");
  cluster.Settle();
  EXPECT_EQ(cluster.violation(), "");  // monotone stamps are judged at every step
}

TEST(Replication, BytesThatAreNoBatchAreANoOpEverywhere) {
  Cluster cluster(3);
  cluster.Elect(1);
  EXPECT_EQ(DecodeBatch(Slice::Static("\xff\xff garbage")), Batch{});
  // A value that no leader would send is not stored at all.
  cluster.Inject({1, 2, Accept{Ballot{1, NodeId(1)}, Slot(2), Slot(1), Slice()}});
  cluster.Inject({1, 2, Accept{Ballot{1, NodeId(1)}, Slot(1'000'000'000), Slot(1), Slice::Static("x")}});
  cluster.Deliver(Everything());
  EXPECT_EQ(cluster.unsynced(2), 0u);
  EXPECT_EQ(cluster.InFlight(), "");
}

}  // namespace
}  // namespace bt::paxos
