// Snapshots of tracker nodes: taken by themselves, started from, and taken up from peers.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "core/tracker/state_builder.h"
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
  explicit NodeSnapshotTest(Config config = Eager()) : cluster_(3, std::move(config)) {
    leader_ = cluster_.AwaitLeader();
  }

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

  Cluster cluster_;
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
  cluster_.RunFor(Duration{});
  EXPECT_GT(cluster_.node(follower).applied(), Slot(20)) << "before it hears anything";
  cluster_.RunFor(Seconds(1));
  ExpectEqualStates(leader_, follower);
}

class ShortStepsTest : public NodeSnapshotTest {
 protected:
  static Config Short() {
    Config config = Eager();
    config.step_work = 1;  // one part, or one slot of one command
    return config;
  }
  ShortStepsTest() : NodeSnapshotTest(Short()) {}
};

TEST_F(ShortStepsTest, AStartIsOneStepAPartAndOneASlotAndCallsAreRefusedMeanwhile) {
  Register(43);
  const size_t follower = cluster_.AFollower(leader_);
  const size_t parts = cluster_.node(follower).replica().snapshot().parts.size();
  ASSERT_GT(parts, 5u);
  cluster_.Crash(follower);
  const uint64_t steps = cluster_.steps(follower);
  cluster_.Restart(follower);
  EXPECT_FALSE(cluster_.node(follower).begun());
  EXPECT_EQ(cluster_.node(follower).percent_recovered(), 0u);
  const CallId call = cluster_.Ask(follower, tracker_api::Status{});
  ASSERT_NE(cluster_.Reply(call), nullptr) << "at once";
  EXPECT_EQ(cluster_.Reply(call)->outcome, Outcome::kUnavailable);
  EXPECT_EQ(cluster_.Reply(call)->reason.substr(0, 15), "recovering, 0 %");
  uint32_t percent = 0;
  const auto recovered = [&] {
    EXPECT_GE(cluster_.node(follower).percent_recovered(), percent);
    percent = cluster_.node(follower).percent_recovered();
    return !cluster_.node(follower).recovering();
  };
  ASSERT_TRUE(cluster_.RunUntil(recovered, cluster_.now() + Seconds(1)));
  EXPECT_EQ(percent, 100u);
  EXPECT_GE(cluster_.steps(follower) - steps, parts);
  cluster_.RunFor(Seconds(1));
  ExpectEqualStates(leader_, follower);
  EXPECT_EQ(cluster_.Do(follower, tracker_api::Status{}).outcome, Outcome::kOk);
}

// What it lacks comes from a peer many slots at a time, and is applied one a step.
TEST_F(ShortStepsTest, WhoWasAwayAppliesASlotAStep) {
  Register(1);
  const size_t follower = cluster_.AFollower(leader_);
  cluster_.Isolate(follower);
  for (int i = 0; i < 4; ++i) {
    const Metainfo song = MakeTorrent("late " + std::to_string(i), static_cast<uint8_t>(100 + i));
    ASSERT_EQ(cluster_.Do(leader_, RegisterOf(song)).outcome, Outcome::kCreated);
  }
  cluster_.Heal();
  Slot applied = cluster_.node(follower).applied();
  const auto level = [&] {
    const Slot now = cluster_.node(follower).applied();
    EXPECT_LE(now, applied.next()) << "more than a slot in one step";
    applied = now;
    return now == cluster_.node(leader_).applied();
  };
  EXPECT_TRUE(cluster_.RunUntil(level, cluster_.now() + Seconds(5)));
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

TEST_F(ShortStepsTest, APeersSnapshotIsReadAPartAStep) {
  Register(2);
  const size_t follower = cluster_.AFollower(leader_);
  cluster_.Crash(follower);
  Register(60);
  cluster_.Restart(follower);
  const auto arrived = [&] { return cluster_.node(follower).replica().arrived() != nullptr; };
  ASSERT_TRUE(cluster_.RunUntil(arrived, cluster_.now() + Seconds(2)))
      << "it was read in the step it came in";
  const size_t parts = cluster_.node(follower).replica().arrived()->parts.size();
  const uint64_t steps = cluster_.steps(follower);
  ASSERT_TRUE(cluster_.RunUntil([&] { return !arrived(); }, cluster_.now() + Seconds(1)));
  EXPECT_GE(cluster_.steps(follower) - steps + 1, parts);
  EXPECT_GT(cluster_.node(follower).applied(), Slot(20));
  cluster_.RunFor(Seconds(2));
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

// The configuration of these tests begins one by itself only after much more log than is written here.
Config Patient() {
  Config config;
  config.snapshot_piece_bytes = 300;
  return config;
}

class AskedSnapshotTest : public testing::Test {
 protected:
  AskedSnapshotTest() : leader_(cluster_.AwaitLeader()), follower_(cluster_.AFollower(leader_)) {}

  void Register(const std::string& name) {
    const Metainfo song = MakeTorrent(name, static_cast<uint8_t>(name.size() + name[0]));
    ASSERT_EQ(cluster_.Do(leader_, RegisterOf(song)).outcome, Outcome::kCreated);
  }
  Slot KeptAt(size_t node) { return cluster_.node(node).replica().snapshot().prefix.slot; }

  Cluster cluster_{3, Patient()};
  size_t leader_;
  size_t follower_;
};

TEST_F(AskedSnapshotTest, HoldsWhatWasAcknowledgedBeforeItWasAskedForAtWhicheverNode) {
  Register("one");
  Register("two");
  EXPECT_EQ(KeptAt(follower_), Slot(0));
  const Slot acknowledged = cluster_.node(leader_).applied();
  ASSERT_EQ(cluster_.Do(follower_, TakeSnapshot{}).outcome, Outcome::kOk);
  EXPECT_GE(KeptAt(follower_), acknowledged);
  const auto state = ReadState(cluster_.node(follower_).replica().snapshot().parts);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->registry().torrents(), 2u);
  EXPECT_FALSE(cluster_.node(follower_).has_pending());
}

TEST_F(AskedSnapshotTest, OneThatHoldsAllOfItAlreadyIsNotTakenAgain) {
  Register("one");
  ASSERT_EQ(cluster_.Do(leader_, TakeSnapshot{}).outcome, Outcome::kOk);
  const Slot kept = KeptAt(leader_);
  ASSERT_EQ(cluster_.Do(leader_, TakeSnapshot{}).outcome, Outcome::kOk);
  EXPECT_EQ(KeptAt(leader_), kept);
  Register("two");
  ASSERT_EQ(cluster_.Do(leader_, TakeSnapshot{}).outcome, Outcome::kOk);
  EXPECT_GT(KeptAt(leader_), kept);
}

TEST_F(AskedSnapshotTest, ANodeThatHearsNoMajoritySaysSoInsteadOfGivingAnOldOne) {
  Register("one");
  cluster_.Isolate(follower_);
  EXPECT_EQ(cluster_.Do(follower_, TakeSnapshot{}).outcome, Outcome::kUnavailable);
  EXPECT_EQ(KeptAt(follower_), Slot(0));
}

TEST_F(AskedSnapshotTest, SeveralShareOneAndEachIsAnsweredOnce) {
  Register("one");
  std::vector<CallId> calls;
  for (int i = 0; i < 3; ++i) calls.push_back(cluster_.Ask(leader_, TakeSnapshot{}));
  cluster_.Cancel(leader_, calls[2]);
  EXPECT_EQ(cluster_.Await(calls[0]).outcome, Outcome::kOk);
  EXPECT_EQ(cluster_.Await(calls[1]).outcome, Outcome::kOk);
  cluster_.RunFor(Seconds(1));
  EXPECT_FALSE(cluster_.node(leader_).has_pending());
}

TEST_F(AskedSnapshotTest, MoreThanTheLimitAreRefused) {
  Register("one");
  std::vector<CallId> calls;
  for (uint32_t i = 0; i <= Config().snapshots_asked_max; ++i)
    calls.push_back(cluster_.Ask(leader_, TakeSnapshot{}));
  EXPECT_EQ(cluster_.Await(calls.back()).outcome, Outcome::kUnavailable);
  EXPECT_EQ(cluster_.Await(calls.front()).outcome, Outcome::kOk);
  EXPECT_EQ(cluster_.node(leader_).kept().snapshots_asked.most, Config().snapshots_asked_max);
}

}  // namespace
}  // namespace bt::tracker
