// Blame: letters are senders, a capital letter sent a wrong block.

#include "core/swarm/blame.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>

namespace bt::swarm {
namespace {

const PieceIndex kPiece(4);

Sender Named(char letter) {
  const uint8_t host = static_cast<uint8_t>(std::tolower(letter) - 'a');
  return {Address::V4(10, 0, 0, host, 6881), LinkId(host)};
}

PieceRecord Record(const std::string& picture) {
  PieceRecord record;
  for (size_t i = 0; i < picture.size(); ++i) {
    Sha256Digest leaf{};
    leaf[0] = static_cast<uint8_t>(i);
    if (std::isupper(picture[i])) leaf[1] = static_cast<uint8_t>(picture[i]);
    record.leaves.push_back(leaf);
    size_t known = 0;
    while (known < record.senders.size() && !record.senders[known].Same(Named(picture[i]))) ++known;
    if (known == record.senders.size()) record.senders.push_back(Named(picture[i]));
    record.sender_of.push_back(static_cast<uint16_t>(known));
  }
  return record;
}

std::string Names(const std::vector<Sender>& senders) {
  std::string names;
  for (const Sender& sender : senders) names += static_cast<char>('a' + sender.address.ip[15]);
  std::sort(names.begin(), names.end());
  return names;
}

TEST(BlameTest, TheOnlySenderOfABadPieceIsProvenALiar) {
  Blame blame;
  EXPECT_EQ(Names(blame.Failed(kPiece, Record("aaAa"))), "a");
}

TEST(BlameTest, OfSeveralSendersNobodyIsNamedWithoutACorrectCopy) {
  Blame blame;
  EXPECT_EQ(Names(blame.Failed(kPiece, Record("aBaa"))), "");
  EXPECT_EQ(blame.blocks_remembered(), 4u);
}

TEST(BlameTest, ACorrectCopyConvictsExactlyTheSendersOfDifferentBlocks) {
  Blame blame;
  blame.Failed(kPiece, Record("aBac"));
  blame.Failed(kPiece, Record("cDdd"));
  EXPECT_EQ(Names(blame.Passed(kPiece, Record("eeee"))), "bd");
  EXPECT_EQ(blame.blocks_remembered(), 0u);
  EXPECT_EQ(Names(blame.Passed(kPiece, Record("eeee"))), "");
}

TEST(BlameTest, PiecesAreJudgedApart) {
  Blame blame;
  blame.Failed(kPiece, Record("aB"));
  EXPECT_EQ(Names(blame.Passed(PieceIndex(5), Record("cc"))), "");
}

TEST(BlameTest, AnAcceptedConnectionIsASenderOfItsOwnADialledAddressIsOneAcrossConnections) {
  Sender dialled{Address::V4(10, 0, 0, 1, 6881), LinkId(1)};
  Sender again{Address::V4(10, 0, 0, 1, 6881), LinkId(2)};
  Sender accepted{Address::V4(10, 0, 0, 1, 6881), LinkId(kInboundLink | 1)};
  Sender another{Address::V4(10, 0, 0, 1, 6881), LinkId(kInboundLink | 2)};
  EXPECT_TRUE(dialled.Same(again));
  EXPECT_FALSE(dialled.Same(accepted));
  EXPECT_FALSE(accepted.Same(another));
}

TEST(BlameTest, ASenderWhoseBlocksWereAllReplacedHasNoPartInThePiece) {
  PieceRecord record = Record("ab");
  record.sender_of = {1, 1};
  Blame blame;
  EXPECT_EQ(Names(SendersOf(record)), "b");
  EXPECT_EQ(Names(blame.Failed(kPiece, record)), "b");
}

TEST(BlameTest, WhatIsRememberedIsBounded) {
  Blame blame;
  std::string picture(1024, 'a');
  picture[7] = 'B';
  for (uint32_t piece = 0; piece < 1000; ++piece) {
    for (int attempt = 0; attempt < 6; ++attempt) blame.Failed(PieceIndex(piece), Record(picture));
    ASSERT_LE(blame.blocks_remembered(), Blame::kBlocksRemembered + 4 * 1024);
  }
}

}  // namespace
}  // namespace bt::swarm
