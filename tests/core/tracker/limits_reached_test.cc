// Each agreed limit is reached, and what is beyond it is refused with its sentence, or done as the limit
// says.

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/tracker/limit_names.h"
#include "core/tracker/replicated_state.h"
#include "tests/core/tracker/fixtures.h"

namespace bt::tracker {
namespace {

using tracker_api::MutationId;
using tracker_api::Outcome;
using tracker_api::Response;

const Source kSource = SourceOf(Address::V4(192, 0, 2, 7, 0));

// A cluster's state under default limits but for the one that is reached.
class Tables {
 public:
  Tables(std::string_view limit, uint64_t value) {
    // Then the next ones are within reach.
    limits_.expiries_per_command = 1;
    limits_.session_eviction_age = Seconds(10);
    EXPECT_TRUE(SetNamedLimit(limits_, limit, value).ok()) << limit;
    EXPECT_EQ(Do(0, {}, SetLimits{{}, 0, limits_}).outcome, Outcome::kOk) << limit;
  }

  template <class Operation>
  Response Do(int64_t at, MutationId id, const Operation& operation) {
    return state_.Apply(At(at), EncodeCommand(id, operation, kSource), LevelRange()).response;
  }
  Response Register(const std::string& name, uint8_t seed) { return Register(MakeTorrent(name, seed)); }
  Response Register(Metainfo metainfo) { return Do(1, {}, RegisterOf(std::move(metainfo))); }
  Response Offer(uint16_t port, int64_t at = 1, std::vector<PieceRange> pieces = {}) {
    return Do(at, {}, OfferOf(std::string("song"), Peer(1, port), std::move(pieces)));
  }
  Response OfferIn(uint64_t session, uint64_t sequence, int64_t at) {
    return Do(at, {SessionId(session), sequence}, OfferOf(std::string("song"), Peer(1), {}));
  }
  tracker_api::Peers Lookup() const {
    return PeersIn(state_.registry().Lookup(LookupOf(std::string("song")), 0));
  }
  const Registry& registry() const { return state_.registry(); }
  const ReplicatedState& state() const { return state_; }

 private:
  Limits limits_;
  ReplicatedState state_;
};

struct Row {
  std::string_view limit;
  uint64_t value;
  // What comes of reaching it.
  Outcome outcome;
  std::string_view sentence;  // a part of it
  std::function<Response(Tables&)> reach;
  // What of it is taken then, where it is a table's: as much as there is.
  std::function<uint64_t(const Tables&)> use;
};

Share HeldIn(const Tables& tables) { return tables.registry().shares().Of(kSource); }

Metainfo WithForeignHashes(size_t count) {
  Metainfo song = MakeTorrent("song", 1);
  for (size_t i = 0; i < count; ++i) {
    InfoHash hash = song.AllInfoHashes()[0];
    hash[0] = static_cast<uint8_t>(hash[0] + 1 + i);
    song.foreign_info_hashes.push_back(hash);
  }
  return song;
}

std::vector<Row> OfRegistrations() {
  return {
      {"metainfo.pieces",
       3,
       Outcome::kInvalid,
       "the content has 4 pieces; at most 3 are allowed",
       [](Tables& tables) { return tables.Register("song", 1); },
       {}},
      {"metainfo.piece_length",
       kPieceLengthMin,
       Outcome::kInvalid,
       "piece length 32768 is not a power of two",
       [](Tables& tables) { return tables.Register(MakeTorrent("song", 1, 4, 2 * kPieceLengthMin)); },
       {}},
      {"metainfo.name_bytes",
       3,
       Outcome::kInvalid,
       "the name has 4 bytes; at most 3 are allowed",
       [](Tables& tables) { return tables.Register("song", 1); },
       {}},
      {"metainfo.foreign_info_hashes",
       1,
       Outcome::kInvalid,
       "there are more than 1 foreign info-hashes",
       [](Tables& tables) { return tables.Register(WithForeignHashes(2)); },
       {}},
      {"torrents", 1, Outcome::kTooLarge, "this cluster keeps at most 1 torrents and has them all",
       [](Tables& tables) {
         tables.Register("song", 1);
         return tables.Register("other", 2);
       },
       [](const Tables& tables) { return tables.registry().torrents(); }},
      {"names_per_content", 1, Outcome::kTooLarge, "already has 1 names, the most it can have",
       [](Tables& tables) {
         tables.Register("song", 1);
         return tables.Register("the same", 1);
       },
       [](const Tables& tables) { return tables.registry().torrent(TorrentNumber(0)).names; }},
      {"info_hashes_per_content",
       4,
       Outcome::kTooLarge,
       "would have over 4 info-hashes",
       [](Tables& tables) {
         tables.Register("song", 1);
         return tables.Register("the same", 1);
       },
       {}},
      {"bytes",
       1,
       Outcome::kTooLarge,
       "the registry is full: it keeps at most 1 bytes",
       [](Tables& tables) { return tables.Register("song", 1); },
       {}},
      {"source_names", 1, Outcome::kTooLarge,
       "your address (192.0.2.7) has registered 1 names, as many as one may",
       [](Tables& tables) {
         tables.Register("song", 1);
         return tables.Register("other", 2);
       },
       [](const Tables& tables) { return HeldIn(tables).names; }},
      {"source_registered_bytes", AccountedBytes(MakeTorrent("song", 1)), Outcome::kTooLarge,
       "bytes of piece hashes, and one may register",
       [](Tables& tables) {
         tables.Register("song", 1);
         return tables.Register("other", 2);
       },
       [](const Tables& tables) { return HeldIn(tables).registered_bytes; }},
  };
}

// Two offers at once, by two peers.
Response OfferTwo(Tables& tables) {
  tables.Register("song", 1);
  tables.Offer(1);
  return tables.Offer(2);
}

std::vector<Row> OfClaims() {
  return {
      {"claims_per_content", 1, Outcome::kUnavailable, "too many peers claim this content", OfferTwo,
       [](const Tables& tables) { return tables.registry().torrent(TorrentNumber(0)).claims.size(); }},
      {"claims", 1, Outcome::kUnavailable, "the cluster holds as many claims as it can", OfferTwo,
       [](const Tables& tables) { return tables.registry().claims(); }},
      {"claims_per_command",
       1,
       Outcome::kUnavailable,
       "more than 1 claims in one command",
       [](Tables& tables) {
         tables.Register("song", 1);
         const ClaimUpdate update{TorrentNumber(0), Peer(1), ClaimUpdate::Kind::kComplete, kSource};
         return tables.Do(1, {}, Claims{{}, {update, update}});
       },
       {}},
      {"source_claim_bytes", kClaimBytes, Outcome::kUnavailable,
       "the claims of your address hold as many bytes",
       [](Tables& tables) {
         tables.Register("song", 1);
         return tables.Offer(1, 1, {Range(0, 1)});
       },
       [](const Tables& tables) { return HeldIn(tables).claim_bytes; }},
      // Who is over its share pays with its own.
      {"source_claims", 1, Outcome::kOk, "",
       [](Tables& tables) {
         const Response second = OfferTwo(tables);
         EXPECT_EQ(tables.Lookup().peers[0].peer, Peer(1, 2));
         return second;
       },
       [](const Tables& tables) { return HeldIn(tables).claims; }},
      {"source_claims_per_content", 1, Outcome::kOk, "",
       [](Tables& tables) {
         const Response second = OfferTwo(tables);
         EXPECT_EQ(tables.Lookup().peers[0].peer, Peer(1, 2));
         return second;
       },
       [](const Tables& tables) { return HeldIn(tables).claims; }},
  };
}

std::vector<Row> OfTime() {
  const auto drop = [](auto command) {
    return [command](Tables& tables) {
      tables.Register("song", 1);
      for (uint16_t port = 1; port <= 9; ++port) tables.Offer(port);
      return tables.Do(100'000, {}, command);
    };
  };
  const auto dropped = [](uint64_t others) {
    return [others](const Tables& tables) { return 9 - others - tables.registry().claims(); };
  };
  return {
      {"claim_lifetime",
       700,
       Outcome::kOk,
       "",
       [](Tables& tables) {
         OfferTwo(tables);
         tables.Offer(2, 700);
         EXPECT_EQ(tables.Lookup().peers.size(), 2u);
         const Response renewed = tables.Offer(2, 701);
         EXPECT_EQ(tables.Lookup().peers.size(), 1u);
         return renewed;
       },
       {}},
      {"renew_interval",
       60,
       Outcome::kOk,
       "",
       [](Tables& tables) {
         OfferTwo(tables);
         EXPECT_EQ(tables.Lookup().interval, Seconds(60));
         return Response();
       },
       {}},
      {"expiries_per_command", 3, Outcome::kNotFound, "", drop(OfferOf(std::string("none"), Peer(1), {})),
       dropped(0)},
      // One with the command itself, as with any.
      {"expiries_per_tick", 3, Outcome::kOk, "", drop(Tick{}), dropped(1)},
      {"sessions", 1, Outcome::kUnavailable, "all 1 sessions of this cluster are in use",
       [](Tables& tables) {
         tables.Register("song", 1);
         EXPECT_EQ(tables.OfferIn(1, 1, 1).outcome, Outcome::kOk);
         return tables.OfferIn(2, 1, 1);
       },
       [](const Tables& tables) { return tables.state().sessions().size(); }},
      {"session_lifetime",
       100,
       Outcome::kSessionExpired,
       "session expired: open a new one",
       [](Tables& tables) {
         tables.Register("song", 1);
         EXPECT_EQ(tables.OfferIn(1, 1, 1).outcome, Outcome::kOk);
         EXPECT_EQ(tables.OfferIn(1, 2, 100).outcome, Outcome::kOk);
         return tables.OfferIn(1, 3, 200);
       },
       {}},
  };
}

class LimitsReachedTest : public testing::TestWithParam<Row> {};

TEST_P(LimitsReachedTest, WhatIsBeyondItIsRefusedWithItsSentence) {
  const Row& row = GetParam();
  Tables tables(row.limit, row.value);
  const Response response = row.reach(tables);
  EXPECT_EQ(response.outcome, row.outcome) << response.reason;
  EXPECT_NE(response.reason.find(row.sentence), std::string::npos) << response.reason;
  if (row.use) {
    EXPECT_EQ(row.use(tables), row.value);
    const std::optional<Held> held = HeldNamed(row.limit);
    if (held) {
      EXPECT_EQ(tables.state().peaks().Of(*held), row.value) << "the most that there was";
    }
  }
  // The same under the limits of production is within them.
  if (row.outcome == Outcome::kOk || row.outcome == Outcome::kNotFound) return;
  if (row.limit == "session_lifetime") return;  // it is the time that passes
  Tables wide("torrents", Limits().torrents);
  EXPECT_EQ(row.reach(wide).reason, "") << row.limit;
}

std::string NameOf(const testing::TestParamInfo<Row>& info) {
  std::string name(info.param.limit);
  for (char& c : name) c = c == '.' ? '_' : c;
  return name;
}

INSTANTIATE_TEST_SUITE_P(Registrations, LimitsReachedTest, testing::ValuesIn(OfRegistrations()), NameOf);
INSTANTIATE_TEST_SUITE_P(Claims, LimitsReachedTest, testing::ValuesIn(OfClaims()), NameOf);
INSTANTIATE_TEST_SUITE_P(Time, LimitsReachedTest, testing::ValuesIn(OfTime()), NameOf);

// A full table forgets no session that was used within that age.
TEST(AgreedLimitsTest, SessionsGiveWayInAFullTableWhenTheyAreOldEnough) {
  Limits limits;
  limits.sessions = 1;
  limits.session_eviction_age = Seconds(10);
  ReplicatedState state;
  const auto apply = [&](int64_t at, MutationId id, const auto& operation) {
    return state.Apply(At(at), EncodeCommand(id, operation), LevelRange()).response;
  };
  apply(0, {}, SetLimits{{}, 0, limits});
  apply(0, {}, RegisterOf(MakeTorrent("song", 1)));
  const auto offer = OfferOf(std::string("song"), Peer(1), {});
  EXPECT_EQ(apply(1, {SessionId(1), 1}, offer).outcome, Outcome::kOk);
  const Response refused = apply(10, {SessionId(2), 1}, offer);
  EXPECT_EQ(refused.outcome, Outcome::kUnavailable);
  EXPECT_EQ(refused.retry_after, Seconds(10));
  EXPECT_EQ(apply(11, {SessionId(2), 1}, offer).outcome, Outcome::kOk);
}

// What was there is told when it has gone, and when the state was taken up from a snapshot meanwhile.
TEST(AgreedLimitsTest, TheMostThatThereWasOutlivesWhatHasExpired) {
  ReplicatedState state;
  const auto apply = [&](int64_t at, const auto& operation) {
    state.Apply(At(at), EncodeCommand({}, operation, kSource), LevelRange());
  };
  Metainfo song = WithForeignHashes(2);
  apply(0, RegisterOf(song));
  song.name = "the same song";
  apply(0, RegisterOf(song));
  for (uint16_t port = 1; port <= 9; ++port) apply(1, OfferOf(song.content(), Peer(1, port), {Range(0, 1)}));
  apply(1, Claims{{}, {{TorrentNumber(0), Peer(2), ClaimUpdate::Kind::kComplete, kSource}}});
  const uint64_t bytes = state.registry().accounted_bytes();
  const auto expect = [&](const Peaks& peaks) {
    EXPECT_EQ(peaks.Of(Held::kTorrents), 1u);
    EXPECT_EQ(peaks.Of(Held::kNamesPerContent), 2u);
    EXPECT_EQ(peaks.Of(Held::kInfoHashesPerContent), state.registry().torrent(TorrentNumber(0)).info_hashes);
    EXPECT_EQ(peaks.Of(Held::kPieces), song.piece_count());
    EXPECT_EQ(peaks.Of(Held::kPieceLength), song.piece_length);
    EXPECT_EQ(peaks.Of(Held::kNameBytes), song.name.size());
    EXPECT_EQ(peaks.Of(Held::kForeignInfoHashes), 2u);
    EXPECT_EQ(peaks.Of(Held::kBytes), bytes);
    for (const Held held :
         {Held::kClaims, Held::kClaimsPerContent, Held::kSourceClaims, Held::kSourceClaimsPerContent})
      EXPECT_EQ(peaks.Of(held), 10u) << static_cast<int>(held);
    EXPECT_EQ(peaks.Of(Held::kSourceNames), 2u);
    EXPECT_EQ(peaks.Of(Held::kSourceRegisteredBytes), AccountedBytes(song));
    EXPECT_EQ(peaks.Of(Held::kSourceClaimBytes),
              10 * kClaimBytes + 9 * AccountedBytes(PieceMap(song.piece_count())));
  };
  expect(state.peaks());
  EXPECT_EQ(state.peaks().Of(Held::kClaimsPerCommand), 1u);
  absl::StatusOr<ReplicatedState> read = ReplicatedState::Decode(Slice::Own(state.Encode()));
  ASSERT_TRUE(read.ok());
  expect(read->peaks());
  apply(100'000, Tick{});
  ASSERT_EQ(state.registry().claims(), 0u);
  expect(state.peaks());
  absl::StatusOr<ReplicatedState> later = ReplicatedState::Decode(Slice::Own(state.Encode()));
  ASSERT_TRUE(later.ok());
  EXPECT_EQ(later->peaks().Of(Held::kClaims), 0u);
  EXPECT_EQ(later->Digest(), state.Digest());
  later->TakeOver(state.peaks());
  expect(later->peaks());
  EXPECT_EQ(later->Digest(), state.Digest());
}

TEST(AgreedLimitsTest, EveryAgreedLimitIsReachedHere) {
  std::set<std::string, std::less<>> reached{"session_eviction_age"};
  for (const auto& rows : {OfRegistrations(), OfClaims(), OfTime()})
    for (const Row& row : rows) reached.emplace(row.limit);
  for (const NamedLimit& limit : NamedLimits(Limits()))
    EXPECT_TRUE(reached.contains(limit.name)) << limit.name;
}

}  // namespace
}  // namespace bt::tracker
