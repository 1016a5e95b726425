#include "core/swarm/spreader.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

namespace bt::swarm {
namespace {

constexpr uint32_t kPieces = 40;

class SpreaderTest : public testing::Test {
 protected:
  void Join(uint32_t peers) {
    for (uint32_t peer = 0; peer < peers; ++peer) spreader_.Join(peer);
  }
  // Takes every suggestion that is due: which pieces each peer is given.
  std::map<uint32_t, std::vector<PieceIndex>> TakeAll() {
    std::map<uint32_t, std::vector<PieceIndex>> given;
    while (const auto next = spreader_.Next(now_)) {
      given[next->peer].push_back(next->piece);
      spreader_.CheckInvariants();
    }
    return given;
  }
  static size_t Count(const std::map<uint32_t, std::vector<PieceIndex>>& given) {
    size_t count = 0;
    for (const auto& [peer, pieces] : given) count += pieces.size();
    return count;
  }

  Rng rng_{7};
  Instant now_{Seconds(100).ns};
  Spreader spreader_{kPieces, rng_};
};

TEST_F(SpreaderTest, EachPieceIsGivenOnceAndInDifferentHands) {
  Join(4);
  std::set<PieceIndex> seen;
  for (int round = 0; round < 20 && seen.size() < kPieces; ++round) {
    const auto given = TakeAll();
    for (const auto& [peer, pieces] : given) {
      for (const PieceIndex piece : pieces) {
        EXPECT_TRUE(seen.insert(piece).second) << "piece " << piece.value() << " is given twice";
        spreader_.Has(peer, piece, now_);
        spreader_.Has((peer + 1) % 4, piece, now_);
      }
    }
    for (uint32_t peer = 0; peer < 4 && seen.size() < kPieces; ++peer) EXPECT_TRUE(given.contains(peer));
    now_ = now_ + Milliseconds(10);
  }
  EXPECT_EQ(seen.size(), kPieces);
  EXPECT_FALSE(spreader_.Next(now_));
  EXPECT_EQ(spreader_.deadline(), Instant::Never());
}

TEST_F(SpreaderTest, OnlyAsManyAreOnTheWayAsKeepThePipeFull) {
  Join(2);
  EXPECT_EQ(Count(TakeAll()), 8u);
  EXPECT_EQ(Count(TakeAll()), 0u);
  for (uint32_t peer = 2; peer < 10; ++peer) spreader_.Join(peer);
  EXPECT_EQ(Count(TakeAll()), 12u) << "two a peer";
}

TEST_F(SpreaderTest, ALonePeerKnowsBestWhatItLacks) {
  Join(1);
  EXPECT_FALSE(spreader_.Next(now_));
  for (uint32_t i = 0; i < 20; ++i) spreader_.Asked(0, PieceIndex(i), now_);
  spreader_.Join(1);
  const auto given = TakeAll();
  EXPECT_EQ(given.at(0).size(), 1u) << "from now on it is to wait for suggestions";
  EXPECT_GE(given.at(1).size(), 1u);
}

TEST_F(SpreaderTest, TheLastOneLeftGoesOnBeingGivenPieces) {
  Join(2);
  TakeAll();
  spreader_.Leave(1);
  EXPECT_TRUE(spreader_.Next(now_)) << "it waits for suggestions";
}

TEST_F(SpreaderTest, NextInTurnIsWhosePiecesHaveSpreadBest) {
  Join(2);
  const auto given = TakeAll();
  for (const PieceIndex piece : given.at(0)) {
    spreader_.Has(0, piece, now_);
    spreader_.Has(1, piece, now_);
  }
  for (const PieceIndex piece : given.at(1)) spreader_.Has(1, piece, now_);  // it keeps them to itself
  const auto next = TakeAll();
  EXPECT_GT(next.at(0).size(), next.contains(1) ? next.at(1).size() : 0);
}

TEST_F(SpreaderTest, WhatAPeerAloneHadIsGivenAnewWhenItLeaves) {
  Join(3);
  const auto given = TakeAll();
  spreader_.Has(0, given.at(0)[0], now_);
  std::set<PieceIndex> lost(given.at(0).begin(), given.at(0).end());
  spreader_.Leave(0);
  for (const auto& [peer, pieces] : TakeAll()) {
    EXPECT_NE(peer, 0u);
    for (const PieceIndex piece : pieces) lost.erase(piece);
  }
  EXPECT_TRUE(lost.empty());
}

TEST_F(SpreaderTest, APieceThatDoesNotArriveInTimeIsGivenAnewAndOneThatDoesNotSpreadIsLetGo) {
  Join(2);
  const auto given = TakeAll();
  now_ = now_ + Milliseconds(500);
  const PieceIndex held = given.at(0)[0];
  spreader_.Has(0, held, now_);
  EXPECT_LE(spreader_.deadline(), now_ + Seconds(2)) << "the others are late by now";
  now_ = now_ + Seconds(3);
  spreader_.Expire(now_);
  spreader_.CheckInvariants();
  std::set<PieceIndex> anew;
  for (const auto& [peer, pieces] : TakeAll()) anew.insert(pieces.begin(), pieces.end());
  EXPECT_TRUE(anew.contains(given.at(1)[0]));
  EXPECT_FALSE(anew.contains(held));
}

TEST_F(SpreaderTest, WhoAsksForOtherPiecesIsNotCountedOn) {
  Join(2);
  const auto given = TakeAll();
  std::set<PieceIndex> owned;
  for (const auto& [peer, pieces] : given) owned.insert(pieces.begin(), pieces.end());
  now_ = now_ + Seconds(2);
  uint32_t strays = 0;
  for (uint32_t i = 0; i < kPieces && strays < 9; ++i) {
    if (owned.contains(PieceIndex(i))) continue;
    spreader_.Asked(0, PieceIndex(i), now_);
    spreader_.Asked(0, PieceIndex(i), now_);  // another block of it
    // Served and announced at once: it owns nothing else than what it was given.
    spreader_.Has(0, PieceIndex(i), now_);
    spreader_.Has(1, PieceIndex(i), now_);
    ++strays;
  }
  spreader_.CheckInvariants();
  for (const PieceIndex piece : given.at(1)) spreader_.Has(1, piece, now_);
  const auto next = TakeAll();
  EXPECT_FALSE(next.contains(0));
  std::set<PieceIndex> others(next.at(1).begin(), next.at(1).end());
  EXPECT_TRUE(others.contains(given.at(0)[0])) << "what it was to get others get";
}

TEST_F(SpreaderTest, WhatIsAskedForUnbiddenIsNotGivenToAnybodyElse) {
  Join(2);
  spreader_.Asked(0, PieceIndex(3), now_);
  for (int round = 0; round < 20; ++round) {
    for (const auto& [peer, pieces] : TakeAll()) {
      for (const PieceIndex piece : pieces) {
        EXPECT_NE(piece, PieceIndex(3));
        spreader_.Has(peer, piece, now_);
        spreader_.Has(1 - peer, piece, now_);
      }
    }
  }
}

TEST_F(SpreaderTest, APieceThatIsLostHereIsNotGiven) {
  for (uint32_t i = 1; i < kPieces; ++i) spreader_.LeaveOut(PieceIndex(i));
  Join(2);
  const auto given = TakeAll();
  ASSERT_EQ(Count(given), 1u);
  EXPECT_EQ(given.begin()->second[0], PieceIndex(0));
}

// Whoever comes, asks and goes again and again makes nothing grow.
TEST_F(SpreaderTest, ComingAndGoingLeavesNothingBehind) {
  Join(2);
  for (int round = 0; round < 1000; ++round) {
    spreader_.Join(5);
    for (uint32_t i = 0; i < kPieces; ++i) spreader_.Asked(5, PieceIndex(i), now_);
    spreader_.Leave(5);
    spreader_.CheckInvariants();
  }
  EXPECT_EQ(Count(TakeAll()), 8u);
}

}  // namespace
}  // namespace bt::swarm
