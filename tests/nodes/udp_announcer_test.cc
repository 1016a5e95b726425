// A client's side of BEP 15 against a tracker that a test plays with the server's half of the codec.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "nodes/udp_api/announcer.h"

namespace bt::nodes {
namespace {

namespace api = tracker_api;
using Event = api::AnnounceEvent;

const Address kClient = Address::V4(203, 0, 113, 7, 40000);

const Address kPeer = Address::V4(203, 0, 113, 8, 6881);
const Address kPeerSix = *Address::Parse("[2001:db8::8]:6881");

api::Announce Missing(uint64_t left) {
  api::Announce announce;
  announce.info_hash.fill(7);
  announce.peer = Address::V4(0, 0, 0, 0, 6881);
  announce.left = left;
  return announce;
}

api::Announce Stopping() {
  api::Announce announce = Missing(5);
  announce.event = Event::kStopped;
  return announce;
}

class Announcer : public testing::Test {
 protected:
  // What goes out now: its head, and of an announce what it says.
  struct Sent {
    UdpHead head;
    api::Announce announce;
  };
  std::optional<Sent> Poll() {
    const std::optional<std::string> bytes = announcer_.Poll(now_, rng_);
    if (!bytes) return std::nullopt;
    const std::optional<UdpHead> head = ReadUdpHead(*bytes);
    EXPECT_TRUE(head) << "no tracker would answer this";
    Sent sent{*head, {}};
    if (head->action == UdpAction::kAnnounce) {
      sent.announce = std::get<api::Announce>(*ReadUdpRequest(*head, *bytes, kClient));
    }
    return sent;
  }
  Sent Expect(UdpAction action) {
    const std::optional<Sent> sent = Poll();
    if (!sent || sent->head.action != action) {
      ADD_FAILURE() << "expected a datagram of action " << static_cast<int>(action);
      return {};
    }
    return *sent;
  }
  std::optional<UdpAnnouncer::Answer> Connected(const Sent& sent, uint64_t id) {
    return announcer_.Receive(RenderUdpConnected(sent.head.transaction, id), now_);
  }
  static api::Response Peers(Duration interval = Seconds(120)) {
    api::Peers peers;
    peers.interval = interval;
    peers.peers = {{kPeer, {}, false}, {kPeerSix, {}, false}};
    api::Response response;
    response.body = peers;
    return response;
  }
  std::optional<UdpAnnouncer::Answer> Told(const Sent& sent, Duration interval = Seconds(120)) {
    return announcer_.Receive(RenderUdpAnnounced(sent.head.transaction, Peers(interval), true), now_);
  }
  std::optional<UdpAnnouncer::Answer> Failed(const Sent& sent, std::string_view why) {
    return announcer_.Receive(RenderUdpError(sent.head.transaction, why), now_);
  }
  // The tracker knows of this client.
  void Start() {
    EXPECT_FALSE(announcer_.Ask(Missing(5), now_));
    Connected(Expect(UdpAction::kConnect), 99);
    EXPECT_TRUE(Told(Expect(UdpAction::kAnnounce)));
  }

  Rng rng_{1};
  Instant now_{Seconds(1000).ns};
  UdpAnnouncer announcer_{true, {}};
};

TEST_F(Announcer, FetchesAnIdAndAnnouncesUnderIt) {
  EXPECT_FALSE(Poll()) << "nothing was asked";
  EXPECT_EQ(announcer_.deadline(), Instant::Never());
  EXPECT_FALSE(announcer_.Ask(Missing(5), now_));
  const Sent connect = Expect(UdpAction::kConnect);
  EXPECT_FALSE(Poll()) << "one request at a time";
  EXPECT_FALSE(Connected(connect, 99));
  const Sent announce = Expect(UdpAction::kAnnounce);
  EXPECT_EQ(announce.head.connection, 99u);
  EXPECT_NE(announce.head.transaction, connect.head.transaction);
  EXPECT_EQ(announce.announce.event, Event::kStarted);
  EXPECT_EQ(announce.announce.left, 5u);
  const auto answer = Told(announce);
  ASSERT_TRUE(answer && answer->ok());
  ASSERT_EQ((*answer)->peers.size(), 1u);
  EXPECT_EQ((*answer)->peers[0].peer, kPeer);
}

TEST_F(Announcer, ReadsPeersOfTheTrackersFamily) {
  UdpAnnouncer six(false, {});
  six.Ask(Missing(5), now_);
  const auto connect = ReadUdpHead(*six.Poll(now_, rng_));
  six.Receive(RenderUdpConnected(connect->transaction, 1), now_);
  const auto announce = ReadUdpHead(*six.Poll(now_, rng_));
  const auto answer = six.Receive(RenderUdpAnnounced(announce->transaction, Peers(), false), now_);
  ASSERT_TRUE(answer && answer->ok());
  ASSERT_EQ((*answer)->peers.size(), 1u);
  EXPECT_EQ((*answer)->peers[0].peer, kPeerSix);
}

TEST_F(Announcer, RepeatsWhatIsNotAnsweredLessAndLessOften) {
  announcer_.Ask(Missing(5), now_);
  const Sent first = Expect(UdpAction::kConnect);
  for (const int64_t pause : {15, 30, 60, 120, 240, 480, 960, 1920, 3840, 3840, 3840}) {
    now_ = now_ + Seconds(pause) - Milliseconds(1);
    announcer_.Ask(Missing(4), now_);
    EXPECT_FALSE(Poll()) << "before " << pause << " s, however often it is asked";
    EXPECT_EQ(announcer_.deadline(), now_ + Milliseconds(1));
    now_ = now_ + Milliseconds(1);
    EXPECT_EQ(Expect(UdpAction::kConnect).head, first.head);
  }
  // An announce has pauses of its own, and they do not begin anew when its connection id runs out.
  Connected(first, 99);
  EXPECT_EQ(Expect(UdpAction::kAnnounce).announce.left, 4u) << "what was asked last";
  for (const int64_t pause : {15, 30}) {
    now_ = now_ + Seconds(pause);
    Expect(UdpAction::kAnnounce);
  }
  now_ = now_ + Seconds(60);
  Connected(Expect(UdpAction::kConnect), 100);
  Expect(UdpAction::kAnnounce);
  EXPECT_EQ(announcer_.deadline(), now_ + Seconds(120));
}

TEST_F(Announcer, UsesAnIdForAMinute) {
  Start();
  now_ = now_ + Seconds(59);
  EXPECT_FALSE(announcer_.Ask(Stopping(), now_));
  EXPECT_EQ(Expect(UdpAction::kAnnounce).head.connection, 99u);

  UdpAnnouncer& later = announcer_;
  now_ = now_ + Seconds(15);
  EXPECT_EQ(ReadUdpHead(*later.Poll(now_, rng_))->action, UdpAction::kConnect);
}

TEST_F(Announcer, TakesNoAnswerOfAnotherTransactionOrAction) {
  announcer_.Ask(Missing(5), now_);
  Sent connect = Expect(UdpAction::kConnect);
  Sent other = connect;
  ++other.head.transaction;
  Connected(other, 66);
  EXPECT_FALSE(Told(connect)) << "peers for a connect";
  EXPECT_FALSE(Poll());
  Connected(connect, 99);
  const Sent announce = Expect(UdpAction::kAnnounce);
  EXPECT_EQ(announce.head.connection, 99u);
  other = announce;
  ++other.head.transaction;
  EXPECT_FALSE(Told(other));
  EXPECT_FALSE(Failed(other, "no"));
  EXPECT_FALSE(Told(connect)) << "its transaction is over";
  EXPECT_FALSE(Connected(announce, 66));
  for (const std::string& bytes : {std::string(), std::string(7, '\0'), std::string(30, '\xff')}) {
    EXPECT_FALSE(announcer_.Receive(bytes, now_));
  }
  EXPECT_TRUE(Told(announce));
  EXPECT_FALSE(Told(announce)) << "answered already";
}

TEST_F(Announcer, WhatItWasToldStandsUntilTheIntervalIsOver) {
  Start();
  now_ = now_ + Seconds(119);
  const auto answer = announcer_.Ask(Missing(3), now_);
  ASSERT_TRUE(answer && answer->ok());
  EXPECT_EQ((*answer)->peers.size(), 1u);
  EXPECT_FALSE(Poll());
  EXPECT_EQ(announcer_.deadline(), now_ + Seconds(1));
  now_ = now_ + Seconds(1);  // it announces by itself: a tracker forgets who does not
  Connected(Expect(UdpAction::kConnect), 100);
  const Sent again = Expect(UdpAction::kAnnounce);
  EXPECT_EQ(again.announce.event, Event::kNone);
  EXPECT_EQ(again.announce.left, 3u);
  EXPECT_TRUE(Told(again, Duration{}));
  now_ = now_ + UdpAnnouncer::kIntervalMin - Milliseconds(1);
  EXPECT_TRUE(announcer_.Ask(Missing(3), now_)) << "a tracker that wants it all the time does not get it";
}

TEST_F(Announcer, TheEndOfADownloadAndTheEndOfAllAreToldAtOnceAndOnce) {
  EXPECT_TRUE(announcer_.Ask(Stopping(), now_)->ok()) << "it was never told of this client";
  EXPECT_FALSE(Poll());
  Start();
  EXPECT_FALSE(announcer_.Ask(Missing(0), now_));
  Sent sent = Expect(UdpAction::kAnnounce);
  EXPECT_EQ(sent.announce.event, Event::kCompleted);
  EXPECT_TRUE(Told(sent));
  EXPECT_TRUE(announcer_.Ask(Missing(0), now_));
  EXPECT_FALSE(announcer_.Ask(Stopping(), now_));
  sent = Expect(UdpAction::kAnnounce);
  EXPECT_EQ(sent.announce.event, Event::kStopped);
  EXPECT_TRUE(Told(sent));
  EXPECT_EQ(announcer_.deadline(), Instant::Never());
  EXPECT_TRUE(announcer_.Ask(Stopping(), now_)->ok());
}

TEST_F(Announcer, ATrackerThatHasForgottenItsIdsIsAskedOnceMoreAndARefusalStands) {
  Start();
  EXPECT_FALSE(announcer_.Ask(Missing(0), now_));
  EXPECT_FALSE(Failed(Expect(UdpAction::kAnnounce), kUdpConnectAgain));
  Connected(Expect(UdpAction::kConnect), 100);
  const Sent announce = Expect(UdpAction::kAnnounce);
  EXPECT_EQ(announce.head.connection, 100u);
  const auto refused = Failed(announce, "not registered");
  ASSERT_TRUE(refused && !refused->ok());
  EXPECT_NE(refused->status().message().find("not registered"), std::string::npos);
  now_ = now_ + UdpAnnouncer::kRefusalStands - Milliseconds(1);
  EXPECT_FALSE(announcer_.Ask(Missing(0), now_)->ok());
  EXPECT_FALSE(Poll());
  now_ = now_ + Milliseconds(1);
  EXPECT_FALSE(announcer_.Ask(Missing(0), now_));
  EXPECT_TRUE(Poll());
}

}  // namespace
}  // namespace bt::nodes
