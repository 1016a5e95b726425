// A client's requests put to a tracker that speaks UDP, on a real socket that a test answers for.

#include "nodes/client/udp_trackers.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/net/support.h"

namespace bt::nodes {
namespace {

namespace api = tracker_api;

const Address kHere = Address::V4(127, 0, 0, 1, 0);
const NodeId kTracker(3);

class UdpTrackersTest : public testing::Test {
 protected:
  UdpTrackersTest()
      : tracker_(loop_, *net::BindDatagrams(kHere),
                 [this](const net::DatagramRoute& from, std::string_view bytes) { Take(from, bytes); }),
        stranger_(loop_, *net::BindDatagrams(kHere), [](const net::DatagramRoute&, std::string_view) {}),
        asked_(loop_, What(), [this](NodeId from, swarm::Protocol::Message message) {
          EXPECT_EQ(from, kTracker);
          told_.push_back(std::move(message));
        }) {
    asked_.Add(kTracker, tracker_.address());
  }

  Announced What() {
    return {.info_hash = [](const api::TorrentKey&) -> std::optional<InfoHash> { return InfoHash{7}; },
            .listen = [] { return Address::V4(127, 0, 0, 1, 6881); },
            .left = [this] { return left_; }};
  }
  // A stranger answers first, with another id and another peer.
  void Take(const net::DatagramRoute& from, std::string_view bytes) {
    const std::optional<UdpHead> head = ReadUdpHead(bytes);
    ASSERT_TRUE(head);
    if (head->action == UdpAction::kConnect) {
      stranger_.Send({.peer = from.peer}, RenderUdpConnected(head->transaction, 66));
      return tracker_.Send(from, RenderUdpConnected(head->transaction, 99));
    }
    ASSERT_EQ(head->connection, 99u);
    announces_.push_back(std::get<api::Announce>(*ReadUdpRequest(*head, bytes, from.peer)));
    stranger_.Send({.peer = from.peer}, Rendered(head->transaction, 6666));
    tracker_.Send(from, Rendered(head->transaction, 6889));
  }
  static std::string Rendered(uint32_t transaction, uint16_t port) {
    api::Peers peers;
    peers.interval = Seconds(60);
    peers.peers = {{Address::V4(127, 0, 0, 1, port), {}, false}};
    api::Response response;
    response.body = peers;
    return RenderUdpAnnounced(transaction, response, true);
  }
  bool Told(size_t count) {
    return net::RunUntil(loop_, [&] { return told_.size() >= count; });
  }
  // The answer to that ask, if it is one.
  const api::Response* AnswerTo(uint64_t id) const {
    for (const auto& message : told_) {
      const auto* answer = std::get_if<api::Answer>(&message);
      if (answer != nullptr && answer->id == id) return &answer->response;
    }
    return nullptr;
  }

  net::Loop loop_;
  uint64_t left_ = 10;
  std::vector<api::Announce> announces_;
  std::vector<swarm::Protocol::Message> told_;
  net::DatagramSocket tracker_;
  net::DatagramSocket stranger_;
  UdpTrackers asked_;
};

TEST_F(UdpTrackersTest, AClaimAndALookupAreOneAnnounceToTheTrackerAndNobodyElseAnswers) {
  asked_.Send(kTracker, {1, api::Offer{}});
  asked_.Send(kTracker, {2, api::Lookup{}});
  EXPECT_TRUE(told_.empty()) << "not from within Send";
  ASSERT_TRUE(Told(2));
  ASSERT_TRUE(AnswerTo(1) != nullptr && AnswerTo(2) != nullptr);
  EXPECT_EQ(AnswerTo(1)->outcome, api::Outcome::kOk);
  const auto& peers = std::get<api::Peers>(AnswerTo(2)->body).peers;
  ASSERT_EQ(peers.size(), 1u);
  EXPECT_EQ(peers[0].peer.port, 6889);
  ASSERT_EQ(announces_.size(), 1u);
  EXPECT_EQ(announces_[0].info_hash, InfoHash{7});
  EXPECT_EQ(announces_[0].peer.port, 6881);
  EXPECT_EQ(announces_[0].left, 10u);
  EXPECT_EQ(announces_[0].event, api::AnnounceEvent::kStarted);
}

TEST_F(UdpTrackersTest, AWithdrawalOfEverythingSaysThatTheClientStops) {
  asked_.Send(kTracker, {1, api::Offer{}});
  ASSERT_TRUE(Told(1));
  api::Withdraw some;
  some.pieces = {{}};
  asked_.Send(kTracker, {2, some});
  ASSERT_TRUE(Told(2));
  asked_.Send(kTracker, {3, api::Withdraw{}});
  ASSERT_TRUE(Told(3));
  ASSERT_NE(AnswerTo(3), nullptr);
  ASSERT_EQ(announces_.size(), 2u);
  EXPECT_EQ(announces_[1].event, api::AnnounceEvent::kStopped);
}

TEST_F(UdpTrackersTest, WhatIsNoAnnounceIsRefusedAtOnce) {
  asked_.Send(kTracker, {1, api::Fetch{}});
  EXPECT_TRUE(told_.empty()) << "not from within Send";
  ASSERT_TRUE(Told(1));
  const auto* unreachable = std::get_if<api::Unreachable>(&told_[0]);
  ASSERT_NE(unreachable, nullptr);
  EXPECT_EQ(unreachable->id, 1u);
  EXPECT_TRUE(announces_.empty());
}

}  // namespace
}  // namespace bt::nodes
