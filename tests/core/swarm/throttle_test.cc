// Limits of bytes a second: the rule itself, and clients that keep it.

#include "core/swarm/throttle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/core/swarm/peer_fixture.h"

namespace bt::swarm::test {
namespace {

// How many blocks go in `time` when as many as may go are sent, looked at each millisecond.
uint64_t BlocksIn(Throttle& throttle, Instant from, Duration time) {
  uint64_t blocks = 0;
  for (Instant now = from; now < from + time; now = now + Milliseconds(1)) {
    while (throttle.Open(now)) {
      throttle.Spend(kBlockSize, now);
      ++blocks;
    }
  }
  return blocks;
}

TEST(ThrottleTest, LetsPassWhatItIsToldAndNoMore) {
  Throttle throttle(kBlockSize * 100);
  EXPECT_NEAR(static_cast<double>(BlocksIn(throttle, Instant(Seconds(5).ns), Seconds(10))), 1010, 2);
}

TEST(ThrottleTest, SavesUpATenthOfASecondInAPause) {
  Throttle throttle(kBlockSize * 100);
  const Instant start(Seconds(5).ns);
  BlocksIn(throttle, start, Seconds(1));
  EXPECT_EQ(BlocksIn(throttle, start + Seconds(60), Milliseconds(1)), 11u);
}

TEST(ThrottleTest, WhatIsMoreThanIsLeftMakesTheNextWait) {
  Throttle throttle(kBlockSize);
  const Instant start(Seconds(5).ns);
  throttle.Spend(3 * kBlockSize, start);
  EXPECT_FALSE(throttle.Open(start + Milliseconds(2899)));
  EXPECT_TRUE(throttle.Open(start + Milliseconds(2900)));
  EXPECT_EQ(throttle.next(start), start + Milliseconds(2900));
}

TEST(ThrottleTest, WithoutALimitEverythingPasses) {
  Throttle throttle(0);
  throttle.Spend(UINT32_MAX, Instant{});
  EXPECT_TRUE(throttle.Open(Instant{}));
  EXPECT_EQ(throttle.burst(), UINT64_MAX);
}

TEST(ThrottleTest, WhatIsOwedStaysOwedUnderAnotherRate) {
  Throttle throttle(kBlockSize);
  const Instant start(Seconds(5).ns);
  throttle.Spend(4 * kBlockSize, start);  // owed: 3.9 blocks
  throttle.SetRate(2 * kBlockSize, start);
  const auto waits = [&] { return static_cast<double>((throttle.next(start) - start).millis()); };
  EXPECT_NEAR(waits(), 1950, 1);
  throttle.SetRate(kBlockSize, start + Milliseconds(950));
  EXPECT_NEAR(waits(), 2950, 1);
}

// As a daemon does that divides one limit between its transfers.
TEST(ThrottleTest, ARateThatIsSetAgainAndAgainIsKept) {
  Throttle throttle(kBlockSize * 5);
  Instant now(Seconds(5).ns);
  uint64_t blocks = 0;
  for (int i = 0; i < 100; ++i, now = now + Milliseconds(100)) {
    throttle.SetRate(i % 2 == 0 ? kBlockSize * 6 : kBlockSize * 4, now);
    blocks += BlocksIn(throttle, now, Milliseconds(100));
  }
  EXPECT_NEAR(static_cast<double>(blocks), 50, 2);
}

struct LimitedTest : PeerTest {
  size_t Seeder(uint64_t upload_limit) {
    Config config = Offering();
    config.upload_limit = upload_limit;
    return world_.Add(config, good_);
  }
  size_t Downloader(uint8_t host, uint64_t download_limit) {
    Config config = Downloading();
    config.listen = Host(host);
    config.peers = {Host(1)};
    config.peer_exchange = false;  // they get everything from the seeder
    config.download_limit = download_limit;
    return world_.Add(config, "");
  }
  // How long it takes until all are done.
  Duration Takes(const std::vector<size_t>& downloads) {
    const Instant start = world_.now();
    const auto done = [&] {
      return std::all_of(downloads.begin(), downloads.end(),
                         [&](size_t one) { return world_.Completed(one); });
    };
    EXPECT_TRUE(world_.RunUntil(done, Seconds(60)));
    return world_.now() - start;
  }
};

TEST_F(LimitedTest, AnOfferSendsNoMoreThanItsLimit) {
  Seeder(100'000);
  const Duration took = Takes({Downloader(2, 0)});
  EXPECT_GE(took, Milliseconds(2'700));
  EXPECT_LE(took, Milliseconds(3'300));
}

TEST_F(LimitedTest, ADownloadAsksForNoMoreThanItsLimit) {
  Seeder(0);
  const Duration took = Takes({Downloader(2, 100'000)});
  EXPECT_GE(took, Milliseconds(2'500));
  EXPECT_LE(took, Milliseconds(3'300));
}

TEST_F(LimitedTest, AnotherLimitOfAnOfferHoldsAtOnce) {
  const size_t seeder = Seeder(1'000);
  const size_t download = Downloader(2, 0);
  world_.RunFor(Seconds(1));
  world_.Ask(seeder, SetLimits{.upload = 100'000});
  const Duration took = Takes({download});
  EXPECT_GE(took, Milliseconds(2'400));
  EXPECT_LE(took, Milliseconds(3'300));
}

TEST_F(LimitedTest, WithoutItsLimitAnOfferSendsWhatItHas) {
  const size_t seeder = Seeder(1'000);
  const size_t download = Downloader(2, 0);
  world_.RunFor(Seconds(1));
  world_.Ask(seeder, SetLimits{});
  EXPECT_LE(Takes({download}), Milliseconds(500));
}

TEST_F(LimitedTest, AnotherLimitOfADownloadHoldsAtOnce) {
  Seeder(0);
  const size_t download = Downloader(2, 1'000);
  world_.RunFor(Seconds(1));
  world_.Ask(download, SetLimits{.download = 100'000});
  const Duration took = Takes({download});
  EXPECT_GE(took, Milliseconds(2'300));
  EXPECT_LE(took, Milliseconds(3'300));
}

// Whoever is given too little takes a seeder for dead.
TEST_F(LimitedTest, AnOfferServesNoMorePeersAtATimeThanItsLimitFeeds) {
  const size_t seeder = Seeder(16'384);
  for (uint8_t host = 2; host < 6; ++host) Downloader(host, 0);
  world_.RunFor(Seconds(1));
  const std::vector<PeerView> peers = world_.client(seeder).peers();
  EXPECT_EQ(peers.size(), 4u);
  EXPECT_EQ(std::count_if(peers.begin(), peers.end(), [](const PeerView& peer) { return !peer.am_choking; }),
            2);
}

// Each of them has had about as much as the others when the first is done.
TEST_F(LimitedTest, ThoseWhoAreServedUnderALimitTakeTurns) {
  const size_t seeder = Seeder(100'000);
  const std::vector<size_t> all = {Downloader(2, 0), Downloader(3, 0), Downloader(4, 0)};
  world_.RunFor(Seconds(2));
  ASSERT_GT(world_.node(seeder).served.size(), 9u);
  for (const size_t one : all) {
    EXPECT_GE(world_.client(one).progress().bytes_received, 3 * uint64_t{kBlockSize}) << one;
  }
}

}  // namespace
}  // namespace bt::swarm::test
