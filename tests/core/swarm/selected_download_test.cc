// A client that downloads some files of a tree, against whole clients.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/fields.h"
#include "core/swarm/client.h"
#include "core/swarm/resume_state.h"
#include "tests/core/swarm/small_world.h"

namespace bt::swarm::test {
namespace {

constexpr uint32_t kPieceLength = 16 * 1024;
// Pieces 0 to 3 are a's, 4 is b's, 5 to 9 are c's.
constexpr uint64_t kA = 4 * kPieceLength;
constexpr uint64_t kB = 100;
constexpr uint64_t kC = 4 * kPieceLength + 1;

class SelectedDownloadTest : public testing::Test {
 protected:
  SelectedDownloadTest() {
    const FileTree tree({{{"a"}, kA, {}, false}, {{"b"}, kB, {}, false}, {{"c"}, kC, {}, false}},
                        kPieceLength);
    MetainfoBuilder builder("tree", tree, kPieceLength);
    builder.Update(std::string(kA, 'a') + std::string(kB, 'b') + std::string(kC, 'c'));
    torrent_ = builder.Finish();
    whole_.assign(torrent_.end_offset(), '\0');
    std::fill_n(whole_.begin(), kA, 'a');
    std::fill_n(whole_.begin() + 4 * kPieceLength, kB, 'b');
    std::fill_n(whole_.begin() + 5 * kPieceLength, kC, 'c');
    world_.registered = torrent_;
  }

  Config Base(uint8_t host) {
    Config config;
    config.metainfo = torrent_;
    config.listen = Host(host);
    config.trackers = 1;
    return config;
  }
  size_t AddSeeder(uint8_t host) {
    Config config = Base(host);
    config.role = Role::kOffer;
    return world_.Add(config, whole_);
  }
  Config Selecting(uint8_t host, std::vector<std::string> select) {
    Config config = Base(host);
    config.select = std::move(select);
    return config;
  }
  PieceMap Pieces(uint32_t first, uint32_t count) const {
    return *PieceMap::FromRanges({{PieceIndex(first), count}}, torrent_.piece_count());
  }
  Slice Checkpointed(const PieceMap& pieces) const {
    return Slice::Own(Encode(ResumeState{torrent_.content(), kPieceLength, pieces.ToBitfield()}));
  }

  Metainfo torrent_;
  std::string whole_;
  SmallWorld world_{11};
};

TEST_F(SelectedDownloadTest, OnlyWhatIsSelectedIsFetchedAndThenItIsDone) {
  const size_t seeder = AddSeeder(1);
  const size_t client = world_.Add(Selecting(2, {"b", "c"}), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(client).stopped(); }));
  EXPECT_TRUE(world_.Completed(client));
  EXPECT_TRUE(world_.node(client).finished);
  EXPECT_EQ(world_.client(client).verified(), Pieces(4, 6));
  EXPECT_EQ(world_.client(seeder).progress().bytes_sent, kB + kC);
  std::string expected = whole_;
  std::fill_n(expected.begin(), kA, '\0');
  EXPECT_EQ(world_.node(client).file, expected);
  const Progress progress = world_.client(client).progress();
  EXPECT_EQ(progress.length, kB + kC);
  EXPECT_EQ(progress.bytes_verified, kB + kC);
  EXPECT_EQ(progress.pieces, 6u);
  EXPECT_EQ(progress.pieces_verified, 6u);
  const auto known = world_.node(client).All<TorrentKnown>();
  ASSERT_EQ(known.size(), 1u);
  EXPECT_EQ(known[0].files_selected, 2u);
  EXPECT_EQ(known[0].files, 3u);
  EXPECT_EQ(known[0].bytes_selected, kB + kC);
}

TEST_F(SelectedDownloadTest, ItClaimsAndServesWhatItHasAndIsNoSeeder) {
  AddSeeder(1);
  Config config = Selecting(2, {"a"});
  config.keep_offering = true;
  const size_t client = world_.Add(config, "");
  ASSERT_TRUE(
      world_.RunUntil([&] { return world_.Claimed(Host(2)) == Pieces(0, 4) && world_.Completed(client); }));
  EXPECT_EQ(world_.client(client).phase(), "offering");
  // Who wants all of it gets the rest elsewhere, and what is here also from here.
  world_.node(0).mute = true;
  const size_t other = world_.Add(Base(3), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(other).verified() == Pieces(0, 4); }, Seconds(300)));
  EXPECT_GT(world_.node(client).served.size(), 0u);
}

TEST_F(SelectedDownloadTest, TwoSelectionsMakeUpTheWholeBetweenThemselves) {
  Config first = Selecting(2, {"a", "b"});
  Config second = Selecting(3, {"b", "c"});
  first.keep_offering = second.keep_offering = true;
  const size_t seeder = AddSeeder(1);
  const size_t one = world_.Add(first, "");
  const size_t two = world_.Add(second, "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(one) && world_.Completed(two); }));
  world_.node(seeder).mute = true;
  const size_t all = world_.Add(Base(4), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(all); }));
  EXPECT_EQ(world_.node(all).file, whole_);
}

TEST_F(SelectedDownloadTest, AnotherSelectionKeepsWhatTheCheckpointSaysAndFetchesTheDifference) {
  const size_t seeder = AddSeeder(1);
  Config config = Selecting(2, {"b"});
  const size_t client = world_.Add(config, whole_);
  world_.node(client).existing = true;
  world_.node(client).resume = Checkpointed(Pieces(0, 3));
  world_.node(client).found = {PartFound::kStarted, PartFound::kNew, PartFound::kNew};
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(client).stopped(); }));
  EXPECT_TRUE(world_.Completed(client));
  EXPECT_EQ(world_.client(seeder).progress().bytes_sent, kB);
  PieceMap held = Pieces(0, 3);
  held.Add(PieceIndex(4));
  EXPECT_EQ(world_.client(client).verified(), held) << "what is not selected now is had all the same";

  // And back: a file that lost its name meanwhile is fetched anew, whatever the checkpoint says.
  world_.Restart(client, Selecting(2, {"a", "b"}));
  world_.node(client).resume = Checkpointed(held);
  world_.node(client).found = {PartFound::kStarted, PartFound::kNew, PartFound::kNew};
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(client).stopped(); }));
  EXPECT_TRUE(world_.Completed(client));
  EXPECT_EQ(world_.client(seeder).progress().bytes_sent, 2 * kB + kPieceLength);
}

TEST_F(SelectedDownloadTest, WhatIsInPlaceIsHashedAndCounts) {
  const size_t seeder = AddSeeder(1);
  const size_t client = world_.Add(Selecting(2, {"a", "b"}), whole_);
  world_.node(client).found = {PartFound::kInPlace, PartFound::kNew, PartFound::kNew};
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(client).stopped(); }));
  EXPECT_TRUE(world_.Completed(client));
  EXPECT_EQ(world_.client(seeder).progress().bytes_sent, kB);
  const auto ready = world_.node(client).All<FileReady>();
  ASSERT_EQ(ready.size(), 1u);
  EXPECT_EQ(ready[0].verified, 4u);
  EXPECT_EQ(ready[0].pieces, 5u);
}

TEST_F(SelectedDownloadTest, AnotherFileInPlaceIsNotWrittenTo) {
  AddSeeder(1);
  std::string other = whole_;
  other[kPieceLength] = 'x';
  const size_t client = world_.Add(Selecting(2, {"a", "b"}), other);
  world_.node(client).existing = true;
  world_.node(client).resume = Checkpointed(Pieces(0, 4));
  world_.node(client).found = {PartFound::kInPlace, PartFound::kNew, PartFound::kNew};
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(client).stopped(); }));
  EXPECT_FALSE(world_.Completed(client));
  const auto failed = world_.node(client).All<Failed>();
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_NE(failed[0].reason.find("cannot download a: the file that is there already is not it"),
            std::string::npos)
      << failed[0].reason;
  EXPECT_EQ(world_.node(client).file, other);
}

TEST_F(SelectedDownloadTest, WhatIsNotSelectedIsLeftAloneAlsoWhenItIsWrong) {
  AddSeeder(1);
  std::string damaged = whole_;
  damaged[5] = 'x';
  const size_t client = world_.Add(Selecting(2, {"c"}), damaged);
  world_.node(client).existing = true;
  world_.node(client).resume = Checkpointed(Pieces(0, 4));
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(client).stopped(); }));
  EXPECT_TRUE(world_.Completed(client));
  EXPECT_EQ(world_.node(client).file[5], 'x');
  EXPECT_FALSE(world_.client(client).verified().Has(PieceIndex(0)));
}

TEST_F(SelectedDownloadTest, ASelectionOfNothingButEmptyFilesIsDoneAtOnce) {
  const FileTree tree({{{"a"}, 9, {}, false}, {{"empty"}, 0, {}, false}}, kPieceLength);
  MetainfoBuilder builder("tree", tree, kPieceLength);
  builder.Update("012345678");
  torrent_ = builder.Finish();
  world_.registered = torrent_;
  const size_t client = world_.Add(Selecting(2, {"empty"}), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(client).stopped(); }));
  EXPECT_TRUE(world_.Completed(client));
}

TEST_F(SelectedDownloadTest, APatternThatMeansNoFileEndsTheDownload) {
  const size_t client = world_.Add(Selecting(2, {"d"}), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(client).stopped(); }));
  const auto failed = world_.node(client).All<Failed>();
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_NE(failed[0].reason.find("no file of tree matches 'd'"), std::string::npos) << failed[0].reason;
}

}  // namespace
}  // namespace bt::swarm::test
