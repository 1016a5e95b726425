#include "core/tracker/registry.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "core/tracker/replicated_state.h"
#include "tests/core/tracker/fixtures.h"

namespace bt::tracker {
namespace {

using tracker_api::Outcome;
using tracker_api::Response;

// A registry whose limits were set before anything else.
Registry Limited(const Limits& limits) {
  Registry registry;
  EXPECT_EQ(registry.Apply(Instant{}, SetLimits{{}, 0, limits}).outcome, Outcome::kOk);
  return registry;
}

constexpr auto kName = [](const char* name) { return tracker_api::TorrentKey(std::string(name)); };

std::string EncodeAlone(const Registry& registry) {
  return ReplicatedState(registry, Sessions(), 0).Encode();
}

TEST(RegistrationTest, TheFirstIsCreatedAndTheSameAgainIsAnIdempotentSuccess) {
  Registry registry;
  const Metainfo song = MakeTorrent("song", 1);
  EXPECT_EQ(registry.Apply(At(1), RegisterOf(song)).outcome, Outcome::kCreated);
  const Response again = registry.Apply(At(2), RegisterOf(song));
  EXPECT_EQ(again.outcome, Outcome::kOk);
  EXPECT_EQ(std::get<tracker_api::Registered>(again.body).content, song.content());
  EXPECT_EQ(registry.torrents(), 1u);
}

TEST(RegistrationTest, ANameIsNeverBoundToOtherContent) {
  Registry registry;
  registry.Apply(At(1), RegisterOf(MakeTorrent("song", 1)));
  const Response refused = registry.Apply(At(2), RegisterOf(MakeTorrent("song", 2)));
  EXPECT_EQ(refused.outcome, Outcome::kConflict);
  EXPECT_NE(refused.reason.find("name \"song\" is already bound"), std::string::npos) << refused.reason;
  EXPECT_EQ(registry.Find(kName("song"))->content(), MakeTorrent("song", 1).content());
  EXPECT_EQ(registry.torrents(), 1u);
}

TEST(RegistrationTest, AContentNeverGetsOtherPieceHashesOrAnotherPieceLength) {
  Registry registry;
  const Metainfo song = MakeTorrent("song", 1);
  registry.Apply(At(1), RegisterOf(song));

  Metainfo forged = song;
  forged.name = "other";
  forged.v1_pieces[2][0] ^= 1;
  const Response hashes = registry.Apply(At(2), RegisterOf(forged));
  EXPECT_EQ(hashes.outcome, Outcome::kConflict);
  EXPECT_NE(hashes.reason.find("other piece hashes (v1)"), std::string::npos) << hashes.reason;

  const Response length = registry.Apply(At(3), RegisterOf(MakeTorrent("song", 1, 4, 2 * kPieceLengthMin)));
  EXPECT_EQ(length.outcome, Outcome::kConflict);
  EXPECT_NE(length.reason.find("with piece length 16384, not 32768"), std::string::npos) << length.reason;
  EXPECT_EQ(registry.Find(kName("other")), nullptr);
}

TEST(RegistrationTest, HashesThatWereNotRegisteredCannotBeAddedLaterButMayBeLeftOut) {
  Registry registry;
  const Metainfo full = MakeTorrent("full", 1);
  Metainfo bare = MakeTorrent("bare", 2);
  bare.v1_pieces.clear();
  registry.Apply(At(1), RegisterOf(full));
  registry.Apply(At(1), RegisterOf(bare));

  const Response added = registry.Apply(At(2), RegisterOf(MakeTorrent("bare", 2)));
  EXPECT_EQ(added.outcome, Outcome::kConflict);
  EXPECT_NE(added.reason.find("cannot be added"), std::string::npos) << added.reason;
  Metainfo less = full;
  less.v1_pieces.clear();
  EXPECT_EQ(registry.Apply(At(3), RegisterOf(less)).outcome, Outcome::kOk);
  less.name = "less";
  EXPECT_EQ(registry.Apply(At(4), RegisterOf(less)).outcome, Outcome::kCreated);
  const Response fetched = registry.Fetch({kName("less"), false});
  EXPECT_EQ(std::get<tracker_api::Fetched>(fetched.body).metainfo.v1_pieces, full.v1_pieces);
}

TEST(RegistrationTest, OneContentMayHaveSeveralNamesEachBoundForEver) {
  Registry registry;
  const Metainfo song = MakeTorrent("song", 1);
  Metainfo copy = song;
  copy.name = "copy";
  registry.Apply(At(1), RegisterOf(song));
  EXPECT_EQ(registry.Apply(At(2), RegisterOf(copy)).outcome, Outcome::kCreated);
  EXPECT_EQ(registry.torrents(), 1u);
  EXPECT_EQ(registry.Apply(At(3), RegisterOf(MakeTorrent("copy", 2))).outcome, Outcome::kConflict);
  // Each name has its own info dictionary, so its own info-hashes; fetching by one gives that name back.
  for (const Metainfo& metainfo : {song, copy}) {
    for (const InfoHash& hash : metainfo.AllInfoHashes()) {
      ASSERT_NE(registry.FindInfoHash(hash), nullptr);
      const Response fetched = registry.Fetch({hash, false});
      EXPECT_EQ(std::get<tracker_api::Fetched>(fetched.body).metainfo, metainfo);
    }
  }
}

// Peers that hold the content under one name are dialled by others under another.
TEST(RegistrationTest, ALookupTellsTheInfoHashesOfAllNamesOnceThereAreSeveral) {
  Registry registry;
  const Metainfo song = MakeTorrent("song", 1);
  registry.Apply(At(1), RegisterOf(song));
  const auto told = [&](const Registry& of) {
    return PeersIn(of.Lookup(LookupOf(song.content()), 0)).info_hashes;
  };
  EXPECT_TRUE(told(registry).empty()) << "those of one name are derived";
  Metainfo copy = song;
  copy.name = "copy";
  copy.foreign_info_hashes = {InfoHash{1, 2, 3}};
  registry.Apply(At(2), RegisterOf(copy));
  std::vector<InfoHash> all = song.AllInfoHashes();
  const std::vector<InfoHash> others = copy.AllInfoHashes();
  all.insert(all.end(), others.begin(), others.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(told(registry), all);
  const auto restored = ReplicatedState::Decode(Slice::Own(EncodeAlone(registry)));
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(told(restored->registry()), all);
}

Metainfo MakeTree(const std::string& name) {
  const FileTree tree({{{"a"}, 5, {}, false}, {{"b", "c"}, kPieceLengthMin + 1, {}, true}}, kPieceLengthMin);
  MetainfoBuilder builder(name, tree, kPieceLengthMin);
  builder.Update(std::string(tree.length(), 't'));
  return builder.Finish();
}

TEST(RegistrationTest, ATreeIsKeptWithItsFilesInCommandsAndSnapshots) {
  Registry registry;
  registry.Apply(At(0), RaiseLevel{{}, 2});
  const Metainfo tree = MakeTree("tree");
  const absl::StatusOr<Command> command = DecodeCommand(EncodeCommand({}, RegisterOf(tree)));
  ASSERT_TRUE(command.ok()) << command.status();
  const auto& registration = std::get<tracker_api::Register>(command->operation);
  EXPECT_EQ(registration.metainfo, tree);
  EXPECT_EQ(registry.Apply(At(1), registration).outcome, Outcome::kCreated);
  const auto restored = ReplicatedState::Decode(Slice::Own(EncodeAlone(registry)));
  ASSERT_TRUE(restored.ok()) << restored.status();
  const Response fetched = restored->registry().Fetch({std::string("tree"), false});
  EXPECT_EQ(std::get<tracker_api::Fetched>(fetched.body).metainfo, tree);
  EXPECT_EQ(restored->registry().digest(), registry.digest());
}

// The root of a known content is not hashed anew: what claims to be it is compared.
TEST(RegistrationTest, OtherFilesUnderTheIdOfATreeAreRefused) {
  Registry registry;
  EXPECT_EQ(registry.Apply(At(0), RegisterOf(MakeTree("tree"))).outcome, Outcome::kUnavailable)
      << "not all members can read it";
  registry.Apply(At(0), RaiseLevel{{}, 2});
  registry.Apply(At(1), RegisterOf(MakeTree("tree")));
  Metainfo other = MakeTree("other");
  std::vector<FileTree::File> files = other.tree.files();
  files[0].path = {"aa"};
  other.tree = FileTree(files, kPieceLengthMin);
  const Response refused = registry.Apply(At(2), RegisterOf(other));
  EXPECT_EQ(refused.outcome, Outcome::kConflict);
  EXPECT_NE(refused.reason.find("with other files"), std::string::npos) << refused.reason;
}

TEST(RegistrationTest, AForeignInfoHashMeansOneContentOnly) {
  Registry registry;
  Metainfo song = MakeTorrent("song", 1);
  song.foreign_info_hashes.push_back(InfoHash{1, 2, 3});
  Metainfo other = MakeTorrent("other", 2);
  other.foreign_info_hashes.push_back(InfoHash{1, 2, 3});
  EXPECT_EQ(registry.Apply(At(1), RegisterOf(song)).outcome, Outcome::kCreated);
  EXPECT_EQ(registry.FindInfoHash(InfoHash{1, 2, 3})->content(), song.content());
  const Response refused = registry.Apply(At(2), RegisterOf(other));
  EXPECT_EQ(refused.outcome, Outcome::kConflict);
  EXPECT_NE(refused.reason.find("already means content"), std::string::npos) << refused.reason;
  EXPECT_EQ(registry.Find(kName("other")), nullptr) << "a refused registration binds nothing";
  const Response fetched = registry.Fetch({InfoHash{1, 2, 3}, false});
  EXPECT_EQ(std::get<tracker_api::Fetched>(fetched.body).metainfo, song);
}

TEST(RegistrationTest, AMalformedTorrentIsRefusedAtApplyToo) {
  Registry registry;
  Metainfo wrong = MakeTorrent("song", 1);
  wrong.piece_layer[0][0] ^= 1;
  EXPECT_EQ(registry.Apply(At(1), RegisterOf(wrong)).outcome, Outcome::kInvalid);
  Metainfo named = MakeTorrent("song", 1);
  named.name = "../song";
  EXPECT_EQ(registry.Apply(At(1), RegisterOf(named)).outcome, Outcome::kInvalid);
  EXPECT_EQ(registry.torrents(), 0u);
}

TEST(RegistrationTest, LimitsAreRefusedWithAReason) {
  Limits limits;
  limits.torrents = 1;
  limits.names_per_content = 2;
  Registry registry = Limited(limits);
  Metainfo song = MakeTorrent("song", 1);
  registry.Apply(At(1), RegisterOf(song));
  song.name = "second";
  EXPECT_EQ(registry.Apply(At(1), RegisterOf(song)).outcome, Outcome::kCreated);
  song.name = "third";
  const Response names = registry.Apply(At(1), RegisterOf(song));
  EXPECT_EQ(names.outcome, Outcome::kTooLarge);
  EXPECT_NE(names.reason.find("2 names"), std::string::npos) << names.reason;
  EXPECT_EQ(registry.Apply(At(1), RegisterOf(MakeTorrent("more", 2))).outcome, Outcome::kTooLarge);

  Limits bytes;
  bytes.bytes = 700;
  Registry small = Limited(bytes);
  EXPECT_EQ(small.Apply(At(1), RegisterOf(MakeTorrent("big", 1, 64))).outcome, Outcome::kTooLarge);
}

class ClaimTest : public ::testing::Test {
 protected:
  ClaimTest() { registry_.Apply(At(0), RegisterOf(song_)); }

  Response Offer(int64_t at, Address peer, std::vector<PieceRange> pieces) {
    return registry_.Apply(At(at), OfferOf(song_.content(), peer, std::move(pieces)));
  }
  Response Withdraw(int64_t at, Address peer, std::vector<PieceRange> pieces) {
    return registry_.Apply(At(at), tracker_api::Withdraw{{}, song_.content(), peer, std::move(pieces)});
  }
  Response Announced(int64_t at, Address peer, ClaimUpdate::Kind kind) {
    return registry_.Apply(At(at), Claims{{}, {{TorrentNumber(0), peer, kind}}});
  }
  void Tick(int64_t at) { registry_.Apply(At(at), bt::tracker::Tick{}); }
  std::vector<tracker_api::PeerClaim> Peers() {
    return PeersIn(registry_.Lookup(LookupOf(song_.content()), 0)).peers;
  }
  std::pair<uint32_t, uint32_t> Counts() {
    const Response response = registry_.Lookup(LookupOf(song_.content()), 0);
    return {PeersIn(response).complete, PeersIn(response).incomplete};
  }
  static constexpr int64_t kLifetime = Limits().claim_lifetime.seconds();

  const Metainfo song_ = MakeTorrent("song", 1);
  Registry registry_;
};

TEST_F(ClaimTest, OffersAddUpAndWithdrawalsTakeAway) {
  EXPECT_EQ(Offer(1, Peer(1), {Range(0, 1)}).outcome, Outcome::kOk);
  EXPECT_EQ(Offer(2, Peer(1), {Range(2, 2)}).outcome, Outcome::kOk);
  ASSERT_EQ(Peers().size(), 1u);
  EXPECT_EQ(Peers()[0].pieces.ToRanges(), (std::vector{Range(0, 1), Range(2, 2)}));
  EXPECT_EQ(Counts(), std::pair(0u, 1u));
  Offer(3, Peer(1), {Range(1, 1)});
  EXPECT_TRUE(Peers()[0].complete);
  EXPECT_EQ(Counts(), std::pair(1u, 0u));
  EXPECT_EQ(Withdraw(4, Peer(1), {Range(3, 1)}).outcome, Outcome::kOk);
  EXPECT_EQ(Peers()[0].pieces.ToRanges(), (std::vector{Range(0, 3)}));
  EXPECT_EQ(Counts(), std::pair(0u, 1u));
  Withdraw(5, Peer(1), {});
  EXPECT_TRUE(Peers().empty());
  EXPECT_EQ(Counts(), std::pair(0u, 0u));
  EXPECT_EQ(Withdraw(6, Peer(1), {}).outcome, Outcome::kOk) << "withdrawing nothing is no error";
}

TEST_F(ClaimTest, AnOfferIsFoundByContentInfoHashAndName) {
  Offer(1, Peer(1), {Range(0, 4)});
  std::vector<tracker_api::TorrentKey> keys{song_.content(), std::string("song")};
  for (const InfoHash& hash : song_.AllInfoHashes()) keys.push_back(hash);
  for (const auto& key : keys) {
    EXPECT_EQ(PeersIn(registry_.Lookup(LookupOf(key), 0)).peers.size(), 1u) << tracker_api::Describe(key);
  }
}

TEST_F(ClaimTest, NonsenseIsRefused) {
  EXPECT_EQ(Offer(1, Peer(1, 0), {Range(0, 1)}).outcome, Outcome::kInvalid);
  EXPECT_EQ(Offer(1, Address::V4(0, 0, 0, 0, 80), {Range(0, 1)}).outcome, Outcome::kInvalid);
  EXPECT_EQ(Offer(1, Peer(1), {Range(3, 2)}).outcome, Outcome::kInvalid);
  EXPECT_EQ(Offer(1, Peer(1), {Range(2, 1), Range(0, 1)}).outcome, Outcome::kInvalid);
  EXPECT_EQ(registry_.Apply(At(1), OfferOf(kName("none"), Peer(1), {})).outcome, Outcome::kNotFound);
  EXPECT_EQ(registry_.Lookup(LookupOf(kName("none")), 0).outcome, Outcome::kNotFound);
  EXPECT_EQ(registry_.claims(), 0u);
}

TEST_F(ClaimTest, AClaimExpiresByLogTimeUnlessRenewed) {
  Offer(1, Peer(1), {Range(0, 4)});
  Offer(1, Peer(2), {Range(0, 4)});
  Offer(kLifetime - 1, Peer(2), {});  // renews
  Tick(kLifetime);
  EXPECT_EQ(Peers().size(), 2u);
  Tick(kLifetime + 1);
  ASSERT_EQ(Peers().size(), 1u);
  EXPECT_EQ(Peers()[0].peer, Peer(2));
  EXPECT_TRUE(Peers()[0].complete);
  EXPECT_EQ(registry_.claims(), 1u);
  EXPECT_EQ(Counts(), std::pair(1u, 0u));
  Tick(2 * kLifetime - 1);
  EXPECT_EQ(registry_.claims(), 0u);
  EXPECT_EQ(registry_.next_expiry(), Instant::Never());
}

TEST_F(ClaimTest, ExpiryIsSpreadOverCommandsButAnExpiredClaimIsNeverListed) {
  for (int i = 0; i < 100; ++i) Offer(1, Peer(1, static_cast<uint16_t>(1000 + i)), {});
  Offer(kLifetime + 1, Peer(2), {});
  EXPECT_EQ(registry_.claims(), 101 - Limits().expiries_per_command);
  ASSERT_EQ(Peers().size(), 1u);
  EXPECT_EQ(Peers()[0].peer, Peer(2));
  for (int i = 0; i < 6; ++i) Offer(kLifetime + 1, Peer(2), {});
  EXPECT_EQ(registry_.claims(), 1u);
}

TEST_F(ClaimTest, AClaimThatIsDueButNotYetRemovedStartsAfreshWhenOfferedAgain) {
  for (int i = 0; i < 100; ++i) Offer(1, Peer(1, static_cast<uint16_t>(1000 + i)), {Range(0, 4)});
  Offer(kLifetime + 1, Peer(1, 1099), {Range(0, 1)});
  ASSERT_EQ(Peers().size(), 1u);
  EXPECT_EQ(Peers()[0].pieces.ToRanges(), (std::vector{Range(0, 1)}));
  registry_.CheckInvariants();
}

TEST_F(ClaimTest, AnnouncesSetCompleteAndIncompleteButLeaveNativePartialClaimsAlone) {
  Announced(1, Peer(1), ClaimUpdate::Kind::kIncomplete);
  EXPECT_EQ(Counts(), std::pair(0u, 1u));
  Announced(2, Peer(1), ClaimUpdate::Kind::kComplete);
  EXPECT_EQ(Counts(), std::pair(1u, 0u));
  Announced(3, Peer(1), ClaimUpdate::Kind::kIncomplete);
  EXPECT_EQ(Counts(), std::pair(0u, 1u));
  Offer(4, Peer(1), {Range(1, 2)});
  Announced(5, Peer(1), ClaimUpdate::Kind::kIncomplete);
  EXPECT_EQ(Peers()[0].pieces.ToRanges(), (std::vector{Range(1, 2)}));
  Announced(6, Peer(1), ClaimUpdate::Kind::kGone);
  EXPECT_TRUE(Peers().empty());
}

TEST_F(ClaimTest, ClaimsOfUnknownTorrentsInABatchAreSkipped) {
  registry_.Apply(At(1), Claims{{},
                                {{TorrentNumber(7), Peer(1), ClaimUpdate::Kind::kComplete},
                                 {TorrentNumber(0), Peer(2), ClaimUpdate::Kind::kComplete}}});
  EXPECT_EQ(registry_.claims(), 1u);
}

TEST_F(ClaimTest, ClaimLimitsAreRefusedForNow) {
  Limits limits;
  limits.claims_per_content = 2;
  Registry registry = Limited(limits);
  registry.Apply(At(0), RegisterOf(song_));
  for (uint8_t i = 1; i <= 2; ++i) registry.Apply(At(1), OfferOf(song_.content(), Peer(i), {}));
  const Response refused = registry.Apply(At(1), OfferOf(song_.content(), Peer(3), {}));
  EXPECT_EQ(refused.outcome, Outcome::kUnavailable);
  EXPECT_FALSE(refused.reason.empty());
  EXPECT_GT(refused.retry_after, Duration{});
  EXPECT_EQ(registry.Apply(At(2), OfferOf(song_.content(), Peer(2), {Range(0, 1)})).outcome, Outcome::kOk);
}

TEST(ListingTest, PagesGoThroughAllNamesInOrder) {
  Registry registry;
  for (const char* name : {"delta", "alpha", "charlie", "bravo", "echo"}) {
    registry.Apply(At(1), RegisterOf(MakeTorrent(name, static_cast<uint8_t>(name[0]), 1)));
  }
  std::vector<std::string> names;
  tracker_api::List query{"", 2, false};
  for (bool more = true; more;) {
    const Response response = registry.List(query);
    const auto& listing = std::get<tracker_api::Listing>(response.body);
    for (const auto& entry : listing.torrents) names.push_back(entry.name);
    query.after = names.back();
    more = listing.more;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"alpha", "bravo", "charlie", "delta", "echo"}));
}

// --- agreement ---

std::vector<std::pair<Instant, Operation>> History() {
  std::vector<std::pair<Instant, Operation>> log;
  const Metainfo song = MakeTorrent("song", 1);
  log.push_back({At(1), RegisterOf(song)});
  log.push_back({At(1), RegisterOf(MakeTorrent("song", 2))});  // loses
  for (uint8_t i = 1; i < 40; ++i) {
    log.push_back({At(i), OfferOf(song.content(), Peer(i), {Range(i % 4, 1)})});
    if (i % 3 == 0) log.push_back({At(i), tracker_api::Withdraw{{}, song.content(), Peer(i), {}}});
    if (i % 4 == 0) {
      log.push_back({At(i), Claims{{}, {{TorrentNumber(0), Peer(i), ClaimUpdate::Kind::kComplete}}}});
    }
  }
  return log;
}

TEST(AgreementTest, EqualPrefixesGiveEqualDigestsAndResponses) {
  Registry a;
  Registry b;
  for (const auto& [stamp, operation] : History()) {
    EXPECT_EQ(a.Apply(stamp, operation), b.Apply(stamp, operation));
    EXPECT_EQ(a.digest(), b.digest());
    a.CheckInvariants();
  }
  EXPECT_EQ(a.Lookup(LookupOf(std::string("song")), 3), b.Lookup(LookupOf(std::string("song")), 3));
}

TEST(AgreementTest, TheDigestTellsDifferentStatesApart) {
  const auto log = History();
  Registry whole;
  for (const auto& [stamp, operation] : log) whole.Apply(stamp, operation);
  size_t compared = 0;
  for (size_t left_out = 0; left_out < log.size(); ++left_out) {
    Registry part;
    for (size_t i = 0; i < log.size(); ++i) {
      if (i != left_out) part.Apply(log[i].first, log[i].second);
    }
    const bool same = EncodeAlone(part) == EncodeAlone(whole);
    if (same) {
      EXPECT_EQ(part.digest(), whole.digest()) << left_out;
    } else if (part.claims() != whole.claims() ||
               part.state().torrents[0].complete != whole.state().torrents[0].complete) {
      ++compared;
      EXPECT_NE(part.digest(), whole.digest()) << left_out;
    }
  }
  EXPECT_GT(compared, 20u);
}

TEST(AgreementTest, EveryChangeOfAClaimMovesTheDigest) {
  Registry registry;
  const Metainfo song = MakeTorrent("song", 1);
  registry.Apply(At(0), RegisterOf(song));
  const int64_t lifetime = Limits().claim_lifetime.seconds();
  const std::vector<std::pair<int64_t, Operation>> changes = {
      {1, OfferOf(song.content(), Peer(1), {Range(0, 2)})},
      {1, OfferOf(song.content(), Peer(1), {Range(3, 1)})},
      {1, tracker_api::Withdraw{{}, song.content(), Peer(1), {Range(0, 1)}}},
      {1, tracker_api::Withdraw{{}, song.content(), Peer(1), {}}},
      {1, OfferOf(song.content(), Peer(2), {})},
      {2, OfferOf(song.content(), Peer(2), {})},  // renewed
      {2, Claims{{}, {{TorrentNumber(0), Peer(2), ClaimUpdate::Kind::kComplete}}}},
      {2, Claims{{}, {{TorrentNumber(0), Peer(2), ClaimUpdate::Kind::kGone}}}},
      {3, OfferOf(song.content(), Peer(3), {})},
      {lifetime + 3, Tick{}},  // expires
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    const uint64_t before = registry.digest();
    registry.Apply(At(changes[i].first), changes[i].second);
    EXPECT_NE(registry.digest(), before) << i;
  }
  EXPECT_EQ(registry.claims(), 0u);
}

TEST(AgreementTest, OfConcurrentCreationsTheFirstInTheLogWinsOnEveryReplicaAlike) {
  for (int order = 0; order < 2; ++order) {
    const Metainfo mine = MakeTorrent("song", order == 0 ? 1 : 2);
    const Metainfo theirs = MakeTorrent("song", order == 0 ? 2 : 1);
    Registry replicas[3];
    for (Registry& replica : replicas) {
      EXPECT_EQ(replica.Apply(At(1), RegisterOf(mine)).outcome, Outcome::kCreated);
      EXPECT_EQ(replica.Apply(At(1), RegisterOf(theirs)).outcome, Outcome::kConflict);
      EXPECT_EQ(replica.Find(kName("song"))->content(), mine.content());
      EXPECT_EQ(replica.digest(), replicas[0].digest());
    }
  }
}

}  // namespace
}  // namespace bt::tracker
