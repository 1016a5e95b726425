// One client against peers that are not ours: other clients' habits, and worse.

#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "tests/core/swarm/peer_fixture.h"

namespace bt::swarm::test {
namespace {

TEST_F(PeerTest, ASeederFromBeforeTheFastExtensionServesEvenIfItRepeatsItsBitfield) {
  Script script;
  const std::string bitfield = Bytes(wire::Bitfield{Slice::Own(PieceMap::All(kPieces).ToBitfield())});
  HandMadeSeeder(script, good_, Hello(false), bitfield + bitfield);
  const size_t client = world_.Add(Downloading(), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }));
  EXPECT_EQ(world_.node(client).file, good_);
  EXPECT_EQ(Count<wire::HaveNone>(script), 0u) << "not to a peer without the fast extension";
  EXPECT_TRUE(script.theirs.fast && script.theirs.extended && script.theirs.v2);
}

TEST_F(PeerTest, NoMoreRequestsAreOutThanThePeerLetsWait) {
  Script script;
  wire::Handshake hello = Hello(true);
  hello.extended = true;
  wire::ExtendedHandshake extended;
  extended.reqq = 3;
  SmallWorld::RawPeer& raw = world_.AddRaw(Host(9));
  raw.on_bytes = [&](SmallWorld& world, SmallWorld::RawPeer& self) {
    const bool new_here = !script.greeted;
    Read(self, script);
    if (new_here && script.greeted) {
      world.RawSend(self, wire::EncodeHandshake(hello) + Bytes(extended) + Bytes(wire::HaveAll{}) +
                              Bytes(wire::Unchoke{}));
    }
  };
  world_.Add(Downloading(), "");
  world_.RunFor(Seconds(2));
  EXPECT_EQ(Count<wire::Request>(script), 3u);
}

TEST_F(PeerTest, APeerThatSendsWrongBytesIsBannedAndNeverDialledAgain) {
  Script script;
  HandMadeSeeder(script, std::string(kLength, 'x'), Hello(true), Bytes(wire::HaveAll{}));
  const size_t client = world_.Add(Downloading(), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(client).IsBanned(Host(9)); }));
  const size_t messages = script.messages.size();
  world_.RunFor(Seconds(300));
  EXPECT_EQ(script.messages.size(), messages);
  EXPECT_EQ(world_.client(client).verified().count(), 0u);
  EXPECT_TRUE(world_.node(client).resume.empty()) << "nothing unverified is ever checkpointed";
  ASSERT_EQ(world_.node(client).All<PeerBanned>().size(), 1u);
  EXPECT_EQ(world_.node(client).All<PeerBanned>()[0].peer, Host(9));
}

TEST_F(PeerTest, LiarsThatComeBackFromNewPortsDoNotKeepAPieceFromTheOnePeerThatHasItRight) {
  struct Liar {
    Script script;
    size_t answered = 0;
    uint8_t host;
    SmallWorld::RawPeer* raw = nullptr;
  };
  Config config = Downloading();
  config.peers = {Host(9)};
  const size_t client = world_.Add(config, "");
  world_.RunFor(Milliseconds(100));
  std::array<Liar, 2> liars;
  for (uint8_t i = 0; i < liars.size(); ++i) {
    Liar& liar = liars[i];
    liar.host = static_cast<uint8_t>(5 + i);
    liar.raw = &world_.AddRaw(Host(liar.host));
    liar.raw->on_bytes = [this, &liar](SmallWorld& world, SmallWorld::RawPeer& self) {
      Read(self, liar.script);
      for (; liar.answered < liar.script.messages.size(); ++liar.answered) {
        const auto* request = std::get_if<wire::Request>(&liar.script.messages[liar.answered]);
        if (request == nullptr) continue;
        const wire::BlockSpan& block = request->block;
        world.RawSend(
            self, Bytes(wire::Piece{block.piece, block.offset, Slice::Own(std::string(block.length, 'x'))}));
      }
    };
  }
  const auto come_back = [&] {
    for (Liar& liar : liars) {
      if (liar.raw->up && !liar.raw->closed) continue;
      liar.script = Script();
      liar.answered = 0;
      ++liar.raw->address.port;
      world_.RawConnect(*liar.raw, client);
      wire::Handshake hello = Hello(true);
      hello.peer_id[19] = liar.host;
      world_.RawSend(*liar.raw,
                     wire::EncodeHandshake(hello) + Bytes(wire::HaveAll{}) + Bytes(wire::Unchoke{}));
    }
  };
  const auto rejected = [&] { return world_.node(client).All<PieceRejected>().size(); };
  world_.RunUntil([&] { return come_back(), false; }, Seconds(120));
  EXPECT_GT(rejected(), 4u);
  EXPECT_LE(rejected(), 2u * 8 * 4)
      << "after 1, 2, 4 s and so on each liar spoils what it is asked for at once";
  Config offer = Offering();
  offer.listen = Host(9);
  world_.Add(offer, good_);
  const auto met = [&] {
    for (const PeerConnected& peer : world_.node(client).All<PeerConnected>()) {
      if (peer.peer == Host(9)) return true;
    }
    return false;
  };
  ASSERT_TRUE(world_.RunUntil([&] { return come_back(), met(); }));
  const size_t before = rejected();
  ASSERT_TRUE(world_.RunUntil([&] { return come_back(), world_.Completed(client); }));
  EXPECT_EQ(world_.node(client).file, good_);
  // From when the seeder is met, each piece may be spoiled by each liar once more before the seeder's turn
  // comes.
  EXPECT_LE(rejected(), before + liars.size() * kPieces);
}

TEST_F(PeerTest, APeerThatOwesBlocksLosesItsRequestsIsTriedWithOneAtATimeAndIsCutOffInTheEnd) {
  Script script;
  SmallWorld::RawPeer& raw = world_.AddRaw(Host(9));
  raw.on_bytes = [&](SmallWorld& world, SmallWorld::RawPeer& self) {
    const bool new_here = !script.greeted;
    Read(self, script);
    if (new_here && script.greeted) {
      world.RawSend(self,
                    wire::EncodeHandshake(Hello(true)) + Bytes(wire::HaveAll{}) + Bytes(wire::Unchoke{}));
    }
  };
  const size_t client = world_.Add(Downloading(), "");
  world_.RunFor(Seconds(4));
  const size_t asked = Count<wire::Request>(script);
  EXPECT_GE(asked, 8u);
  EXPECT_EQ(Count<wire::Cancel>(script), 0u);
  world_.RunFor(Seconds(2));
  EXPECT_EQ(Count<wire::Cancel>(script), asked);
  EXPECT_EQ(Count<wire::Request>(script), asked + 1);
  EXPECT_TRUE(world_.node(client).All<PeerDisconnected>().empty());
  world_.RunFor(Seconds(26));
  EXPECT_EQ(world_.node(client).All<PeerDisconnected>().size(), 1u);
  EXPECT_EQ(world_.client(client).progress().peers_banned, 0u);
}

TEST_F(PeerTest, GarbageIsCountedAndTheAddressTriedAgainLessAndLessOften) {
  SmallWorld::RawPeer& raw = world_.AddRaw(Host(9));
  int visits = 0;
  raw.on_bytes = [&](SmallWorld& world, SmallWorld::RawPeer& self) {
    if (self.received.empty()) return;
    self.received.clear();
    ++visits;
    world.RawSend(self, "SSH-2.0-OpenSSH\r\n");
  };
  const size_t client = world_.Add(Downloading(), "");
  world_.RunFor(Seconds(20));
  EXPECT_GE(visits, 3);
  EXPECT_LE(visits, 12);
  EXPECT_GE(world_.client(client).progress().protocol_errors, 3u);
  EXPECT_EQ(world_.client(client).progress().peers_banned, 0u) << "rudeness is no proof of lying";
}

TEST_F(PeerTest, BlocksNobodyAskedForAreDroppedAndEndTheConnection) {
  Script script;
  std::string flood;
  for (int i = 0; i < 200; ++i) {
    flood += Bytes(wire::Piece{PieceIndex(0), 0, Slice::Own(std::string(kBlockSize, 'x'))});
  }
  wire::Handshake hello = Hello(true);
  SmallWorld::RawPeer& raw = world_.AddRaw(Host(9));
  raw.on_bytes = [&](SmallWorld& world, SmallWorld::RawPeer& self) {
    const bool new_here = !script.greeted;
    Read(self, script);
    if (new_here && script.greeted) world.RawSend(self, wire::EncodeHandshake(hello) + flood);
  };
  const size_t client = world_.Add(Downloading(), "");
  world_.RunFor(Milliseconds(500));
  EXPECT_TRUE(raw.closed);
  EXPECT_EQ(world_.client(client).progress().protocol_errors, 1u);
  EXPECT_EQ(world_.client(client).progress().peers_banned, 0u);
  EXPECT_EQ(world_.node(client).file, std::string(kLength, '\0')) << "nothing of it was stored";
}

TEST_F(PeerTest, AnotherContentsInfoHashIsRefused) {
  const size_t seeder = world_.Add(Offering(), good_);
  world_.RunUntil([&] { return world_.Claimed(Host(1)).all(); });
  SmallWorld::RawPeer& raw = world_.AddRaw(Host(7));
  world_.RawConnect(raw, seeder);
  wire::Handshake hello = Hello(true);
  hello.info_hash[0] ^= 1;
  world_.RawSend(raw, wire::EncodeHandshake(hello));
  world_.RunFor(Seconds(1));
  EXPECT_TRUE(raw.closed);
  EXPECT_TRUE(raw.received.empty());
}

TEST_F(PeerTest, EveryInfoHashOfTheContentIsAnsweredWithItself) {
  const size_t seeder = world_.Add(Offering(), good_);
  world_.RunUntil([&] { return world_.Claimed(Host(1)).all(); });
  uint8_t host = 20;
  for (const InfoHash& hash : torrent_.AllInfoHashes()) {
    SmallWorld::RawPeer& raw = world_.AddRaw(Host(host));
    world_.RawConnect(raw, seeder);
    wire::Handshake hello = Hello(true);
    hello.info_hash = hash;
    hello.peer_id[0] = host++;
    world_.RawSend(raw, wire::EncodeHandshake(hello));
    world_.RunFor(Milliseconds(100));
    Script script;
    Read(raw, script);
    ASSERT_TRUE(script.greeted);
    EXPECT_EQ(script.theirs.info_hash, hash);
    EXPECT_EQ(Count<wire::HaveAll>(script), 1u);
  }
}

// A peer that hangs up on every info-hash but `known`, as other clients do: what it was dialled with.
struct Picky {
  InfoHash known{};
  std::vector<wire::Handshake> dialled;

  void Listen(SmallWorld& world) {
    world.AddRaw(Host(9)).on_bytes = [this](SmallWorld& here, SmallWorld::RawPeer& self) {
      if (self.received.size() < wire::kHandshakeSize) return;
      if (self.received[0] != '\x13') return self.received.clear();  // what follows an answered handshake
      wire::Decoder decoder;
      decoder.Feed(Slice::Own(std::exchange(self.received, {})));
      ASSERT_EQ(decoder.NextHandshake(dialled.emplace_back()), wire::Decoder::Result::kMessage);
      if (dialled.back().info_hash != known) return here.RawClose(self);
      wire::Handshake hello = dialled.back();
      hello.peer_id.fill('p');
      here.RawSend(self, wire::EncodeHandshake(hello));
    };
  }
};

TEST_F(PeerTest, APeerIsFirstMetUnderTheInfoHashOfTheFileThatWasGiven) {
  const InfoHash v1 = torrent_.InfoHashV1(TorrentFormat::kV1);
  const InfoHash hybrid = torrent_.InfoHashV1(TorrentFormat::kHybrid);
  InfoHash v2;
  std::copy_n(torrent_.InfoHashV2(TorrentFormat::kV2).begin(), v2.size(), v2.begin());
  for (const auto& [format, hash] : {std::pair(TorrentFormat::kV1, v1), std::pair(TorrentFormat::kV2, v2),
                                     std::pair(TorrentFormat::kHybrid, hybrid)}) {
    world_ = SmallWorld(11);
    Picky picky;
    picky.Listen(world_);
    Config config = Downloading();
    config.format = format;
    world_.Add(config, "");
    world_.RunFor(Milliseconds(200));
    ASSERT_EQ(picky.dialled.size(), 3u) << "all of the content's hashes, without a pause between them";
    EXPECT_EQ(picky.dialled[0].info_hash, hash);
    for (const wire::Handshake& handshake : picky.dialled) {
      EXPECT_EQ(handshake.v2, handshake.info_hash == hybrid) << "the v2 bit stands beside a hybrid's v1 hash";
    }
    world_.RunFor(Seconds(3));
    ASSERT_GE(picky.dialled.size(), 6u) << "a refusal is no verdict: it is tried again after a pause";
    EXPECT_EQ(picky.dialled[3].info_hash, hash);
  }
}

TEST_F(PeerTest, TheInfoHashThatAPeerAnsweredIsRememberedForItsAddress) {
  Picky picky;
  picky.known = torrent_.InfoHashV1(TorrentFormat::kV1);
  picky.Listen(world_);
  const size_t client = world_.Add(Downloading(), "");
  ASSERT_TRUE(
      world_.RunUntil([&] { return world_.client(client).progress().peers_connected == 1; }, Seconds(1)));
  const size_t tried = picky.dialled.size();
  EXPECT_EQ(tried, 2u);
  world_.RunFor(Seconds(200));  // it says nothing more and is cut off as idle, then dialled again
  ASSERT_GT(picky.dialled.size(), tried);
  EXPECT_EQ(picky.dialled[tried].info_hash, picky.known);
}

TEST_F(PeerTest, AForeignInfoHashIsDialledFirstAndAnswered) {
  Config config = Downloading();
  InfoHash foreign{};
  foreign.fill(7);
  config.metainfo->foreign_info_hashes = {foreign};
  Picky picky;
  picky.known = foreign;
  picky.Listen(world_);
  const size_t client = world_.Add(config, "");
  ASSERT_TRUE(
      world_.RunUntil([&] { return world_.client(client).progress().peers_connected == 1; }, Seconds(1)));
  EXPECT_EQ(picky.dialled.size(), 1u);
  EXPECT_FALSE(picky.dialled[0].v2);
}

TEST_F(PeerTest, TheWholeLastBlockIsServedPaddedUnderTheV2HashAndRejectedElsewhere) {
  const size_t seeder = world_.Add(Offering(), good_);
  world_.RunUntil([&] { return world_.Claimed(Host(1)).all(); });
  const wire::BlockSpan whole{PieceIndex(9), 0, kBlockSize};
  uint8_t host = 20;
  for (const InfoHash& hash : torrent_.AllInfoHashes()) {
    SmallWorld::RawPeer& raw = world_.AddRaw(Host(host));
    world_.RawConnect(raw, seeder);
    wire::Handshake hello = Hello(true);
    hello.info_hash = hash;
    hello.peer_id[0] = host++;
    world_.RawSend(raw, wire::EncodeHandshake(hello) + Bytes(wire::Interested{}));
    world_.RunFor(Milliseconds(100));
    world_.RawSend(
        raw, Bytes(wire::Request{whole}) + Bytes(wire::Request{{PieceIndex(0), kPieceLength - 10, 11}}));
    world_.RunFor(Milliseconds(100));
    Script script;
    Read(raw, script);
    EXPECT_FALSE(raw.closed);
    const bool v2_only =
        std::equal(hash.begin(), hash.end(), torrent_.InfoHashV2(TorrentFormat::kV2).begin());
    EXPECT_EQ(Count<wire::Reject>(script), v2_only ? 1u : 2u);
    ASSERT_EQ(Count<wire::Piece>(script), v2_only ? 1u : 0u);
    for (const auto& message : script.messages) {
      const auto* piece = std::get_if<wire::Piece>(&message);
      if (piece == nullptr) continue;
      const std::string held = good_.substr(9 * kPieceLength);
      EXPECT_EQ(piece->bytes.view(), held + std::string(kBlockSize - held.size(), '\0'));
    }
  }
}

// BEP 47: clients that know no padding files ask for them; a piece of version 1 ends with those zeros.
TEST_F(PeerTest, TheZerosBehindAFileOfATreeAreServedAndNothingBehindTheLastFile) {
  const FileTree tree({{{"a"}, kPieceLength + 5, {}, false}, {{"b"}, 7, {}, false}}, kPieceLength);
  MetainfoBuilder builder("tree", tree, kPieceLength);
  builder.Update(std::string(tree.length(), 't'));
  const Metainfo metainfo = builder.Finish();
  std::string file(metainfo.end_offset(), 't');
  std::fill(file.begin() + kPieceLength + 5, file.begin() + 2 * kPieceLength, '\0');
  world_.registered = metainfo;
  Config config = Offering();
  config.metainfo = metainfo;
  const size_t seeder = world_.Add(config, file);
  world_.RunUntil([&] { return world_.Claimed(Host(1)).all(); });
  SmallWorld::RawPeer& raw = world_.AddRaw(Host(20));
  world_.RawConnect(raw, seeder);
  wire::Handshake hello = Hello(true);
  hello.info_hash = metainfo.InfoHashV1(TorrentFormat::kHybrid);
  world_.RawSend(raw, wire::EncodeHandshake(hello) + Bytes(wire::Interested{}));
  world_.RunFor(Milliseconds(100));
  world_.RawSend(raw, Bytes(wire::Request{{PieceIndex(1), 0, kBlockSize}}) +
                          Bytes(wire::Request{{PieceIndex(1), kBlockSize, kBlockSize}}) +
                          Bytes(wire::Request{{PieceIndex(2), 0, kBlockSize}}));
  world_.RunFor(Milliseconds(100));
  Script script;
  Read(raw, script);
  EXPECT_FALSE(raw.closed);
  EXPECT_EQ(Count<wire::Reject>(script), 1u) << "of what is behind the last file";
  std::vector<std::string> blocks;
  for (const auto& message : script.messages) {
    if (const auto* piece = std::get_if<wire::Piece>(&message)) blocks.emplace_back(piece->bytes.view());
  }
  EXPECT_EQ(blocks, (std::vector<std::string>{"ttttt" + std::string(kBlockSize - 5, '\0'),
                                              std::string(kBlockSize, '\0')}));
}

TEST_F(PeerTest, AConnectionToItselfIsClosedAndNotTriedAgain) {
  SmallWorld::RawPeer& raw = world_.AddRaw(Host(9));
  int visits = 0;
  raw.on_bytes = [&](SmallWorld& world, SmallWorld::RawPeer& self) {
    if (self.received.size() < wire::kHandshakeSize) return;
    ++visits;
    world.RawSend(self, std::exchange(self.received, {}));  // an echo carries our own peer id
  };
  const size_t client = world_.Add(Downloading(), "");
  world_.RunFor(Seconds(100));
  EXPECT_EQ(visits, 1);
  EXPECT_EQ(world_.client(client).progress().peers_connected, 0u);
}

TEST_F(PeerTest, ASeederAnswersRequestsInOrderAndRejectsWhatItCannotTake) {
  const size_t seeder = world_.Add(Offering(), good_);
  world_.RunUntil([&] { return world_.Claimed(Host(1)).all(); });
  SmallWorld::RawPeer& raw = Visitor(seeder, true);
  world_.RawSend(raw, Bytes(wire::Request{{PieceIndex(0), 0, kBlockSize}}));
  world_.RunFor(Milliseconds(100));
  Script script;
  Read(raw, script);
  EXPECT_EQ(Count<wire::Reject>(script), 1u) << "choked";
  EXPECT_EQ(Count<wire::Piece>(script), 0u);
  world_.RawSend(raw, Bytes(wire::Interested{}));
  world_.RunFor(Milliseconds(100));
  world_.RawSend(
      raw, Bytes(wire::Request{{PieceIndex(9), 0, 5088}}) + Bytes(wire::Request{{PieceIndex(2), 100, 1000}}));
  world_.RunFor(Milliseconds(100));
  script.messages.clear();
  Read(raw, script);
  ASSERT_EQ(Count<wire::Unchoke>(script), 1u);
  ASSERT_EQ(Count<wire::Piece>(script), 2u);
  const auto& last = std::get<wire::Piece>(script.messages.back());
  EXPECT_EQ(last.bytes.view(), std::string_view(good_).substr(2 * kPieceLength + 100, 1000));
}

TEST_F(PeerTest, ARequestOutsideTheContentEndsTheConnection) {
  const size_t seeder = world_.Add(Offering(), good_);
  world_.RunUntil([&] { return world_.Claimed(Host(1)).all(); });
  uint8_t host = 20;
  const wire::BlockSpan bad[] = {{PieceIndex(10), 0, 100}, {PieceIndex(0), 0, kBlockSize + 1},
                                 {PieceIndex(0), 0, 0},    {PieceIndex(0), kPieceLength, 11},
                                 {PieceIndex(9), 5088, 1}, {PieceIndex(0), 0xffffffff, 2}};
  for (const wire::BlockSpan& span : bad) {
    SmallWorld::RawPeer& raw = Visitor(seeder, true, host++);
    world_.RawSend(raw, Bytes(wire::Interested{}) + Bytes(wire::Request{span}));
    world_.RunFor(Milliseconds(100));
    EXPECT_TRUE(raw.closed) << span.piece.value() << ' ' << span.offset << ' ' << span.length;
  }
  EXPECT_EQ(world_.node(seeder).served.size(), 0u);
}

TEST_F(PeerTest, APieceNotVerifiedIsRejected) {
  const size_t client = world_.Add(Downloading(), "");
  world_.RunFor(Milliseconds(100));
  SmallWorld::RawPeer& raw = Visitor(client, true);
  world_.RawSend(raw, Bytes(wire::Interested{}));
  world_.RunFor(Milliseconds(100));
  world_.RawSend(raw, Bytes(wire::Request{{PieceIndex(0), 0, kBlockSize}}));
  world_.RunFor(Milliseconds(100));
  Script script;
  Read(raw, script);
  EXPECT_EQ(Count<wire::Reject>(script), 1u);
  EXPECT_TRUE(world_.node(client).served.empty());
}

TEST_F(PeerTest, HashMessagesAreRejectedUnderTheV2HashAndAnErrorOtherwise) {
  const size_t seeder = world_.Add(Offering(), good_);
  world_.RunUntil([&] { return world_.Claimed(Host(1)).all(); });
  SmallWorld::RawPeer& v1 = Visitor(seeder, true, 20);
  world_.RawSend(v1, Bytes(wire::HashRequest{}));
  SmallWorld::RawPeer& v2 = world_.AddRaw(Host(21));
  world_.RawConnect(v2, seeder);
  wire::Handshake hello = Hello(true);
  const Sha256Digest hash = torrent_.InfoHashV2(TorrentFormat::kHybrid);
  std::copy_n(hash.begin(), 20, hello.info_hash.begin());
  hello.peer_id[0] = 21;
  world_.RawSend(v2, wire::EncodeHandshake(hello) + Bytes(wire::HashRequest{}));
  world_.RunFor(Milliseconds(100));
  EXPECT_TRUE(v1.closed);
  EXPECT_FALSE(v2.closed);
  Script script;
  Read(v2, script);
  EXPECT_EQ(Count<wire::HashReject>(script), 1u);
}

TEST_F(PeerTest, ASilentVisitorIsCutOffAndAnIdleOneKeptAliveForAWhile) {
  const size_t seeder = world_.Add(Offering(), good_);
  world_.RunUntil([&] { return world_.Claimed(Host(1)).all(); });
  SmallWorld::RawPeer& silent = world_.AddRaw(Host(20));
  world_.RawConnect(silent, seeder);
  SmallWorld::RawPeer& idle = Visitor(seeder, true, 21);
  world_.RunFor(Seconds(11));
  EXPECT_TRUE(silent.closed);
  EXPECT_FALSE(idle.closed);
  world_.RunFor(Seconds(120));
  Script script;
  Read(idle, script);
  EXPECT_EQ(Count<wire::KeepAlive>(script), 1u);
  world_.RunFor(Seconds(100));
  EXPECT_TRUE(idle.closed);
}

TEST_F(PeerTest, MorePeersThanTheLimitAreTurnedAway) {
  Config config = Offering();
  config.connection_limit = 5;
  const size_t seeder = world_.Add(config, good_);
  world_.RunUntil([&] { return world_.Claimed(Host(1)).all(); });
  int open = 0;
  for (uint8_t host = 20; host < 40; ++host) {
    SmallWorld::RawPeer& raw = Visitor(seeder, true, host);
    open += raw.closed ? 0 : 1;
  }
  EXPECT_EQ(open, 5);
}

TEST_F(PeerTest, RandomMessagesFromManyPeersNeverBreakAClient) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    world_ = SmallWorld(seed);
    world_.registered = torrent_;
    const size_t client = world_.Add(Downloading(), "");
    world_.RunFor(Milliseconds(10));
    Rng rng(seed);
    for (uint8_t host = 20; host < 23; ++host) {
      SmallWorld::RawPeer& raw = Visitor(client, rng.Chance(1, 2), host);
      std::string stream;
      for (int i = 0; i < 40; ++i) {
        const wire::BlockSpan span{PieceIndex(static_cast<uint32_t>(rng.Below(12))),
                                   static_cast<uint32_t>(rng.Below(3)) * kBlockSize,
                                   rng.Chance(1, 3) ? static_cast<uint32_t>(rng.Next()) : kBlockSize};
        switch (rng.Below(10)) {
          case 0:
            wire::Append(wire::Request{span}, stream);
            break;
          case 1:
            wire::Append(wire::Cancel{span}, stream);
            break;
          case 2:
            wire::Append(wire::Reject{span}, stream);
            break;
          case 3:
            wire::Append(wire::Have{span.piece}, stream);
            break;
          case 4:
            wire::Append(wire::HaveAll{}, stream);
            break;
          case 5:
            wire::Append(wire::Choke{}, stream);
            break;
          case 6:
            wire::Append(wire::Unchoke{}, stream);
            break;
          case 7:
            wire::Append(wire::Interested{}, stream);
            break;
          case 8:
            wire::Append(wire::Bitfield{Slice::Copy(std::string(2, static_cast<char>(rng.Next())))}, stream);
            break;
          default:
            wire::Append(wire::Piece{span.piece, span.offset, Slice::Own(std::string(kBlockSize, 'x'))},
                         stream);
        }
      }
      if (rng.Chance(1, 2)) stream[rng.Below(stream.size())] ^= static_cast<char>(rng.Next());
      world_.RawSend(raw, stream);
    }
    world_.RunFor(Seconds(30));
    ASSERT_EQ(world_.client(client).verified().count(), 0u);
  }
}

}  // namespace
}  // namespace bt::swarm::test
