// Long commands ahead of their slots: what a small one beside them waits for, and what becomes of a value
// that is no longer where it was shipped to.

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "core/tracker/held_values.h"
#include "core/tracker/shipments.h"
#include "tests/core/tracker/cluster.h"

namespace bt::tracker {
namespace {

using tracker_api::Outcome;

// So that a torrent of a few pieces is long.
Config ShortChunks() {
  Config config;
  config.chunk_bytes_min = config.chunk_bytes_max = 512;
  return config;
}

class ShippingTest : public testing::Test {
 protected:
  explicit ShippingTest(uint32_t nodes = 3)
      : nodes_(nodes), cluster_(nodes, ShortChunks()), leader_(cluster_.AwaitLeader()) {}

  CallId AskLong(const std::string& name = "long") {
    return cluster_.Ask(leader_, RegisterOf(MakeTorrent(name, 1, 32)));
  }
  Outcome RegisterShort() { return cluster_.Do(leader_, RegisterOf(MakeTorrent("short", 2))).outcome; }
  bool NothingIsHeld() const {
    for (size_t node = 0; node < nodes_; ++node) {
      if (cluster_.node(node).held_values().count() > 0) return false;
      if (cluster_.node(node).shipments().under_way() > 0) return false;
    }
    return true;
  }
  template <class Kind>
  void DropAll() {
    cluster_.filter = [this](size_t, size_t, const Protocol::Message& message) {
      dropped_ += std::holds_alternative<Kind>(message) ? 1 : 0;
      return !std::holds_alternative<Kind>(message);
    };
  }

  const uint32_t nodes_;
  Cluster cluster_;
  const size_t leader_;
  int dropped_ = 0;
};

class TwoTest : public ShippingTest {
 protected:
  TwoTest() : ShippingTest(2) {}
};

class OneTest : public ShippingTest {
 protected:
  OneTest() : ShippingTest(1) {}
};

TEST_F(ShippingTest, AShortCommandPassesALongOneThatCrossesTheLinks) {
  DropAll<Chunk>();
  const CallId call = AskLong();
  EXPECT_EQ(RegisterShort(), Outcome::kCreated);
  EXPECT_GT(dropped_, 0);
  EXPECT_EQ(cluster_.Reply(call), nullptr);
  cluster_.filter = nullptr;
  EXPECT_EQ(cluster_.Await(call).outcome, Outcome::kCreated);
  const KeptParts kept = cluster_.node(leader_).kept();
  EXPECT_EQ(kept.shipped_values.now, 0u);
  EXPECT_EQ(kept.shipped_values.most, 1u);
  EXPECT_GT(kept.shipped_bytes.most, 32 * sizeof(Sha256Digest));
  EXPECT_GE(kept.long_messages.most, 1u);
  EXPECT_GT(kept.long_message_bytes.most, 32 * sizeof(Sha256Digest));
  EXPECT_GT(cluster_.sent["abridged"], 0u);
}

TEST_F(ShippingTest, OneFollowerThatHoldsItIsEnoughOfThree) {
  const size_t follower = cluster_.AFollower(leader_);
  cluster_.filter = [=](size_t, size_t to, const Protocol::Message& message) {
    return to != follower || !std::holds_alternative<Chunk>(message);
  };
  EXPECT_EQ(cluster_.Await(AskLong()).outcome, Outcome::kCreated);
  cluster_.filter = nullptr;
  cluster_.RunFor(Seconds(3));
  EXPECT_EQ(cluster_.node(follower).state().Digest(), cluster_.node(leader_).state().Digest());
}

TEST_F(ShippingTest, WhatHasArrivedAtTheLeaderIsNotForwardedAgainWhileItCrossesToTheOthers) {
  const size_t follower = cluster_.AFollower(leader_);
  const Instant held = cluster_.now() + Milliseconds(1200);
  std::set<uint64_t> forwarded;
  cluster_.filter = [&](size_t from, size_t to, const Protocol::Message& message) {
    const auto* chunk = std::get_if<Chunk>(&message);
    if (chunk != nullptr && from == follower && to == leader_) forwarded.insert(chunk->message);
    return cluster_.now() >= held || !std::holds_alternative<ValueHeld>(message);
  };
  const CallId call = cluster_.Ask(follower, RegisterOf(MakeTorrent("long", 1, 4096)));
  EXPECT_EQ(cluster_.Await(call).outcome, Outcome::kCreated);
  EXPECT_GE(cluster_.now(), held);
  EXPECT_EQ(forwarded.size(), 1u);
}

// The slot was proposed when the other follower held the value, and this one's vote is needed. Nobody waits
// for the time after which Accepts are repeated.
TEST_F(ShippingTest, WhoHoldsItLaterIsSentTheAcceptAtOnce) {
  const size_t late = cluster_.AFollower(leader_);
  bool proposed = false;
  Instant held, voted;
  cluster_.filter = [&](size_t from, size_t to, const Protocol::Message& message) {
    if (std::holds_alternative<Abridged>(message)) proposed = true;
    if (const auto* said = std::get_if<ValueHeld>(&message); said && from == late) held = cluster_.now();
    const auto* replica = std::get_if<paxos::Message>(&message);
    if (replica != nullptr && std::holds_alternative<paxos::Accepted>(*replica)) {
      if (from != late) return false;
      if (held > Instant() && voted == Instant()) voted = cluster_.now();
    }
    return to != late || proposed || !std::holds_alternative<Chunk>(message);
  };
  EXPECT_EQ(cluster_.Await(AskLong()).outcome, Outcome::kCreated);
  ASSERT_GT(held, Instant());
  EXPECT_GE(voted, held);
  EXPECT_LT(voted - held, Milliseconds(10));
}

// Long commands beyond the limits wait until others have arrived, in number as in bytes.
void ExpectShippedAtMost(const Config& config, uint64_t most) {
  Cluster cluster(3, config);
  const size_t leader = cluster.AwaitLeader();
  cluster.filter = [](size_t, size_t, const Protocol::Message& message) {
    return !std::holds_alternative<Chunk>(message);
  };
  std::vector<CallId> calls;
  for (int i = 0; i < 5; ++i) {
    const std::string name = "long " + std::to_string(i);
    calls.push_back(cluster.Ask(leader, RegisterOf(MakeTorrent(name, static_cast<uint8_t>(i), 32))));
  }
  cluster.RunFor(Milliseconds(100));
  EXPECT_EQ(cluster.node(leader).kept().shipped_values.now, most);
  EXPECT_EQ(cluster.node(leader).shipments().waiting(), 5 - most);
  cluster.filter = nullptr;
  for (const CallId call : calls) EXPECT_EQ(cluster.Await(call).outcome, Outcome::kCreated);
  EXPECT_EQ(cluster.node(leader).kept().shipped_values.most, most);
  EXPECT_LE(cluster.node(leader).kept().shipped_bytes.most, config.shipped_bytes_max);
}

TEST(ShippingLimitTest, OfLongCommandsNoMoreAreShippedThanMayBe) {
  Config config = ShortChunks();
  config.bulk_messages_max = 4;
  ExpectShippedAtMost(config, 2);
}

TEST(ShippingLimitTest, NoMoreBytesAreShippedThanMayBe) {
  Config config = ShortChunks();
  config.shipped_bytes_max = 6000;  // three of some 1,800
  ExpectShippedAtMost(config, 3);
}

TEST_F(ShippingTest, WhoHasForgottenItGetsTheWholeMessage) {
  DropAll<Abridged>();
  const CallId call = AskLong();
  EXPECT_TRUE(cluster_.RunUntil([&] { return dropped_ > 0; }, cluster_.now() + Seconds(1)));
  for (size_t node = 0; node < nodes_; ++node) {
    if (node == leader_) continue;
    cluster_.Crash(node);
    cluster_.Restart(node);
  }
  cluster_.filter = nullptr;
  EXPECT_EQ(cluster_.Await(call).outcome, Outcome::kCreated);
}

TEST_F(ShippingTest, WhatALeaderShippedIsGivenUpWithIt) {
  DropAll<Abridged>();
  AskLong();
  EXPECT_TRUE(cluster_.RunUntil([&] { return dropped_ > 0; }, cluster_.now() + Seconds(1)));
  cluster_.filter = nullptr;
  EXPECT_FALSE(NothingIsHeld());
  cluster_.Isolate(leader_);
  cluster_.RunFor(Seconds(2));
  cluster_.Heal();
  cluster_.RunFor(Seconds(1));
  ASSERT_TRUE(cluster_.Leader().has_value());
  EXPECT_NE(*cluster_.Leader(), leader_);
  // The new leader may have found the command in the log, and the old one forwards it.
  EXPECT_TRUE(cluster_.RunUntil([&] { return NothingIsHeld(); }, cluster_.now() + Seconds(8)));
}

TEST_F(ShippingTest, NothingIsHeldForLongAfterwards) {
  EXPECT_EQ(cluster_.Await(AskLong()).outcome, Outcome::kCreated);
  EXPECT_TRUE(cluster_.RunUntil([&] { return NothingIsHeld(); }, cluster_.now() + Seconds(8)));
}

TEST_F(ShippingTest, AValueThatNoMajorityTakesIsGivenUp) {
  DropAll<ShipValue>();
  cluster_.filter = [](size_t, size_t, const Protocol::Message& message) {
    return !std::holds_alternative<ValueHeld>(message);
  };
  EXPECT_EQ(cluster_.Await(AskLong()).outcome, Outcome::kUnavailable);
  EXPECT_TRUE(cluster_.RunUntil([&] { return NothingIsHeld(); }, cluster_.now() + Seconds(8)));
}

TEST_F(TwoTest, BothHoldIt) {
  EXPECT_EQ(cluster_.Await(AskLong()).outcome, Outcome::kCreated);
  EXPECT_GT(cluster_.sent["abridged"], 0u);
}

TEST_F(OneTest, NothingIsShipped) {
  EXPECT_EQ(cluster_.Await(AskLong()).outcome, Outcome::kCreated);
  EXPECT_EQ(cluster_.node(0).shipments().under_way(), 0u);
}

// --- HeldValues ---

class HeldValuesTest : public testing::Test {
 protected:
  HeldValuesTest() {
    config_.bulk_messages_max = 4;
    config_.held_values_bytes_max = 10'000;
  }
  static Slice Command(char fill, size_t bytes = 1000) { return Slice::Own(std::string(bytes, fill)); }
  static Abridged Naming(uint64_t number, const Slice& command) {
    const paxos::Batch batch{.stamp = {}, .commands = {Slice::Static("short"), Slice()}};
    paxos::Accept accept{{1, NodeId(1)}, Slot(7), Slot(6), Slice::Own(Encode(batch))};
    return {std::move(accept), {{0, 1, number, HashBytes(command.view())}}};
  }
  std::optional<paxos::Message> Complete(const Abridged& abridged, NodeId from = NodeId(1)) {
    return held_.Complete(from, abridged, context_);
  }
  void Take(uint64_t number, const Slice& command) {
    held_.Take(NodeId(1), {number, command}, context_);
    held_.CheckInvariants();
  }
  // The last answer.
  ValueHeld Said() {
    EXPECT_FALSE(out_.sends.empty());
    return std::get<ValueHeld>(out_.sends.back().message);
  }

  Config config_;
  HeldValues held_{config_};
  Rng rng_{1};
  Outbox<Protocol> out_;
  Context<Protocol> context_{Instant{}, rng_, out_};
};

TEST_F(HeldValuesTest, APlaceIsFilled) {
  Take(5, Command('a'));
  EXPECT_EQ(Said(), (ValueHeld{5, true}));
  const auto message = Complete(Naming(5, Command('a')));
  ASSERT_TRUE(message.has_value());
  const auto batch = Decode<paxos::Batch>(std::get<paxos::Accept>(*message).value);
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->commands, (std::vector<Slice>{Slice::Static("short"), Command('a')}));
}

TEST_F(HeldValuesTest, WhatIsMissingOrAnotherIsSaid) {
  Take(5, Command('a'));
  EXPECT_FALSE(Complete(Naming(6, Command('a'))).has_value());
  EXPECT_EQ(Said(), (ValueHeld{6, false}));
  EXPECT_FALSE(Complete(Naming(5, Command('b'))).has_value());
  EXPECT_EQ(Said(), (ValueHeld{5, false}));
  EXPECT_FALSE(Complete(Naming(5, Command('a')), NodeId(2)).has_value());
}

TEST_F(HeldValuesTest, MalformedOnesAreDropped) {
  Take(5, Command('a'));
  Abridged beyond = Naming(5, Command('a'));
  beyond.places[0].command = 2;
  EXPECT_FALSE(Complete(beyond).has_value());
  beyond = Naming(5, Command('a'));
  beyond.places[0].value = 1;
  EXPECT_FALSE(Complete(beyond).has_value());
  EXPECT_FALSE(Complete({paxos::Watermark{}, Naming(5, Command('a')).places}).has_value());
  Take(6, Slice());
  EXPECT_EQ(Said(), (ValueHeld{6, false}));
}

TEST_F(HeldValuesTest, OldOnesMakeRoom) {
  for (uint64_t number = 1; number <= 9; ++number) Take(number, Command('a'));
  EXPECT_EQ(held_.count(), 4u);
  EXPECT_EQ(held_.most().value(), 4u);
  EXPECT_EQ(held_.most_bytes().value(), 4000u);
  Take(10, Command('b', 9000));
  EXPECT_LE(held_.bytes(), config_.held_values_bytes_max);
  Take(11, Command('c', 20'000));  // one always fits
  EXPECT_EQ(held_.count(), 1u);
}

TEST_F(HeldValuesTest, UsedOnesGoFirst) {
  for (uint64_t number = 1; number <= 4; ++number) Take(number, Command('a'));
  ASSERT_TRUE(Complete(Naming(3, Command('a'))).has_value());
  Take(5, Command('a'));
  EXPECT_FALSE(Complete(Naming(3, Command('a'))).has_value());
  EXPECT_TRUE(Complete(Naming(1, Command('a'))).has_value());
}

TEST_F(HeldValuesTest, NobodyWaitsForEver) {
  Take(5, Command('a'));
  EXPECT_LE(held_.next_timer(), Instant{} + config_.deadline);
  held_.OnTimer(held_.next_timer());
  EXPECT_EQ(held_.count(), 0u);
  EXPECT_EQ(held_.next_timer(), Instant::Never());
}

}  // namespace
}  // namespace bt::tracker
