// The operator's orders: any node takes them, the leader carries them out, and whoever gave one is answered.

#include <gtest/gtest.h>

#include "tests/core/tracker/cluster.h"

namespace bt::tracker {
namespace {

using tracker_api::Outcome;
using tracker_api::Response;

class OrdersTest : public testing::Test {
 protected:
  Cluster cluster_{3};
  size_t leader_ = Settled();
  size_t follower_ = cluster_.AFollower(leader_);
  size_t other_ = 3 - leader_ - follower_;

  // All have heard who leads, and the leader has its first slot.
  size_t Settled() {
    cluster_.AwaitLeader();
    cluster_.RunFor(Milliseconds(500));
    return cluster_.AwaitLeader();
  }
  static NodeId IdOf(size_t node) { return NodeId(static_cast<uint32_t>(node) + 1); }
};

TEST_F(OrdersTest, AFollowerPassesAnOrderOnToTheLeader) {
  EXPECT_EQ(cluster_.Do(follower_, Order(paxos::RemoveMember{IdOf(other_)})).outcome, Outcome::kOk);
  cluster_.RunFor(Seconds(1));
  EXPECT_EQ(cluster_.node(follower_).replica().members().membership.voters().size(), 2u);
}

TEST_F(OrdersTest, TheLeadersRefusalComesBackWithItsReason) {
  const Response response = cluster_.Do(follower_, Order(paxos::TransferLeadership{NodeId(9)}));
  EXPECT_EQ(response.outcome, Outcome::kConflict);
  EXPECT_EQ(response.reason, "node 9 is no member that votes");
}

TEST_F(OrdersTest, AnOrderWithoutAnAnswerIsGivenUp) {
  cluster_.filter = [](size_t, size_t, const Protocol::Message& message) {
    return !std::holds_alternative<OrderAnswer>(message);
  };
  const Response response = cluster_.Do(follower_, Order(paxos::RemoveMember{IdOf(other_)}));
  EXPECT_EQ(response.outcome, Outcome::kUnavailable);
  EXPECT_EQ(cluster_.node(follower_).waiting().orders, 0u);
  cluster_.filter = nullptr;
  EXPECT_EQ(cluster_.Do(follower_, Order(paxos::RemoveMember{IdOf(other_)})).outcome, Outcome::kOk)
      << "it was carried out, and may be given again";
}

TEST_F(OrdersTest, WithoutALeaderAnOrderIsRefusedAtOnce) {
  cluster_.Isolate(follower_);
  cluster_.RunFor(Seconds(2));
  const Response response = cluster_.Do(follower_, Order(paxos::TransferLeadership{}));
  EXPECT_EQ(response.outcome, Outcome::kUnavailable);
}

TEST_F(OrdersTest, TooManyWaitingOrdersAreRefused) {
  cluster_.filter = [](size_t, size_t, const Protocol::Message& message) {
    return !std::holds_alternative<ForwardOrder>(message);
  };
  for (uint32_t i = 0; i < Config().orders_max; ++i) {
    EXPECT_EQ(cluster_.Reply(cluster_.Ask(follower_, Order(paxos::TransferLeadership{}))), nullptr);
  }
  const Response* refused = cluster_.Reply(cluster_.Ask(follower_, Order(paxos::TransferLeadership{})));
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->outcome, Outcome::kUnavailable);
  EXPECT_EQ(cluster_.node(follower_).kept().orders.most, Config().orders_max);
}

TEST_F(OrdersTest, AnotherNodeLeadsAndWhatWasAskedMeanwhileIsDone) {
  const CallId transfer = cluster_.Ask(leader_, Order(paxos::TransferLeadership{IdOf(other_)}));
  const CallId waits = cluster_.Ask(leader_, tracker_api::Request(tracker_api::Lookup{.linearizable = true}));
  EXPECT_EQ(cluster_.Await(transfer).outcome, Outcome::kOk);
  EXPECT_NE(cluster_.Await(waits).outcome, Outcome::kUnavailable);
  cluster_.RunFor(Milliseconds(500));
  EXPECT_EQ(cluster_.AwaitLeader(), other_);
}

}  // namespace
}  // namespace bt::tracker
