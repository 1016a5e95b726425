#include "nodes/udp_api/udp_api.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "core/base/bytes.h"
#include "core/base/rng.h"
#include "nodes/tracker/udp_edge.h"

namespace bt::nodes {
namespace {

namespace api = tracker_api;

const Address kFour = Address::V4(203, 0, 113, 7, 40000);
const Address kSix = *Address::Parse("[2001:db8::7]:40000");

InfoHash HashOf(uint8_t byte) {
  InfoHash hash;
  hash.fill(byte);
  return hash;
}

api::Announce AnAnnounce(const Address& peer) {
  api::Announce announce;
  announce.info_hash = HashOf(7);
  announce.peer = peer;
  announce.left = 12345678901;
  announce.event = api::AnnounceEvent::kStarted;
  announce.numwant = 30;
  return announce;
}

TEST(SipHash, IsTheOneOfItsAuthors) {
  // The authors' vectors: the key 00..0f, the input the bytes from 00 on; this one has 24 of them.
  EXPECT_EQ(SipHash({0x0706050403020100, 0x0f0e0d0c0b0a0908},
                    {0x0706050403020100, 0x0f0e0d0c0b0a0908, 0x1716151413121110}),
            0xb8ad50c6f649af94u);
}

TEST(ConnectionIds, AreGoodForTwoMinutesForWhomTheyWereGivenTo) {
  const ConnectionIds ids({1, 2});
  const ConnectionIds others({1, 3});
  for (const int64_t second : {0, 59, 60, 100000}) {
    const Instant given{Seconds(second).ns};
    const uint64_t id = ids.Give(kFour, given);
    EXPECT_TRUE(ids.Valid(id, kFour, given + Seconds(120)));
    EXPECT_FALSE(ids.Valid(id, kFour, given + Seconds(181)));
    EXPECT_FALSE(ids.Valid(id, kSix, given));
    EXPECT_FALSE(ids.Valid(id, Address::V4(203, 0, 113, 7, 40001), given));
    EXPECT_FALSE(ids.Valid(id ^ 1, kFour, given));
    EXPECT_FALSE(others.Valid(id, kFour, given));
  }
}

TEST(UdpCodec, GoldenBytesOfBep15) {
  EXPECT_EQ(RenderUdpConnect(0x01020304),
            std::string("\x00\x00\x04\x17\x27\x10\x19\x80\x00\x00\x00\x00\x01\x02\x03\x04", 16));
  EXPECT_EQ(RenderUdpConnected(5, 6), std::string("\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\6", 16));
  EXPECT_EQ(RenderUdpError(5, "no"), std::string("\0\0\0\3\0\0\0\5no", 10));
  const std::string announce = RenderUdpAnnounce(9, 5, AnAnnounce(kFour), {.key = 0x61626364});
  ASSERT_EQ(announce.size(), 98u);
  EXPECT_EQ(announce.substr(8, 8), std::string("\0\0\0\1\0\0\0\5", 8));
  EXPECT_EQ(announce.substr(80, 18), std::string("\0\0\0\2\xcb\0\x71\7"
                                                 "abcd\0\0\0\x1e\x9c\x40",
                                                 18));
}

TEST(UdpCodec, ReadsWhatTheOtherHalfRenders) {
  for (const Address& from : {kFour, kSix}) {
    for (const api::AnnounceEvent event : {api::AnnounceEvent::kNone, api::AnnounceEvent::kStarted,
                                           api::AnnounceEvent::kCompleted, api::AnnounceEvent::kStopped}) {
      api::Announce announce = AnAnnounce(from);
      announce.event = event;
      // What follows are options of BEP 41.
      const std::string bytes =
          RenderUdpAnnounce(77, 5, announce, {}) + std::string("\x02\x05/path\xff\x02", 9);
      const auto head = ReadUdpHead(bytes);
      ASSERT_TRUE(head);
      EXPECT_EQ(*head, (UdpHead{77, UdpAction::kAnnounce, 5}));
      const auto request = ReadUdpRequest(*head, bytes, from);
      ASSERT_TRUE(request.ok());
      EXPECT_EQ(std::get<api::Announce>(*request), announce);
    }
  }
}

TEST(UdpCodec, NamesPeersOfTheAskersFamilyAsManyAsAPacketHolds) {
  api::Response response;
  api::Peers peers;
  peers.interval = Seconds(1800);
  peers.complete = 3;
  peers.incomplete = 4;
  for (uint16_t i = 1; i <= 300; ++i) {
    Address four = kFour;
    Address six = kSix;
    four.port = six.port = i;
    peers.peers.push_back({four, {}, false});
    peers.peers.push_back({six, {}, false});
  }
  response.body = peers;
  for (const bool v4 : {true, false}) {
    const std::string bytes = RenderUdpAnnounced(5, response, v4);
    EXPECT_LE(bytes.size(), kUdpAnswerLimit);
    const auto answered = ReadUdpAnswer(bytes, v4);
    ASSERT_TRUE(answered);
    const auto& told = std::get<api::Peers>(answered->answer);
    EXPECT_EQ(told.interval, Seconds(1800));
    EXPECT_EQ(told.complete, 3u);
    EXPECT_EQ(told.incomplete, 4u);
    ASSERT_EQ(told.peers.size(), v4 ? 200u : 67u);
    for (size_t i = 0; i < told.peers.size(); ++i)
      EXPECT_EQ(told.peers[i].peer, peers.peers[2 * i + (v4 ? 0 : 1)].peer);
  }
}

TEST(UdpCodec, AClaimNamesTheSenderUnlessBothAreLocal) {
  const auto claimed = [](const Address& asked, const Address& from) {
    const std::string bytes = RenderUdpAnnounce(1, 2, AnAnnounce(asked), {});
    return std::get<api::Announce>(*ReadUdpRequest(*ReadUdpHead(bytes), bytes, from)).peer;
  };
  EXPECT_EQ(claimed(Address::V4(198, 51, 100, 1, 6881), kFour), Address::V4(203, 0, 113, 7, 6881));
  EXPECT_EQ(claimed(Address::V4(0, 0, 0, 0, 6881), kFour), Address::V4(203, 0, 113, 7, 6881));
  EXPECT_EQ(claimed(Address::V4(10, 0, 0, 9, 6881), Address::V4(10, 0, 0, 1, 5)),
            Address::V4(10, 0, 0, 9, 6881));
  EXPECT_EQ(claimed(Address::V4(10, 0, 0, 9, 6881), kSix).ip, kSix.ip);
}

// Every cut and every changed byte of a request, and noise: answered sensibly or not at all, and what is
// answered without a valid id is never longer than what came.
TEST(UdpCodec, ReadsAnything) {
  Rng rng(15);
  const std::string samples[] = {RenderUdpConnect(1), RenderUdpAnnounce(2, 3, AnAnnounce(kFour), {}),
                                 RenderUdpScrape(4, 5, std::vector<InfoHash>(kUdpScrapeLimit, HashOf(1))),
                                 RenderUdpError(1, "why"), RenderUdpConnected(1, 2)};
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = samples[rng.Below(std::size(samples))];
    bytes.resize(rng.Below(bytes.size() + 30));
    for (uint64_t changes = rng.Below(4); changes > 0 && !bytes.empty(); --changes)
      bytes[rng.Below(bytes.size())] = static_cast<char>(rng.Next());
    if (const auto head = ReadUdpHead(bytes)) {
      EXPECT_LE(RenderUdpError(1, kUdpConnectAgain).size(), std::max<size_t>(bytes.size(), 21));
      if (head->action == UdpAction::kConnect) {
        EXPECT_LE(RenderUdpConnected(1, 2).size(), bytes.size());
        continue;
      }
      EXPECT_LE(RenderUdpError(1, kUdpConnectAgain).size(), bytes.size());
      const auto request = ReadUdpRequest(*head, bytes, kFour);
      EXPECT_TRUE(request.ok() || !request.status().message().empty());
    }
    (void)ReadUdpAnswer(bytes, rng.Below(2) == 0);
  }
}

// --- the edge ---

struct Node {
  std::vector<Input<tracker::Protocol>> told;
  CallRouter router{[this](Input<tracker::Protocol> input) { told.push_back(std::move(input)); }};
  Instant now{Seconds(1000).ns};
  std::optional<std::string> refusal;
  std::deque<std::string> sent;
  UdpEdge edge{router,
               {3, 4},
               [this] { return now; },
               [this](const net::DatagramRoute&, std::string_view bytes) { sent.emplace_back(bytes); },
               [this] { return refusal; }};

  void Get(const Address& from, const std::string& bytes) { edge.OnDatagram({.peer = from}, bytes); }
  UdpAnswered Answer() {
    EXPECT_FALSE(sent.empty());
    if (sent.empty()) return {};
    const auto answered = ReadUdpAnswer(sent.front(), true);
    sent.pop_front();
    EXPECT_TRUE(answered);
    return answered.value_or(UdpAnswered{});
  }
  std::string Error() {
    const UdpAnswered answered = Answer();
    const auto* error = std::get_if<UdpError>(&answered.answer);
    return error == nullptr ? "no error" : error->why;
  }
  uint64_t Connect(const Address& from) {
    Get(from, RenderUdpConnect(1));
    return std::get<UdpConnected>(Answer().answer).connection;
  }
  // Of the n-th request that the node was told.
  const Call<tracker::Protocol>& Told(size_t n) { return std::get<Call<tracker::Protocol>>(told.at(n)); }
  template <class T>
  const T& Asked(size_t n) {
    return std::get<T>(std::get<tracker::Asked>(Told(n).request).request);
  }
};

api::Response SomePeers() {
  api::Response response;
  response.body = api::Peers{.complete = 2, .interval = Seconds(60)};
  return response;
}

TEST(UdpEdge, AsksTheNodeAsHttpDoesAndAnswersWhoAsked) {
  Node node;
  const uint64_t id = node.Connect(kFour);
  node.Get(kFour, RenderUdpAnnounce(id, 42, AnAnnounce(kFour), {}));
  EXPECT_EQ(node.Asked<api::Announce>(0), AnAnnounce(kFour));
  EXPECT_EQ(std::get<tracker::Asked>(node.Told(0).request).source, tracker::SourceOf(kFour));
  node.router.OnReply(node.Told(0).id, SomePeers());
  const UdpAnswered answered = node.Answer();
  EXPECT_EQ(answered.transaction, 42u);
  EXPECT_EQ(std::get<api::Peers>(answered.answer).complete, 2u);
  EXPECT_EQ(node.edge.under_way(), 0u);
  EXPECT_EQ(node.router.under_way(), 0u);
}

TEST(UdpEdge, ADatagramThatComesTwiceAsksTheSameTwice) {
  Node node;
  const std::string announce = RenderUdpAnnounce(node.Connect(kFour), 42, AnAnnounce(kFour), {});
  node.Get(kFour, announce);
  node.Get(kFour, announce);
  EXPECT_EQ(node.Asked<api::Announce>(0), node.Asked<api::Announce>(1));
  node.router.OnReply(node.Told(1).id, SomePeers());
  node.router.OnReply(node.Told(0).id, SomePeers());
  EXPECT_EQ(node.Answer().transaction, 42u);
  EXPECT_EQ(node.Answer().transaction, 42u);
}

TEST(UdpEdge, NothingIsAskedWithoutAValidId) {
  Node node;
  const uint64_t id = node.Connect(kFour);
  const std::string announce = RenderUdpAnnounce(id, 42, AnAnnounce(kFour), {});
  node.Get(kSix, announce);
  EXPECT_EQ(node.Error(), kUdpConnectAgain);
  node.now = node.now + Seconds(181);
  node.Get(kFour, announce);
  EXPECT_EQ(node.Error(), kUdpConnectAgain);
  node.Get(kFour, announce.substr(0, 97));
  node.Get(kFour, "");
  node.Get(Address::V4(203, 0, 113, 7, 0), RenderUdpConnect(1));
  EXPECT_TRUE(node.sent.empty());
  EXPECT_TRUE(node.told.empty());
  EXPECT_EQ(node.edge.counters().stale, 2u);
  EXPECT_EQ(node.edge.counters().malformed, 3u);
}

TEST(UdpEdge, RefusalsAreErrors) {
  Node node;
  const uint64_t id = node.Connect(kFour);
  node.refusal = "recovering";
  node.Get(kFour, RenderUdpAnnounce(id, 42, AnAnnounce(kFour), {}));
  EXPECT_EQ(node.Error(), "recovering");
  node.refusal.reset();
  api::Announce no_port = AnAnnounce(kFour);
  no_port.peer.port = 0;
  node.Get(kFour, RenderUdpAnnounce(id, 42, no_port, {}));
  EXPECT_EQ(node.Error(), "port must be a number from 1 to 65535");
  node.Get(kFour, RenderUdpAnnounce(id, 42, AnAnnounce(kFour), {}));
  node.router.OnReply(node.Told(0).id, api::NoSuchTorrent(HashOf(7)));
  EXPECT_NE(node.Error().find("info-hash"), std::string::npos);
}

TEST(UdpEdge, AScrapeIsAnsweredInItsOwnOrder) {
  Node node;
  std::vector<InfoHash> hashes;
  for (uint8_t i = 0; i < kUdpScrapeLimit; ++i) hashes.push_back(HashOf(i));
  node.Get(kFour, RenderUdpScrape(node.Connect(kFour), 9, hashes));
  ASSERT_EQ(node.told.size(), 1u);
  for (size_t part = 0; part < 2; ++part) {
    api::Scraped scraped;
    for (const InfoHash& hash : node.Asked<api::Scrape>(part).info_hashes) {
      if (hash[0] % 2 == 0) scraped.entries.push_back({hash, hash[0], 1});
    }
    std::reverse(scraped.entries.begin(), scraped.entries.end());
    api::Response response;
    response.body = std::move(scraped);
    node.router.OnReply(node.Told(part).id, response);
  }
  const UdpAnswered answered = node.Answer();
  const auto& entries = std::get<UdpScraped>(answered.answer).entries;
  ASSERT_EQ(entries.size(), kUdpScrapeLimit);
  for (uint32_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(entries[i].complete, i % 2 == 0 ? i : 0);
    EXPECT_EQ(entries[i].incomplete, i % 2 == 0 ? 1u : 0u);
  }
}

TEST(UdpEdge, WhatIsUnderWayIsBounded) {
  Node node;
  const uint64_t id = node.Connect(kFour);
  for (size_t i = 0; i < kUdpCallLimitOfSource; ++i)
    node.Get(kFour, RenderUdpAnnounce(id, 42, AnAnnounce(kFour), {}));
  EXPECT_TRUE(node.sent.empty());
  node.Get(kFour, RenderUdpAnnounce(id, 42, AnAnnounce(kFour), {}));
  EXPECT_NE(node.Error().find("too many requests"), std::string::npos);
  const Address other = Address::V4(203, 0, 113, 8, 1);
  node.Get(other, RenderUdpAnnounce(node.Connect(other), 42, AnAnnounce(other), {}));
  EXPECT_TRUE(node.sent.empty()) << "another source has its own share";
  EXPECT_EQ(node.edge.most().value(), kUdpCallLimitOfSource + 1);
  EXPECT_EQ(node.edge.most_of_source().value(), kUdpCallLimitOfSource);
  node.router.OnReply(node.Told(0).id, SomePeers());
  node.sent.clear();
  node.Get(kFour, RenderUdpAnnounce(id, 42, AnAnnounce(kFour), {}));
  EXPECT_TRUE(node.sent.empty());
}

}  // namespace
}  // namespace bt::nodes
