// Snapshots of tracker nodes: taken by themselves, started from, and taken up from peers.

#include <gtest/gtest.h>

#include <string>

#include "tests/core/tracker/cluster.h"

namespace bt::tracker {
namespace {

using tracker_api::Outcome;

Config Eager() {
  Config config;
  config.snapshot_log_bytes = 2000;
  config.snapshot_piece_bytes = 300;
  config.replica.log_bytes_kept = 0;
  return config;
}

class NodeSnapshotTest : public testing::Test {
 protected:
  NodeSnapshotTest() { leader_ = cluster_.AwaitLeader(); }

  void Register(int torrents) {
    for (int i = 0; i < torrents; ++i) {
      const Metainfo song = MakeTorrent("song " + std::to_string(names_), static_cast<uint8_t>(names_));
      ++names_;
      ASSERT_EQ(cluster_.Do(leader_, RegisterOf(song)).outcome, Outcome::kCreated);
      ASSERT_EQ(cluster_.Do(leader_, OfferOf(song.content(), Peer(7), {Range(0, 4)})).outcome, Outcome::kOk);
    }
    cluster_.RunFor(Milliseconds(300));
  }
  void ExpectEqualStates(size_t a, size_t b) {
    EXPECT_EQ(cluster_.node(a).applied(), cluster_.node(b).applied());
    EXPECT_TRUE(cluster_.node(a).state().Encode() == cluster_.node(b).state().Encode());
  }

  Cluster cluster_{3, Eager()};
  size_t leader_ = 0;
  int names_ = 0;
};

TEST_F(NodeSnapshotTest, TheLogIsCutByItselfAndStaysShort) {
  Register(40);
  for (size_t node = 0; node < 3; ++node) {
    const paxos::Replica& replica = cluster_.node(node).replica();
    EXPECT_GT(replica.snapshot().prefix.slot, Slot(20)) << node;
    EXPECT_EQ(replica.first(), replica.snapshot().prefix.slot.next()) << node;
  }
}

TEST_F(NodeSnapshotTest, ANodeThatStartsFromItsSnapshotHasTheStateOfTheOthers) {
  Register(40);
  const size_t follower = cluster_.AFollower(leader_);
  cluster_.Crash(follower);
  cluster_.Restart(follower);
  EXPECT_GT(cluster_.node(follower).applied(), Slot(20)) << "at once";
  cluster_.RunFor(Seconds(1));
  ExpectEqualStates(leader_, follower);
}

TEST_F(NodeSnapshotTest, ANodeThatWasAwayForLongerThanTheLogReachesTakesUpAPeersSnapshot) {
  Register(2);
  const size_t follower = cluster_.AFollower(leader_);
  cluster_.Crash(follower);
  Register(60);
  ASSERT_GT(cluster_.node(leader_).replica().first(), Slot(20));
  cluster_.Restart(follower);
  ASSERT_LT(cluster_.node(follower).applied(), Slot(20));
  cluster_.RunFor(Seconds(2));
  ExpectEqualStates(leader_, follower);
  EXPECT_EQ(cluster_.node(follower).counters().unreadable_snapshots, 0u);
  // And goes on from there.
  Register(5);
  ExpectEqualStates(leader_, follower);
}

TEST_F(NodeSnapshotTest, ACallThatTookEffectWithinTheSnapshotIsAnsweredAllTheSame) {
  const size_t follower = cluster_.AFollower(leader_);
  const size_t other = 3 - leader_ - follower;
  Register(1);
  // The follower's registration reaches the leader; nothing of the log reaches the follower any more.
  cluster_.filter = [&](size_t, size_t to, const Protocol::Message& message) {
    return to != follower || !std::holds_alternative<paxos::Message>(message);
  };
  const CallId call = cluster_.Ask(follower, RegisterOf(MakeTorrent("mine", 99)));
  cluster_.RunFor(Milliseconds(3));
  cluster_.Cut(follower, leader_);
  cluster_.Cut(follower, other);
  for (int i = 0; i < 25; ++i) {
    const Metainfo song = MakeTorrent("away " + std::to_string(i), static_cast<uint8_t>(100 + i));
    ASSERT_EQ(cluster_.Do(leader_, RegisterOf(song)).outcome, Outcome::kCreated);
  }
  cluster_.RunFor(Milliseconds(300));
  ASSERT_EQ(cluster_.Reply(call), nullptr);
  ASSERT_GT(cluster_.node(leader_).replica().first(), cluster_.node(follower).applied().next());
  cluster_.filter = nullptr;
  cluster_.Heal();
  EXPECT_EQ(cluster_.Await(call).outcome, Outcome::kCreated);
  cluster_.RunFor(Seconds(1));
  ExpectEqualStates(leader_, follower);
}

}  // namespace
}  // namespace bt::tracker
