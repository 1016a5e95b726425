// The peer wire's codec: what is encoded is decoded whatever the cuts, and bytes from anyone at all never
// crash it or make it hold on to more than a frame.

#include "core/swarm/wire.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/base/rng.h"

namespace bt::swarm::wire {
namespace {

using Result = Decoder::Result;

std::vector<Message> Samples() {
  HashSpan span;
  span.pieces_root[3] = 7;
  span.length = 512;
  ExtendedHandshake extended;
  extended.reqq = 2000;
  extended.port = 6881;
  extended.client = "a client";
  extended.your_ip = std::string("\x0a\x00\x00\x01", 4);
  extended.metadata_size = 40'000;
  extended.metadata_id = 3;
  extended.peer_exchange_id = 7;
  Metadata data;
  data.kind = Metadata::Kind::kData;
  data.piece = 1;
  data.total_size = 16384 + 5;
  data.bytes = Slice::Copy("4:e\xff\x01");
  Metadata reject;
  reject.kind = Metadata::Kind::kReject;
  PeerExchange exchange;
  exchange.added = {{Address::V4(10, 0, 0, 1, 6881), true},
                    {Address::V4(10, 0, 0, 2, 6882), false},
                    {*Address::Parse("[2001:db8::1]:6881"), true}};
  exchange.dropped = {Address::V4(10, 0, 0, 3, 1), *Address::Parse("[2001:db8::2]:2")};
  return {
      KeepAlive{},
      Choke{},
      Unchoke{},
      Interested{},
      NotInterested{},
      Have{PieceIndex(70000)},
      Bitfield{Slice::Copy("\xff\x80")},
      Request{{PieceIndex(1), 16384, 16384}},
      Piece{PieceIndex(2), 32768, Slice::Own(std::string(16384, 'q'))},
      Cancel{{PieceIndex(1), 16384, 16384}},
      HaveAll{},
      HaveNone{},
      Reject{{PieceIndex(1), 16384, 100}},
      extended,
      Metadata{},
      data,
      reject,
      exchange,
      HashRequest{span},
      Hashes{span, Slice::Own(std::string(96, 'h'))},
      HashReject{span},
      Suggest{PieceIndex(70000)},
      Ignored{17},
  };
}

std::vector<Message> DecodeAll(Decoder& decoder, const Slice& bytes) {
  std::vector<Message> messages;
  decoder.Feed(bytes);
  Message message;
  while (decoder.Next(message) == Result::kMessage) messages.push_back(message);
  return messages;
}

TEST(WireTest, EveryMessageSurvivesEveryCut) {
  const std::vector<Message> samples = Samples();
  std::string stream;
  for (int round = 0; round < 3; ++round) {
    for (const Message& sample : samples) Append(sample, stream);
  }
  Rng rng(1);
  for (const uint64_t largest : {1, 2, 7, 1000, 20000, 1000000}) {
    Decoder decoder;
    std::vector<Message> decoded;
    for (size_t at = 0; at < stream.size();) {
      const size_t size = std::min<size_t>(rng.Between(1, largest), stream.size() - at);
      for (Message& message : DecodeAll(decoder, Slice::Copy(stream.substr(at, size)))) {
        decoded.push_back(std::move(message));
      }
      at += size;
    }
    ASSERT_EQ(decoder.error(), nullptr);
    ASSERT_EQ(decoded.size(), 3 * samples.size());
    for (size_t i = 0; i < decoded.size(); ++i) EXPECT_EQ(decoded[i], samples[i % samples.size()]) << i;
  }
}

Message Extension(uint8_t id, const std::string& payload) {
  std::string frame = {0, 0, 0, static_cast<char>(payload.size() + 2), 20, static_cast<char>(id)};
  Decoder decoder;
  const std::vector<Message> messages = DecodeAll(decoder, Slice::Own(frame + payload));
  return messages.size() == 1 ? messages[0] : Message(KeepAlive{});
}

TEST(WireTest, APieceOfAnInfoDictionaryIsWhatLiesBehindTheMessage) {
  // Another client's, with a key that BEP 9 does not have.
  const Message message =
      Extension(kMetadataId, "d8:msg_typei1e5:piecei0e10:total_sizei3e1:xld1:ai1eeeee\x01:");
  const auto* piece = std::get_if<Metadata>(&message);
  ASSERT_NE(piece, nullptr);
  EXPECT_EQ(piece->kind, Metadata::Kind::kData);
  EXPECT_EQ(piece->bytes.view(), "e\x01:");
}

TEST(WireTest, MisshapenPiecesOfInfoDictionariesAreIgnored) {
  for (const char* payload : {"", "d", "de", "i1e", "d8:msg_typei9e5:piecei0ee", "d8:msg_typei0e5:piecei-1ee",
                              "d8:msg_type99:", "ddddd", "eeee", "d8:msg_typei0e5:piecei99999999999ee"}) {
    const Message message = Extension(kMetadataId, payload);
    ASSERT_TRUE(std::holds_alternative<Metadata>(message)) << payload;
    EXPECT_EQ(std::get<Metadata>(message).kind, Metadata::Kind::kOther) << payload;
  }
}

TEST(WireTest, OfAPeerExchangeNoMoreIsKeptThanOneMayTell) {
  PeerExchange exchange;
  for (uint32_t i = 0; i < 3 * kExchangeLimit; ++i) {
    exchange.added.push_back({Address::V4(10, 0, 1, static_cast<uint8_t>(i), 1), false});
    exchange.dropped.push_back(Address::V4(10, 0, 2, static_cast<uint8_t>(i), 1));
  }
  std::string stream;
  Append(exchange, stream);
  Decoder decoder;
  const std::vector<Message> messages = DecodeAll(decoder, Slice::Own(std::move(stream)));
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(std::get<PeerExchange>(messages[0]).added.size(), kExchangeLimit);
  EXPECT_EQ(std::get<PeerExchange>(messages[0]).dropped.size(), kExchangeLimit);
}

TEST(WireTest, APieceWithinOneSliceIsReferencedNotCopied) {
  std::string stream;
  Append(Piece{PieceIndex(2), 0, Slice::Own(std::string(16384, 'q'))}, stream);
  const Slice bytes = Slice::Own(std::move(stream));
  Decoder decoder;
  const std::vector<Message> messages = DecodeAll(decoder, bytes);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(std::get<Piece>(messages[0]).bytes.data(), bytes.data() + 13);
}

TEST(WireTest, TheHeaderOfABlockIsThatOfAPieceMessage) {
  std::string stream;
  Append(Piece{PieceIndex(9), 16384, Slice::Copy("block")}, stream);
  EXPECT_EQ(BlockHeader(PieceIndex(9), 16384, 5) + "block", stream);
  EXPECT_EQ(BlockHeader(PieceIndex(9), 16384, 5).size(), kBlockHeaderSize);
}

TEST(WireTest, AHandshakeSurvivesEveryCutAndLeavesTheRestForMessages) {
  Handshake sent;
  sent.info_hash[0] = 1;
  sent.peer_id[19] = 2;
  sent.fast = true;
  sent.v2 = true;
  std::string stream = EncodeHandshake(sent);
  ASSERT_EQ(stream.size(), kHandshakeSize);
  Append(HaveAll{}, stream);
  for (size_t cut = 1; cut < stream.size(); ++cut) {
    Decoder decoder;
    Handshake received;
    decoder.Feed(Slice::Copy(stream.substr(0, cut)));
    if (cut < kHandshakeSize) {
      ASSERT_EQ(decoder.NextHandshake(received), Result::kNeedMore);
      decoder.Feed(Slice::Copy(stream.substr(cut)));
    }
    ASSERT_EQ(decoder.NextHandshake(received), Result::kMessage) << cut;
    EXPECT_EQ(received, sent);
    Message message;
    Result result = decoder.Next(message);
    if (result == Result::kNeedMore) {
      decoder.Feed(Slice::Copy(stream.substr(cut)));
      result = decoder.Next(message);
    }
    ASSERT_EQ(result, Result::kMessage) << cut;
    EXPECT_EQ(message, Message(HaveAll{}));
  }
}

TEST(WireTest, WhatIsNotBitTorrentIsRefusedAtItsFirstWrongByte) {
  Decoder decoder;
  Handshake handshake;
  decoder.Feed(Slice::Copy("GET / HTTP/1.1\r\n"));
  EXPECT_EQ(decoder.NextHandshake(handshake), Result::kError);
}

TEST(WireTest, OversizedAndMisshapenFramesAreErrors) {
  const auto refused = [](std::string bytes) {
    Decoder decoder;
    decoder.Feed(Slice::Own(std::move(bytes)));
    Message message;
    return decoder.Next(message) == Result::kError;
  };
  using namespace std::string_literals;
  EXPECT_TRUE(refused("\xff\xff\xff\xff\x05"s)) << "a frame of 4 GiB";
  EXPECT_TRUE(refused("\x00\x10\x00\x01"s)) << "just over the limit";
  EXPECT_TRUE(refused("\x00\x00\x40\x0a\x07"s)) << "a block of 16 KiB and one byte";
  EXPECT_TRUE(refused("\x00\x00\x00\x02\x00x"s)) << "a choke with a payload";
  EXPECT_TRUE(refused("\x00\x00\x00\x04\x04xyz"s)) << "a short have";
  EXPECT_TRUE(refused("\x00\x00\x00\x05\x07xyzw"s)) << "a piece without a payload";
  EXPECT_FALSE(refused("\x00\x00\x00\x09\x14\x00not bencode"s.substr(0, 13))) << "as good as not sent";
}

TEST(WireTest, AClaimedLengthAloneMovesNoMemory) {
  using namespace std::string_literals;
  Decoder decoder;
  Message message;
  decoder.Feed(Slice::Copy("\x00\x0f\xff\xff\x05"s));
  EXPECT_EQ(decoder.Next(message), Result::kNeedMore);
  EXPECT_LE(decoder.buffered(), 5u);
}

TEST(WireTest, FlippedAndRandomBytesNeverCrashAndNeverHoldMoreThanAFrame) {
  Rng rng(42);
  std::string clean;
  for (const Message& sample : Samples()) Append(sample, clean);
  for (int round = 0; round < 3000; ++round) {
    std::string stream = clean;
    if (round % 3 == 0) {
      for (char& c : stream) c = static_cast<char>(rng.Next());
      stream.resize(rng.Between(1, 3000));
    } else {
      for (uint64_t flips = rng.Between(1, 6); flips > 0; --flips) {
        stream[rng.Below(stream.size())] ^= static_cast<char>(1 << rng.Below(8));
      }
    }
    Decoder decoder;
    for (size_t at = 0; at < stream.size() && decoder.error() == nullptr;) {
      const size_t size = std::min<size_t>(rng.Between(1, 9000), stream.size() - at);
      DecodeAll(decoder, Slice::Copy(stream.substr(at, size)));
      ASSERT_LE(decoder.buffered(), size_t{kFrameLimit} + 4);
      at += size;
    }
  }
}

}  // namespace
}  // namespace bt::swarm::wire
