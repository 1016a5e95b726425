#pragma once

// PeerTest: one client against peers that a test writes out by hand.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/swarm/client.h"
#include "tests/core/swarm/small_world.h"
#include "tests/support/sample_content.h"

namespace bt::swarm::test {

inline constexpr uint64_t kLength = 300'000;
inline constexpr uint32_t kPieceLength = 32 * 1024;
inline constexpr uint32_t kPieces = 10;

// What a test's peer has been told, and how it answers.
struct Script {
  wire::Decoder decoder;
  bool greeted = false;
  wire::Handshake theirs;
  std::vector<wire::Message> messages;
};

class PeerTest : public testing::Test {
 protected:
  PeerTest() { world_.registered = torrent_; }

  Config Downloading() {
    Config config;
    config.metainfo = torrent_;
    config.listen = Host(1);
    config.peers = {Host(9)};
    return config;
  }
  Config Offering() {
    Config config;
    config.role = Role::kOffer;
    config.metainfo = torrent_;
    config.listen = Host(1);
    config.trackers = 1;
    return config;
  }
  wire::Handshake Hello(bool fast) const {
    wire::Handshake handshake;
    handshake.info_hash = torrent_.InfoHashV1(TorrentFormat::kHybrid);
    handshake.peer_id.fill('p');
    handshake.fast = fast;
    return handshake;
  }
  static std::string Bytes(const wire::Message& message) {
    std::string out;
    wire::Append(message, out);
    return out;
  }
  // Takes what has been received so far apart.
  void Read(SmallWorld::RawPeer& raw, Script& script) {
    if (raw.received.empty()) return;
    script.decoder.Feed(Slice::Own(std::move(raw.received)));
    raw.received.clear();
    if (!script.greeted) {
      if (script.decoder.NextHandshake(script.theirs) != wire::Decoder::Result::kMessage) return;
      script.greeted = true;
    }
    wire::Message message;
    while (script.decoder.Next(message) == wire::Decoder::Result::kMessage)
      script.messages.push_back(message);
  }
  template <class M>
  static size_t Count(const Script& script) {
    size_t count = 0;
    for (const auto& message : script.messages) count += std::holds_alternative<M>(message) ? 1 : 0;
    return count;
  }
  // Takes in what has come; to the handshake it answers that it has all and lets everybody ask.
  void Greet(SmallWorld::RawPeer& raw, Script& script) {
    const bool new_here = !script.greeted;
    Read(raw, script);
    if (!new_here || !script.greeted) return;
    world_.RawSend(raw, wire::EncodeHandshake(Hello(true)) + Bytes(wire::HaveAll{}) + Bytes(wire::Unchoke{}));
  }
  static std::string Served(const wire::BlockSpan& block, std::string_view content) {
    const uint64_t offset = uint64_t{block.piece.value()} * kPieceLength + block.offset;
    return Bytes(wire::Piece{block.piece, block.offset, Slice::Copy(content.substr(offset, block.length))});
  }
  // Calls `act` with the block of each request that has come since the last call.
  template <class Act>
  void EachRequest(const Script& script, Act act) {
    for (; answered_ < script.messages.size(); ++answered_) {
      const auto* request = std::get_if<wire::Request>(&script.messages[answered_]);
      if (request != nullptr) act(request->block);
    }
  }
  // All of them, in order.
  static std::vector<wire::BlockSpan> Requested(const Script& script) {
    std::vector<wire::BlockSpan> blocks;
    for (const wire::Message& message : script.messages) {
      if (const auto* request = std::get_if<wire::Request>(&message)) blocks.push_back(request->block);
    }
    return blocks;
  }
  // A seeder written out by hand. `bytes`: what it serves. `first`: what it says after its handshake.
  SmallWorld::RawPeer& HandMadeSeeder(Script& script, std::string bytes, wire::Handshake hello,
                                      std::string first) {
    SmallWorld::RawPeer& raw = world_.AddRaw(Host(9));
    raw.on_bytes = [this, &script, bytes, hello, first](SmallWorld& world, SmallWorld::RawPeer& self) {
      const bool new_here = !script.greeted;
      Read(self, script);
      if (new_here && script.greeted) {
        world.RawSend(self, wire::EncodeHandshake(hello) + first + Bytes(wire::Unchoke{}));
      }
      EachRequest(script, [&](const wire::BlockSpan& block) { world.RawSend(self, Served(block, bytes)); });
    };
    return raw;
  }
  // An inbound peer that has said hello and, if `fast`, HaveNone.
  SmallWorld::RawPeer& Visitor(size_t node, bool fast, uint8_t host = 7) {
    SmallWorld::RawPeer& raw = world_.AddRaw(Host(host));
    world_.RawConnect(raw, node);
    wire::Handshake hello = Hello(fast);
    hello.peer_id[19] = host;
    world_.RawSend(raw, wire::EncodeHandshake(hello) + (fast ? Bytes(wire::HaveNone{}) : ""));
    return raw;
  }

  const Metainfo torrent_ = bt::test::SampleMetainfo(kLength, kPieceLength);
  const std::string good_ = bt::test::SampleBytes(kLength);
  SmallWorld world_{11};
  size_t answered_ = 0;
};

}  // namespace bt::swarm::test
