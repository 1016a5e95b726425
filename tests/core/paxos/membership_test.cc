// Members live in the log: a learner catches up and becomes a voter, members are removed and replaced, also
// the leader and who is gone, and each slot is decided by those who are members there.

#include "core/paxos/membership.h"

#include <absl/strings/str_cat.h>

#include "core/paxos/configurations.h"
#include "tests/core/paxos/members_fixture.h"

namespace bt::paxos {
namespace {

using Timer = Cluster::Timer;

class MembershipTest : public MembersFixture {
 protected:
  MembershipTest() {
    for (int i = 0; i < 5; ++i) Propose(absl::StrCat("c", i));
  }
};

TEST_F(MembershipTest, ALearnerCatchesUpAndThenVotes) {
  ASSERT_EQ(cluster_.Join(), 4u);
  EXPECT_EQ(Order(AddMember{.id = NodeId(4), .contact = "there"}), "noted");
  EXPECT_EQ(cluster_.Members(1), "1 2 3 4? (1)");
  Run();
  EXPECT_EQ(cluster_.Members(1), "1 2 3 4 (2)");
  EXPECT_EQ(cluster_.Members(4), "1 2 3 4 (2)");
  EXPECT_EQ(cluster_.Log(4), cluster_.Log(Leader()));
  // Three of four are needed now.
  const uint32_t leader = Leader();
  for (uint32_t node = 1, crashed = 0; node <= 4 && crashed < 2; ++node) {
    if (node == leader) continue;
    cluster_.Crash(node);
    ++crashed;
  }
  const Slot before = cluster_.replica(leader).chosen();
  Propose("not by two of four");
  EXPECT_EQ(cluster_.replica(leader).chosen(), before);
}

TEST_F(MembershipTest, ALearnersVoteIsCountedNowhere) {
  cluster_.Join();
  cluster_.Stall(4);  // so that it is not made a voter
  EXPECT_EQ(Order(AddMember{.id = NodeId(4)}), "noted");
  Run(20);
  const uint32_t leader = Leader();
  ASSERT_NE(leader, 0u);
  for (uint32_t node = 1; node <= 3; ++node) {
    if (node != leader) cluster_.Crash(node);
  }
  cluster_.Resume(4);
  const Slot before = cluster_.replica(leader).chosen();
  Propose("two hold it");
  EXPECT_EQ(cluster_.replica(leader).chosen(), before);
}

TEST_F(MembershipTest, AMemberThatIsGoneIsReplacedInOneOrder) {
  cluster_.Crash(3);
  cluster_.Join();
  EXPECT_EQ(Order(AddMember{.id = NodeId(4), .replaces = NodeId(3)}), "noted");
  EXPECT_EQ(cluster_.Members(1), "1 2 3 4? for 3 (1)");
  Run();
  EXPECT_EQ(cluster_.Members(Leader()), "1 2 4 (2)");
  EXPECT_EQ(Order(AddMember{.id = NodeId(4), .replaces = NodeId(3)}), "noted") << "done already";
  cluster_.Crash(Leader() == 1 ? 2 : 1);
  Run();
  Propose("with the new one");
  EXPECT_NE(cluster_.Log(4).find("with the new one"), std::string::npos);
}

TEST_F(MembershipTest, ALeaderThatIsRemovedLetsAnotherLead) {
  EXPECT_EQ(Order(RemoveMember{NodeId(1)}), "noted");
  Run();
  EXPECT_NE(Leader(), 1u);
  ASSERT_NE(Leader(), 0u);
  EXPECT_EQ(cluster_.Members(Leader()), "2 3 (1)");
  Propose("without node 1");
  EXPECT_NE(cluster_.Log(2).find("without node 1"), std::string::npos);
  EXPECT_NE(cluster_.Log(3).find("without node 1"), std::string::npos);
  // It knows, and never stands.
  EXPECT_EQ(cluster_.Members(1), "2 3 (1)");
  EXPECT_EQ(cluster_.replica(1).role_name(), "follower");
}

TEST_F(MembershipTest, AClusterGrowsFromOneToThreeAndShrinksBack) {
  Cluster cluster(1);
  const auto run = [&] {
    for (int i = 0; i < 80; ++i) {
      cluster.FireNext();
      cluster.Settle();
    }
    ASSERT_EQ(cluster.violation(), "");
  };
  const auto ask = [&](const Request& request) {
    for (uint32_t node = 1; node <= cluster.size(); ++node) {
      if (cluster.replica(node).is_leader()) return cluster.Ask(node, request);
    }
    return CallId(0);
  };
  cluster.Settle();
  for (const uint32_t id : {2u, 3u}) {
    ASSERT_EQ(cluster.Join(), id);
    (void)ask(AddMember{.id = NodeId(id)});
    run();
  }
  EXPECT_EQ(cluster.Members(1), "1 2 3 (4)");
  EXPECT_EQ(cluster.Log(3), cluster.Log(1));
  for (const uint32_t id : {1u, 2u}) {
    (void)ask(RemoveMember{NodeId(id)});
    run();
  }
  EXPECT_EQ(cluster.Members(3), "3 (6)");
  EXPECT_TRUE(cluster.replica(3).is_leader());
  cluster.Propose(3, "alone");
  cluster.Settle();
  EXPECT_NE(cluster.Log(3).find("alone"), std::string::npos);
}

TEST_F(MembershipTest, WhatCannotBeDoneIsRefusedWithTheReason) {
  EXPECT_EQ(Order(AddMember{.id = NodeId(2), .contact = "elsewhere"}),
            "node 2 is a member already, and not on these terms");
  EXPECT_EQ(Order(AddMember{.id = NodeId(4), .replaces = NodeId(9)}), "node 9 is not a member");
  EXPECT_EQ(Order(RemoveMember{NodeId(9)}), "noted") << "it is no member";
  EXPECT_EQ(Order(TransferLeadership{NodeId(9)}), "node 9 is no member that votes");
  cluster_.Crash(2);
  for (int i = 0; i < 8; ++i) cluster_.Fire(1, Timer::kHeartbeat), cluster_.Settle();
  EXPECT_EQ(Order(RemoveMember{NodeId(3)}),
            "of the 2 members that would vote then, 2 would be needed for everything, and 1 answers");
  EXPECT_EQ(Order(TransferLeadership{NodeId(2)}), "node 2 does not answer");
  EXPECT_EQ(Order(RemoveMember{NodeId(2)}), "noted");
  Run();
  EXPECT_EQ(Order(AddMember{.id = NodeId(2)}),
            "the id 2 is or was another's, and no id is used twice; choose one from 4 on, and initialise the "
            "node with that");
}

TEST_F(MembershipTest, OneChangeAtATime) {
  // Nobody but the leader's own disk knows of it yet.
  const CallId first = cluster_.Ask(1, RemoveMember{NodeId(3)});
  const CallId second = cluster_.Ask(1, AddMember{.id = NodeId(4)});
  EXPECT_EQ(cluster_.Answer(first), "noted");
  EXPECT_EQ(cluster_.Answer(second), "busy");
}

TEST_F(MembershipTest, TheLeadIsGivenToWhoIsNamedAndNothingThatWaitedIsLost) {
  const CallId transfer = cluster_.Ask(1, TransferLeadership{NodeId(3)});
  EXPECT_EQ(cluster_.Answer(transfer), "noted");
  const CallId waits = cluster_.Propose(1, "later");
  EXPECT_EQ(cluster_.Answer(waits), "") << "no slot is given while the lead is given away";
  cluster_.Settle();
  EXPECT_TRUE(cluster_.replica(3).is_leader());
  EXPECT_EQ(cluster_.Answer(waits), "not leader") << "whoever asked is told, and asks the new leader";
  EXPECT_EQ(cluster_.violation(), "");
}

TEST_F(MembershipTest, TheHeirIsToldWhenItHasAnsweredEverythingAndNotBefore) {
  cluster_.Propose(1, "late");
  (void)cluster_.Ask(1, TransferLeadership{NodeId(3)});
  EXPECT_EQ(cluster_.InFlight().find("StandNow"), std::string::npos) << cluster_.InFlight();
  cluster_.Deliver(To(3));
  cluster_.Sync(3);
  cluster_.Deliver(From(3));
  EXPECT_NE(cluster_.InFlight().find("1>3 StandNow"), std::string::npos) << cluster_.InFlight();
}

TEST_F(MembershipTest, ATransferThatComesToNothingIsGivenUp) {
  (void)cluster_.Ask(1, TransferLeadership{NodeId(3)});
  cluster_.Lose(Of<StandNow>());
  const CallId waits = cluster_.Propose(1, "later");
  cluster_.Settle();
  EXPECT_EQ(cluster_.Answer(waits), "");
  for (int i = 0; i < 10 && cluster_.Answer(waits).empty(); ++i) {
    cluster_.Fire(1, Timer::kHeartbeat);
    cluster_.Settle();
  }
  EXPECT_TRUE(cluster_.replica(1).is_leader());
  EXPECT_NE(cluster_.Answer(waits), "");
}

TEST_F(MembershipTest, WhoWasRemovedAndDoesNotKnowUnseatsNobody) {
  cluster_.Stall(3);
  EXPECT_EQ(Order(RemoveMember{NodeId(3)}), "noted");
  Run();
  cluster_.Lose(To(3));
  ASSERT_EQ(cluster_.Members(1), "1 2 (1)");
  const Ballot ballot = cluster_.replica(1).ballot();
  cluster_.Resume(3);
  cluster_.Pass(Milliseconds(1000));
  cluster_.Fire(3, Timer::kElection);
  cluster_.Lose(To(1));  // node 2 alone is asked, and it has heard no leader for long
  cluster_.Settle();
  EXPECT_EQ(cluster_.replica(1).ballot(), ballot);
  EXPECT_EQ(cluster_.Members(3), "1 2 (1)") << "it was told why it is refused";
}

TEST_F(MembershipTest, WhoDoesNotVoteAndHearsNobodyAsksHowFarTheLogIs) {
  EXPECT_EQ(Order(RemoveMember{NodeId(3)}), "noted");
  Run();
  ASSERT_EQ(cluster_.Members(3), "1 2 (1)");
  for (int i = 0; i < 3 && cluster_.armed(3, Timer::kCatchUp); ++i) {  // what it asked before is over
    cluster_.Fire(3, Timer::kCatchUp);
    cluster_.Settle();
  }
  cluster_.Pass(Milliseconds(1000));
  cluster_.Fire(3, Timer::kElection);
  EXPECT_NE(cluster_.InFlight().find("CatchUp from"), std::string::npos) << cluster_.InFlight();
  EXPECT_EQ(cluster_.InFlight().find("PreVote"), std::string::npos) << "and does not stand";
}

// In a cluster of one that was replaced, whoever knows that node 2 votes votes no more, and node 2,
// restarted, knows nobody.
TEST_F(MembershipTest, WhoKnowsNoMembersAsksThoseWhoAskIt) {
  cluster_.Join();
  cluster_.Inject({1, 4, CatchUp{cluster_.replica(1).chosen().next()}});
  for (int i = 0; i < 20; ++i) {
    cluster_.Settle();
    cluster_.FireNext();
  }
  EXPECT_EQ(cluster_.Log(4), cluster_.Log(1));
}

TEST(Configurations, ASlotIsDecidedByWhoWasChosenADelayBefore) {
  Configurations configurations({NodeId(1), NodeId(2), NodeId(3)});
  Membership next = configurations.latest().membership;
  next.version = 1;
  next.members.pop_back();
  configurations.Choose(Slot(10), next);
  const Slot from(10 + kMembershipDelay);
  EXPECT_EQ(configurations.latest().from, from);
  EXPECT_TRUE(configurations.For(from - 1).Contains(NodeId(3)));
  EXPECT_FALSE(configurations.For(from).Contains(NodeId(3)));
  EXPECT_TRUE(configurations.Votes(NodeId(3), from - 2));
  EXPECT_FALSE(configurations.Votes(NodeId(3), from - 1));
  // Until then a quorum is one of both.
  VoteSet votes;
  votes.Add(NodeId(1));
  votes.Add(NodeId(3));
  EXPECT_FALSE(configurations.IsQuorum(votes, Slot(10)));
  votes.Add(NodeId(2));
  EXPECT_TRUE(configurations.IsQuorum(votes, Slot(10)));
  EXPECT_EQ(configurations.At(Slot(9)).size(), 1u);
  EXPECT_EQ(configurations.At(Slot(10)).size(), 2u);
  EXPECT_EQ(configurations.At(from).size(), 1u);
}

TEST(Configurations, WhatComesTooEarlyOrDoesNotFollowIsVoid) {
  Configurations configurations({NodeId(1), NodeId(2), NodeId(3)});
  Membership next = configurations.latest().membership;
  next.version = 2;
  configurations.Choose(Slot(5), next);
  EXPECT_EQ(configurations.latest().membership.version, 0u) << "version 1 comes first";
  next.version = 1;
  next.members.pop_back();
  configurations.Choose(Slot(6), next);
  Membership less = next;
  less.version = 2;
  less.members.pop_back();
  configurations.Choose(Slot(7), less);
  EXPECT_EQ(configurations.latest().membership.version, 1u) << "the first change is not in force";
  configurations.Choose(Slot(40), less);
  EXPECT_EQ(configurations.latest().membership.version, 2u);
  Membership back = FirstMembership({NodeId(1), NodeId(2), NodeId(3)});
  back.version = 3;
  configurations.Choose(Slot(80), back);
  EXPECT_EQ(configurations.latest().membership.version, 2u) << "node 3 does not come back";
}

// Both have answered the last slot, and one lacks a slot before it, as a node does that was away for a
// moment: it would be waited for until the slot is sent again.
TEST_F(MembershipTest, TheLeadGoesToWhoLacksNothing) {
  cluster_.Propose(1, "lost on the way to node 2");
  cluster_.Lose(To(2));
  cluster_.Settle();
  Propose("answered by both");
  EXPECT_EQ(Order(TransferLeadership{}), "noted");
  EXPECT_EQ(Leader(), 3u);
}

}  // namespace
}  // namespace bt::paxos
