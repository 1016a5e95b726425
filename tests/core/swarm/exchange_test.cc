// Peer exchange: peers that tell each other of peers, and what of it is believed.

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "core/torrent/sha1.h"
#include "tests/core/swarm/peer_fixture.h"

namespace bt::swarm::test {
namespace {

class ExchangeTest : public PeerTest {
 protected:
  // A client told by nobody but one peer.
  Config Knowing(uint8_t self, uint8_t peer) {
    Config config = Downloading();
    config.listen = Host(self);
    config.peers = {Host(peer)};
    return config;
  }
  bool Met(size_t client, const Address& peer) {
    for (const PeerConnected& met : world_.node(client).All<PeerConnected>()) {
      if (met.peer == peer) return true;
    }
    return false;
  }
  // Says hello with extensions, of which it takes those with an id.
  SmallWorld::RawPeer& Talker(size_t node, Script& script, uint8_t exchange_id) {
    SmallWorld::RawPeer& raw = world_.AddRaw(Host(7));
    raw.on_bytes = [this, &script](SmallWorld&, SmallWorld::RawPeer& self) { Read(self, script); };
    world_.RawConnect(raw, node);
    wire::Handshake hello = Hello(true);
    hello.extended = true;
    wire::ExtendedHandshake extended;
    extended.peer_exchange_id = exchange_id;
    world_.RawSend(raw, wire::EncodeHandshake(hello) + Bytes(extended) + Bytes(wire::HaveNone{}));
    return raw;
  }
  static const wire::ExtendedHandshake* Extended(const Script& script) {
    for (const auto& message : script.messages) {
      if (const auto* extended = std::get_if<wire::ExtendedHandshake>(&message)) return extended;
    }
    return nullptr;
  }
};

TEST_F(ExchangeTest, ASeederIsFoundThroughAPeerWhenNoTrackerSaysSo) {
  Config offer = Offering();
  offer.listen = Host(2);
  offer.trackers = 0;
  world_.Add(offer, good_);
  Config between = Knowing(3, 2);
  const size_t middle = world_.Add(between, "");
  // It knows the seeder, and serves nothing itself.
  world_.node(middle).mute = true;
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(middle).progress().peers_connected == 1; }));
  const size_t late = world_.Add(Knowing(1, 3), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(late); }));
  EXPECT_TRUE(Met(late, Host(2)));
}

TEST_F(ExchangeTest, EachPeerIsToldAtMostOnceAMinuteWhatIsNew) {
  const size_t client = world_.Add(Offering(), good_);
  world_.node(client).mute = true;  // nobody finishes and leaves
  world_.RunFor(Milliseconds(10));
  Script script;
  Talker(client, script, wire::kPeerExchangeId);
  const Instant start = world_.now();
  for (uint8_t joined = 20; joined < 50; ++joined) {
    world_.Add(Knowing(joined, 1), "");
    world_.RunFor(Seconds(5));
  }
  world_.RunFor(Seconds(61));
  // What is told adds up: nobody is added twice or dropped unheard of.
  std::set<Address> told;
  for (const auto& message : script.messages) {
    const auto* exchange = std::get_if<wire::PeerExchange>(&message);
    if (exchange == nullptr) continue;
    for (const auto& added : exchange->added) EXPECT_TRUE(told.insert(added.peer).second);
    for (const Address& dropped : exchange->dropped) EXPECT_EQ(told.erase(dropped), 1u);
  }
  EXPECT_GE(told.size(), 20u) << "some are just away";
  EXPECT_GE(Count<wire::PeerExchange>(script), 3u);
  EXPECT_LE(Count<wire::PeerExchange>(script),
            static_cast<size_t>((world_.now() - start).seconds() / 60 + 1));
}

TEST_F(ExchangeTest, WhoDoesNotTakeExchangesIsSentNone) {
  const size_t client = world_.Add(Offering(), good_);
  world_.RunFor(Milliseconds(10));
  Script script;
  Talker(client, script, 0);
  world_.Add(Knowing(3, 1), "");
  world_.RunFor(Seconds(200));
  ASSERT_NE(Extended(script), nullptr);
  EXPECT_EQ(Extended(script)->peer_exchange_id, wire::kPeerExchangeId);
  EXPECT_EQ(Count<wire::PeerExchange>(script) + Count<wire::Ignored>(script), 0u);
}

TEST_F(ExchangeTest, APrivateTorrentHasNoExchange) {
  // An info dictionary with a key of its own; once its bytes are at hand, once they are not.
  std::string info = torrent_.InfoBytes(TorrentFormat::kV1);
  info.insert(info.size() - 1, "7:privatei1e");
  Metainfo metainfo = torrent_;
  metainfo.foreign_info_hashes = {Sha1(info)};
  for (const bool at_hand : {true, false}) {
    SmallWorld world(3);
    Config config = Knowing(1, 9);
    config.metainfo = metainfo;
    if (at_hand) config.info = Slice::Own(std::string(info));
    const size_t client = world.Add(config, "");
    Script script;
    SmallWorld::RawPeer& raw = world.AddRaw(Host(9));
    wire::PeerExchange exchange;
    exchange.added = {{Host(5), true}};
    raw.on_bytes = [&](SmallWorld& w, SmallWorld::RawPeer& self) {
      const bool new_here = !script.greeted;
      Read(self, script);
      if (!new_here || !script.greeted) return;
      wire::Handshake hello = script.theirs;
      hello.peer_id.fill('p');
      wire::ExtendedHandshake extended;
      extended.peer_exchange_id = wire::kPeerExchangeId;
      w.RawSend(self,
                wire::EncodeHandshake(hello) + Bytes(extended) + Bytes(wire::HaveNone{}) + Bytes(exchange));
    };
    world.RunFor(Seconds(100));
    ASSERT_NE(Extended(script), nullptr);
    EXPECT_EQ(Extended(script)->peer_exchange_id, 0);
    EXPECT_EQ(Count<wire::PeerExchange>(script), 0u);
    EXPECT_EQ(world.client(client).progress().peers_known, 1u) << "what is told unasked is not heard";
  }
}

TEST_F(ExchangeTest, AFloodOfAddressesHasItsPlaceAndNoMore) {
  Config config = Knowing(1, 8);
  config.trackers = 1;
  const size_t client = world_.Add(config, "");
  world_.RunFor(Milliseconds(10));
  Script script;
  SmallWorld::RawPeer& liar = Talker(client, script, 0);
  uint32_t number = 0;
  const auto flood = [&] {
    wire::PeerExchange exchange;
    for (size_t i = 0; i < wire::kExchangeLimit; ++i, ++number) {
      exchange.added.push_back(
          {Address::V4(10, 7, static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number), 1), true});
    }
    world_.RawSend(liar, Bytes(exchange));
  };
  for (int i = 0; i < 40; ++i) {
    flood();
    world_.RunFor(Milliseconds(100));
  }
  EXPECT_LE(world_.client(client).progress().peers_known, 2 + wire::kExchangeLimit)
      << "one exchange is heard";
  for (int i = 0; i < 100; ++i) {
    flood();
    world_.RunFor(Seconds(46));
  }
  EXPECT_LE(world_.client(client).progress().peers_known, 2 + Limits().exchanged_addresses);
  // Meanwhile, what the tracker tells comes first.
  Config offer = Offering();
  offer.listen = Host(9);
  world_.Add(offer, good_);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }, Seconds(60)));
}

}  // namespace
}  // namespace bt::swarm::test
