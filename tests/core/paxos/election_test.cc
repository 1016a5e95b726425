// How a leader comes to be, as transcripts.

#include <gtest/gtest.h>

#include "tests/core/paxos/cluster.h"

namespace bt::paxos {
namespace {

using Timer = Protocol::Timer;

TEST(Election, ReadsLikeTheBook) {
  Cluster cluster(3);
  cluster.Fire(1, Timer::kElection);
  EXPECT_EQ(cluster.InFlight(), "1>2 PreVote 1.1; 1>3 PreVote 1.1");
  EXPECT_EQ(cluster.unsynced(1), 0u) << "asking binds nobody";

  cluster.Deliver(Everything());
  EXPECT_EQ(cluster.InFlight(), "2>1 Yes 1.1; 3>1 Yes 1.1");
  EXPECT_EQ(cluster.unsynced(2), 0u);

  cluster.Deliver(Everything());
  EXPECT_EQ(cluster.InFlight(), "") << "the ballot must be durable before anybody hears of it";
  cluster.Sync(1);
  EXPECT_EQ(cluster.InFlight(), "1>2 Prepare 1.1 from 1; 1>3 Prepare 1.1 from 1");

  cluster.Deliver(Everything());
  EXPECT_EQ(cluster.InFlight(), "") << "the promise must be durable before it is given";
  cluster.Sync(2);
  EXPECT_EQ(cluster.InFlight(), "2>1 Promise 1.1 chosen 0");

  cluster.Deliver(Everything());
  EXPECT_TRUE(cluster.replica(1).is_leader());
  EXPECT_EQ(cluster.InFlight(),
            "1>2 Accept 1.1 @1 chosen 0; 1>3 Accept 1.1 @1 chosen 0; "
            "1>2 Heartbeat 1.1 #1 chosen 0; 1>3 Heartbeat 1.1 #1 chosen 0");

  cluster.Settle();
  for (uint32_t node = 1; node <= 3; ++node) {
    EXPECT_EQ(cluster.Log(node), "-") << "the leader's own no-op";
    EXPECT_EQ(cluster.replica(node).leader(), NodeId(1));
  }
  EXPECT_EQ(cluster.violation(), "");
}

TEST(Election, AClusterOfOneServesAtOnceAndNeedsNoTimer) {
  Cluster cluster(1);
  cluster.Sync(1);
  ASSERT_TRUE(cluster.replica(1).is_leader());
  const CallId call = cluster.Propose(1, "a");
  EXPECT_EQ(cluster.Answer(call), "at 2[0]");
  EXPECT_EQ(cluster.Log(1), "") << "its own disk has not answered";
  cluster.Settle();
  EXPECT_EQ(cluster.Log(1), "- | a");
  EXPECT_EQ(cluster.Answer(cluster.Read(1)), "read at 2");
  EXPECT_FALSE(cluster.FireNext());

  cluster.Crash(1);
  cluster.Restart(1);
  cluster.Settle();
  EXPECT_TRUE(cluster.replica(1).is_leader());
  EXPECT_EQ(cluster.Log(1), "- | a | -");
  EXPECT_EQ(cluster.violation(), "");
}

TEST(Election, ANodeThatLostTouchDoesNotUnseatAHealthyLeader) {
  Cluster cluster(3);
  cluster.Elect(1);
  // Node 3 hears nothing and stands; node 2 hears the leader all the time.
  for (int i = 0; i < 10; ++i) {
    cluster.Fire(1, Timer::kHeartbeat);
    cluster.Lose(To(3));
    cluster.Settle();
  }
  cluster.Fire(3, Timer::kElection);
  EXPECT_EQ(cluster.InFlight(), "3>1 PreVote 2.3; 3>2 PreVote 2.3");
  cluster.Deliver(Everything());
  EXPECT_EQ(cluster.InFlight(), "1>3 No 2.3; 2>3 No 2.3");
  cluster.Settle();
  EXPECT_TRUE(cluster.replica(1).is_leader());
  EXPECT_EQ(cluster.replica(3).ballot(), (Ballot{1, NodeId(1)})) << "it promised nothing to itself";
  // And the next heartbeat takes it back.
  cluster.Fire(1, Timer::kHeartbeat);
  cluster.Settle();
  EXPECT_EQ(cluster.replica(3).leader(), NodeId(1));
}

TEST(Election, NobodyHelpsAReplicaThatIsFarBehindToLead) {
  Config config;
  config.candidate_lag_slots_max = 3;
  Cluster cluster(3, 1, config);
  cluster.Elect(1);
  for (int i = 0; i < 5; ++i) {
    cluster.Propose(1, "x");
    cluster.Lose(To(3));
    cluster.Settle();
  }
  cluster.Crash(1);
  cluster.Pass(Milliseconds(1000));
  cluster.Fire(3, Timer::kElection);
  cluster.Lose(To(1));
  cluster.Deliver(Everything());
  EXPECT_EQ(cluster.InFlight(), "2>3 No 2.3");
  cluster.Settle();
  cluster.Fire(2, Timer::kElection);
  cluster.Settle();
  EXPECT_TRUE(cluster.replica(2).is_leader());
  cluster.Settle();
  EXPECT_EQ(cluster.Log(3), cluster.Log(2));
}

TEST(Election, ABallotIsNotReusedAfterARestartThatLostIt) {
  Cluster cluster(3);
  cluster.Fire(1, Timer::kElection);
  cluster.Deliver(To(2));
  cluster.Deliver(To(1));
  ASSERT_EQ(cluster.unsynced(1), 1u);
  cluster.Crash(1);  // ballot 1.1 was never durable, and nobody has heard of it
  cluster.Restart(1);
  EXPECT_EQ(cluster.replica(1).ballot(), Ballot{});
  cluster.Lose(Everything());

  cluster.Fire(1, Timer::kElection);
  cluster.Deliver(To(2));
  cluster.Deliver(To(1));
  cluster.Sync(1);  // now it is
  EXPECT_EQ(cluster.InFlight(), "1>3 PreVote 1.1; 1>2 Prepare 1.1 from 1; 1>3 Prepare 1.1 from 1");
  cluster.Crash(1);
  cluster.Restart(1);
  EXPECT_EQ(cluster.replica(1).ballot(), (Ballot{1, NodeId(1)}));
  cluster.Fire(1, Timer::kElection);
  cluster.Settle();
  EXPECT_EQ(cluster.replica(1).ballot(), (Ballot{2, NodeId(1)}));
  EXPECT_EQ(cluster.violation(), "");
}

TEST(Election, TheHighestBallotsValueIsProposedAgainAndHolesAreFilled) {
  Cluster cluster(3);
  cluster.Elect(1);  // slot 1: its no-op
  cluster.Propose(1, "old");
  cluster.Lose(To(3));
  cluster.Lose(To(2));  // slot 2 "old": only at node 1, under 1.1
  cluster.Sync(1);
  cluster.Crash(1);

  cluster.Elect(2);            // under 2.2 with node 3; slot 2: its no-op
  cluster.Propose(2, "lost");  // slot 3: nowhere but here
  cluster.Lose(Everything());
  cluster.Propose(2, "newer");  // slot 4: reaches node 3
  cluster.Lose(To(1));
  cluster.Deliver(To(3));
  cluster.Sync(3);
  cluster.Lose(Everything());
  cluster.Crash(2);

  cluster.Restart(1);
  cluster.Pass(Milliseconds(1000));
  cluster.Fire(1, Timer::kElection);
  cluster.Deliver(To(3));
  cluster.Deliver(To(1));
  cluster.Lose(To(2));
  // Node 1's first round met a higher promise.
  cluster.Settle();
  cluster.UntilLeader(1, [&] {
    cluster.Pass(Milliseconds(1000));
    cluster.Fire(1, Timer::kElection);
    cluster.Settle();
  });
  EXPECT_EQ(cluster.Log(1), "- | - | - | newer | -");
  EXPECT_EQ(cluster.Log(3), cluster.Log(1));
  cluster.Restart(2);
  cluster.Fire(1, Timer::kHeartbeat);
  cluster.Settle();
  cluster.Fire(2, Timer::kCatchUp);
  cluster.Settle();
  EXPECT_EQ(cluster.Log(2), cluster.Log(1));
  EXPECT_EQ(cluster.violation(), "");
}

// Node 1 holds "first" in slot 2 under 1.1, node 3 a no-op there under node 2's higher ballot; node 4 stands
// and hears their promises in the given order.
void TheHigherBallotWins(uint32_t promises_first, uint32_t promises_second) {
  Cluster cluster(5);
  cluster.Elect(1);
  cluster.Propose(1, "first");
  cluster.Lose(Everything());
  cluster.Sync(1);
  cluster.Crash(1);
  cluster.Pass(Milliseconds(1000));
  cluster.Fire(2, Timer::kElection);
  cluster.UntilLeader(2, [&] {
    cluster.Deliver([](const Envelope& e) { return !std::holds_alternative<Accept>(e.message); });
    for (uint32_t node = 2; node <= 5; ++node) cluster.Sync(node);
  });
  cluster.Deliver(Of<Accept>() && To(3));
  cluster.Sync(3);
  cluster.Lose(Everything());
  cluster.Crash(2);

  cluster.Restart(1);
  cluster.Pass(Milliseconds(1000));
  cluster.Fire(4, Timer::kElection);
  while (cluster.Deliver(Of<PreVote>()) + cluster.Deliver(Of<PreVoteReply>()) > 0) {
  }
  cluster.Sync(4);
  cluster.Deliver(Of<Prepare>());
  for (const uint32_t node : {promises_first, promises_second}) {
    ASSERT_FALSE(cluster.replica(4).is_leader());
    cluster.Sync(node);
    ASSERT_EQ(cluster.Deliver(Between(node, 4) && Of<Promise>()), 1u) << cluster.InFlight();
  }
  ASSERT_TRUE(cluster.replica(4).is_leader());
  cluster.Settle();
  EXPECT_EQ(cluster.Log(4), "- | - | -") << "slot 2 is the no-op of the higher ballot, not \"first\"";
  EXPECT_EQ(cluster.violation(), "");
}

TEST(Election, OfTwoAcceptedValuesTheOneOfTheHigherBallotWinsWhenItIsHeardFirst) {
  TheHigherBallotWins(3, 1);
}

TEST(Election, OfTwoAcceptedValuesTheOneOfTheHigherBallotWinsWhenItIsHeardLast) { TheHigherBallotWins(1, 3); }

TEST(Election, APromiseReportsWhatIsStillOnItsWayToDisk) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Propose(1, "a");
  cluster.Deliver(Of<Accept>() && To(2));
  EXPECT_EQ(cluster.unsynced(2), 1u) << "accepted, not durable";
  cluster.Lose(Everything());

  cluster.Pass(Milliseconds(1000));
  cluster.Fire(3, Timer::kElection);
  cluster.Deliver(To(2));
  cluster.Deliver(To(3));
  cluster.Sync(3);
  cluster.Deliver(Of<Prepare>() && To(2));
  EXPECT_EQ(cluster.InFlight().find("Promise"), std::string::npos);
  cluster.SyncOnly(2, 1);
  EXPECT_EQ(cluster.InFlight().find("Promise"), std::string::npos) << "the promise itself is not durable yet";
  cluster.Sync(2);
  EXPECT_NE(cluster.InFlight().find("2>3 Promise 2.3 chosen 1 [2 under 1.1]"), std::string::npos)
      << cluster.InFlight();
  cluster.Settle();
  EXPECT_EQ(cluster.Log(3), "- | a | -");
}

TEST(Election, ALongPromiseComesInPartsAndCountsOnlyWhenItIsWhole) {
  Config config;
  config.promise_bytes_max = 150;
  Cluster cluster(3, 1, config);
  cluster.Elect(1);
  for (const char* name : {"a", "b", "c", "d"}) {
    cluster.Propose(1, std::string(100, *name));
    cluster.Deliver(Of<Accept>() && To(2));
  }
  cluster.Sync(2);
  cluster.Lose(Everything());
  cluster.Crash(1);
  cluster.Pass(Milliseconds(1000));
  cluster.Fire(3, Timer::kElection);
  cluster.Lose(To(1));
  cluster.Deliver(To(2));
  cluster.Deliver(To(3));
  cluster.Sync(3);
  for (const char* part :
       {"2>3 Promise 2.3 chosen 1 [2 under 1.1] more from 3",
        "2>3 Promise 2.3 chosen 1 [3 under 1.1] more from 4",
        "2>3 Promise 2.3 chosen 1 [4 under 1.1] more from 5", "2>3 Promise 2.3 chosen 1 [5 under 1.1]"}) {
    EXPECT_FALSE(cluster.replica(3).is_leader());
    cluster.Lose(To(1));
    cluster.Deliver(To(2));
    cluster.Sync(2);
    EXPECT_EQ(cluster.InFlight(), part);
    cluster.Deliver(To(3));
  }
  EXPECT_TRUE(cluster.replica(3).is_leader());
  cluster.Settle();
  EXPECT_EQ(cluster.replica(3).chosen(), Slot(6));
}

// The parts between are missing: what they would have reported may have been chosen.
TEST(Election, APartOfAPromiseThatDoesNotFollowOnTheLastIsNotCounted) {
  Cluster cluster(3);
  cluster.Fire(1, Timer::kElection);
  cluster.Deliver(To(2));
  cluster.Deliver(To(1));
  cluster.Sync(1);
  cluster.Lose(Everything());
  const Ballot own{1, NodeId(1)};
  ASSERT_EQ(cluster.replica(1).ballot(), own);
  const auto part = [&](Slot from, Slot next) {
    cluster.Inject({2, 1, Promise{own, from, Slot(0), next, {}}});
    cluster.Deliver(To(1));
    cluster.Lose(Everything());
    return cluster.replica(1).is_leader();
  };
  EXPECT_FALSE(part(Slot(5), Slot(0))) << "slots 1 to 4 were not reported";
  EXPECT_FALSE(part(Slot(1), Slot(3)));
  EXPECT_FALSE(part(Slot(1), Slot(0))) << "that part was counted already, and asked for slot 3";
  EXPECT_TRUE(part(Slot(3), Slot(0)));
}

TEST(Election, ARepeatedPromiseOrYesIsOneVote) {
  Cluster cluster(5);
  cluster.Fire(1, Timer::kElection);
  cluster.Deliver(To(2));
  const Envelope yes = cluster.in_flight().back();
  cluster.Inject(yes);
  cluster.Inject(yes);
  cluster.Deliver(To(1));
  EXPECT_EQ(cluster.replica(1).role_name(), "pre-candidate");
  cluster.Deliver(To(3));
  cluster.Deliver(To(1));
  EXPECT_EQ(cluster.replica(1).role_name(), "candidate");
  cluster.Sync(1);
  cluster.Deliver(Of<Prepare>() && To(2));
  cluster.Sync(2);
  const Envelope promise = cluster.in_flight().back();
  cluster.Inject(promise);
  cluster.Inject(promise);
  cluster.Deliver(To(1));
  EXPECT_EQ(cluster.replica(1).role_name(), "candidate");
}

TEST(Election, ACandidateLearnsWhatIsChosenBeforeItLeads) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Propose(1, "a");
  cluster.Lose(To(3));
  cluster.Settle();
  cluster.Propose(1, "b");
  cluster.Lose(To(3));
  cluster.Settle();
  ASSERT_EQ(cluster.Log(2), "- | a | b");
  ASSERT_EQ(cluster.Log(3), "-");
  cluster.Crash(1);
  cluster.Pass(Milliseconds(1000));
  cluster.Fire(3, Timer::kElection);
  cluster.Lose(To(1));
  cluster.Deliver(To(2));
  cluster.Deliver(To(3));
  cluster.Sync(3);
  cluster.Lose(To(1));
  cluster.Deliver(To(2));
  cluster.Sync(2);
  EXPECT_EQ(cluster.InFlight(), "2>3 Promise 2.3 chosen 3");
  cluster.Deliver(To(3));
  EXPECT_EQ(cluster.InFlight(), "3>2 CatchUp from 2") << "no no-op may fill what is chosen elsewhere";
  EXPECT_FALSE(cluster.replica(3).is_leader());
  cluster.Settle();
  EXPECT_TRUE(cluster.replica(3).is_leader());
  EXPECT_EQ(cluster.Log(3), "- | a | b | -");
  EXPECT_EQ(cluster.violation(), "");
}

TEST(Election, DuellistsEndTheirDuel) {
  Cluster cluster(3, /*seed=*/7);
  for (int i = 0; i < 40 && !cluster.replica(1).has_quorum(); ++i) {
    // Everybody's election timer fires before a single message moves.
    ASSERT_TRUE(cluster.FireNext());
    if (i >= 2) cluster.Settle();
  }
  EXPECT_TRUE(cluster.replica(1).has_quorum());
  EXPECT_EQ(cluster.violation(), "");
}

TEST(Election, ALeaderWithoutAQuorumStepsDownAndRefusesWhatWaits) {
  Config config;
  config.window_slots = 1;
  Cluster cluster(3, 1, config);
  cluster.Elect(1);
  cluster.Propose(1, "in doubt");
  const CallId waiting = cluster.Propose(1, "waiting");
  const CallId read = cluster.Read(1);
  for (int i = 0; i < 10 && cluster.replica(1).is_leader(); ++i) {
    cluster.Lose(Everything());
    cluster.Fire(1, Timer::kHeartbeat);
  }
  EXPECT_FALSE(cluster.replica(1).is_leader());
  EXPECT_EQ(cluster.Answer(waiting), "not leader");
  EXPECT_EQ(cluster.Answer(read), "not leader");
  EXPECT_EQ(cluster.Answer(cluster.Propose(1, "later")), "not leader");
  EXPECT_FALSE(cluster.armed(1, Timer::kHeartbeat));
}

TEST(Election, WritesResumeWithinAnElectionTimeoutOfALeadersDeath) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Cluster cluster(3, seed);
    cluster.Elect(1);
    cluster.Fire(1, Timer::kHeartbeat);
    cluster.Settle();
    cluster.Crash(1);
    const Instant death = cluster.now();
    while (!cluster.replica(2).is_leader() && !cluster.replica(3).is_leader()) {
      ASSERT_TRUE(cluster.FireNext());
      cluster.Settle();
    }
    EXPECT_LE(cluster.now() - death, Config().election_max) << "seed " << seed;
  }
}

TEST(Election, APrepareBelowThePromiseIsRefusedWithThePromise) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Elect(2);
  cluster.Inject({1, 3, Prepare{Ballot{1, NodeId(1)}, Slot(1)}});
  cluster.Deliver(Everything());
  EXPECT_EQ(cluster.InFlight(), "3>1 Rejected 1.1 promised 2.2");
}

// A part of such a message could not be trusted either: an entry left out is an acceptance lost.
TEST(Election, AReportThatNoAcceptorCanGiveIsDroppedWhole) {
  Cluster cluster(3);
  cluster.Elect(2);  // slot 1, under 1.2
  cluster.Pass(Milliseconds(1000));
  cluster.Fire(1, Timer::kElection);
  cluster.Deliver(To(3));
  cluster.Deliver(To(1));
  cluster.Sync(1);
  cluster.Lose(Everything());
  const Ballot own{2, NodeId(1)};
  ASSERT_EQ(cluster.replica(1).ballot(), own);
  const auto report = [&](AcceptedEntry entry) {
    cluster.Inject({3, 1, Promise{own, Slot(2), Slot(1), Slot(0), {std::move(entry)}}});
    cluster.Deliver(Everything());
    return cluster.replica(1).is_leader();
  };
  const Ballot earlier{1, NodeId(2)};
  const Slice value = Slice::Static("value");
  EXPECT_FALSE(report({Slot(1), earlier, value})) << "not asked about, and chosen";
  EXPECT_FALSE(report({Slot(1'000'000), earlier, value})) << "further than anybody stores";
  EXPECT_FALSE(report({Slot(2), own, value})) << "nothing was proposed under this ballot";
  EXPECT_FALSE(report({Slot(2), Ballot{}, value})) << "no ballot";
  EXPECT_FALSE(report({Slot(2), earlier, Slice()})) << "no value";
  EXPECT_TRUE(report({Slot(2), earlier, value}));
}

TEST(Election, StrangersAreNotHeard) {
  Cluster cluster(3);
  cluster.Inject({9, 1, PreVote{Ballot{5, NodeId(9)}, Slot(0)}});
  cluster.Inject({9, 1, Prepare{Ballot{5, NodeId(9)}, Slot(1)}});
  cluster.Inject({2, 1, Prepare{Ballot{5, NodeId(3)}, Slot(1)}});  // somebody else's ballot
  cluster.Deliver(Everything());
  EXPECT_EQ(cluster.InFlight(), "1>9 No 5.9")
      << "with the watermark, from which it learns that it is no member";
  EXPECT_EQ(cluster.replica(1).ballot(), Ballot{});
}

TEST(Election, FollowersOfALeaderWhoseProcessEndedElectAnotherLongBeforeATimeout) {
  for (const uint64_t seed : {1, 2, 3, 4, 5, 6, 7, 8}) {
    Cluster cluster(3, seed);
    cluster.Elect(1);
    cluster.Fire(1, Timer::kHeartbeat);
    cluster.Settle();
    cluster.Crash(1);
    cluster.Lose(Everything());
    const Instant dead = cluster.now();
    cluster.Close(2, 1);
    cluster.Close(3, 1);
    EXPECT_EQ(cluster.InFlight(), "") << "not at once: both would begin together";
    ASSERT_TRUE(cluster.FireNext());
    cluster.Settle();
    EXPECT_TRUE(cluster.replica(2).is_leader() || cluster.replica(3).is_leader());
    EXPECT_LE(cluster.now() - dead, Config().closed_wait_max);
    EXPECT_EQ(cluster.violation(), "");
  }
}

// Whatever closes the connection of one follower, the others hear the leader, and so does it.
TEST(Election, AConnectionThatClosesAgainAndAgainUnseatsNoHealthyLeader) {
  Cluster cluster(3);
  cluster.Elect(1);
  for (int i = 0; i < 20; ++i) {
    cluster.Fire(1, Timer::kHeartbeat);
    cluster.Settle();
    cluster.Close(2, 1);
    EXPECT_EQ(cluster.replica(2).leader(), std::nullopt);
    cluster.Fire(2, Timer::kElection);
    EXPECT_EQ(cluster.InFlight(), "2>1 PreVote 2.2; 2>3 PreVote 2.2");
    cluster.Settle();
  }
  cluster.Fire(1, Timer::kHeartbeat);
  cluster.Settle();
  EXPECT_TRUE(cluster.replica(1).is_leader());
  EXPECT_EQ(cluster.replica(2).leader(), NodeId(1));
  EXPECT_EQ(cluster.replica(2).ballot(), (Ballot{1, NodeId(1)}));
}

TEST(Election, AClosedConnectionOfAnotherThanTheLeaderMeansNothing) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Close(2, 3);
  cluster.Close(1, 2);
  EXPECT_EQ(cluster.replica(2).leader(), NodeId(1));
  EXPECT_TRUE(cluster.replica(1).is_leader());
}

// Four of five are alive, and every link but those of node 2 is gone. Only node
// 2 reaches a majority, and the others refuse it because it has missed too
// much.
TEST(Election, WhoAloneReachesAMajorityLearnsWhatItMissedFromThoseWhoRefuseItAndComesToLead) {
  Config config;
  config.candidate_lag_slots_max = 3;
  Cluster cluster(5, 1, config);
  cluster.Elect(1);
  cluster.Crash(2);
  for (int i = 0; i < 10; ++i) cluster.Propose(1, "a");
  cluster.Settle();
  cluster.Crash(1);
  cluster.Restart(2);
  cluster.Lose(Everything());

  const auto hub = [](const Envelope& e) { return e.from == 2 || e.to == 2; };
  const auto settle = [&] {
    size_t moved = 1;
    while (moved > 0) {
      cluster.Lose([&](const Envelope& e) { return !hub(e); });
      moved = cluster.Deliver(hub);
      for (uint32_t node = 2; node <= 5; ++node) cluster.Sync(node);
    }
  };
  const Instant dead = cluster.now();
  while (!cluster.replica(2).is_leader() && cluster.now() < dead + Seconds(60)) {
    ASSERT_TRUE(cluster.FireNext());
    settle();
  }
  EXPECT_TRUE(cluster.replica(2).is_leader());
  EXPECT_LE(cluster.now() - dead, config.election_max * 4);
  EXPECT_EQ(cluster.violation(), "");
}

}  // namespace
}  // namespace bt::paxos
