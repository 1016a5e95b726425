// Steps are short: what has become possible at once is done as far as a step has room for it.

#include "core/tracker/step_work.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "tests/core/tracker/cluster.h"

namespace bt::tracker {
namespace {

using tracker_api::Outcome;

class StepWorkTest : public testing::Test {
 protected:
  explicit StepWorkTest(uint32_t step_work, Config config = Config())
      : cluster_(3, WithRoom(std::move(config), step_work)),
        leader_(cluster_.AwaitLeader()),
        follower_(cluster_.AFollower(leader_)) {
    EXPECT_EQ(cluster_.Do(leader_, RegisterOf(song_)).outcome, Outcome::kCreated);
    cluster_.RunFor(Milliseconds(200));
  }
  static Config WithRoom(Config config, uint32_t step_work) {
    config.step_work = step_work;
    return config;
  }
  std::vector<CallId> OfferManyAt(size_t node, size_t offers) {
    std::vector<CallId> calls;
    for (size_t i = 0; i < offers; ++i) {
      const Address peer = Peer(1, static_cast<uint16_t>(i + 1));
      calls.push_back(cluster_.Ask(node, OfferOf(song_.content(), peer, {Range(0, 1)})));
    }
    return calls;
  }
  size_t Answered(const std::vector<CallId>& calls) const {
    return static_cast<size_t>(
        std::count_if(calls.begin(), calls.end(), [&](CallId call) { return cluster_.Reply(call); }));
  }
  bool AnswersAll(const std::vector<CallId>& calls) {
    return cluster_.RunUntil([&] { return Answered(calls) == calls.size(); }, cluster_.now() + Seconds(3));
  }

  const Metainfo song_ = MakeTorrent("song", 1);
  Cluster cluster_;
  size_t leader_;
  size_t follower_;
};

TEST(StepBudgetTest, EachKindOfWorkHasRoomForSomethingAndAllTogetherForWhatIsStated) {
  const StepBudget least(1);
  EXPECT_TRUE(least.apply.left() && least.mutations.left() && least.reads.left());
  const StepBudget none(0);
  EXPECT_FALSE(none.apply.left() || none.mutations.left() || none.reads.left());
  const StepBudget usual(Config().step_work);
  EXPECT_EQ(usual.apply.room() + usual.mutations.room() + usual.reads.room(), Config().step_work);
}

// --- slots ---

// Steps that have room for four commands, or for two that somebody waits for.
class ShortSlotsTest : public StepWorkTest {
 protected:
  static constexpr uint64_t kCommands = 4;
  explicit ShortSlotsTest(Config config = Config())
      : StepWorkTest(2 * kCommands * StepWork::kCommand, std::move(config)) {}

  // Until the node is within a slot.
  bool ComesWithinASlot(size_t node) {
    return cluster_.RunUntil([&] { return cluster_.node(node).applied_of_next() > 0; },
                             cluster_.now() + Seconds(1));
  }
  std::pair<Slot, uint64_t> Told(size_t node) {
    const tracker_api::Response* told = cluster_.Reply(cluster_.Ask(node, tracker_api::Status{}));
    const auto& status = std::get<tracker_api::NodeStatus>(told->body);
    return {status.applied, status.registry_digest};
  }
};

TEST_F(ShortSlotsTest, ASlotOfManyCommandsIsAppliedInManySteps) {
  const std::vector<CallId> calls = OfferManyAt(leader_, 200);
  std::map<size_t, uint64_t> commands;
  for (size_t node = 0; node < 3; ++node) commands[node] = cluster_.node(node).state().commands();
  bool within = false;
  const auto done = [&] {
    for (size_t node = 0; node < 3; ++node) {
      const uint64_t applied = cluster_.node(node).state().commands();
      EXPECT_LE(applied - commands[node], kCommands) << "in one step";
      commands[node] = applied;
      within |= cluster_.node(node).applied_of_next() > 0;
    }
    return Answered(calls) == calls.size();
  };
  ASSERT_TRUE(cluster_.RunUntil(done, cluster_.now() + Seconds(3)));
  EXPECT_TRUE(within);
  for (const CallId call : calls) EXPECT_EQ(cluster_.Reply(call)->outcome, Outcome::kOk);
  cluster_.RunFor(Milliseconds(500));
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_EQ(cluster_.node(node).registry().claims(), calls.size());
    EXPECT_EQ(cluster_.node(node).state().Digest(), cluster_.node(leader_).state().Digest());
    EXPECT_FALSE(cluster_.node(node).has_pending());
  }
}

TEST_F(ShortSlotsTest, WithinASlotACallerIsAnsweredWhoseCommandIsApplied) {
  const std::vector<CallId> calls = OfferManyAt(leader_, 200);
  ASSERT_TRUE(ComesWithinASlot(leader_));
  const size_t answered = Answered(calls);
  EXPECT_GT(answered, 0u);
  EXPECT_LT(answered, calls.size());
}

// An iteration of the host's loop may be of hundreds of other steps.
TEST_F(ShortSlotsTest, OtherInputsDoNotEachApplySomeMore) {
  OfferManyAt(leader_, 200);
  ASSERT_TRUE(ComesWithinASlot(leader_));
  const uint64_t applied = cluster_.node(leader_).state().commands();
  for (int i = 0; i < 50; ++i) cluster_.Ask(leader_, tracker_api::Status{});
  EXPECT_EQ(cluster_.node(leader_).state().commands(), applied);
}

// Operators and `bytetorrent status` compare digests at equal slots.
TEST_F(ShortSlotsTest, WithinASlotTheDigestThatIsToldIsThatOfTheSlotBefore) {
  const std::vector<CallId> calls = OfferManyAt(leader_, 200);
  std::map<Slot, uint64_t> digests;
  size_t told_within = 0;
  const auto done = [&] {
    for (size_t node = 0; node < 3; ++node) {
      told_within += cluster_.node(node).applied_of_next() > 0;
      const auto [slot, digest] = Told(node);
      EXPECT_EQ(digests.emplace(slot, digest).first->second, digest) << "slot " << slot.value();
    }
    return Answered(calls) == calls.size();
  };
  ASSERT_TRUE(cluster_.RunUntil(done, cluster_.now() + Seconds(3)));
  EXPECT_GT(told_within, 0u);
}

TEST_F(ShortSlotsTest, AReadWaitsForItsWholeSlotAndIsNotStarvedByALogThatIsBehind) {
  const std::vector<CallId> offers = OfferManyAt(leader_, 300);
  ASSERT_TRUE(ComesWithinASlot(leader_));
  ASSERT_TRUE(AnswersAll(offers));
  const CallId read = cluster_.Ask(leader_, LookupOf(song_.content(), true));
  const CallId plain = cluster_.Ask(leader_, LookupOf(song_.content()));
  EXPECT_EQ(PeersIn(*cluster_.Reply(plain)).incomplete, 300u);
  EXPECT_EQ(PeersIn(cluster_.Await(read)).incomplete, 300u);
}

class ShortSlotsWithSnapshotsTest : public ShortSlotsTest {
 protected:
  static Config Eager() {
    Config config;
    config.snapshot_log_bytes = 200;
    config.snapshot_piece_bytes = 300;
    config.replica.log_bytes_kept = 0;
    return config;
  }
  ShortSlotsWithSnapshotsTest() : ShortSlotsTest(Eager()) {}
};

TEST_F(ShortSlotsWithSnapshotsTest, ASnapshotIsTheStateOfAWholeSlot) {
  for (int round = 0; round < 5; ++round) ASSERT_TRUE(AnswersAll(OfferManyAt(leader_, 100)));
  cluster_.RunFor(Milliseconds(500));
  ASSERT_GT(cluster_.node(leader_).replica().snapshot().prefix.slot, Slot(3));
  // What it had saved, and the log behind that, give the state again.
  cluster_.Crash(follower_);
  cluster_.Restart(follower_);
  cluster_.RunFor(Seconds(2));
  EXPECT_EQ(cluster_.node(follower_).state().Digest(), cluster_.node(leader_).state().Digest());
  EXPECT_EQ(cluster_.node(follower_).state().commands(), cluster_.node(leader_).state().commands());
}

// --- reads ---

// Steps that have room for three lookups of two peers.
class ShortReadsTest : public StepWorkTest {
 protected:
  static constexpr size_t kAtOnce = 100;
  ShortReadsTest() : StepWorkTest(4 * 3 * StepWork::kAnswer) {
    for (const uint8_t peer : {1, 2})
      EXPECT_EQ(cluster_.Do(leader_, OfferOf(song_.content(), Peer(peer), {})).outcome, Outcome::kOk);
  }
  std::vector<CallId> AskManyAt(size_t node) {
    std::vector<CallId> calls;
    for (size_t i = 0; i < kAtOnce; ++i) calls.push_back(cluster_.Ask(node, LookupOf(song_.content(), true)));
    return calls;
  }
};

TEST_F(ShortReadsTest, AStepAnswersAsManyAsItHasRoomForAndTheNextOnesTheRest) {
  for (const size_t node : {leader_, follower_}) {
    const std::vector<CallId> calls = AskManyAt(node);
    size_t answered = 0;
    const auto all = [&] {
      EXPECT_LE(Answered(calls), answered + 3) << "in one step";
      answered = Answered(calls);
      return answered == kAtOnce;
    };
    ASSERT_TRUE(cluster_.RunUntil(all, cluster_.now() + Seconds(1)));
    for (const CallId call : calls) EXPECT_EQ(PeersIn(*cluster_.Reply(call)).peers.size(), 2u);
  }
}

// The timer's step alone goes on with them: a loop of the host's may be of hundreds of other steps.
TEST_F(ShortReadsTest, StepsOfOtherInputsDoNotEachAnswerSomeMore) {
  const std::vector<CallId> calls = AskManyAt(leader_);
  ASSERT_TRUE(cluster_.RunUntil([&] { return Answered(calls) > 0; }, cluster_.now() + Seconds(1)));
  const size_t answered = Answered(calls);
  for (int i = 0; i < 50; ++i) cluster_.Ask(leader_, tracker_api::Status{});
  EXPECT_EQ(Answered(calls), answered);
}

TEST_F(ShortReadsTest, WhatIsOverdueIsRefusedInSlicesToo) {
  cluster_.Isolate(follower_);
  const std::vector<CallId> calls = AskManyAt(follower_);
  size_t answered = 0;
  const auto all = [&] {
    EXPECT_LE(Answered(calls), answered + 2 * 3) << "in two steps: two timers may be due at once";
    answered = Answered(calls);
    return answered == kAtOnce;
  };
  ASSERT_TRUE(cluster_.RunUntil(all, cluster_.now() + Milliseconds(5200)));
  for (const CallId call : calls) EXPECT_EQ(cluster_.Reply(call)->outcome, Outcome::kUnavailable);
}

}  // namespace
}  // namespace bt::tracker
