// The rules of the peer wire, fed what honest clients say and what they must not.

#include "sim/scenarios/wire_rules.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "core/torrent/metainfo.h"

namespace bt::sim {
namespace {

namespace wire = swarm::wire;

struct WireRulesTest : testing::Test {
  static std::string Content() { return std::string(3 * kPieceLengthMin, 'c'); }
  static Metainfo MakeMetainfo() {
    const std::string content = Content();
    MetainfoBuilder builder("content", content.size(), kPieceLengthMin);
    builder.Update(content);
    return builder.Finish();
  }
  WireRules Rules(bool fast = true) const { return {metainfo, Slice::Own(Content()), fast}; }
  static wire::BlockSpan Block(uint32_t piece) { return {PieceIndex(piece), 0, kBlockSize}; }
  static wire::Piece Bytes(uint32_t piece, char byte = 'c') {
    return {PieceIndex(piece), 0, Slice::Own(std::string(kBlockSize, byte))};
  }
  wire::Handshake Hands() const {
    wire::Handshake hands;
    const Sha1Digest v1 = metainfo.InfoHashV1(TorrentFormat::kHybrid);
    std::copy(v1.begin(), v1.end(), hands.info_hash.begin());
    hands.fast = hands.extended = hands.v2 = true;
    return hands;
  }

  Metainfo metainfo = MakeMetainfo();
};

TEST_F(WireRulesTest, AllowAWholeConversation) {
  WireRules rules = Rules();
  EXPECT_EQ(rules.OnHandshake(Hands()), "");
  wire::ExtendedHandshake extended;
  extended.reqq = 2;
  EXPECT_EQ(rules.OnMessage(extended), "");
  EXPECT_EQ(rules.OnMessage(wire::HaveAll{}), "");
  EXPECT_EQ(rules.OnMessage(wire::Unchoke{}), "");
  rules.Asked(Block(0));
  rules.Asked(Block(1));
  EXPECT_FALSE(rules.room());
  EXPECT_EQ(rules.OnMessage(Bytes(0)), "");
  EXPECT_EQ(rules.OnMessage(wire::Choke{}), "");
  EXPECT_EQ(rules.OnMessage(wire::Reject{Block(1)}), "");
  EXPECT_TRUE(rules.asked().empty());
  EXPECT_EQ(rules.OnMessage(wire::KeepAlive{}), "");
}

TEST_F(WireRulesTest, WantEachBlockOnceAndRight) {
  WireRules rules = Rules();
  EXPECT_NE(rules.OnMessage(Bytes(0)), "");
  rules.Asked(Block(0));
  EXPECT_NE(rules.OnMessage(Bytes(0, 'x')), "");
  EXPECT_NE(rules.OnMessage(Bytes(0)), "");  // again
  rules.Asked(Block(1));
  EXPECT_EQ(rules.OnMessage(wire::Reject{Block(1)}), "");
  EXPECT_NE(rules.OnMessage(wire::Reject{Block(1)}), "");
}

TEST_F(WireRulesTest, WantNothingSaidTwice) {
  WireRules rules = Rules();
  EXPECT_NE(rules.OnMessage(wire::Choke{}), "");
  EXPECT_EQ(rules.OnMessage(wire::HaveNone{}), "");
  EXPECT_NE(rules.OnMessage(wire::HaveAll{}), "");
  EXPECT_EQ(rules.OnMessage(wire::Unchoke{}), "");
  EXPECT_NE(rules.OnMessage(wire::Unchoke{}), "");
}

TEST_F(WireRulesTest, AllowNoWordOfBep6ToWhoDoesNotSpeakIt) {
  WireRules rules = Rules(false);
  EXPECT_EQ(rules.OnMessage(wire::Bitfield{Slice::Own(PieceMap::All(3).ToBitfield())}), "");
  EXPECT_EQ(rules.OnMessage(wire::Unchoke{}), "");
  rules.Asked(Block(0));
  EXPECT_NE(rules.OnMessage(wire::Reject{Block(0)}), "");
  EXPECT_NE(rules.OnMessage(wire::Suggest{PieceIndex(0)}), "");
  EXPECT_EQ(rules.OnMessage(wire::Choke{}), "");
  EXPECT_TRUE(rules.asked().empty());
}

TEST_F(WireRulesTest, AllowNoWishesTowardsWhoHasNothing) {
  WireRules rules = Rules();
  EXPECT_NE(rules.OnMessage(wire::Interested{}), "");
  EXPECT_NE(rules.OnMessage(wire::Request{Block(0)}), "");
  EXPECT_NE(rules.OnMessage(wire::Suggest{PieceIndex(0)}), "");
}

TEST_F(WireRulesTest, WantTheHandshakeToSayWhatItsHashMeans) {
  wire::Handshake hands = Hands();
  hands.v2 = false;
  EXPECT_NE(Rules().OnHandshake(hands), "");
  hands = Hands();
  hands.fast = false;
  EXPECT_NE(Rules().OnHandshake(hands), "");
  hands = Hands();
  hands.info_hash[0] ^= 1;
  EXPECT_NE(Rules().OnHandshake(hands), "");
}

}  // namespace
}  // namespace bt::sim
