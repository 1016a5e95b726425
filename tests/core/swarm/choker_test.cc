#include "core/swarm/choker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace bt::swarm {
namespace {

TEST(ChokerTest, EverybodyIsUnchokedWhileThereAreSlots) {
  Rng rng(1);
  EXPECT_EQ(Choker(3).Choose({{5}, {2}, {9}}, false, rng), (std::vector<uint32_t>{2, 5, 9}));
}

TEST(ChokerTest, ThoseWhoGiveMostKeepTheirSlotsAndOneSlotIsDrawn) {
  Rng rng(1);
  Choker choker(3);
  std::set<uint32_t> drawn;
  for (int round = 0; round < 200; ++round) {
    const std::vector<uint32_t> chosen =
        choker.Choose({{0, 10}, {1, 500}, {2, 20}, {3, 400}, {4, 30}}, false, rng);
    ASSERT_EQ(chosen.size(), 3u);
    EXPECT_TRUE(std::binary_search(chosen.begin(), chosen.end(), 1u));
    EXPECT_TRUE(std::binary_search(chosen.begin(), chosen.end(), 3u));
    for (const uint32_t peer : chosen) {
      if (peer != 1 && peer != 3) drawn.insert(peer);
    }
  }
  EXPECT_EQ(drawn, (std::set<uint32_t>{0, 2, 4})) << "everyone gets the optimistic slot at times";
}

TEST(ChokerTest, ASeederPrefersThoseItHasSentLeast) {
  Rng rng(1);
  const std::vector<uint32_t> chosen =
      Choker(3).Choose({{0, 0, 900}, {1, 0, 10}, {2, 0, 20}, {3, 0, 800}}, true, rng);
  EXPECT_TRUE(std::binary_search(chosen.begin(), chosen.end(), 1u));
  EXPECT_TRUE(std::binary_search(chosen.begin(), chosen.end(), 2u));
}

TEST(ChokerTest, ASnubbedPeerLosesItsRegularSlot) {
  Rng rng(1);
  std::vector<ChokeCandidate> peers = {{0, 900, 0, true}, {1, 10}, {2, 20}, {3, 5}};
  Choker choker(3);
  int kept = 0;
  for (int round = 0; round < 300; ++round) {
    const std::vector<uint32_t> chosen = choker.Choose(peers, false, rng);
    kept += std::binary_search(chosen.begin(), chosen.end(), 0u) ? 1 : 0;
  }
  EXPECT_GT(kept, 0);
  EXPECT_LT(kept, 290);
}

TEST(ChokerTest, TheOptimisticSlotIsHeldForThreeRoundsAndThenDrawnAnew) {
  Rng rng(1);
  Choker choker(1);
  const std::vector<ChokeCandidate> peers = {{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}};
  std::set<uint32_t> holders;
  for (int draw = 0; draw < 100; ++draw) {
    const std::vector<uint32_t> holder = choker.Choose(peers, false, rng);
    EXPECT_EQ(choker.Choose(peers, false, rng), holder);
    EXPECT_EQ(choker.Choose(peers, false, rng), holder);
    holders.insert(holder[0]);
  }
  EXPECT_EQ(holders.size(), peers.size());
}

TEST(ChokerTest, AHolderThatLeavesOrEarnsARegularSlotFreesTheOptimisticOne) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    Choker choker(2);
    std::vector<ChokeCandidate> peers = {{0, 900}, {1, 1}, {2, 2}, {3, 3}};
    std::vector<uint32_t> chosen = choker.Choose(peers, false, rng);
    const uint32_t holder = chosen[1];
    peers[holder].given = 1000;
    chosen = choker.Choose(peers, false, rng);
    ASSERT_EQ(chosen.size(), 2u);
    EXPECT_TRUE(std::binary_search(chosen.begin(), chosen.end(), holder));
    peers.erase(peers.begin() + holder);
    choker.Left(holder);
    EXPECT_EQ(choker.Choose(peers, false, rng).size(), 2u);
  }
}

TEST(ChokerTest, EqualInputsGiveEqualChoices) {
  const std::vector<ChokeCandidate> peers = {{0}, {1}, {2}, {3}, {4}, {5}};
  Rng a(9), b(9);
  Choker one(2), other(2);
  for (int round = 0; round < 50; ++round) {
    EXPECT_EQ(one.Choose(peers, false, a), other.Choose(peers, false, b));
  }
}

}  // namespace
}  // namespace bt::swarm
