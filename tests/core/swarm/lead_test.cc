// One client and a seeder that suggests pieces (BEP 6).

#include <gtest/gtest.h>

#include <vector>

#include "tests/core/swarm/peer_fixture.h"

namespace bt::swarm::test {
namespace {

TEST_F(PeerTest, WhoSuggestsPiecesIsAskedForThoseAloneUntilNoMoreCome) {
  Script script;
  SmallWorld::RawPeer& raw = world_.AddRaw(Host(9));
  const auto asked = [&] {
    std::vector<uint32_t> pieces;
    for (const wire::Message& message : script.messages) {
      if (const auto* request = std::get_if<wire::Request>(&message))
        pieces.push_back(request->block.piece.value());
    }
    return pieces;
  };
  raw.on_bytes = [&](SmallWorld& world, SmallWorld::RawPeer& self) {
    const bool new_here = !script.greeted;
    Read(self, script);
    if (!new_here || !script.greeted) return;
    world.RawSend(self, wire::EncodeHandshake(Hello(true)) + Bytes(wire::HaveAll{}) +
                            Bytes(wire::Suggest{PieceIndex(7)}) + Bytes(wire::Suggest{PieceIndex(3)}) +
                            Bytes(wire::Unchoke{}));
  };
  world_.Add(Downloading(), "");
  world_.RunFor(Milliseconds(500));
  EXPECT_EQ(asked(), (std::vector<uint32_t>{7, 7, 3, 3}));
  for (const uint32_t piece : {7u, 3u}) {
    for (uint32_t offset = 0; offset < kPieceLength; offset += kBlockSize) {
      const uint64_t at = uint64_t{piece} * kPieceLength + offset;
      world_.RawSend(
          raw, Bytes(wire::Piece{PieceIndex(piece), offset, Slice::Copy(good_.substr(at, kBlockSize))}));
    }
  }
  world_.RunFor(Milliseconds(500));
  EXPECT_EQ(asked().size(), 4u) << "it may suggest more";
  world_.RunFor(Seconds(12));
  EXPECT_GT(asked().size(), 4u) << "it does not, and is asked as others are";
}

TEST_F(PeerTest, ASuggestionOfNoSuchPieceOrWithoutTheFastExtensionBreaksTheProtocol) {
  for (const bool fast : {true, false}) {
    SmallWorld world(3);
    world.registered = torrent_;
    Script script;
    SmallWorld::RawPeer& raw = world.AddRaw(Host(9));
    raw.on_bytes = [&](SmallWorld& in, SmallWorld::RawPeer& self) {
      const bool new_here = !script.greeted;
      Read(self, script);
      if (!new_here || !script.greeted) return;
      in.RawSend(self,
                 wire::EncodeHandshake(Hello(fast)) + Bytes(wire::Suggest{PieceIndex(fast ? kPieces : 0)}));
    };
    const size_t client = world.Add(Downloading(), "");
    world.RunFor(Milliseconds(500));
    EXPECT_EQ(world.client(client).progress().protocol_errors, 1u) << fast;
  }
}

}  // namespace
}  // namespace bt::swarm::test
