// A node whose disk is lost or damaged: it comes back as a new member in place of the old one, and one that
// does not know that it has forgotten is told so by who counts on it.

#include <absl/strings/str_cat.h>

#include "tests/core/paxos/members_fixture.h"

namespace bt::paxos {
namespace {

using Timer = Cluster::Timer;

class LostDiskTest : public MembersFixture {
 protected:
  LostDiskTest() {
    for (const char* command : {"a", "b", "c"}) Propose(command);
  }
  // When members change, whoever leads stands anew.
  uint32_t NextLeader() {
    for (int i = 0; i < 200 && Leader() == 0; ++i) Run(1);
    EXPECT_NE(Leader(), 0u) << "nobody leads any more";
    return Leader();
  }
  std::string Ask(Request request) {
    NextLeader();
    return Order(std::move(request));
  }
  // Until the leader no longer hears it.
  void Lose(uint32_t node) {
    cluster_.Crash(node);
    cluster_.Pass(Milliseconds(300));
    for (uint32_t other = 1; other <= 3; ++other) {
      if (other != node && other != 1)
        cluster_.Inject({other, 1, HeartbeatReply{{1, NodeId(1)}, 1, Slot(4)}});
    }
    cluster_.Deliver(Everything());
  }
};

TEST_F(LostDiskTest, ALostMemberComesBackUnderTheNextIdInPlaceOfWhatItWas) {
  Lose(3);
  ASSERT_EQ(cluster_.Join(), 4u);
  EXPECT_EQ(Ask(Readmit{.replaces = NodeId(3), .incarnation = 77, .contact = "there"}), "noted");
  EXPECT_EQ(cluster_.Members(1), "1 2 3 4? for 3 (1)");
  EXPECT_EQ(Ask(Readmit{.replaces = NodeId(3), .incarnation = 77, .contact = "there"}), "noted")
      << "one incarnation is let in once";
  Run();
  EXPECT_EQ(cluster_.Members(NextLeader()), "1 2 4 (2)");
  EXPECT_EQ(cluster_.Log(4), cluster_.Log(NextLeader()));
  EXPECT_EQ(Ask(Readmit{.replaces = NodeId(3), .incarnation = 77, .contact = "there"}), "noted")
      << "also when it votes";
  EXPECT_EQ(cluster_.Members(NextLeader()), "1 2 4 (2)");
  EXPECT_EQ(Ask(Readmit{.replaces = NodeId(3), .incarnation = 78}), "node 3 is not a member");
}

TEST_F(LostDiskTest, AMemberThatAnswersIsNotLost) {
  EXPECT_EQ(Ask(Readmit{.replaces = NodeId(3), .incarnation = 77}),
            "node 3 is there and answers: it is not lost");
  EXPECT_EQ(Ask(Readmit{.replaces = NodeId(1), .incarnation = 77}),
            "node 1 is there and answers: it is not lost");
}

TEST_F(LostDiskTest, AnIdThatNoMemberEverHadMayBeAskedFor) {
  Lose(3);
  EXPECT_EQ(Ask(Readmit{.id = NodeId(9), .replaces = NodeId(3), .incarnation = 77}), "noted");
  EXPECT_EQ(cluster_.Members(1), "1 2 3 9? for 3 (1)");
}

TEST_F(LostDiskTest, ALearnerThatIsLostMakesRoomForTheNextAtOnce) {
  Lose(3);
  EXPECT_EQ(Ask(Readmit{.replaces = NodeId(3), .incarnation = 77}), "noted");
  Run(10);
  EXPECT_EQ(Ask(Readmit{.replaces = NodeId(4), .incarnation = 78}), "noted");
  EXPECT_EQ(cluster_.Members(NextLeader()), "1 2 3 5? for 3 (2)");
  Run(10);
  // One that never heard that it was let in asks as what it was.
  EXPECT_EQ(Ask(Readmit{.replaces = NodeId(3), .incarnation = 79}), "noted");
  EXPECT_EQ(cluster_.Members(NextLeader()), "1 2 3 6? for 3 (3)");
}

TEST_F(LostDiskTest, WhomTheOperatorPutsInItsPlaceStays) {
  Lose(3);
  EXPECT_EQ(Ask(AddMember{.id = NodeId(4), .replaces = NodeId(3)}), "noted");
  Run(10);
  EXPECT_EQ(Ask(Readmit{.replaces = NodeId(3), .incarnation = 77}),
            "node 4 takes the place of node 3 already");
}

TEST_F(LostDiskTest, OneThatHasNeverAnsweredIsNotMadeAVoterHoweverShortTheLogIs) {
  Lose(3);
  EXPECT_EQ(Ask(Readmit{.replaces = NodeId(3), .incarnation = 77}), "noted");
  Run(40);
  EXPECT_EQ(cluster_.Members(NextLeader()), "1 2 3 4? for 3 (1)");
}

// --- forgotten without knowing ---

TEST_F(LostDiskTest, AFollowerThatComesBackWithLessThanItAcknowledgedIsToldSoAndStops) {
  cluster_.Crash(3);
  cluster_.LoseTail(3, 2);
  cluster_.Restart(3);
  cluster_.Fire(1, Timer::kHeartbeat);
  cluster_.Settle();
  EXPECT_EQ(cluster_.Forgot(3), "slot 4 of round 1, ends at 2");
  EXPECT_TRUE(cluster_.replica(3).stopped());
  cluster_.Inject({2, 3, Prepare{Ballot{9, NodeId(2)}, Slot(1)}});
  cluster_.Deliver(Everything());
  EXPECT_EQ(cluster_.unsynced(3), 0u) << "it promises nothing";
  EXPECT_EQ(cluster_.Forgot(2), "");
}

// An acceptance in the new life would hide that an older one is gone.
TEST_F(LostDiskTest, ItAcceptsNothingBeforeItHasBeenTold) {
  cluster_.Crash(3);
  cluster_.LoseTail(3, 2);
  cluster_.Restart(3);
  Propose("d");
  EXPECT_EQ(cluster_.unsynced(3), 0u);
  EXPECT_EQ(cluster_.durable(3).size() + 2, cluster_.durable(2).size() - 1);
  cluster_.Fire(1, Timer::kHeartbeat);
  cluster_.Settle();
  EXPECT_EQ(cluster_.Forgot(3), "slot 4 of round 1, ends at 2");
}

TEST_F(LostDiskTest, AForgottenPromiseIsToldOf) {
  cluster_.Crash(3);
  cluster_.LoseTail(3, cluster_.durable(3).size());
  cluster_.Restart(3);
  Cluster fresh(3);
  fresh.Elect(1);
  fresh.Crash(2);
  fresh.LoseTail(2, fresh.durable(2).size());
  fresh.Restart(2);
  fresh.Fire(1, Timer::kHeartbeat);
  fresh.Settle();
  EXPECT_EQ(fresh.Forgot(2), "slot 1 of round 1, ends at 0");
}

TEST_F(LostDiskTest, WhoeverKeptEverythingIsBelievedAndGoesOn) {
  for (const uint32_t node : {2u, 3u}) {
    cluster_.Crash(node);
    cluster_.Restart(node);
    Propose(absl::StrCat("while ", node, " is not compared yet"));
    cluster_.Fire(1, Timer::kHeartbeat);
    cluster_.Settle();
    EXPECT_EQ(cluster_.Forgot(node), "");
  }
  Run();
  EXPECT_EQ(cluster_.Log(3), cluster_.Log(NextLeader()));
}

TEST_F(LostDiskTest, ASnapshotTakesThePlaceOfWhatWasAcknowledged) {
  Run(4);
  cluster_.Save(3);
  cluster_.Settle();
  cluster_.Crash(3);
  cluster_.Restart(3);
  cluster_.Fire(1, Timer::kHeartbeat);
  cluster_.Settle();
  EXPECT_EQ(cluster_.Forgot(3), "");
}

}  // namespace
}  // namespace bt::paxos
