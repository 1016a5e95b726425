// A client whose torrent names web servers that have the files (BEP 19).

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/swarm/client.h"
#include "core/swarm/web_seed_limits.h"
#include "tests/core/swarm/small_world.h"
#include "tests/support/sample_content.h"

namespace bt::swarm::test {
namespace {

constexpr uint32_t kPieceLength = 1 << 20;
constexpr uint64_t kLength = 20 * kPieceLength + 5;

using WebMode = SmallWorld::WebMode;
using Verdict = WebSeedTrouble::Verdict;

class WebSeedTest : public testing::Test {
 protected:
  WebSeedTest() {
    world_.registered = torrent_;
    world_.web_content = good_;
  }
  Config Downloading(uint8_t host, uint32_t web_seeds) {
    Config config;
    config.metainfo = torrent_;
    config.listen = Host(host);
    config.trackers = 1;
    config.web_seeds = web_seeds;
    return config;
  }
  std::vector<WebSeedTrouble> Trouble(size_t client) { return world_.node(client).All<WebSeedTrouble>(); }

  // How often that server was.
  long Asked(uint32_t seed) {
    return std::count_if(world_.fetched.begin(), world_.fetched.end(),
                         [&](const auto& one) { return one.first == seed; });
  }

  Metainfo torrent_ = bt::test::SampleMetainfo(kLength, kPieceLength);
  const std::string good_ = bt::test::SampleBytes(kLength);
  SmallWorld world_{3};
};

TEST_F(WebSeedTest, WithoutPeersTheContentComesFromAServerInRangesOneAtATime) {
  world_.web_mode[0] = WebMode::kUp;
  const Instant began = world_.now();
  const size_t client = world_.Add(Downloading(1, 1), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }));
  EXPECT_EQ(world_.node(client).file, good_);
  EXPECT_GE(world_.now() - began, Timing().web_seed_patience) << "peers are given time first";
  EXPECT_EQ(world_.client(client).progress().bytes_from_web, kLength);
  uint64_t bytes = 0;
  for (const auto& [seed, fetch] : world_.fetched) {
    EXPECT_LE(fetch.length, kWebRangeBytes);
    EXPECT_EQ(fetch.offset % kPieceLength, 0u) << "whole pieces";
    bytes += fetch.length;
  }
  EXPECT_EQ(bytes, kLength) << "nothing is fetched twice";
  EXPECT_EQ(world_.fetched.size(), kLength / kWebRangeBytes + 1) << "in ranges as long as they may be";
}

TEST_F(WebSeedTest, WhileAPeerSendsNoServerIsAsked) {
  world_.web_mode[0] = WebMode::kUp;
  Config offer = Downloading(2, 0);
  offer.role = Role::kOffer;
  world_.Add(offer, good_);
  const size_t client = world_.Add(Downloading(1, 1), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }));
  EXPECT_TRUE(world_.fetched.empty());
}

TEST_F(WebSeedTest, WhatAPeerHasLeftBehindComesFromAServer) {
  world_.web_mode[0] = WebMode::kUp;
  Config offer = Downloading(2, 0);
  offer.role = Role::kOffer;
  const size_t seeder = world_.Add(offer, good_);
  const size_t client = world_.Add(Downloading(1, 1), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(client).progress().bytes_received > 3'000'000; }));
  world_.Ask(seeder, Stop{});
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }, Seconds(300)));
  EXPECT_EQ(world_.node(client).file, good_);
}

TEST_F(WebSeedTest, AServerWhoseBytesAreProvenWrongIsGivenUpAtOnceAndAnotherHelps) {
  world_.web_mode[0] = WebMode::kWrong;
  world_.web_mode[1] = WebMode::kUp;
  const size_t client = world_.Add(Downloading(1, 2), "");
  ASSERT_TRUE(world_.RunUntil([&] { return !Trouble(client).empty(); }));
  const auto before = Asked(0);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }));
  EXPECT_EQ(world_.node(client).file, good_);
  ASSERT_EQ(Trouble(client).size(), 1u);
  EXPECT_EQ(Trouble(client)[0].seed, 0u);
  EXPECT_EQ(Trouble(client)[0].verdict, Verdict::kLied);
  EXPECT_TRUE(world_.node(client).All<PeerBanned>().empty());
  EXPECT_EQ(Asked(0), before) << "who has lied is not asked again";
}

TEST_F(WebSeedTest, AServerThatAnswersWronglyIsGivenUpAfterThreeStrikes) {
  for (const WebMode mode : {WebMode::kFailing, WebMode::kShort, WebMode::kSilent}) {
    world_.web_mode[0] = mode;
    world_.fetched.clear();
    const size_t client = world_.Add(Downloading(static_cast<uint8_t>(1 + static_cast<int>(mode)), 1), "");
    ASSERT_TRUE(world_.RunUntil([&] { return Trouble(client).size() == kWebStrikes; }, Seconds(400)));
    world_.RunFor(Seconds(300));
    EXPECT_EQ(world_.fetched.size(), kWebStrikes);
    EXPECT_EQ(Trouble(client)[1].verdict, Verdict::kAskedAgain);
    EXPECT_EQ(Trouble(client)[2].verdict, Verdict::kGivenUp);
    EXPECT_FALSE(world_.Completed(client));
    world_.Ask(client, Stop{});
    world_.RunFor(Seconds(5));
  }
}

TEST_F(WebSeedTest, AServerThatIsLateIsAskedForLessTheNextTime) {
  world_.web_mode[0] = WebMode::kSilent;
  const size_t client = world_.Add(Downloading(1, 1), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.fetched.size() == 2; }, Seconds(200)));
  world_.web_mode[0] = WebMode::kUp;
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }, Seconds(200)));
  EXPECT_EQ(world_.fetched[0].second.length, kWebRangeBytes);
  EXPECT_EQ(world_.fetched[1].second.length, kWebRangeBytes / 4);
  EXPECT_EQ(world_.node(client).file, good_);
}

TEST_F(WebSeedTest, TheLimitOfADownloadHoldsForServersToo) {
  world_.web_mode[0] = world_.web_mode[1] = WebMode::kUp;
  Config config = Downloading(1, 2);
  config.download_limit = 1 << 20;
  const size_t client = world_.Add(config, "");
  ASSERT_TRUE(world_.RunUntil([&] { return !world_.fetched.empty(); }));
  const Instant began = world_.now();
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }));
  EXPECT_EQ(world_.node(client).file, good_);
  EXPECT_GE(world_.now() - began, Seconds(kLength / config.download_limit - 1));
  EXPECT_LE(world_.now() - began, Seconds(kLength / config.download_limit + 2));
  for (const auto& [seed, fetch] : world_.fetched) EXPECT_LE(fetch.length, config.download_limit / 10);
}

TEST_F(WebSeedTest, SilentServersAreNotAskedAgainBeforeOneThatWasNotAskedYet) {
  constexpr uint64_t kShort = kPieceLength;
  torrent_ = bt::test::SampleMetainfo(kShort, kPieceLength);
  world_.registered = torrent_;
  world_.web_content = bt::test::SampleBytes(kShort);
  world_.web_mode[0] = world_.web_mode[1] = WebMode::kSilent;
  world_.web_mode[2] = WebMode::kUp;
  const size_t client = world_.Add(Downloading(1, 3), "");
  const Duration twice_late = kWebAnswerTimeout * 2 + Timing().web_seed_patience;
  EXPECT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }, twice_late + Seconds(5)));
}

TEST_F(WebSeedTest, ThePieceOfALiarComesFromAPeerThatAppears) {
  world_.web_mode[0] = WebMode::kWrong;
  Config config = Downloading(1, 1);
  config.peers = {Host(2)};
  const size_t client = world_.Add(config, "");
  ASSERT_TRUE(world_.RunUntil([&] { return !Trouble(client).empty(); }));
  Config offer = Downloading(2, 0);
  offer.role = Role::kOffer;
  world_.Add(offer, good_);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }));
  EXPECT_EQ(world_.node(client).file, good_);
}

TEST_F(WebSeedTest, NoMoreServersAreAskedThanTheLimit) {
  for (uint32_t i = 0; i < 2 * kWebSeedsLimit; ++i) world_.web_mode[i] = WebMode::kFailing;
  world_.Add(Downloading(1, 2 * kWebSeedsLimit), "");
  world_.RunFor(Seconds(100));
  uint32_t last = 0;
  for (const auto& [seed, fetch] : world_.fetched) last = std::max(last, seed);
  EXPECT_EQ(last, kWebSeedsLimit - 1);
  EXPECT_EQ(world_.fetched.size(), kWebSeedsLimit * kWebStrikes);
}

TEST_F(WebSeedTest, ADownloadNeedsNoTrackerWhileAServerMayHelp) {
  world_.web_mode[0] = WebMode::kUp;
  Config config = Downloading(1, 1);
  config.timing.web_seed_patience = Seconds(60);
  world_.tracker_mode[0] = SmallWorld::TrackerMode::kRefusing;
  const size_t unreachable = world_.Add(config, "");
  config.trackers = 0;
  config.listen = Host(2);
  const size_t none = world_.Add(config, "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(unreachable) && world_.Completed(none); }));
}

TEST_F(WebSeedTest, WithoutATrackerADownloadEndsWhenTheLastServerIsGivenUp) {
  world_.web_mode[0] = WebMode::kFailing;
  Config config = Downloading(1, 1);
  config.trackers = 0;
  const size_t client = world_.Add(config, "");
  ASSERT_TRUE(world_.RunUntil([&] { return !world_.node(client).All<Failed>().empty(); }));
  EXPECT_EQ(Trouble(client).size(), kWebStrikes);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(client).stopped(); }));
}

TEST_F(WebSeedTest, APieceLongerThanARangeComesInSeveral) {
  constexpr uint32_t kLong = 16 << 20;
  torrent_ = bt::test::SampleMetainfo(kLength, kLong);
  world_.registered = torrent_;
  world_.web_mode[0] = WebMode::kUp;
  const size_t client = world_.Add(Downloading(1, 1), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }));
  EXPECT_EQ(world_.node(client).file, good_);
  for (const auto& [seed, fetch] : world_.fetched) EXPECT_LE(fetch.length, kWebRangeBytes);
}

TEST_F(WebSeedTest, OfATreeEachRangeIsOfOneFileAndOnlyOfWhatIsSelected) {
  const FileTree tree({{{"a"}, kPieceLength + 9, {}, false}, {{"b"}, 5, {}, false}, {{"c"}, 7, {}, false}},
                      kPieceLength);
  MetainfoBuilder builder("tree", tree, kPieceLength);
  builder.Update(std::string(tree.length(), 't'));
  torrent_ = builder.Finish();
  world_.registered = torrent_;
  world_.web_content.assign(torrent_.end_offset(), 't');
  world_.web_mode[0] = WebMode::kUp;
  Config config = Downloading(1, 1);
  config.select = {"a", "c"};
  const size_t client = world_.Add(config, "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }));
  ASSERT_EQ(world_.fetched.size(), 2u);
  const auto asked = [&](uint32_t file) {
    const auto found = std::find_if(world_.fetched.begin(), world_.fetched.end(),
                                    [&](const auto& one) { return one.second.file == file; });
    return found == world_.fetched.end() ? FetchRange() : found->second;
  };
  EXPECT_EQ(asked(0).length, kPieceLength + 9);
  EXPECT_EQ(asked(2).length, 7u);
  EXPECT_EQ(asked(2).offset, 0u);
}

}  // namespace
}  // namespace bt::swarm::test
