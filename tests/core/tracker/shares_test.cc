// Shares: an address takes no more of the tables than it may, pays with what is its own, and gets back what
// it gives up.

#include "core/tracker/shares.h"

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/tracker/replicated_state.h"
#include "tests/core/tracker/cluster.h"
#include "tests/core/tracker/fixtures.h"

namespace bt::tracker {
namespace {

using tracker_api::Outcome;
using tracker_api::Response;

const Source kGreedy = SourceOf(Address::V4(192, 0, 2, 66, 0));
const Source kHonest = SourceOf(Address::V4(192, 0, 2, 3, 0));

class SharesTest : public testing::Test {
 protected:
  SharesTest() {
    limits_.source_claims = 4;
    limits_.source_claims_per_content = 3;
    limits_.source_names = 3;
    limits_.source_registered_bytes = 4 * AccountedBytes(song_);
    limits_.expiries_per_command = 1;
    registry_.Apply(At(0), SetLimits{{}, 0, limits_});
    registry_.Apply(At(0), RegisterOf(song_), kHonest);
    registry_.Apply(At(0), RegisterOf(other_), kHonest);
  }
  Outcome Offer(int64_t at, const Metainfo& torrent, Address peer, Source source,
                std::vector<PieceRange> pieces = {Range(0, 4)}) {
    return registry_.Apply(At(at), OfferOf(torrent.content(), peer, std::move(pieces)), source).outcome;
  }
  void Announce(int64_t at, uint32_t torrent, Address peer, Source source) {
    registry_.Apply(At(at),
                    Claims{{}, {{TorrentNumber(torrent), peer, ClaimUpdate::Kind::kComplete, source}}});
  }
  bool Lists(const Metainfo& torrent, Address peer) const {
    return registry_.Find(torrent.content())->claims.Find(peer) != nullptr;
  }
  Share Held(Source source) const { return registry_.shares().Of(source); }

  const Metainfo song_ = MakeTorrent("song", 1);
  const Metainfo other_ = MakeTorrent("other", 2);
  Limits limits_;
  Registry registry_;
};

TEST(SourceTest, AnIpv4AddressCountsAloneAndAnIpv6OneWithItsNetworkOf64Bits) {
  const auto of = [](const char* text) { return SourceOf(*Address::Parse(text)); };
  EXPECT_NE(of("192.0.2.1:1"), of("192.0.2.2:1"));
  EXPECT_EQ(of("192.0.2.1:1"), of("192.0.2.1:2"));
  EXPECT_EQ(of("[2001:db8:0:1::1]:1"), of("[2001:db8:0:1:ffff::2]:9"));
  EXPECT_NE(of("[2001:db8:0:1::1]:1"), of("[2001:db8:0:2::1]:1"));
  EXPECT_NE(of("[::1]:1"), of("127.0.0.1:1"));
  EXPECT_EQ(SourceText(of("192.0.2.1:1")), "192.0.2.1");
  EXPECT_EQ(SourceText(of("[2001:db8:0:1::1]:1")), "2001:db8:0:1::/64");
  EXPECT_EQ(SourceText(of("[::1]:1")), "::/64");
}

TEST_F(SharesTest, WhoIsOverItsShareOfATorrentDisplacesItsOwnOldestClaim) {
  EXPECT_EQ(Offer(1, song_, Peer(1), kHonest), Outcome::kOk);
  for (uint16_t port = 1; port <= 5; ++port) Offer(1 + port, song_, Peer(66, port), kGreedy);
  EXPECT_EQ(Held(kGreedy).claims, 3u);
  EXPECT_FALSE(Lists(song_, Peer(66, 1)));
  EXPECT_FALSE(Lists(song_, Peer(66, 2)));
  for (uint16_t port = 3; port <= 5; ++port) EXPECT_TRUE(Lists(song_, Peer(66, port)));
  EXPECT_TRUE(Lists(song_, Peer(1))) << "another's claim is older, and stays";
}

TEST_F(SharesTest, WhoIsOverItsShareOfAllDisplacesItsOldestOfAnyTorrent) {
  Announce(1, 1, Peer(66, 1), kGreedy);
  for (uint16_t port = 2; port <= 4; ++port) Announce(port, 0, Peer(66, port), kGreedy);
  Announce(5, 1, Peer(66, 5), kGreedy);
  EXPECT_EQ(Held(kGreedy).claims, 4u);
  EXPECT_FALSE(Lists(other_, Peer(66, 1)));
  EXPECT_TRUE(Lists(other_, Peer(66, 5)));
}

TEST_F(SharesTest, AClaimThatWasRenewedIsNotTheOldest) {
  for (uint16_t port = 1; port <= 3; ++port) Offer(port, song_, Peer(66, port), kGreedy);
  Offer(10, song_, Peer(66, 1), kGreedy);
  Offer(11, song_, Peer(66, 4), kGreedy);
  EXPECT_TRUE(Lists(song_, Peer(66, 1)));
  EXPECT_FALSE(Lists(song_, Peer(66, 2)));
}

TEST_F(SharesTest, TheAddressThatAskedCountsAndNotTheOneThatIsClaimed) {
  for (uint8_t host = 1; host <= 9; ++host) Announce(host, 0, Peer(host), kGreedy);
  EXPECT_EQ(Held(kGreedy).claims, 3u);
  EXPECT_EQ(Offer(10, song_, Peer(8), kHonest), Outcome::kOk);
  EXPECT_EQ(Held(kGreedy).claims, 3u) << "a claim stays with who made it, whoever renews it";
  EXPECT_EQ(Held(kHonest).claims, 0u);
}

TEST_F(SharesTest, WhatIsGivenUpMakesRoom) {
  for (uint16_t port = 1; port <= 3; ++port) Offer(1, song_, Peer(66, port), kGreedy);
  registry_.Apply(At(2), tracker_api::Withdraw{{}, song_.content(), Peer(66, 1), {}}, kGreedy);
  EXPECT_EQ(Held(kGreedy).claims, 2u);
  Offer(3, song_, Peer(66, 4), kGreedy);
  EXPECT_TRUE(Lists(song_, Peer(66, 2)));
  for (int i = 0; i < 5; ++i) registry_.Apply(At(3 + limits_.claim_lifetime.seconds()), Tick{});
  EXPECT_EQ(Held(kGreedy), Share()) << "everything has run out";
  EXPECT_EQ(registry_.shares().ClaimsOf(kGreedy, TorrentNumber(0)), 0u);
}

TEST_F(SharesTest, OfTheBytesOfClaimsOwnOnesGiveWayToo) {
  limits_.source_claim_bytes = 3 * kClaimBytes;
  registry_.Apply(At(1), SetLimits{{}, 1, limits_});
  for (uint16_t port = 1; port <= 2; ++port) Offer(port, song_, Peer(66, port), kGreedy, {Range(0, 1)});
  EXPECT_EQ(Held(kGreedy).claim_bytes, 2 * (kClaimBytes + 8));
  EXPECT_EQ(Offer(3, song_, Peer(66, 3), kGreedy, {Range(0, 1)}), Outcome::kOk);
  EXPECT_EQ(Held(kGreedy).claims, 2u);
  EXPECT_FALSE(Lists(song_, Peer(66, 1)));
  Offer(4, song_, Peer(66, 4), kHonest);
  EXPECT_TRUE(Lists(song_, Peer(66, 2)));
}

TEST_F(SharesTest, NamesBeyondTheShareAreRefusedWithASentenceAndOnesOfOthersAreNot) {
  for (uint8_t i = 0; i < 3; ++i) {
    EXPECT_EQ(registry_.Apply(At(1), RegisterOf(MakeTorrent(std::string(1, 'a' + i), 1)), kGreedy).outcome,
              Outcome::kCreated);
  }
  const Response refused = registry_.Apply(At(2), RegisterOf(MakeTorrent("d", 1)), kGreedy);
  EXPECT_EQ(refused.outcome, Outcome::kTooLarge);
  EXPECT_NE(refused.reason.find("your address (192.0.2.66) has registered 3 names"), std::string::npos)
      << refused.reason;
  EXPECT_EQ(registry_.Apply(At(2), RegisterOf(MakeTorrent("a", 1)), kGreedy).outcome, Outcome::kOk)
      << "what is registered already takes nothing";
  EXPECT_EQ(registry_.Apply(At(2), RegisterOf(MakeTorrent("d", 1)), kHonest).outcome, Outcome::kCreated);
  limits_.source_names = 4;
  registry_.Apply(At(3), SetLimits{{}, 1, limits_});
  EXPECT_EQ(registry_.Apply(At(3), RegisterOf(MakeTorrent("e", 1)), kGreedy).outcome, Outcome::kCreated)
      << "the cluster has agreed to more";
}

TEST_F(SharesTest, PieceHashesBeyondTheShareAreRefused) {
  limits_.source_registered_bytes = AccountedBytes(song_);
  registry_.Apply(At(1), SetLimits{{}, 1, limits_});
  EXPECT_EQ(registry_.Apply(At(1), RegisterOf(MakeTorrent("x", 9)), kGreedy).outcome, Outcome::kCreated);
  const Response refused = registry_.Apply(At(1), RegisterOf(MakeTorrent("y", 10)), kGreedy);
  EXPECT_EQ(refused.outcome, Outcome::kTooLarge);
  EXPECT_NE(refused.reason.find("source_registered_bytes"), std::string::npos) << refused.reason;
  EXPECT_EQ(registry_.Apply(At(1), RegisterOf(MakeTorrent("z", 9)), kGreedy).outcome, Outcome::kCreated)
      << "another name of one content has no hashes of its own";
}

TEST_F(SharesTest, ANodeThatBeginsFromASnapshotKnowsTheShares) {
  ReplicatedState state;
  state.Apply(At(0), EncodeCommand({}, SetLimits{{}, 0, limits_}));
  state.Apply(At(0), EncodeCommand({}, RegisterOf(song_), kGreedy));
  for (uint16_t port = 1; port <= 5; ++port) {
    state.Apply(At(port),
                EncodeCommand({}, OfferOf(song_.content(), Peer(66, port), {Range(0, 1)}), kGreedy));
  }
  const auto restored = ReplicatedState::Decode(Slice::Own(state.Encode()));
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_TRUE(restored->registry().shares() == state.registry().shares());
  EXPECT_EQ(restored->registry().shares().Of(kGreedy).claims, 3u);
  EXPECT_EQ(restored->registry().shares().Of(kGreedy).names, 1u);
}

// A few claims of many pieces, or one registration, may be of many bytes.
TEST(SharesOfBytesTest, WhoHoldsMostIsFoundHoweverFewClaimsAndNamesItHas) {
  Shares shares;
  shares.AddRegisteredBytes(kGreedy, Shares::kLargeBytes - 1);
  EXPECT_TRUE(shares.Largest(&Share::registered_bytes, 1).empty());
  shares.AddRegisteredBytes(kGreedy, 1);
  EXPECT_EQ(shares.Largest(&Share::registered_bytes, 2), std::vector<Source>{kGreedy});
  EXPECT_TRUE(shares.Largest(&Share::names, 1).empty());
  shares.AddClaimBytes(kHonest, Shares::kLargeBytes);
  shares.AddClaimBytes(kGreedy, 2 * Shares::kLargeBytes);
  EXPECT_EQ(shares.Largest(&Share::claim_bytes, 2), (std::vector<Source>{kGreedy, kHonest}));
  shares.RemoveClaimBytes(kGreedy, Shares::kLargeBytes + 1);
  EXPECT_EQ(shares.Largest(&Share::claim_bytes, 2), std::vector<Source>{kHonest});
}

TEST_F(SharesTest, AFullTableIsAnAlarmThatNamesWhoFillsIt) {
  EXPECT_TRUE(registry_.Alarms().empty());
  Limits limits;
  limits.claims = 2048;
  limits.source_claims = 1500;
  registry_.Apply(At(1), SetLimits{{}, 1, limits});
  for (uint16_t port = 1; port <= 2000; ++port) Announce(1, 0, Peer(66, port), kGreedy);
  ASSERT_EQ(registry_.Alarms().size(), 1u);
  EXPECT_EQ(registry_.Alarms()[0].name, "source_claims of 192.0.2.66");
  for (uint16_t port = 1; port <= 548; ++port) Announce(1, 0, Peer(1, port), kHonest);
  ASSERT_EQ(registry_.Alarms().size(), 2u);
  EXPECT_EQ(registry_.Alarms()[0].text,
            "all 2048 claims are taken: offers are answered 503 and announces are not listed; most are of "
            "192.0.2.66 (1500)");
  for (int i = 0; i < 3; ++i) registry_.Apply(At(1 + limits.claim_lifetime.seconds()), Tick{});
  EXPECT_TRUE(registry_.Alarms().empty()) << "the greedy have left";
}

TEST_F(SharesTest, WhoHasItsShareOfBytesIsAnAlarmAndSoAreAllOfThem) {
  const Metainfo large = MakeTorrent("large", 3, 21'000);
  const uint64_t torrent = AccountedBytes(large);
  const uint64_t claims = 400 * (kClaimBytes + AccountedBytes(PieceMap(large.piece_count())));
  Limits limits;
  limits.source_registered_bytes = torrent;
  limits.source_claim_bytes = claims;
  registry_.Apply(At(1), SetLimits{{}, 1, limits});
  registry_.Apply(At(1), RegisterOf(large), kGreedy);
  ASSERT_EQ(registry_.Alarms().size(), 1u);
  EXPECT_EQ(registry_.Alarms()[0].name, "source_registered_bytes of 192.0.2.66");
  for (uint16_t port = 1; port <= 450; ++port) Offer(1, large, Peer(1, port), kHonest);
  ASSERT_EQ(registry_.Alarms().size(), 2u);
  EXPECT_EQ(registry_.Alarms()[0].text,
            absl::StrCat("192.0.2.3 holds ", claims, " bytes of claims, its whole share of ", claims,
                         ": its oldest make room for its new ones"));
  limits.bytes = registry_.accounted_bytes();
  registry_.Apply(At(1), SetLimits{{}, 2, limits});
  const std::vector<tracker_api::Alarm> full = registry_.Alarms();
  ASSERT_EQ(full.size(), 3u);
  EXPECT_EQ(full[0].name, "bytes");
  const uint64_t honest = claims + AccountedBytes(song_) + AccountedBytes(other_);
  const std::string holders =
      absl::StrCat("most are of 192.0.2.3 (", honest, "), 192.0.2.66 (", torrent, ")");
  EXPECT_NE(full[0].text.find(holders), std::string::npos) << full[0].text;
}

// At a real node, over a follower: the source travels with what is forwarded.
TEST(SharesOfNodesTest, AnAnnounceThatIsNotListedForLongIsTold) {
  Cluster cluster(3);
  const size_t leader = cluster.AwaitLeader();
  const size_t follower = cluster.AFollower(leader);
  const Metainfo song = MakeTorrent("song", 1);
  Limits limits;
  limits.source_claims_per_content = 2;
  limits.claims_per_content = 3;
  ASSERT_EQ(cluster.Do(leader, SetLimits{{}, 0, limits}).outcome, Outcome::kOk);
  ASSERT_EQ(cluster.Do(follower, RegisterOf(song), kHonest).outcome, Outcome::kCreated);
  const auto announce = [&](Address peer, Source source) {
    Response response = cluster.Do(
        follower, tracker_api::Announce{.info_hash = song.AllInfoHashes().front(), .peer = peer}, source);
    cluster.RunFor(Seconds(1));
    return response;
  };
  EXPECT_EQ(announce(Peer(66, 1), kGreedy).reason, "");
  EXPECT_EQ(announce(Peer(66, 2), kGreedy).reason, "");
  const Response over = announce(Peer(66, 3), kGreedy);
  EXPECT_EQ(over.outcome, Outcome::kOk);
  EXPECT_NE(over.reason.find("your address holds 2 claims of this torrent"), std::string::npos)
      << over.reason;
  EXPECT_EQ(announce(Peer(1), kHonest).reason, "");
  const Response full = announce(Peer(2), SourceOf(Peer(2)));
  EXPECT_EQ(full.outcome, Outcome::kOk);
  EXPECT_NE(full.reason.find("you will not be listed"), std::string::npos) << full.reason;
  const Registry& applied = cluster.node(leader).registry();
  EXPECT_EQ(applied.shares().Of(kGreedy).claims, 2u);
  EXPECT_EQ(applied.shares().Of(kHonest).claims, 1u);
  EXPECT_EQ(applied.claims(), 3u);
}

}  // namespace
}  // namespace bt::tracker
