#include "core/tracker/sessions.h"

#include <gtest/gtest.h>

#include "core/tracker/replicated_state.h"
#include "tests/core/tracker/fixtures.h"

namespace bt::tracker {
namespace {

using tracker_api::MutationId;
using tracker_api::Outcome;
using tracker_api::Response;

constexpr MutationId Id(uint64_t session, uint64_t sequence) { return {SessionId(session), sequence}; }
const int64_t kLifetime = Limits().session_lifetime.seconds();

class SessionsTest : public ::testing::Test {
 protected:
  SessionsTest() { Do(0, Id(1, 1), RegisterOf(song_)); }

  template <class Operation>
  Response Do(int64_t at, MutationId id, const Operation& operation) {
    return state_.Apply(At(at), EncodeCommand(id, operation)).response;
  }
  Response Offer(int64_t at, MutationId id, uint8_t peer) {
    return Do(at, id, OfferOf(song_.content(), Peer(peer), {Range(0, 1)}));
  }

  const Metainfo song_ = MakeTorrent("song", 1);
  ReplicatedState state_;
};

TEST_F(SessionsTest, ADuplicateIsAnsweredFromTheTableAndNotAppliedAgain) {
  const Response first = Offer(1, Id(2, 1), 1);
  Do(2, Id(3, 1), tracker_api::Withdraw{{}, song_.content(), Peer(1), {}});
  const uint64_t digest = state_.registry().digest();
  EXPECT_EQ(Offer(3, Id(2, 1), 1), first);
  EXPECT_EQ(state_.registry().claims(), 0u) << "the retry must not undo the withdrawal";
  EXPECT_EQ(state_.registry().digest(), digest);
}

TEST_F(SessionsTest, ADuplicateRegistrationIsStillToldThatItCreatedTheTorrent) {
  const Response again = Do(1, Id(1, 1), RegisterOf(song_));
  EXPECT_EQ(again.outcome, Outcome::kCreated);
  EXPECT_EQ(std::get<tracker_api::Registered>(again.body).content, song_.content());
}

TEST_F(SessionsTest, ASequenceGoneByIsRefusedAsStale) {
  Offer(1, Id(2, 1), 1);
  Offer(1, Id(2, 2), 2);
  const Response stale = Offer(1, Id(2, 1), 3);
  EXPECT_EQ(stale.outcome, Outcome::kInvalid);
  EXPECT_NE(stale.reason.find("stale"), std::string::npos);
  EXPECT_EQ(state_.registry().claims(), 2u);
}

TEST_F(SessionsTest, AnUnknownSessionMustStartAtSequenceOne) {
  const Response refused = Offer(1, Id(9, 2), 1);
  EXPECT_EQ(refused.outcome, Outcome::kSessionExpired);
  EXPECT_EQ(state_.registry().claims(), 0u);
  EXPECT_EQ(Offer(1, Id(9, 1), 1).outcome, Outcome::kOk);
}

TEST_F(SessionsTest, ASessionIsForgottenByLogTimeAndUseKeepsIt) {
  Offer(1, Id(2, 1), 1);
  Offer(1, Id(3, 1), 1);
  Offer(kLifetime - 1, Id(3, 2), 1);
  EXPECT_EQ(Offer(kLifetime + 1, Id(2, 2), 1).outcome, Outcome::kSessionExpired);
  EXPECT_EQ(Offer(kLifetime + 1, Id(3, 3), 1).outcome, Outcome::kOk);
  EXPECT_EQ(state_.sessions().size(), 1u);
  state_.CheckInvariants();
}

TEST_F(SessionsTest, AFullTableIsAnAlarmThatNamesWhoOpenedMost) {
  Limits limits;
  limits.sessions = 2048;
  ReplicatedState state;
  const auto offer = [&](int64_t at, uint64_t session, Address from) {
    const auto operation = OfferOf(song_.content(), from, {});
    return state.Apply(At(at), EncodeCommand(Id(session, 1), operation, SourceOf(from))).response.outcome;
  };
  state.Apply(At(0), EncodeCommand({}, SetLimits{{}, 0, limits}));
  state.Apply(At(0), EncodeCommand({}, RegisterOf(song_)));
  for (uint64_t session = 1; session <= 2000; ++session) offer(1, session, Peer(66));
  EXPECT_TRUE(state.Alarms().empty());
  for (uint64_t session = 2001; session <= 2048; ++session) offer(1, session, Peer(1));
  ASSERT_EQ(state.Alarms().size(), 1u);
  EXPECT_EQ(state.Alarms()[0].name, "sessions");
  EXPECT_EQ(
      state.Alarms()[0].text,
      "all 2048 sessions are in use: mutations of new ones are answered 503 until one has not been used "
      "for 60 s; most are of 10.0.0.66 (2000)");
  // A state that was read does not know who opened them, and those that come are counted.
  absl::StatusOr<ReplicatedState> read = ReplicatedState::Decode(Slice::Own(state.Encode()));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->Alarms()[0].text.find("most are of"), std::string::npos);
  EXPECT_EQ(read->Digest(), state.Digest());
  for (uint64_t session = 3001; session <= 4024; ++session)
    EXPECT_EQ(offer(1 + limits.session_eviction_age.seconds(), session, Peer(7)), Outcome::kOk);
  EXPECT_NE(state.Alarms()[0].text.find("10.0.0.7 (1024)"), std::string::npos) << state.Alarms()[0].text;
  for (int64_t i = 0; i < 100; ++i)
    state.Apply(At(10 + kLifetime), EncodeCommand({}, tracker_api::Withdraw{}));
  EXPECT_TRUE(state.Alarms().empty()) << "they have left";
}

TEST_F(SessionsTest, AMutationThatDidNothingIsNotRemembered) {
  Limits limits;
  limits.claims_per_content = 1;
  ReplicatedState state;
  const auto apply = [&](int64_t at, MutationId id, const auto& operation) {
    return state.Apply(At(at), EncodeCommand(id, operation)).response.outcome;
  };
  apply(0, Id(4, 1), SetLimits{{}, 0, limits});
  apply(0, Id(1, 1), RegisterOf(song_));
  apply(1, Id(1, 2), OfferOf(song_.content(), Peer(1), {}));
  EXPECT_EQ(apply(2, Id(2, 1), OfferOf(song_.content(), Peer(2), {})), Outcome::kUnavailable);
  apply(3, Id(1, 3), tracker_api::Withdraw{{}, song_.content(), Peer(1), {}});
  EXPECT_EQ(apply(4, Id(2, 1), OfferOf(song_.content(), Peer(2), {})), Outcome::kOk);
}

TEST(SessionLimitTest, AFullTableForgetsTheOldestButNoneThatMayStillBeRetried) {
  Limits limits;
  limits.sessions = 3;
  Sessions sessions;
  const auto open = [&](int64_t at, uint64_t session) {
    sessions.AdvanceTo(At(at), limits);
    const auto known = sessions.Known(Id(session, 1), limits);
    if (!known) sessions.Record(Id(session, 1), Source(0), Response{});
    return !known;
  };
  EXPECT_TRUE(open(100, 1));
  EXPECT_TRUE(open(101, 2));
  EXPECT_TRUE(open(102, 3));
  EXPECT_FALSE(open(103, 4));
  EXPECT_TRUE(open(100 + limits.session_eviction_age.seconds(), 4));
  EXPECT_EQ(sessions.Known(Id(1, 2), limits)->outcome, Outcome::kSessionExpired);
  EXPECT_FALSE(sessions.Known(Id(2, 2), limits)) << "session 2 is still known";
  EXPECT_EQ(sessions.size(), 3u);
  sessions.CheckInvariants();
}

TEST_F(SessionsTest, SessionsAreInTheDigest) {
  ReplicatedState other;
  other.Apply(At(0), EncodeCommand(Id(1, 1), RegisterOf(song_)));
  EXPECT_EQ(other.Digest(), state_.Digest());
  Offer(1, Id(2, 1), 1);
  other.Apply(At(1), EncodeCommand(Id(3, 1), OfferOf(song_.content(), Peer(1), {Range(0, 1)})));
  EXPECT_EQ(other.registry().digest(), state_.registry().digest());
  EXPECT_NE(other.Digest(), state_.Digest());
}

TEST_F(SessionsTest, BytesThatAreNoCommandChangeNothing) {
  const uint64_t digest = state_.Digest();
  const Slice good = EncodeCommand(Id(5, 1), OfferOf(song_.content(), Peer(1), {Range(0, 1)}));
  for (size_t length = 0; length < good.size(); ++length) {
    const CommandResult result = state_.Apply(At(0), good.Sub(0, length));
    EXPECT_FALSE(result.well_formed) << length;
    EXPECT_EQ(result.response.outcome, Outcome::kInvalid);
  }
  EXPECT_EQ(state_.Digest(), digest);
}

TEST(CommandTest, WhatWasEncodedIsDecoded) {
  const auto same = [](const auto& operation) {
    const Slice bytes = EncodeCommand(operation.id, operation);
    const auto command = DecodeCommand(bytes);
    ASSERT_TRUE(command.ok()) << command.status();
    EXPECT_EQ(command->id, operation.id);
    EXPECT_EQ(std::get<std::decay_t<decltype(operation)>>(command->operation), operation);
    EXPECT_EQ(DecodeCommandHead(bytes)->id, operation.id);
  };
  const Metainfo song = MakeTorrent("song", 1);
  same(RegisterOf(song, Id(1, 2)));
  same(OfferOf(song.content(), Peer(1), {Range(0, 2), Range(3, 1)}, Id(3, 4)));
  same(OfferOf(std::string("song"), Peer(1), {}, Id(3, 4)));
  same(tracker_api::Withdraw{Id(1ull << 63, 1), InfoHash{7}, Peer(2), {Range(1, 1)}});
  same(Claims{Id(5, 6), {{TorrentNumber(3), Peer(4), ClaimUpdate::Kind::kGone}}});
  same(Tick{});
  same(SetLimits{Id(7, 8), 9, Limits{.torrents = 3}});
}

}  // namespace
}  // namespace bt::tracker
