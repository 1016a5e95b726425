// Whom and what an answer lists, however much there is.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/swarm/tracker_session.h"
#include "core/tracker/draw.h"
#include "core/tracker/registry.h"
#include "core/tracker_api/listed_bytes.h"
#include "tests/core/tracker/fixtures.h"

namespace bt::tracker {
namespace {

using tracker_api::Lookup;
using tracker_api::Peers;

constexpr uint32_t kMany = 1000;

Address Numbered(uint32_t number) {
  return Peer(static_cast<uint8_t>(1 + number / 250), static_cast<uint16_t>(1000 + number % 250));
}

class ListingsTest : public testing::Test {
 protected:
  ListingsTest() { registry_.Apply(At(0), RegisterOf(song_)); }

  void Claim(uint32_t number, std::vector<PieceRange> pieces = {}) {
    registry_.Apply(At(1), OfferOf(song_.content(), Numbered(number), std::move(pieces)));
  }
  void Leave(uint32_t number) {
    registry_.Apply(At(1), tracker_api::Withdraw{{}, song_.content(), Numbered(number), {}});
  }
  Peers Found(Lookup lookup, uint64_t seed = 0) const {
    lookup.torrent = song_.content();
    return PeersIn(registry_.Lookup(lookup, seed));
  }
  static uint64_t Bytes(const Peers& peers) {
    uint64_t bytes = 0;
    for (const auto& claim : peers.peers) bytes += tracker_api::ListedBytes(claim);
    return bytes;
  }

  Metainfo song_ = MakeTorrent("song", 1);
  Registry registry_;
};

TEST(DrawTest, ComesByEachPlaceOnce) {
  for (const uint32_t size : {1u, 2u, 12u, 97u, 360u}) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      absl::btree_set<uint32_t> places;
      const Draw draw(size, seed);
      for (uint32_t i = 0; i < size; ++i) places.insert(draw.at(i));
      EXPECT_EQ(places.size(), size);
      EXPECT_LT(*places.rbegin(), size);
    }
  }
}

TEST_F(ListingsTest, ALookupNamesFiftyPeersAndTwoHundredIfAsked) {
  for (uint32_t i = 0; i < kMany; ++i) Claim(i);
  EXPECT_EQ(Found({}).peers.size(), 50u);
  EXPECT_EQ(Found({.limit = 7}).peers.size(), 7u);
  EXPECT_EQ(Found({.limit = 100'000}).peers.size(), 200u);
  EXPECT_EQ(Found({}).incomplete, kMany);
}

TEST_F(ListingsTest, EachLookupDrawsAnewSoThatNobodyIsToldToEverybodyAtOnce) {
  for (uint32_t i = 0; i < kMany; ++i) Claim(i);
  absl::btree_map<Address, uint32_t> told;
  absl::btree_set<Address> before;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    absl::btree_set<Address> drawn;
    for (const auto& claim : Found({}, seed).peers) drawn.insert(claim.peer);
    const auto again =
        std::count_if(drawn.begin(), drawn.end(), [&](const Address& a) { return before.contains(a); });
    EXPECT_LT(again, 25) << "seed " << seed;
    for (const Address& peer : drawn) ++told[peer];
    before = std::move(drawn);
  }
  EXPECT_EQ(told.size(), kMany);
  // Told 20 times on average.
  for (const auto& [peer, times] : told) EXPECT_TRUE(times >= 4 && times <= 50) << times;
  EXPECT_EQ(Found({}, 3), Found({}, 3));
}

TEST_F(ListingsTest, AWalkTellsEverybodyWhoStaysThoughOthersComeAndGo) {
  for (uint32_t i = 0; i < kMany; ++i) Claim(i);
  absl::btree_set<Address> told;
  Rng rng(3);
  uint32_t next = kMany;
  absl::btree_set<uint32_t> gone;
  Lookup page{.limit = 30, .cursor = tracker_api::kWalkStart};
  for (int pages = 0; page.cursor.has_value(); ++pages) {
    ASSERT_LT(pages, 100);
    const Peers found = Found(page);
    for (const auto& claim : found.peers) told.insert(claim.peer);
    page.cursor = found.cursor;
    for (int i = 0; i < 5; ++i) {
      const auto leaver = static_cast<uint32_t>(rng.Below(kMany));
      if (gone.insert(leaver).second) Leave(leaver);
      Claim(next++);
    }
  }
  for (uint32_t i = 0; i < kMany; ++i) EXPECT_TRUE(gone.contains(i) || told.contains(Numbered(i))) << i;
}

TEST_F(ListingsTest, PieceSetsAreKeptWithinTheBytesOfAnAnswer) {
  constexpr uint32_t kPieces = 8192;
  song_ = MakeTorrent("long", 2, kPieces);
  registry_.Apply(At(1), RegisterOf(song_));
  std::vector<PieceRange> scattered;
  for (uint32_t i = 0; i < kPieces; i += 2) scattered.push_back(Range(i, 1));
  for (uint32_t i = 0; i < 800; ++i) Claim(i, scattered);
  const Peers drawn = Found({.limit = 200});
  ASSERT_LT(drawn.peers.size(), 200u);
  EXPECT_GT(drawn.peers.size(), 150u) << "as bitfields, not as ranges";
  EXPECT_LE(Bytes(drawn), tracker_api::kListedBytesLimit);
  EXPECT_EQ(Found({.limit = 200, .pieces = false}).peers.size(), 200u);

  absl::btree_set<Address> told;
  Lookup page{.limit = 200, .cursor = tracker_api::kWalkStart};
  while (page.cursor.has_value()) {
    const Peers found = Found(page);
    EXPECT_LE(Bytes(found), tracker_api::kListedBytesLimit);
    ASSERT_FALSE(found.peers.empty());
    for (const auto& claim : found.peers) told.insert(claim.peer);
    page.cursor = found.cursor;
  }
  EXPECT_EQ(told.size(), 800u);
}

TEST_F(ListingsTest, ALookupLooksAtABoundedNumberOfClaimsThatHaveRunOut) {
  for (uint32_t i = 0; i < 3000; ++i) Claim(i);
  registry_.Apply(At(2 + Limits().claim_lifetime.seconds()), Tick{});
  const uint64_t left = registry_.claims();
  ASSERT_GT(left, 1024u) << "dropped little by little";
  const Peers page = Found({.cursor = tracker_api::kWalkStart});
  EXPECT_TRUE(page.peers.empty());
  EXPECT_EQ(page.cursor, static_cast<uint32_t>(left) - 1024);
}

TEST_F(ListingsTest, ALongListIsCutIntoPagesOfBoundedBytes) {
  constexpr uint32_t kContents = 16;
  for (uint32_t i = 0; i < kContents * Limits().names_per_content; ++i) {
    Metainfo torrent = MakeTorrent("x", static_cast<uint8_t>(100 + i % kContents), 1);
    torrent.name = std::to_string(10'000 + i) + std::string(250, '"');
    ASSERT_EQ(registry_.Apply(At(1), RegisterOf(torrent)).outcome, tracker_api::Outcome::kCreated) << i;
  }
  tracker_api::List page{.limit = tracker_api::kListLimit};
  size_t names = 0;
  for (bool more = true; more;) {
    const tracker_api::Response response = registry_.List(page);
    const auto& listing = std::get<tracker_api::Listing>(response.body);
    uint64_t bytes = 0;
    for (const auto& entry : listing.torrents) bytes += tracker_api::ListedBytes(entry);
    EXPECT_LE(bytes, tracker_api::kListedBytesLimit);
    ASSERT_FALSE(listing.torrents.empty());
    names += listing.torrents.size();
    page.after = listing.torrents.back().name;
    more = listing.more;
  }
  EXPECT_EQ(names, 1 + kContents * Limits().names_per_content);
}

// What a client with a thousand peers in its swarm needs: the one that has the missing piece.
TEST_F(ListingsTest, AClientHearsOfEveryPeerOfALargeSwarmWithinTwiceAWalk) {
  for (uint32_t i = 0; i < kMany; ++i) Claim(i);
  for (uint64_t run = 0; run < 20; ++run) {
    swarm::Config config;
    config.trackers = 1;
    swarm::TrackerSession session(config);
    Outbox<swarm::Protocol> out;
    Rng rng(run);
    Context<swarm::Protocol> context{Instant{1}, rng, out};
    const PieceMap none(song_.piece_count());
    session.Begin(song_.content(), song_.piece_count(), context.now, rng);
    session.SetLookups(swarm::TrackerSession::Wanted::kMorePeers);
    absl::btree_set<Address> told;
    int lookups = 0;
    for (; told.size() < kMany; ++lookups) {
      ASSERT_LE(lookups, 2 * static_cast<int>(kMany / tracker_api::kLookupLimit + 1)) << told.size();
      session.Poll(none, context);
      const auto ask = std::get<tracker_api::Ask>(out.sends.at(0).message);
      out.Clear();
      const tracker_api::Response response =
          registry_.Lookup(std::get<Lookup>(ask.request), 1000 * run + static_cast<uint64_t>(lookups));
      for (const auto& claim : PeersIn(response).peers) told.insert(claim.peer);
      session.Receive(tracker_api::Answer{ask.id, response}, none, context);
      out.Clear();
      context.now = context.now + Seconds(30);
    }
  }
}

}  // namespace
}  // namespace bt::tracker
