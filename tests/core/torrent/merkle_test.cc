#include "core/torrent/merkle.h"

#include <gtest/gtest.h>

#include <string>

namespace bt::merkle {
namespace {

Sha256Digest Leaf(int i) { return Sha256("leaf " + std::to_string(i)); }

std::vector<Sha256Digest> Leaves(size_t count) {
  std::vector<Sha256Digest> leaves;
  for (size_t i = 0; i < count; ++i) leaves.push_back(Leaf(static_cast<int>(i)));
  return leaves;
}

const Sha256Digest kZero{};

TEST(Merkle, RootOfOneLeafIsTheLeaf) { EXPECT_EQ(Root(Leaves(1), 0), Leaf(0)); }

TEST(Merkle, PadsWithZeroLeavesToThePowerOfTwo) {
  EXPECT_EQ(Root(Leaves(3), 0), HashPair(HashPair(Leaf(0), Leaf(1)), HashPair(Leaf(2), kZero)));
  EXPECT_EQ(Root(Leaves(5), 0),
            HashPair(Root(Leaves(4), 0), HashPair(HashPair(Leaf(4), kZero), HashPair(kZero, kZero))));
}

TEST(Merkle, PadsUpperLayersWithRootsOfZeroSubtrees) {
  const std::vector<Sha256Digest> nodes = Leaves(3);
  EXPECT_EQ(Root(nodes, 2), HashPair(HashPair(Leaf(0), Leaf(1)), HashPair(Leaf(2), ZeroRoot(2))));
  EXPECT_EQ(ZeroRoot(1), HashPair(kZero, kZero));
  EXPECT_EQ(ZeroRoot(2), HashPair(ZeroRoot(1), ZeroRoot(1)));
}

TEST(Merkle, APieceOfFewLeavesIsPaddedToAWholeSubtree) {
  EXPECT_EQ(PaddedRoot(Leaves(1), 0, 2), HashPair(HashPair(Leaf(0), kZero), ZeroRoot(1)));
  EXPECT_EQ(PaddedRoot(Leaves(4), 0, 2), Root(Leaves(4), 0));
}

TEST(Merkle, TheRootOfPiecesIsTheRootOfTheirLeaves) {
  const std::vector<Sha256Digest> leaves = Leaves(11);
  std::vector<Sha256Digest> pieces;
  for (size_t first = 0; first < leaves.size(); first += 4) {
    const size_t count = std::min<size_t>(4, leaves.size() - first);
    pieces.push_back(PaddedRoot(std::span(leaves).subspan(first, count), 0, 2));
  }
  EXPECT_EQ(Root(pieces, 2), Root(leaves, 0));
}

TEST(Merkle, ProvesEveryRangeOfEveryTreeAgainstItsRoot) {
  for (size_t size = 1; size <= 19; ++size) {
    const std::vector<Sha256Digest> layer = Leaves(size);
    const uint32_t layer_height = 3;
    const uint32_t tree_height = layer_height + HeightFor(size);
    const Sha256Digest root = Root(layer, layer_height);
    for (uint32_t count = 1; count <= (1u << HeightFor(size)); count *= 2) {
      for (uint64_t index = 0; index < (1u << HeightFor(size)); index += count) {
        const auto hashes = Range(layer, layer_height, index, count);
        const auto uncles = Uncles(layer, layer_height, index, count, 63, tree_height);
        EXPECT_EQ(uncles.size(), HeightFor(size) - HeightFor(count));
        EXPECT_TRUE(VerifyRange(hashes, index, uncles, root)) << size << " " << count << " " << index;
      }
    }
  }
}

TEST(Merkle, RefusesAProofWithAnythingChanged) {
  const std::vector<Sha256Digest> layer = Leaves(13);
  const Sha256Digest root = Root(layer, 0);
  const auto hashes = Range(layer, 0, 4, 2);
  const auto uncles = Uncles(layer, 0, 4, 2, 63, 4);
  ASSERT_EQ(uncles.size(), 3u);
  ASSERT_TRUE(VerifyRange(hashes, 4, uncles, root));

  EXPECT_FALSE(VerifyRange(hashes, 6, uncles, root));
  EXPECT_FALSE(VerifyRange(hashes, 5, uncles, root));
  EXPECT_FALSE(VerifyRange(hashes, 4 + 16, uncles, root));
  EXPECT_FALSE(VerifyRange({}, 4, uncles, root));
  EXPECT_FALSE(VerifyRange(std::span(hashes).first(1), 4, uncles, root));
  EXPECT_FALSE(VerifyRange(hashes, 4, std::span(uncles).first(2), root));
  for (size_t i = 0; i < uncles.size(); ++i) {
    auto changed = uncles;
    changed[i][7] ^= 1;
    EXPECT_FALSE(VerifyRange(hashes, 4, changed, root));
  }
  for (size_t i = 0; i < hashes.size(); ++i) {
    auto changed = hashes;
    changed[i][31] ^= 0x80;
    EXPECT_FALSE(VerifyRange(changed, 4, uncles, root));
  }
}

// BEP 52: proof layers count from the base; those the range itself yields are left out.
TEST(Merkle, SendsAsManyUnclesAsTheRequestAsksFor) {
  const std::vector<Sha256Digest> layer = Leaves(64);
  EXPECT_EQ(Uncles(layer, 0, 8, 8, 0, 6).size(), 0u);
  EXPECT_EQ(Uncles(layer, 0, 8, 8, 2, 6).size(), 0u);
  EXPECT_EQ(Uncles(layer, 0, 8, 8, 3, 6).size(), 1u);
  EXPECT_EQ(Uncles(layer, 0, 8, 8, 5, 6).size(), 3u);
  EXPECT_EQ(Uncles(layer, 0, 8, 8, 60, 6).size(), 3u);
  EXPECT_EQ(Uncles(layer, 0, 8, 8, 3, 6)[0], Root(std::span(layer).first(8), 0));
}

}  // namespace
}  // namespace bt::merkle
