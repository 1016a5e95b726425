// The picker, with peers and pieces drawn as pictures: one string per peer, '#' has the piece, '.' has not.

#include "core/swarm/picker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace bt::swarm {
namespace {

constexpr Picker::PeerSlot kAnna = 0;
constexpr Picker::PeerSlot kBert = 1;

PieceMap Pieces(const std::string& picture) {
  PieceMap map(static_cast<uint32_t>(picture.size()));
  for (uint32_t i = 0; i < picture.size(); ++i) {
    if (picture[i] == '#') map.Add(PieceIndex(i));
  }
  return map;
}

Sender From(uint8_t host) { return {Address::V4(10, 0, 0, host, 6881), LinkId(host)}; }

class PickerTest : public testing::Test {
 protected:
  // As many pieces as `have` has characters; '#': verified already.
  void Make(const std::string& have, uint32_t blocks_per_piece = 4) {
    metainfo_.piece_length = blocks_per_piece * kBlockSize;
    metainfo_.length = have.size() * metainfo_.piece_length;
    have_ = Pieces(have);
    picker_.emplace(metainfo_, have_, rng_);
  }
  std::vector<BlockRef> Pick(Picker::PeerSlot peer, const std::string& has, uint32_t count) {
    std::vector<BlockRef> out;
    picker_->Pick(
        peer, Pieces(has), count, now_, rng_, [this](PieceIndex) { return its_turn_; }, out);
    return out;
  }
  std::vector<BlockRef> Endgame(const std::string& has, const std::vector<BlockRef>& already,
                                uint32_t count) {
    std::vector<BlockRef> out;
    picker_->PickEndgame(Pieces(has), already, count, out);
    return out;
  }
  // The block arrives from `host` and is stored.
  std::optional<PieceRecord> Deliver(BlockRef block, Picker::PeerSlot peer, uint8_t host) {
    if (picker_->Arrived(block, peer, From(host)) == Picker::Arrival::kDuplicate) return std::nullopt;
    Sha256Digest leaf{};
    leaf[0] = host;
    return picker_->Stored(block, picker_->generation(block.piece), leaf);
  }
  // '#' verified, 'o' in progress or missing with a free block, by asking a peer that has everything.
  static std::string PiecesOf(const std::vector<BlockRef>& blocks, size_t pieces) {
    std::string picture(pieces, '.');
    for (const BlockRef block : blocks) picture[block.piece.value()] = '#';
    return picture;
  }

  bool its_turn_ = true;  // of whoever picks, for pieces demanded of one peer alone
  Metainfo metainfo_;
  PieceMap have_;
  Rng rng_{1};
  Instant now_{1};
  std::optional<Picker> picker_;
};

TEST_F(PickerTest, PicksTheRarestPieceOnceTheFirstRandomOnesAreHad) {
  Make("####....", 1);
  for (const char* peer : {"########", "#####.##", "#####.##"}) picker_->AddPeer(Pieces(peer));
  // The first few are random; what is rarest comes first after that.
  for (int i = 0; i < 8 && !picker_->complete(); ++i) {
    const std::vector<BlockRef> block = Pick(kAnna, "########", 1);
    ASSERT_EQ(block.size(), 1u);
    ASSERT_TRUE(Deliver(block[0], kAnna, 1));
    picker_->Accept(block[0].piece);
  }
  EXPECT_TRUE(picker_->complete());
  Make("........", 1);
  for (const char* peer : {"########", "###.####", "###.####", "#######."}) picker_->AddPeer(Pieces(peer));
  for (uint32_t i = 0; i < Picker::kRandomPieces; ++i) {
    const std::vector<BlockRef> block = Pick(kAnna, "##.#.#..", 1);
    ASSERT_TRUE(Deliver(block[0], kAnna, 1));
    picker_->Accept(block[0].piece);
  }
  // Left: 2, 4, 6 and 7, the last of which only three have.
  EXPECT_EQ(Pick(kBert, "########", 1)[0].piece, PieceIndex(7));
}

TEST_F(PickerTest, NeverPicksWhatThePeerLacksOrWhatIsHad) {
  Make("#..#....");
  picker_->AddPeer(Pieces("##.#...#"));
  EXPECT_EQ(PiecesOf(Pick(kAnna, "##.#...#", 100), 8), ".#.....#");
  EXPECT_TRUE(Pick(kBert, "##.#...#", 100).empty());
}

TEST_F(PickerTest, GivesEachPeerPiecesOfItsOwnWhileThereAreEnough) {
  Make("....");
  picker_->AddPeer(Pieces("####"));
  picker_->AddPeer(Pieces("####"));
  std::vector<BlockRef> anna = Pick(kAnna, "####", 3);
  const std::vector<BlockRef> bert = Pick(kBert, "####", 3);
  EXPECT_NE(anna[0].piece, bert[0].piece);
  // The next block for each is the last of its own piece.
  EXPECT_EQ(Pick(kAnna, "####", 1)[0].piece, anna[0].piece);
  EXPECT_EQ(Pick(kBert, "####", 1)[0].piece, bert[0].piece);
}

TEST_F(PickerTest, SharesPiecesWhenNoNewOnesAreLeft) {
  Make(".");
  picker_->AddPeer(Pieces("#"));
  EXPECT_EQ(Pick(kAnna, "#", 2).size(), 2u);
  EXPECT_EQ(Pick(kBert, "#", 9).size(), 2u);
}

TEST_F(PickerTest, InTheEndgameBlocksOutAtOthersAreAskedForOnceMoreButNotOfTheSamePeer) {
  Make(".");
  picker_->AddPeer(Pieces("#"));
  const std::vector<BlockRef> anna = Pick(kAnna, "#", 4);
  EXPECT_TRUE(Pick(kBert, "#", 4).empty());
  const std::vector<BlockRef> bert = Endgame("#", {}, 2);
  EXPECT_EQ(bert.size(), 2u);
  EXPECT_EQ(picker_->requesters(bert[0]), 2u);
  EXPECT_TRUE(Endgame("#", anna, 9).empty());
  EXPECT_TRUE(Endgame(".", {}, 9).empty());
}

TEST_F(PickerTest, AReleasedBlockIsPickedAgain) {
  Make(".");
  picker_->AddPeer(Pieces("#"));
  const std::vector<BlockRef> anna = Pick(kAnna, "#", 4);
  picker_->Release(anna[1]);
  picker_->Disown(kAnna);
  EXPECT_EQ(Pick(kBert, "#", 4), std::vector<BlockRef>{anna[1]});
}

TEST_F(PickerTest, ASecondCopyOfABlockIsADuplicate) {
  Make(".");
  picker_->AddPeer(Pieces("#"));
  const std::vector<BlockRef> anna = Pick(kAnna, "#", 1);
  EXPECT_EQ(picker_->Arrived(anna[0], kAnna, From(1)), Picker::Arrival::kWanted);
  EXPECT_EQ(picker_->Arrived(anna[0], kBert, From(2)), Picker::Arrival::kDuplicate);
}

TEST_F(PickerTest, TheRecordOfAPieceNamesTheSenderOfEachBlock) {
  Make(".");
  picker_->AddPeer(Pieces("#"));
  Pick(kAnna, "#", 2);
  Pick(kBert, "#", 2);
  const PieceIndex piece(0);
  EXPECT_FALSE(Deliver({piece, 0}, kAnna, 1));
  EXPECT_FALSE(Deliver({piece, 2}, kBert, 2));
  EXPECT_FALSE(Deliver({piece, 3}, kBert, 2));
  const std::optional<PieceRecord> record = Deliver({piece, 1}, kAnna, 1);
  ASSERT_TRUE(record);
  std::string hosts;
  for (const uint16_t sender : record->sender_of)
    hosts += record->senders[sender].address.ip[15] == 1 ? 'a' : 'b';
  EXPECT_EQ(hosts, "aabb");
}

TEST_F(PickerTest, APieceDemandedOfOnePeerAloneTakesNothingFromAnother) {
  Make(".");
  picker_->AddPeer(Pieces("#"));
  for (const BlockRef block : Pick(kAnna, "#", 4)) Deliver(block, kAnna, 1);
  picker_->Reject(PieceIndex(0), true);
  const std::vector<BlockRef> anna = Pick(kAnna, "#", 2);
  ASSERT_EQ(anna.size(), 2u);
  EXPECT_TRUE(Pick(kBert, "#", 4).empty());
  EXPECT_TRUE(Endgame("#", {}, 4).empty());
  EXPECT_EQ(picker_->Arrived(anna[0], kBert, From(2)), Picker::Arrival::kDuplicate);
  // It leaves: the whole piece starts over with somebody else.
  EXPECT_FALSE(Deliver(anna[0], kAnna, 1));
  picker_->Disown(kAnna);
  EXPECT_EQ(Pick(kBert, "#", 9).size(), 4u);
}

TEST_F(PickerTest, APieceDemandedOfOnePeerAloneIsNotGivenToAPeerWhoseTurnItIsNot) {
  Make("..");
  picker_->AddPeer(Pieces("##"));
  const PieceIndex failed = Pick(kAnna, "##", 1)[0].piece;
  for (uint32_t block = 0; block < 4; ++block) Deliver({failed, block}, kAnna, 1);
  picker_->Reject(failed, true);
  its_turn_ = false;
  for (const BlockRef block : Pick(kAnna, "##", 9)) EXPECT_NE(block.piece, failed);
  its_turn_ = true;
  EXPECT_EQ(Pick(kBert, "##", 4)[0].piece, failed);
}

TEST_F(PickerTest, ABlockBeingStoredIsNotAskedForAgainBeforeThatHasEnded) {
  Make(".");
  picker_->AddPeer(Pieces("#"));
  for (const BlockRef block : Pick(kAnna, "#", 4)) Deliver(block, kAnna, 1);
  picker_->Reject(PieceIndex(0), true);
  const std::vector<BlockRef> anna = Pick(kAnna, "#", 1);
  const uint32_t generation = picker_->generation(PieceIndex(0));
  ASSERT_EQ(picker_->Arrived(anna[0], kAnna, From(1)), Picker::Arrival::kWanted);
  picker_->Disown(kAnna);
  EXPECT_TRUE(Pick(kBert, "#", 9).empty()) << "two writes to one place would race";
  picker_->Stored(anna[0], generation, Sha256Digest{});
  EXPECT_EQ(Pick(kBert, "#", 9).size(), 4u);
}

TEST_F(PickerTest, WhatADistrustedSenderHasGivenIsFetchedAgain) {
  Make(".");
  picker_->AddPeer(Pieces("#"));
  Pick(kAnna, "#", 1);
  Pick(kBert, "#", 2);
  Deliver({PieceIndex(0), 0}, kAnna, 1);
  Deliver({PieceIndex(0), 1}, kBert, 2);
  picker_->Distrust(From(1));
  EXPECT_EQ(Pick(kBert, "#", 9), (std::vector<BlockRef>{{PieceIndex(0), 0}, {PieceIndex(0), 3}}));
}

TEST_F(PickerTest, AvailabilityIsKeptThroughArrivalsAndDeparturesOfAllKindsOfPeers) {
  Make("............", 1);
  std::vector<std::pair<PieceMap, bool>> peers;
  std::vector<uint32_t> expected(12, 0);
  for (int step = 0; step < 2000; ++step) {
    if (peers.empty() || rng_.Chance(1, 2)) {
      PieceMap map(12);
      const bool all = rng_.Chance(1, 3);
      for (uint32_t i = 0; i < 12; ++i) {
        if (all || rng_.Chance(1, 2)) map.Add(PieceIndex(i));
      }
      picker_->AddPeer(map);
      peers.emplace_back(map, true);
    } else {
      const size_t at = rng_.Below(peers.size());
      picker_->RemovePeer(peers[at].first);
      peers.erase(peers.begin() + static_cast<std::ptrdiff_t>(at));
    }
    picker_->CheckInvariants();
  }
  for (uint32_t i = 0; i < 12; ++i) {
    for (const auto& [map, unused] : peers) expected[i] += map.Has(PieceIndex(i)) ? 1 : 0;
  }
  // Drained in the order of availability, but for the random first ones.
  PieceMap all = PieceMap::All(12);
  picker_->AddPeer(all);
  std::vector<uint32_t> order;
  std::vector<BlockRef> out;
  for (uint32_t i = 0; i < 12; ++i) {
    out.clear();
    picker_->Pick(
        kAnna, all, 1, now_, rng_, [](PieceIndex) { return true; }, out);
    Deliver(out[0], kAnna, 1);
    picker_->Accept(out[0].piece);
    if (i >= Picker::kRandomPieces) order.push_back(expected[out[0].piece.value()]);
  }
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(PickerTest, AGibibyteIsPickedBlockByBlockWithoutLosingAny) {
  Make(std::string(2048, '.'), 32);
  const std::string all(2048, '#');
  const PieceMap map = Pieces(all);
  for (int peer = 0; peer < 9; ++peer) picker_->AddPeer(map);
  std::vector<BlockRef> out;
  uint64_t blocks = 0;
  for (uint32_t turn = 0; !picker_->complete(); ++turn) {
    out.clear();
    picker_->Pick(
        turn % 9, map, 16, now_, rng_, [](PieceIndex) { return true; }, out);
    for (const BlockRef block : out) {
      ++blocks;
      if (Deliver(block, turn % 9, static_cast<uint8_t>(1 + turn % 9))) picker_->Accept(block.piece);
    }
  }
  EXPECT_EQ(blocks, 65536u);
}

}  // namespace
}  // namespace bt::swarm
