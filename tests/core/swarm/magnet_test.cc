// Magnet links: what a client serves to those who have only an info-hash, and a download that begins so.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/torrent/sha1.h"
#include "tests/core/swarm/peer_fixture.h"

namespace bt::swarm::test {
namespace {

class MagnetTest : public PeerTest {
 protected:
  std::string Info(TorrentFormat format) const { return torrent_.InfoBytes(format); }
  Magnet Link(TorrentFormat format) const {
    Magnet magnet;
    if (format != TorrentFormat::kV2) magnet.v1 = torrent_.InfoHashV1(format);
    if (format != TorrentFormat::kV1) magnet.v2 = torrent_.InfoHashV2(format);
    return magnet;
  }
  Config Knowing(const Magnet& magnet, std::vector<Address> peers) {
    Config config;
    config.magnet = magnet;
    config.listen = Host(1);
    config.peers = std::move(peers);
    return config;
  }
  size_t AddSeeder(uint8_t host) {
    Config offer = Offering();
    offer.listen = Host(host);
    offer.trackers = 0;
    return world_.Add(offer, good_);
  }
  static std::string Piece(std::string_view info, uint32_t piece) {
    return std::string(info.substr(size_t{piece} * wire::kMetadataPiece, wire::kMetadataPiece));
  }
  // Dials the client under this hash, and reads what it says.
  SmallWorld::RawPeer& Asker(size_t node, Script& script, const InfoHash& hash) {
    SmallWorld::RawPeer& raw = world_.AddRaw(Host(7));
    raw.on_bytes = [this, &script](SmallWorld&, SmallWorld::RawPeer& self) { Read(self, script); };
    world_.RawConnect(raw, node);
    wire::Handshake hello = Hello(true);
    hello.info_hash = hash;
    hello.extended = true;
    wire::ExtendedHandshake extended;
    extended.metadata_id = wire::kMetadataId;
    world_.RawSend(raw, wire::EncodeHandshake(hello) + Bytes(extended) + Bytes(wire::HaveNone{}));
    world_.RunFor(Milliseconds(50));
    return raw;
  }
  template <class M>
  static std::vector<M> All(const Script& script) {
    std::vector<M> all;
    for (const auto& message : script.messages) {
      if (const auto* one = std::get_if<M>(&message)) all.push_back(*one);
    }
    return all;
  }
  // A peer that answers each request for a dictionary with the first piece of its own.
  struct Giver {
    Script script;
    size_t answered = 0;
  };
  void AddGiver(Giver& giver, uint8_t host, std::string info, uint32_t told_size) {
    SmallWorld::RawPeer& raw = world_.AddRaw(Host(host));
    raw.on_bytes = [this, &giver, info, told_size, host](SmallWorld& world, SmallWorld::RawPeer& self) {
      if (self.received.size() >= wire::kHandshakeSize && self.received.substr(1, 10) == "BitTorrent") {
        giver = Giver();  // dialled anew
      }
      const bool new_here = !giver.script.greeted;
      Read(self, giver.script);
      if (new_here && giver.script.greeted) {
        wire::Handshake hello = giver.script.theirs;
        hello.peer_id.fill(host);
        wire::ExtendedHandshake extended;
        extended.metadata_id = 5;
        extended.metadata_size = told_size;
        world.RawSend(self, wire::EncodeHandshake(hello) + Bytes(extended) + Bytes(wire::HaveNone{}));
      }
      // Sent under the id it has announced, which our decoder does not know: the piece is read here.
      for (; giver.answered < giver.script.messages.size(); ++giver.answered) {
        if (!std::holds_alternative<wire::Ignored>(giver.script.messages[giver.answered])) continue;
        wire::Metadata piece;
        piece.kind = wire::Metadata::Kind::kData;
        piece.total_size = told_size;
        piece.bytes = Slice::Own(Piece(info, 0));
        world.RawSend(self, Bytes(piece));
      }
    };
  }
};

TEST_F(MagnetTest, TheInfoDictionaryIsServedUnderEachOfItsHashes) {
  const size_t client = world_.Add(Offering(), good_);
  world_.RunFor(Milliseconds(50));
  for (const TorrentFormat format : {TorrentFormat::kV1, TorrentFormat::kV2, TorrentFormat::kHybrid}) {
    const InfoHash hash = format == TorrentFormat::kV2 ? CutToInfoHash(torrent_.InfoHashV2(format))
                                                       : InfoHash(torrent_.InfoHashV1(format));
    Script script;
    SmallWorld::RawPeer& raw = Asker(client, script, hash);
    ASSERT_EQ(All<wire::ExtendedHandshake>(script).size(), 1u);
    const auto extended = All<wire::ExtendedHandshake>(script)[0];
    EXPECT_EQ(extended.metadata_id, wire::kMetadataId);
    EXPECT_EQ(extended.metadata_size, Info(format).size());
    wire::Metadata request;
    world_.RawSend(raw, Bytes(request));
    request.piece = 1;
    world_.RawSend(raw, Bytes(request));
    world_.RunFor(Milliseconds(50));
    const auto answers = All<wire::Metadata>(script);
    ASSERT_EQ(answers.size(), 2u);
    EXPECT_EQ(answers[0].kind, wire::Metadata::Kind::kData);
    EXPECT_EQ(answers[0].bytes.view(), Info(format));
    EXPECT_EQ(answers[0].total_size, Info(format).size());
    EXPECT_EQ(answers[1].kind, wire::Metadata::Kind::kReject) << "there is no such piece";
    world_.RawClose(raw);
    raw.on_bytes = nullptr;
    world_.RunFor(Milliseconds(50));
  }
}

TEST_F(MagnetTest, AnInfoDictionaryWithKeysOfItsOwnIsServedAsItWasReceived) {
  std::string info = Info(TorrentFormat::kV1);
  info.insert(info.size() - 1, "6:source3:abc");
  Config config = Offering();
  config.metainfo->foreign_info_hashes = {Sha1(info)};
  config.format = TorrentFormat::kV1;
  config.info = Slice::Own(std::string(info));
  const size_t client = world_.Add(config, good_);
  world_.RunFor(Milliseconds(50));
  Script script;
  SmallWorld::RawPeer& raw = Asker(client, script, Sha1(info));
  world_.RawSend(raw, Bytes(wire::Metadata{}));
  world_.RunFor(Milliseconds(50));
  ASSERT_EQ(All<wire::Metadata>(script).size(), 1u);
  EXPECT_EQ(All<wire::Metadata>(script)[0].bytes.view(), info);
}

TEST_F(MagnetTest, WhoAsksForTheDictionaryAgainAndAgainIsRefused) {
  const size_t client = world_.Add(Offering(), good_);
  world_.RunFor(Milliseconds(50));
  Script script;
  SmallWorld::RawPeer& raw = Asker(client, script, torrent_.InfoHashV1(TorrentFormat::kHybrid));
  for (int i = 0; i < 100; ++i) world_.RawSend(raw, Bytes(wire::Metadata{}));
  world_.RunFor(Milliseconds(50));
  size_t served = 0;
  for (const auto& answer : All<wire::Metadata>(script)) {
    served += answer.kind == wire::Metadata::Kind::kData ? 1 : 0;
  }
  EXPECT_EQ(All<wire::Metadata>(script).size(), 100u);
  EXPECT_GE(served, 2u);
  EXPECT_LE(served, 20u);
}

TEST_F(MagnetTest, ThePieceLayerIsServedWithItsProof) {
  const size_t client = world_.Add(Offering(), good_);
  world_.RunFor(Milliseconds(50));
  Script script;
  SmallWorld::RawPeer& raw = Asker(client, script, CutToInfoHash(torrent_.InfoHashV2(TorrentFormat::kV2)));
  wire::HashSpan span;
  span.pieces_root = torrent_.pieces_root;
  span.base_layer = 1;
  span.index = 4;
  span.length = 4;
  span.proof_layers = 3;
  world_.RawSend(raw, Bytes(wire::HashRequest{span}));
  wire::HashSpan leaves = span;
  leaves.base_layer = 0;
  world_.RawSend(raw, Bytes(wire::HashRequest{leaves}));
  world_.RunFor(Milliseconds(50));
  ASSERT_EQ(All<wire::Hashes>(script).size(), 1u);
  ASSERT_EQ(All<wire::HashReject>(script).size(), 1u) << "the leaves are not known";
  const auto hashes = All<wire::Hashes>(script)[0];
  EXPECT_EQ(hashes.span, span);
  ASSERT_EQ(hashes.hashes.size(), 32u * (4 + 2)) << "10 pieces make a tree of 16";
  EXPECT_EQ(hashes.hashes.view().substr(0, 64), Joined(torrent_.piece_layer).substr(4 * 32, 64));
}

TEST_F(MagnetTest, ADownloadBeginsFromEachKindOfLink) {
  for (const TorrentFormat format : {TorrentFormat::kV2, TorrentFormat::kHybrid}) {
    SmallWorld world(4);
    Config offer = Offering();
    offer.listen = Host(9);
    offer.trackers = 0;
    world.Add(offer, good_);
    const size_t client = world.Add(Knowing(Link(format), {Host(9)}), "");
    EXPECT_EQ(world.client(client).phase(), "magnet");
    ASSERT_TRUE(world.RunUntil([&] { return world.Completed(client); }));
    EXPECT_EQ(world.node(client).file, good_);
    EXPECT_EQ(world.client(client).metainfo()->content(), torrent_.content());
  }
}

TEST_F(MagnetTest, TheLayersOfAHybridKnownByItsV1HashAreAskedForUnderItsV2Hash) {
  AddSeeder(9);
  Magnet magnet = Link(TorrentFormat::kHybrid);
  magnet.v2.reset();
  const size_t client = world_.Add(Knowing(magnet, {Host(9)}), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }));
  EXPECT_EQ(world_.node(client).file, good_);
}

TEST_F(MagnetTest, ATrackerThatHasTheTorrentIsAskedBeforePeers) {
  Config offer = Offering();
  offer.listen = Host(9);
  world_.Add(offer, good_);
  world_.RunFor(Milliseconds(50));
  Config config = Knowing(Link(TorrentFormat::kV1), {});
  config.trackers = 1;
  const size_t client = world_.Add(config, "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }));
  EXPECT_EQ(world_.node(client).file, good_);
}

TEST_F(MagnetTest, AV1DictionaryAloneIsNotEnoughAndItSaysWhy) {
  AddSeeder(9);
  const size_t client = world_.Add(Knowing(Link(TorrentFormat::kV1), {Host(9)}), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(client).stopped(); }));
  ASSERT_EQ(world_.node(client).All<Failed>().size(), 1u);
  EXPECT_NE(world_.node(client).All<Failed>()[0].reason.find("content root"), std::string::npos);
}

TEST_F(MagnetTest, ALiarsDictionaryIsThrownAwayAndTheLiarBanned) {
  std::string wrong = Info(TorrentFormat::kHybrid);
  wrong[wrong.size() / 2] ^= 1;
  Giver giver;
  AddGiver(giver, 8, wrong, static_cast<uint32_t>(wrong.size()));
  const size_t client = world_.Add(Knowing(Link(TorrentFormat::kHybrid), {Host(8)}), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(client).IsBanned(Host(8)); }));
  EXPECT_TRUE(world_.node(client).All<TorrentKnown>().empty());
}

TEST_F(MagnetTest, LiarsOfAllKindsDoNotKeepTheDictionaryFromWhoHasAnHonestPeer) {
  std::string wrong = Info(TorrentFormat::kHybrid);
  wrong[wrong.size() / 2] ^= 1;
  const auto right_size = static_cast<uint32_t>(wrong.size());
  Giver givers[4];
  AddGiver(givers[0], 5, wrong, right_size);
  AddGiver(givers[1], 6, wrong, 1);
  AddGiver(givers[2], 7, wrong, UINT32_MAX);
  AddGiver(givers[3], 8, "", static_cast<uint32_t>(kTorrentFileLimit));
  AddSeeder(9);
  const size_t client =
      world_.Add(Knowing(Link(TorrentFormat::kHybrid), {Host(5), Host(6), Host(7), Host(8), Host(9)}), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }, Seconds(300)));
  EXPECT_EQ(world_.node(client).file, good_);
}

TEST_F(MagnetTest, NobodyKnowsIt) {
  world_.registered.reset();
  Config config = Knowing(Link(TorrentFormat::kHybrid), {});
  config.trackers = 2;
  const size_t client = world_.Add(config, "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(client).stopped(); }));
  ASSERT_EQ(world_.node(client).All<Failed>().size(), 1u);
  EXPECT_EQ(world_.node(client).All<Failed>()[0].cause, FailureCause::kNotFound);
}

TEST_F(MagnetTest, NoTrackerAnswers) {
  world_.tracker_mode[0] = SmallWorld::TrackerMode::kSilent;
  Config config = Knowing(Link(TorrentFormat::kHybrid), {});
  config.trackers = 1;
  const size_t client = world_.Add(config, "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(client).stopped(); }));
  ASSERT_EQ(world_.node(client).All<Failed>().size(), 1u);
  EXPECT_EQ(world_.node(client).All<Failed>()[0].cause, FailureCause::kNoTracker);
}

TEST_F(MagnetTest, ItCanBeStoppedBeforeAnythingIsKnown) {
  const size_t client = world_.Add(Knowing(Link(TorrentFormat::kHybrid), {Host(9)}), "");
  world_.RunFor(Seconds(3));
  world_.Ask(client, Stop{});
  EXPECT_TRUE(world_.client(client).stopped());
  ASSERT_EQ(world_.replies.size(), 1u);
}

}  // namespace
}  // namespace bt::swarm::test
