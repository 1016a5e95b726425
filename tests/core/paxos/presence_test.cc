// Parts of long messages as signs of life: whose count, and for whom.

#include <gtest/gtest.h>

#include "tests/core/paxos/cluster.h"

namespace bt::paxos {
namespace {

using Timer = Protocol::Timer;

constexpr Duration kLongerThanPatience = Milliseconds(300);

// Whether node 2, which was long silent but for `presence` of node 1, still refuses to unseat it.
bool Refuses(Cluster& cluster, const Presence& presence) {
  cluster.Pass(kLongerThanPatience);
  cluster.Inject({1, 2, presence});
  cluster.Deliver(Everything());
  cluster.Inject({3, 2, PreVote{Ballot{9, NodeId(3)}, cluster.replica(2).chosen()}});
  cluster.Deliver(Everything());
  const bool refused = cluster.InFlight() == "2>3 No 9.3";
  cluster.Lose(Everything());
  return refused;
}

TEST(Presence, OfTheirLeaderKeepsFollowersPatient) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Settle();
  EXPECT_TRUE(Refuses(cluster, cluster.replica(1).presence()));
  EXPECT_FALSE(Refuses(cluster, Presence{}));
  EXPECT_FALSE(Refuses(cluster, Presence{Ballot{7, NodeId(1)}}));
}

TEST(Presence, OfOneThatHasSteppedDownKeepsNobodyPatient) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Settle();
  cluster.Pass(kLongerThanPatience);
  cluster.Fire(1, Timer::kHeartbeat);
  ASSERT_FALSE(cluster.replica(1).is_leader()) << "nobody has answered it";
  cluster.Lose(Everything());
  EXPECT_EQ(cluster.replica(1).presence(), Presence());
  EXPECT_FALSE(Refuses(cluster, cluster.replica(1).presence()));
}

TEST(Presence, OfAFollowerKeepsItsLeaderInPlaceAndAnswersNoRead) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Settle();
  cluster.Pass(kLongerThanPatience);
  cluster.Inject({2, 1, cluster.replica(2).presence()});
  cluster.Deliver(Everything());
  cluster.Fire(1, Timer::kHeartbeat);
  EXPECT_TRUE(cluster.replica(1).is_leader());
  cluster.Lose(Everything());
  const CallId read = cluster.Read(1);
  cluster.Lose(Everything());
  cluster.Inject({2, 1, cluster.replica(2).presence()});
  cluster.Deliver(Everything());
  EXPECT_EQ(cluster.Answer(read), "");
}

TEST(Presence, OfOneUnderAnotherBallotDoesNotKeepALeaderInPlace) {
  Cluster cluster(3);
  cluster.Elect(1);
  cluster.Settle();
  cluster.Pass(kLongerThanPatience);
  cluster.Inject({2, 1, Presence{Ballot{cluster.replica(1).ballot().round + 1, NodeId(2)}}});
  cluster.Deliver(Everything());
  cluster.Fire(1, Timer::kHeartbeat);
  EXPECT_FALSE(cluster.replica(1).is_leader());
}

}  // namespace
}  // namespace bt::paxos
