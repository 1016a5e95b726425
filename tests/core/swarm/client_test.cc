// Whole clients against each other: what a user of the machine sees.

#include "core/swarm/client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/base/fields.h"
#include "core/swarm/resume_state.h"
#include "tests/core/swarm/small_world.h"
#include "tests/support/sample_content.h"

namespace bt::swarm::test {
namespace {

constexpr uint32_t kPieceLength = 32 * 1024;
constexpr uint64_t kLength = 3'000'000;  // 92 pieces, the last one short

class ClientTest : public testing::Test {
 protected:
  ClientTest() { world_.registered = torrent_; }

  Config Offering(uint8_t host) {
    Config config;
    config.role = Role::kOffer;
    config.metainfo = torrent_;
    config.listen = Host(host);
    config.trackers = 1;
    return config;
  }
  Config Downloading(uint8_t host) {
    Config config;
    config.metainfo = torrent_;
    config.listen = Host(host);
    config.trackers = 1;
    return config;
  }
  size_t AddSeeder(uint8_t host) { return world_.Add(Offering(host), good_); }
  size_t AddLiar(uint8_t host) {
    Config config = Offering(host);
    config.skip_verify = true;
    return world_.Add(config, wrong_);
  }

  const Metainfo torrent_ = bt::test::SampleMetainfo(kLength, kPieceLength);
  const std::string good_ = bt::test::SampleBytes(kLength);
  const std::string wrong_ = std::string(kLength, 'x');
  SmallWorld world_{7};
};

TEST_F(ClientTest, ADownloadEndsWithTheOfferedBytesAndStops) {
  const size_t seeder = AddSeeder(1);
  const size_t client = world_.Add(Downloading(2), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(client).stopped(); }));
  EXPECT_TRUE(world_.Completed(client));
  EXPECT_TRUE(world_.node(client).finished);
  EXPECT_EQ(world_.node(client).file, good_);
  EXPECT_EQ(world_.node(client).All<PieceVerified>().size(), torrent_.piece_count());
  EXPECT_TRUE(world_.node(client).All<PieceRejected>().empty());
  EXPECT_EQ(world_.claims.count(Host(2)), 0u) << "a client that leaves withdraws its claim";
  EXPECT_EQ(world_.Claimed(Host(1)).count(), torrent_.piece_count());
  EXPECT_EQ(world_.client(seeder).progress().bytes_sent, kLength);
}

TEST_F(ClientTest, AllOfNineSeedersServeAndNothingIsFetchedTwice) {
  for (uint8_t host = 1; host <= 9; ++host) AddSeeder(host);
  world_.RunUntil([&] { return world_.claims.size() == 9; });
  const size_t client = world_.Add(Downloading(20), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }));
  EXPECT_EQ(world_.node(client).file, good_);
  for (size_t seeder = 0; seeder < 9; ++seeder) EXPECT_GT(world_.node(seeder).served.size(), 0u) << seeder;
  EXPECT_LE(world_.client(client).progress().bytes_wasted, kLength / 10);
}

TEST_F(ClientTest, ASeederSendsEachPieceToOneOfManyAndTheyPassItOn) {
  const size_t seeder = AddSeeder(1);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.claims.size() == 1; }));
  std::vector<size_t> clients;
  for (uint8_t host = 2; host <= 9; ++host) {
    Config config = Downloading(host);
    config.keep_offering = true;
    clients.push_back(world_.Add(config, ""));
  }
  ASSERT_TRUE(world_.RunUntil([&] {
    return std::all_of(clients.begin(), clients.end(),
                       [&](size_t client) { return world_.Completed(client); });
  }));
  const std::vector<uint64_t>& served = world_.node(seeder).served;
  EXPECT_EQ(std::set<uint64_t>(served.begin(), served.end()).size(), (kLength + kBlockSize - 1) / kBlockSize);
  EXPECT_LE(served.size() * kBlockSize, kLength * 3 / 2) << "of eight copies";
}

TEST_F(ClientTest, EveryBadPieceOfFiveLiarsIsRejectedTheLiarsAreBannedAndNobodyElse) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    world_ = SmallWorld(seed);
    world_.registered = torrent_;
    std::vector<size_t> honest, liars;
    for (uint8_t host = 1; host <= 4; ++host) honest.push_back(AddSeeder(host));
    for (uint8_t host = 5; host <= 9; ++host) liars.push_back(AddLiar(host));
    world_.RunUntil([&] { return world_.claims.size() == 9; });
    const size_t client = world_.Add(Downloading(20), "");
    ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); })) << seed;
    EXPECT_EQ(world_.node(client).file, good_) << seed;
    EXPECT_FALSE(world_.node(client).All<PieceRejected>().empty());
    for (const size_t liar : liars) {
      EXPECT_TRUE(world_.Banned(client, liar)) << "seed " << seed << " liar " << liar;
    }
    for (const size_t peer : honest) EXPECT_FALSE(world_.Banned(client, peer)) << seed;
  }
}

TEST_F(ClientTest, ALiarThatFlipsOneBlockOfAPieceIsFoundWhateverItIsMixedWith) {
  // One liar has a single wrong block; peers are few and pieces long, so that blocks of a piece come from
  // all.
  const Metainfo torrent = bt::test::SampleMetainfo(kLength, 512 * 1024);
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    world_ = SmallWorld(seed);
    world_.registered = torrent;
    Config config = Offering(1);
    config.metainfo = torrent;
    const size_t honest = world_.Add(config, good_);
    config = Offering(2);
    config.metainfo = torrent;
    config.skip_verify = true;
    std::string nearly = good_;
    for (size_t at = 5000; at < kLength; at += 70'000) nearly[at] ^= 1;
    const size_t liar = world_.Add(config, nearly);
    world_.RunUntil([&] { return world_.claims.size() == 2; });
    config = Downloading(20);
    config.metainfo = torrent;
    const size_t client = world_.Add(config, "");
    ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); })) << seed;
    EXPECT_EQ(world_.node(client).file, good_) << seed;
    EXPECT_FALSE(world_.Banned(client, honest)) << seed;
    if (!world_.node(client).All<PieceRejected>().empty()) {
      EXPECT_TRUE(world_.Banned(client, liar)) << seed;
    }
  }
}

TEST_F(ClientTest, AMutePeerIsSnubbedAndItsBlocksComeFromOthers) {
  const size_t mute = AddSeeder(1);
  world_.node(mute).mute = true;
  AddSeeder(2);
  world_.RunUntil([&] { return world_.claims.size() == 2; });
  const size_t client = world_.Add(Downloading(20), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }, Seconds(10)));
  EXPECT_EQ(world_.node(client).file, good_);
  EXPECT_FALSE(world_.Banned(client, mute)) << "silence is no proof";
}

TEST_F(ClientTest, ADownloaderServesWhatItHasVerifiedWhileItStillDownloads) {
  AddSeeder(1);
  Config first = Downloading(2);
  first.keep_offering = true;
  const size_t middle = world_.Add(first, "");
  Config second = Downloading(3);
  second.trackers = 0;
  second.peers = {Host(2)};  // it knows nobody else
  const size_t last = world_.Add(second, "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(last).verified().count() > 3; }));
  EXPECT_FALSE(world_.Completed(middle)) << "served only when complete";
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(last); }));
  EXPECT_EQ(world_.node(last).file, good_);
  EXPECT_TRUE(world_.RunUntil([&] { return world_.Claimed(Host(2)).all(); }));
}

TEST_F(ClientTest, AnOfferClaimsOnlyThePiecesThatAreTheTorrents) {
  std::string damaged = good_;
  damaged[3 * kPieceLength + 17] ^= 1;
  const size_t seeder = world_.Add(Offering(1), damaged);
  ASSERT_TRUE(world_.RunUntil([&] { return !world_.node(seeder).All<Offered>().empty(); }));
  EXPECT_EQ(world_.Claimed(Host(1)).count(), torrent_.piece_count() - 1);
  EXPECT_FALSE(world_.Claimed(Host(1)).Has(PieceIndex(3)));
  ASSERT_EQ(world_.node(seeder).All<PieceUnusable>().size(), 1u);
  EXPECT_EQ(world_.node(seeder).All<PieceUnusable>()[0].piece, PieceIndex(3));
}

TEST_F(ClientTest, AnOfferOfAnotherFileFailsWithOneClearLine) {
  const size_t seeder = world_.Add(Offering(1), wrong_);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(seeder).stopped(); }));
  ASSERT_EQ(world_.node(seeder).All<Failed>().size(), 1u);
  EXPECT_NE(world_.node(seeder).All<Failed>()[0].reason.find("its bytes are not the torrent's"),
            std::string::npos);
  EXPECT_TRUE(world_.claims.empty());
}

TEST_F(ClientTest, AnOfferWhoseFileCannotBeReadSaysSoAndNotThatItIsAnotherFile) {
  const size_t seeder = world_.Add(Offering(1), good_);
  world_.node(seeder).hash_status = absl::UnavailableError("/data/f: input/output error");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(seeder).stopped(); }));
  ASSERT_EQ(world_.node(seeder).All<Failed>().size(), 1u);
  EXPECT_NE(world_.node(seeder).All<Failed>()[0].reason.find("input/output error"), std::string::npos);
}

TEST_F(ClientTest, ATorrentWhoseV1HashesDisagreeWithTheDataIsNotOffered) {
  Config config = Offering(1);
  config.metainfo->v1_pieces[5][0] ^= 1;
  const size_t seeder = world_.Add(config, good_);
  ASSERT_TRUE(world_.RunUntil([&] { return !world_.node(seeder).All<Offered>().empty(); }));
  EXPECT_FALSE(world_.client(seeder).verified().Has(PieceIndex(5)));
}

// One content under two names: each side knows it by info-hashes that the other has never derived.
TEST_F(ClientTest, PeersMeetAlthoughTheyHaveTheContentUnderDifferentNames) {
  Metainfo other = torrent_;
  other.name = "the same under another name";
  world_.told_info_hashes = torrent_.AllInfoHashes();
  for (const InfoHash& hash : other.AllInfoHashes()) world_.told_info_hashes.push_back(hash);
  AddSeeder(1);
  Config config = Downloading(2);
  config.metainfo = other;
  const size_t download = world_.Add(config, "");
  EXPECT_TRUE(world_.RunUntil([&] { return world_.Completed(download); }, Seconds(5)));
}

TEST_F(ClientTest, AnUnregisteredTorrentIsAnErrorThatSaysSo) {
  world_.registered.reset();
  const size_t seeder = AddSeeder(1);
  const size_t client = world_.Add(Downloading(2), "");
  ASSERT_TRUE(
      world_.RunUntil([&] { return world_.client(seeder).stopped() && world_.client(client).stopped(); }));
  EXPECT_NE(world_.node(seeder).All<Failed>()[0].reason.find("register it first"), std::string::npos);
  EXPECT_NE(world_.node(client).All<Failed>()[0].reason.find("register it first"), std::string::npos);
}

TEST_F(ClientTest, ADownloadByNameFetchesTheTorrentFirst) {
  AddSeeder(1);
  Config config = Downloading(2);
  config.metainfo.reset();
  config.key = torrent_.name;
  const size_t client = world_.Add(config, "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }));
  EXPECT_EQ(world_.node(client).file, good_);
}

TEST_F(ClientTest, AFetchedTorrentThatIsNotTheOneAskedForIsRefused) {
  Config config = Downloading(2);
  config.metainfo.reset();
  ContentId other = torrent_.content();
  other.root[0] ^= 1;
  config.key = other;
  const size_t client = world_.Add(config, "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(client).stopped(); }));
  EXPECT_NE(world_.node(client).All<Failed>()[0].reason.find("another torrent"), std::string::npos);
}

TEST_F(ClientTest, AfterACrashTheCheckpointIsContinuedWithoutFetchingItAgain) {
  const size_t seeder = AddSeeder(1);
  Config slow = Downloading(2);
  slow.timing.checkpoint_interval = Milliseconds(1);
  const size_t client = world_.Add(slow, "");
  ASSERT_TRUE(world_.RunUntil(
      [&] { return !world_.node(client).resume.empty() && world_.client(client).verified().count() >= 12; }));
  const uint64_t before = world_.client(seeder).progress().bytes_sent;
  ASSERT_FALSE(world_.Completed(client));
  world_.Restart(client, Downloading(2));
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }));
  EXPECT_EQ(world_.node(client).file, good_);
  EXPECT_GT(world_.node(client).All<FileReady>()[0].verified, 0u);
  EXPECT_LT(world_.client(client).progress().bytes_received, kLength);
  EXPECT_GT(before, 0u);
}

TEST_F(ClientTest, WithoutACheckpointWhatIsOnDiskIsHashedAndOnlyTheRestFetched) {
  AddSeeder(1);
  std::string partial = good_;
  std::fill(partial.begin() + 10 * kPieceLength, partial.end(), '\0');
  const size_t client = world_.Add(Downloading(2), partial);
  world_.node(client).existing = true;
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }));
  EXPECT_EQ(world_.node(client).file, good_);
  EXPECT_EQ(world_.node(client).All<FileReady>()[0].verified, 10u);
  EXPECT_EQ(world_.client(client).progress().bytes_received, kLength - 10 * kPieceLength);
}

TEST_F(ClientTest, APartFileChangedBetweenTwoLivesIsMendedBeforeItGetsItsFinalName) {
  AddSeeder(1);
  Config config = Downloading(2);
  config.timing.checkpoint_interval = Milliseconds(1);
  config.keep_offering = true;
  const size_t client = world_.Add(config, "");
  const auto half = [&] { return world_.client(client).verified().count() >= 12; };
  ASSERT_TRUE(world_.RunUntil([&] { return !world_.node(client).resume.empty() && half(); }));
  const auto resume = Decode<ResumeState>(world_.node(client).resume);
  const PieceMap kept = *PieceMap::FromBitfield(resume->verified, torrent_.piece_count());
  const PieceIndex changed = kept.ToRanges().front().first;
  world_.node(client).file[changed.value() * kPieceLength + 100] ^= 1;
  world_.Restart(client, config);
  ASSERT_TRUE(world_.RunUntil([&] { return !world_.node(client).All<FileReady>().empty(); }));
  EXPECT_TRUE(world_.client(client).verified().Has(changed)) << "the checkpoint is believed until looked at";
  EXPECT_EQ(world_.client(client).unproven(), kept) << "and known to be no more than believed";
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }));
  EXPECT_EQ(world_.node(client).file, good_);
  ASSERT_EQ(world_.node(client).All<PieceUnusable>().size(), 1u);
  EXPECT_EQ(world_.node(client).All<PieceUnusable>()[0].piece, changed);
  EXPECT_EQ(world_.client(client).progress().bytes_received, (92 - kept.count() + 1) * kPieceLength - 14'656);
  EXPECT_TRUE(world_.RunUntil([&] { return world_.Claimed(Host(2)).all(); }));
}

TEST_F(ClientTest, ADownloadWhoseCheckpointHasEveryPieceIsReadBackBeforeItIsFinished) {
  AddSeeder(1);
  std::string damaged = good_;
  damaged[kLength - 1] ^= 1;
  const size_t client = world_.Add(Downloading(2), damaged);
  world_.node(client).existing = true;
  const PieceMap all = PieceMap::All(torrent_.piece_count());
  world_.node(client).resume =
      Slice::Own(Encode(ResumeState{torrent_.content(), torrent_.piece_length, all.ToBitfield()}));
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }));
  EXPECT_EQ(world_.node(client).file, good_);
  EXPECT_EQ(world_.client(client).progress().bytes_received, torrent_.piece_size(91));
}

TEST_F(ClientTest, ACheckpointOfAnotherTorrentIsNotTrusted) {
  AddSeeder(1);
  const size_t client = world_.Add(Downloading(2), std::string(kLength, 'z'));
  world_.node(client).existing = true;
  ContentId other = torrent_.content();
  other.root[0] ^= 1;
  const PieceMap all = PieceMap::All(torrent_.piece_count());
  world_.node(client).resume =
      Slice::Own(Encode(ResumeState{other, torrent_.piece_length, all.ToBitfield()}));
  const size_t another = world_.Add(Downloading(3), std::string(kLength, 'z'));
  world_.node(another).existing = true;
  world_.node(another).resume = Slice::Copy("not a checkpoint");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client) && world_.Completed(another); }));
  EXPECT_EQ(world_.node(client).file, good_);
  EXPECT_EQ(world_.node(another).file, good_);
}

TEST_F(ClientTest, AFullDiskEndsTheDownloadWithItsReasonAndNothingIsFinished) {
  AddSeeder(1);
  const size_t client = world_.Add(Downloading(2), "");
  world_.node(client).store_status = absl::ResourceExhaustedError("/data/f.part: no space left on device");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(client).stopped(); }));
  ASSERT_EQ(world_.node(client).All<Failed>().size(), 1u);
  EXPECT_NE(world_.node(client).All<Failed>()[0].reason.find("no space left"), std::string::npos);
  EXPECT_FALSE(world_.node(client).finished);
  EXPECT_TRUE(world_.node(client).resume.empty());
}

TEST_F(ClientTest, PiecesThatCanNoLongerBeReadAreWithdrawn) {
  const size_t seeder = AddSeeder(1);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Claimed(Host(1)).all(); }));
  world_.node(seeder).file.resize(kLength - kPieceLength);
  std::fill(world_.node(seeder).file.end() - 20000, world_.node(seeder).file.end(), '\0');
  world_.Add(Downloading(2), "");
  ASSERT_TRUE(world_.RunUntil([&] { return !world_.Claimed(Host(1)).Has(PieceIndex(91)); }));
}

TEST_F(ClientTest, StopWithdrawsTheClaimAndAnswersTheCall) {
  const size_t seeder = AddSeeder(1);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.claims.size() == 1; }));
  world_.Ask(seeder, Stop{});
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(seeder).stopped(); }, Seconds(1)));
  EXPECT_TRUE(world_.claims.empty());
  ASSERT_EQ(world_.replies.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Stopped>(world_.replies[0]));
}

TEST_F(ClientTest, StopDoesNotWaitForTrackersThatAreGone) {
  const size_t seeder = AddSeeder(1);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.claims.size() == 1; }));
  world_.tracker_mode[0] = SmallWorld::TrackerMode::kSilent;
  world_.Ask(seeder, Stop{});
  EXPECT_TRUE(world_.RunUntil([&] { return world_.client(seeder).stopped(); }, Seconds(3)));
}

TEST_F(ClientTest, ADownloadIsListedFromItsStartAndAnOfferDialsItThere) {
  Config waiting = Downloading(2);
  waiting.timing.lookup_min = Seconds(1000);  // as others announce: once, and again after minutes
  const size_t client = world_.Add(waiting, "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.claims.count(Host(2)) == 1; }, Seconds(1)));
  world_.RunFor(Seconds(20));
  AddSeeder(1);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }, Seconds(3)));
  EXPECT_TRUE(world_.node(client).All<PeerConnected>().at(0).inbound);
}

TEST_F(ClientTest, AnOfferLeavesSeedersAndPeersItIsConnectedToInPeace) {
  const size_t seeder = AddSeeder(1);
  AddSeeder(3);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.claims.size() == 2; }));
  Config config = Downloading(2);
  config.keep_offering = true;
  const size_t client = world_.Add(config, "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }));
  world_.RunFor(Seconds(600));
  for (const size_t node : {seeder, client}) {
    EXPECT_LE(world_.node(node).All<PeerConnected>().size(), 4u) << node;
    EXPECT_EQ(world_.client(node).progress().peers_connected, 0u) << node;
  }
}

TEST_F(ClientTest, AnIdleSeederHardlyEverWakesUp) {
  AddSeeder(1);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Claimed(Host(1)).all(); }));
  world_.RunFor(Seconds(1));
  const size_t before = world_.asked.size();
  world_.RunFor(Seconds(3600));
  EXPECT_LE(world_.asked.size() - before, 32u) << "renewals, and lookups as often";
  EXPECT_EQ(world_.claims.size(), 1u);
}

TEST_F(ClientTest, EqualSeedsGiveEqualDigests) {
  const auto run = [&](uint64_t seed) {
    SmallWorld world(seed);
    world.registered = torrent_;
    for (uint8_t host = 1; host <= 3; ++host) world.Add(Offering(host), good_);
    Config liar = Offering(4);
    liar.skip_verify = true;
    world.Add(liar, wrong_);
    const size_t client = world.Add(Downloading(20), "");
    EXPECT_TRUE(world.RunUntil([&] { return world.Completed(client); }));
    return std::make_pair(world.client(client).Digest(), world.now().ns);
  };
  EXPECT_EQ(run(3), run(3));
  EXPECT_NE(run(3), run(4));
}

}  // namespace
}  // namespace bt::swarm::test
