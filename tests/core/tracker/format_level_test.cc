// The format level: agreed on in the log, raised when every member reads the next one, never lowered; and
// what a program does with what is above its own.

#include "core/tracker/format_level.h"

#include <gtest/gtest.h>

#include <string>

#include "core/tracker/level_watch.h"
#include "core/tracker/state_builder.h"
#include "tests/core/tracker/cluster.h"

namespace bt::tracker {
namespace {

using tracker_api::Outcome;

constexpr LevelRange kOld{kFirstLevel, kFirstLevel};
constexpr LevelRange kNew{kFirstLevel, kNewestLevel};

Config Old() {
  Config config;
  config.levels = kOld;
  return config;
}

// A cluster of the older release.
class FormatLevelTest : public testing::Test {
 protected:
  FormatLevelTest() { cluster_.AwaitLeader(); }

  void StartAs(size_t node, const LevelRange& levels) {
    cluster_.Crash(node);
    cluster_.levels[node] = levels;
    cluster_.Restart(node);
  }
  void ExpectLevel(uint32_t level) {
    for (size_t node = 0; node < 3; ++node)
      EXPECT_EQ(cluster_.node(node).registry().level(), level) << "node " << node + 1;
  }
  void Settle() {
    cluster_.AwaitLeader();
    cluster_.RunFor(Seconds(10));
  }

  Cluster cluster_{3, Old()};
};

TEST_F(FormatLevelTest, TheLevelRisesWhenTheLastMemberReadsIt) {
  Settle();
  StartAs(0, kNew);
  StartAs(1, kNew);
  Settle();
  ExpectLevel(kFirstLevel);
  StartAs(2, kNew);
  Settle();
  ExpectLevel(kNewestLevel);
}

TEST_F(FormatLevelTest, AMemberThatIsNotHeardOfHoldsTheLevel) {
  cluster_.Isolate(2);
  for (size_t node = 0; node < 3; ++node) StartAs(node, kNew);
  Settle();
  ExpectLevel(kFirstLevel);
  cluster_.Heal();
  Settle();
  ExpectLevel(kNewestLevel);
}

TEST_F(FormatLevelTest, ALearnerIsAMemberToo) {
  cluster_.filter = [](size_t, size_t to, const Protocol::Message&) { return to < 3; };  // it is not there
  const size_t leader = cluster_.AwaitLeader();
  cluster_.RunFor(Seconds(1));
  ASSERT_EQ(cluster_.Do(leader, Order(paxos::AddMember{.id = NodeId(4), .contact = "far away"})).outcome,
            Outcome::kOk);
  cluster_.RunFor(Seconds(1));
  for (size_t node = 0; node < 3; ++node) StartAs(node, kNew);
  Settle();
  ExpectLevel(kFirstLevel);
}

TEST_F(FormatLevelTest, AClusterOfOneRaisesItsLevelByItself) {
  Cluster one(1);
  one.AwaitLeader();
  one.RunFor(Seconds(5));
  EXPECT_EQ(one.node(0).registry().level(), kNewestLevel);
}

TEST_F(FormatLevelTest, AnOlderProgramStopsAtTheLogThatRaisesTheLevelAboveItsOwn) {
  for (size_t node = 0; node < 3; ++node) StartAs(node, kNew);
  Settle();
  ExpectLevel(kNewestLevel);
  const size_t follower = cluster_.AFollower(cluster_.AwaitLeader());
  StartAs(follower, kOld);
  cluster_.RunFor(Seconds(2));
  EXPECT_TRUE(cluster_.node(follower).unusable());
  EXPECT_EQ(cluster_.node(follower).registry().level(), kFirstLevel);
  StartAs(follower, kNew);
  Settle();
  ExpectLevel(kNewestLevel);
}

TEST_F(FormatLevelTest, AnOlderProgramRefusesItsSnapshotOfANewerLevel) {
  for (size_t node = 0; node < 3; ++node) StartAs(node, kNew);
  Settle();
  const size_t leader = cluster_.AwaitLeader();
  ASSERT_EQ(cluster_.Do(leader, TakeSnapshot{}).outcome, Outcome::kOk);
  StartAs(leader, kOld);
  cluster_.RunFor(Seconds(2));
  EXPECT_TRUE(cluster_.node(leader).unusable());
  StartAs(leader, kNew);
  Settle();
  ExpectLevel(kNewestLevel);
}

TEST_F(FormatLevelTest, TheStatusSaysWhatIsInForceAndWhatIsRead) {
  const size_t node = cluster_.AwaitLeader();
  const auto status = std::get<tracker_api::NodeStatus>(cluster_.Do(node, tracker_api::Status{}).body);
  EXPECT_EQ(status.level, kFirstLevel);
  EXPECT_EQ(status.oldest_level, kFirstLevel);
  EXPECT_EQ(status.newest_level, kFirstLevel);
  EXPECT_FALSE(status.program.empty());
}

TEST(LevelWatchTest, WhatAMemberSaidLastCountsAndForAWhile) {
  const Config config;
  LevelWatch watch(config);
  watch.OnTold(NodeId(2), {kNew, "2.0"}, At(1));
  watch.OnTold(NodeId(2), {kOld, "1.0"}, At(2));
  ASSERT_TRUE(watch.Of(NodeId(2), At(3)).has_value());
  EXPECT_EQ(watch.Of(NodeId(2), At(3))->levels, kOld);
  EXPECT_EQ(watch.Of(NodeId(2), At(3))->program, "1.0");
  EXPECT_FALSE(watch.Of(NodeId(2), At(8)).has_value());
  EXPECT_FALSE(watch.Of(NodeId(3), At(3)).has_value());
}

TEST(LevelWatchTest, RemembersABoundedNumberOfNodesAndBytes) {
  const Config config;
  LevelWatch watch(config);
  for (uint32_t node = 1; node <= 1000; ++node)
    watch.OnTold(NodeId(node), {kNew, std::string(10'000, 'x')}, At(1));
  EXPECT_FALSE(watch.Of(NodeId(1000), At(1)).has_value());
  EXPECT_LE(watch.Of(NodeId(1), At(1))->program.size(), 64u);
}

// --- the replicated state ---

ReplicatedState AtLevel(uint32_t level) {
  ReplicatedState state;
  state.Apply(At(1), EncodeCommand({SessionId(1), 1}, RegisterOf(MakeTorrent("song", 1))));
  if (level > kFirstLevel) state.Apply(At(2), EncodeCommand({}, RaiseLevel{.to = level}));
  return state;
}

StateHead HeadOf(const ReplicatedState& state) {
  StateItem item;
  Decoder decoder(Slice::Own(state.Encode()));
  decoder("item", item);
  return std::get<StateHead>(item);
}

TEST(FormatLevelOfStateTest, ASnapshotCarriesTheLevelInTheFormatOfTheLevel) {
  for (const uint32_t level : {kFirstLevel, kNewestLevel}) {
    const ReplicatedState state = AtLevel(level);
    EXPECT_EQ(HeadOf(state).format, StateFormatOf(level));
    const auto read = ReplicatedState::Decode(Slice::Own(state.Encode()));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->registry().level(), level);
    EXPECT_EQ(read->Digest(), state.Digest());
    EXPECT_EQ(read->Encode(), state.Encode());
  }
}

TEST(FormatLevelOfStateTest, TheLevelNeverFalls) {
  ReplicatedState state = AtLevel(kNewestLevel);
  const uint64_t digest = state.registry().digest();
  state.Apply(At(2), EncodeCommand({}, RaiseLevel{.to = kFirstLevel}));
  EXPECT_EQ(state.registry().level(), kNewestLevel);
  EXPECT_EQ(state.registry().digest(), digest);
}

TEST(FormatLevelOfStateTest, ARiseToALevelThatIsNotReadIsRefusedAndNothingIsDone) {
  ReplicatedState state = AtLevel(kFirstLevel);
  const uint64_t digest = state.Digest();
  const CommandResult result = state.Apply(At(2), EncodeCommand({}, RaiseLevel{.to = kNewestLevel + 1}));
  EXPECT_NE(result.unreadable.find("format level 3"), std::string::npos) << result.unreadable;
  EXPECT_NE(result.unreadable.find("start the release that ran here before"), std::string::npos);
  EXPECT_EQ(state.Digest(), digest);
}

TEST(FormatLevelOfStateTest, ACommandOfAnUnknownKindIsRefusedAndNotSkipped) {
  std::string bytes(EncodeCommand({SessionId(7), 1}, Tick{}).view());
  bytes.back() = 60;  // the kind is all there is behind the head
  ReplicatedState state = AtLevel(kFirstLevel);
  const uint64_t digest = state.Digest();
  const CommandResult result = state.Apply(At(9), Slice::Own(std::move(bytes)));
  EXPECT_NE(result.unreadable.find("does not know"), std::string::npos) << result.unreadable;
  EXPECT_EQ(state.Digest(), digest);
  EXPECT_GT(LevelOfOperation(60), kNewestLevel);
}

TEST(FormatLevelOfStateTest, ASnapshotOfAnUnknownFormatIsRefusedWithASentence) {
  std::string bytes = AtLevel(kFirstLevel).Encode();
  bytes[1] = 77;  // behind the item's number
  const auto read = ReplicatedState::Decode(Slice::Own(std::move(bytes)));
  EXPECT_TRUE(absl::IsUnimplemented(read.status())) << read.status();
  EXPECT_NE(read.status().message().find("format 77"), std::string::npos) << read.status();

  StateBuilder builder(kOld);
  const absl::Status status = builder.Add(Slice::Own(AtLevel(kNewestLevel).Encode()));
  EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
}

TEST(FormatLevelOfStateTest, AProgramThatHasForgottenTheFirstLevelsSaysWhatToDo) {
  EXPECT_EQ(LevelProblem(2, {2, 3}), std::nullopt);
  EXPECT_NE(LevelProblem(1, {2, 3})->find("upgrade all nodes to one between"), std::string::npos);
  EXPECT_NE(LevelProblem(4, {2, 3})->find("or a newer one"), std::string::npos);
}

}  // namespace
}  // namespace bt::tracker
