// Steps are short: what has become possible at once is done as far as a step has room for it.

#include "core/tracker/step_work.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "core/tracker/registry_restore.h"
#include "core/tracker/state_builder.h"
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

TEST(StepBudgetTest, EachKindOfWorkHasRoomForSomethingAndAllTogetherForNoMoreThanIsStated) {
  const StepBudget least(1);
  EXPECT_TRUE(least.apply.left() && least.mutations.left() && least.reads.left());
  const StepBudget none(0);
  EXPECT_FALSE(none.apply.left() || none.mutations.left() || none.reads.left());
  const StepBudget usual(Config().step_work);
  EXPECT_LE(usual.apply.room() + usual.mutations.room() + usual.looks.room() + usual.reads.room(),
            Config().step_work);
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
  // What a part of a snapshot costs when it is read.
  static constexpr uint64_t kPart = StepWork::kCommand + 300 / StepWork::kRowBytes + 4;
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

TEST_F(ShortSlotsWithSnapshotsTest, WhatAStartHasReadIsIndexedInManySteps) {
  const size_t kClaims = 500;
  ASSERT_TRUE(AnswersAll(OfferManyAt(leader_, kClaims)));
  cluster_.RunFor(Milliseconds(500));
  ASSERT_GT(cluster_.node(follower_).replica().snapshot().prefix.slot, Slot(3));
  cluster_.Crash(follower_);
  const uint64_t room = StepBudget(cluster_.node(leader_).config().step_work).apply.room();
  size_t steps = 0;
  cluster_.stepped = [&](size_t node) {
    if (node != follower_ || cluster_.node(node).begun()) return;
    ++steps;
    EXPECT_LE(cluster_.node(node).work().apply.spent(), room + kPart);
  };
  cluster_.Restart(follower_);
  cluster_.RunFor(Seconds(2));
  cluster_.stepped = nullptr;
  EXPECT_GT(steps, kClaims * RegistryRestore::kRow / (room + kPart));
  EXPECT_EQ(cluster_.node(follower_).state().Digest(), cluster_.node(leader_).state().Digest());
}

TEST(StateBuilderTest, TheStateIsMadeInShortStepsAndIsTheSame) {
  ReplicatedState state;
  const auto apply = [&](uint64_t session, const auto& operation) {
    const tracker_api::MutationId id{SessionId(session), 1};
    state.Apply(At(1), EncodeCommand(id, operation, SourceOf(Peer(static_cast<uint8_t>(session)))),
                LevelRange());
  };
  for (uint8_t i = 1; i <= 3; ++i) apply(i, RegisterOf(MakeTorrent("song " + std::to_string(i), i)));
  Metainfo again = MakeTorrent("another name", 1);
  InfoHash foreign = again.AllInfoHashes()[0];
  foreign[0] ^= 1;
  again.foreign_info_hashes.push_back(foreign);
  apply(4, RegisterOf(again));
  for (uint16_t port = 5; port <= 200; ++port)
    apply(port, OfferOf(again.content(), Peer(1, port), {Range(0, 1)}));
  const std::string bytes = state.Encode();
  StateBuilder builder;
  ASSERT_TRUE(builder.Add(Slice::Own(std::string(bytes))).ok());
  constexpr uint64_t kRoom = 10 * RegistryRestore::kRow;
  size_t steps = 0;
  for (bool made = false; !made; ++steps) {
    StepWork work(kRoom);
    const absl::StatusOr<bool> some = builder.Finish(work);
    ASSERT_TRUE(some.ok()) << some.status();
    EXPECT_LE(work.spent(), kRoom);
    made = *some;
  }
  // A row for each claim, and one for each session.
  EXPECT_GT(steps, 2 * 196 / 10);
  const absl::StatusOr<ReplicatedState> read = std::move(builder).Take();
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->Digest(), state.Digest());
  EXPECT_EQ(read->Encode(), bytes);
  read->CheckInvariants();
}

// --- mutations ---

// Steps that have room to send four short commands, or to look at sixteen.
class ShortSendsTest : public StepWorkTest {
 protected:
  static constexpr size_t kMany = 300;
  static constexpr uint32_t kStepWork = 8 * 16;
  ShortSendsTest() : StepWorkTest(kStepWork) {}

  // From here on no step does more of anything than it has room for, and one thing.
  void ExpectShortSteps() {
    cluster_.stepped = [this](size_t node) {
      const StepBudget room(kStepWork);
      const StepBudget& work = cluster_.node(node).work();
      EXPECT_LE(work.apply.spent(), room.apply.room() + kOne) << node;
      const bool leads = cluster_.node(node).replica().is_leader();
      EXPECT_LE(work.mutations.spent(), room.mutations.room() + (leads ? 2 * StepWork::kCommand : kOne))
          << node;
      EXPECT_LE(work.looks.spent(), room.looks.room() + kOne) << node;
    };
  }

  // A command and its answers, or those that one message brings from the leader.
  static constexpr uint64_t kOne = 16 / StepWork::kCommand * StepWork::kAnswer;
};

TEST_F(ShortSendsTest, WhatWaitedForALeaderIsForwardedAndProposedInManySteps) {
  ExpectShortSteps();
  cluster_.Crash(leader_);
  const size_t other = 3 - leader_ - follower_;
  size_t longest = 0;
  cluster_.filter = [&](size_t, size_t, const Protocol::Message& message) {
    if (const auto* forward = std::get_if<ForwardCommands>(&message))
      longest = std::max(longest, forward->commands.size());
    return true;
  };
  // One of the two will lead.
  for (const size_t node : {follower_, other}) {
    const std::vector<CallId> calls = OfferManyAt(node, kMany);
    ASSERT_TRUE(AnswersAll(calls));
    for (const CallId call : calls) EXPECT_EQ(cluster_.Reply(call)->outcome, Outcome::kOk);
  }
  EXPECT_GT(longest, 0u);
  EXPECT_LE(longest, 16 / StepWork::kCommand);
  cluster_.RunFor(Milliseconds(500));
  for (const size_t node : {follower_, other}) {
    EXPECT_EQ(cluster_.node(node).registry().claims(), kMany);
    EXPECT_FALSE(cluster_.node(node).has_pending());
  }
}

TEST_F(ShortSendsTest, WhatALeaderHadProposedIsProposedByTheNextInManySteps) {
  ExpectShortSteps();
  std::vector<CallId> calls = OfferManyAt(follower_, kMany);
  const std::vector<CallId> others = OfferManyAt(3 - leader_ - follower_, kMany);  // one of the two will lead
  calls.insert(calls.end(), others.begin(), others.end());
  cluster_.RunFor(Milliseconds(1));
  cluster_.Isolate(leader_);
  ASSERT_TRUE(cluster_.RunUntil([&] { return cluster_.Leader() && *cluster_.Leader() != leader_; },
                                cluster_.now() + Seconds(2)));
  ASSERT_TRUE(AnswersAll(calls));
  for (const CallId call : calls) EXPECT_EQ(cluster_.Reply(call)->outcome, Outcome::kOk);
}

TEST_F(ShortSendsTest, WhatIsOverdueIsAnsweredInManySteps) {
  ExpectShortSteps();
  cluster_.Isolate(follower_);
  const std::vector<CallId> calls = OfferManyAt(follower_, kMany);
  size_t answered = 0;
  const auto all = [&] {
    EXPECT_LE(Answered(calls), answered + 2) << "in two steps: two timers may be due at once";
    answered = Answered(calls);
    return answered == kMany;
  };
  ASSERT_TRUE(cluster_.RunUntil(all, cluster_.now() + Milliseconds(5200)));
  for (const CallId call : calls) EXPECT_EQ(cluster_.Reply(call)->outcome, Outcome::kUnavailable);
  EXPECT_FALSE(cluster_.node(follower_).has_pending());
}

// Mutations that wait are looked at while new ones come without end.
TEST_F(ShortSendsTest, WhatIsOverdueIsAnsweredInTimeHoweverManyNewOnesCome) {
  cluster_.Isolate(follower_);
  const std::vector<CallId> first = OfferManyAt(follower_, 10);
  while (cluster_.now() < Instant{} + Seconds(60) && Answered(first) < first.size()) {
    OfferManyAt(follower_, 50);
    cluster_.RunFor(Milliseconds(50));
  }
  for (const CallId call : first) cluster_.Await(call);
}

TEST_F(ShortSendsTest, LostForwardsOfManyAreSentAgain) {
  ExpectShortSteps();
  size_t lost = 0;
  cluster_.filter = [&](size_t, size_t, const Protocol::Message& message) {
    return !(std::holds_alternative<ForwardCommands>(message) && lost++ < 20);
  };
  const std::vector<CallId> calls = OfferManyAt(follower_, kMany);
  ASSERT_TRUE(AnswersAll(calls));
  EXPECT_GT(lost, 20u);
  for (const CallId call : calls) EXPECT_EQ(cluster_.Reply(call)->outcome, Outcome::kOk);
}

// --- expiries ---

TEST(ExpiriesTest, CountAsRowsOfTheCommandThatTheyComeWith) {
  ReplicatedState state;
  const Metainfo song = MakeTorrent("song", 1);
  state.Apply(At(0), EncodeCommand({}, RegisterOf(song)), LevelRange());
  for (uint16_t port = 1; port <= 100; ++port)
    state.Apply(At(0), EncodeCommand({}, OfferOf(song.content(), Peer(1, port), {})), LevelRange());
  EXPECT_EQ(state.rows(), 0u);
  const Instant late = At(0) + Limits().claim_lifetime + Seconds(1);
  state.Apply(late, EncodeCommand({}, OfferOf(song.content(), Peer(2), {})), LevelRange());
  EXPECT_EQ(state.rows(), Limits().expiries_per_command);
  state.Apply(late, EncodeCommand({}, Tick{}), LevelRange());
  EXPECT_EQ(state.rows(), 100u);
}

TEST_F(ShortSlotsTest, CommandsThatDropWhatHasExpiredShareNoStep) {
  Limits limits;
  limits.claim_lifetime = Seconds(2);
  limits.renew_interval = Seconds(1);
  ASSERT_EQ(cluster_.Do(leader_, Protocol::Request(SetLimits{{}, 0, limits})).outcome, Outcome::kOk);
  ASSERT_TRUE(AnswersAll(OfferManyAt(leader_, 100)));
  cluster_.RunFor(Milliseconds(2500));
  const Registry& registry = cluster_.node(follower_).registry();
  ASSERT_EQ(registry.claims(), 100u);
  uint64_t claims = registry.claims();
  uint64_t commands = cluster_.node(follower_).state().commands();
  size_t steps = 0;
  cluster_.stepped = [&](size_t node) {
    if (node != follower_) return;
    const uint64_t applied = cluster_.node(node).state().commands() - commands;
    if (registry.claims() + limits.expiries_per_command <= claims + applied) {
      ++steps;
      EXPECT_EQ(applied, 1u);
    }
    claims = registry.claims();
    commands += applied;
  };
  std::vector<CallId> calls;
  for (uint16_t port = 1000; port < 1050; ++port)
    calls.push_back(cluster_.Ask(leader_, OfferOf(song_.content(), Peer(2, port), {})));
  ASSERT_TRUE(AnswersAll(calls));
  cluster_.RunFor(Milliseconds(100));
  EXPECT_EQ(steps, 100 / limits.expiries_per_command);
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
