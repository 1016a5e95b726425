#include "sim/network.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "sim/streams.h"
#include "sim/world.h"

namespace bt::sim {
namespace {

struct Ear final : Endpoint {
  void Deliver(uint32_t, const Slice& bytes) override { heard.emplace_back(bytes.view()); }
  std::vector<std::string> heard;
};

struct Pair {
  explicit Pair(World& world, NetworkFaults faults = {}) : network(world, faults) {
    network.Attach(&a);
    network.Attach(&b);
  }
  void Send(const std::string& text) { network.Send(0, 1, Slice::Copy(text)); }
  Ear a, b;
  Network network;
};

TEST(Network, DeliversOnceAndInTimeWithoutFaults) {
  World world(1);
  Pair pair(world);
  pair.Send("x");
  world.RunFor(Milliseconds(1));
  EXPECT_EQ(pair.b.heard, std::vector<std::string>{"x"});
}

TEST(Network, DropsDuplicatesAndReordersAsOftenAsToldAndCountsIt) {
  World world(1);
  NetworkFaults faults;
  faults.drop_ppm = 200'000;
  faults.duplicate_ppm = 100'000;
  faults.reorder_ppm = 100'000;
  Pair pair(world, faults);
  for (int i = 0; i < 10'000; ++i) pair.Send(std::to_string(i));
  world.RunFor(Seconds(1));
  EXPECT_NEAR(static_cast<double>(world.faults().count(Fault::kDrop)), 2000, 300);
  EXPECT_NEAR(static_cast<double>(world.faults().count(Fault::kDuplicate)), 800, 200);
  EXPECT_GT(world.faults().count(Fault::kReorder), 500u);
  EXPECT_EQ(pair.b.heard.size(),
            10'000 - world.faults().count(Fault::kDrop) + world.faults().count(Fault::kDuplicate));
}

TEST(Network, AWayWithARateSendsOneAfterTheOther) {
  World world(1);
  Pair pair(world);
  pair.network.Limit(0, 1, 100'000);
  for (int i = 0; i < 10; ++i) pair.Send(std::string(10'000, 'x'));  // a second's worth, and headers
  pair.network.Send(1, 0, Slice::Copy("back"));
  world.RunFor(Milliseconds(550));
  EXPECT_EQ(pair.b.heard.size(), 5u);
  EXPECT_EQ(pair.a.heard.size(), 1u);
  world.RunFor(Milliseconds(500));
  EXPECT_EQ(pair.b.heard.size(), 10u);
}

TEST(Network, ACutGoesOneWayAndHealingMendsIt) {
  World world(1);
  Pair pair(world);
  pair.network.Cut(0, 1, true);
  pair.Send("lost");
  pair.network.Send(1, 0, Slice::Copy("back"));
  world.RunFor(Seconds(1));
  EXPECT_TRUE(pair.b.heard.empty());
  EXPECT_EQ(pair.a.heard.size(), 1u);
  pair.network.Heal({0, 1});
  pair.Send("found");
  world.RunFor(Seconds(1));
  EXPECT_EQ(pair.b.heard, std::vector<std::string>{"found"});
}

TEST(Network, ASlowLinkDelaysAndABrokenOneLoses) {
  World world(1);
  Pair pair(world);
  pair.network.Slow(0, 1, Milliseconds(300));
  pair.Send("late");
  world.RunFor(Milliseconds(299));
  EXPECT_TRUE(pair.b.heard.empty());
  world.RunFor(Milliseconds(10));
  EXPECT_EQ(pair.b.heard.size(), 1u);
  pair.network.Break(0, 1, 1'000'000);
  pair.Send("never");
  world.RunFor(Seconds(1));
  EXPECT_EQ(pair.b.heard.size(), 1u);
}

// --- streams ---

struct Plug final : StreamUser {
  void StreamUp(LinkId link, const Address&) override { up.push_back(link); }
  void StreamBytes(LinkId link, const Slice& bytes) override {
    text += bytes.view();
    got[link] += bytes.size();
    ++cuts;
    if (reads) streams->Consumed(node, link, bytes.size());
  }
  void StreamSent(LinkId, uint64_t total) override { sent = total; }
  void StreamDown(LinkId, const std::string& why) override { down.push_back(why); }

  Streams* streams = nullptr;
  uint32_t node = 0;
  bool reads = true;
  std::vector<LinkId> up;
  std::string text;
  std::map<LinkId, uint64_t> got;
  int cuts = 0;
  uint64_t sent = 0;
  std::vector<std::string> down;
};

constexpr LinkId kLink{1};

struct Wire {
  explicit Wire(World& world, StreamFaults faults = {}) : pair(world), streams(world, pair.network, faults) {
    for (uint32_t i = 0; i < 2; ++i) {
      plugs[i].streams = &streams;
      plugs[i].node = i;
      streams.Attach(i, &plugs[i], Address::V4(10, 0, 0, static_cast<uint8_t>(i + 1), 1000));
      streams.SetUp(i, true);
    }
  }
  void Connect() { streams.Connect(0, kLink, Address::V4(10, 0, 0, 2, 1000)); }
  Plug& a() { return plugs[0]; }
  Plug& b() { return plugs[1]; }

  Pair pair;
  Streams streams;
  Plug plugs[2];
};

std::string Pattern(size_t size) {
  std::string text(size, 0);
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 % 251);
  return text;
}

TEST(Streams, DeliverEverythingInOrderInPiecesOfAnySize) {
  World world(1);
  Wire wire(world);
  wire.Connect();
  world.RunFor(Milliseconds(5));
  ASSERT_EQ(wire.a().up.size(), 1u);
  ASSERT_EQ(wire.b().up.size(), 1u);
  EXPECT_NE(wire.b().up[0].value() & kInboundLink, 0u);
  const std::string text = Pattern(1'000'000);
  for (size_t at = 0; at < text.size(); at += 5'000) {
    wire.streams.SendBytes(0, kLink, Slice::Copy(text.substr(at, 5'000)));
  }
  world.RunFor(Seconds(1));
  EXPECT_TRUE(wire.b().text == text);
  EXPECT_NE(wire.b().cuts, 200);
  EXPECT_EQ(wire.a().sent, text.size());
}

TEST(Streams, OfOneNodeShareItsUplinkAndItsDownlink) {
  constexpr uint64_t kEach = 500'000;
  for (const bool up : {true, false}) {
    World world(1);
    Wire wire(world);
    wire.Connect();
    wire.streams.Connect(0, LinkId(2), Address::V4(10, 0, 0, 2, 1000));
    world.RunFor(Milliseconds(5));
    wire.streams.Limit(up ? 0 : 1, up ? 1'000'000 : 0, up ? 0 : 1'000'000);
    for (const LinkId link : {kLink, LinkId(2)}) wire.streams.SendBytes(0, link, Slice::Copy(Pattern(kEach)));
    world.RunFor(Milliseconds(500));
    ASSERT_EQ(wire.b().got.size(), 2u);
    for (const auto& [link, bytes] : wire.b().got)
      EXPECT_NEAR(static_cast<double>(bytes), 250'000, 70'000) << up;
    world.RunFor(Milliseconds(550));
    EXPECT_EQ(wire.b().text.size(), 2 * kEach) << up;
  }
}

TEST(Streams, AReaderThatStopsReadingStopsTheSender) {
  World world(1);
  Wire wire(world);
  wire.b().reads = false;
  wire.Connect();
  world.RunFor(Milliseconds(5));
  wire.streams.SendBytes(0, kLink, Slice::Copy(Pattern(1'000'000)));
  world.RunFor(Seconds(1));
  EXPECT_EQ(wire.b().text.size(), Streams::kWindow);
  EXPECT_EQ(wire.a().sent, 0u);
  wire.b().reads = true;
  wire.streams.Consumed(1, wire.b().up[0], wire.b().text.size());
  world.RunFor(Seconds(1));
  EXPECT_EQ(wire.b().text.size(), 1'000'000u);
}

TEST(Streams, WhoPausesReadingGetsLaterWhatHasArrivedAndThenTheEnd) {
  World world(1);
  Wire wire(world);
  wire.Connect();
  world.RunFor(Milliseconds(5));
  wire.streams.PauseReading(1, true);
  const std::string text = Pattern(300'000);
  wire.streams.SendBytes(0, kLink, Slice::Copy(text));
  world.RunFor(Seconds(1));
  EXPECT_EQ(wire.b().text, "");
  EXPECT_EQ(wire.a().sent, 0u) << "the window bounds what waits unread";
  wire.streams.SendBytes(1, wire.b().up[0], Slice::Copy("it may still write"));
  world.RunFor(Seconds(1));
  EXPECT_EQ(wire.a().text, "it may still write");
  wire.streams.PauseReading(1, false);
  world.RunFor(Seconds(1));
  EXPECT_TRUE(wire.b().text == text);

  wire.streams.PauseReading(1, true);
  wire.streams.SendBytes(0, kLink, Slice::Copy("last words"));
  wire.streams.Close(0, kLink, true);
  world.RunFor(Seconds(1));
  EXPECT_TRUE(wire.b().down.empty());
  wire.streams.PauseReading(1, false);
  EXPECT_TRUE(wire.b().text == text + "last words");
  EXPECT_EQ(wire.b().down.size(), 1u);
  EXPECT_EQ(wire.streams.open(), 0u);
  EXPECT_EQ(world.faults().count(Fault::kPausedReading), 2u);
}

TEST(Streams, AFlushedCloseDeliversAllAndThenTheEnd) {
  World world(1);
  Wire wire(world);
  wire.Connect();
  world.RunFor(Milliseconds(5));
  wire.streams.SendBytes(0, kLink, Slice::Copy(Pattern(100'000)));
  wire.streams.Close(0, kLink, true);
  world.RunFor(Seconds(1));
  EXPECT_EQ(wire.b().text.size(), 100'000u);
  EXPECT_EQ(wire.b().down.size(), 1u);
  EXPECT_TRUE(wire.a().down.empty());
  EXPECT_EQ(wire.streams.open(), 0u);
}

TEST(Streams, NobodyListeningIsRefusedAndACutPathTimesOut) {
  World world(1);
  Wire wire(world);
  wire.streams.SetUp(1, false);
  wire.Connect();
  world.RunFor(Milliseconds(10));
  ASSERT_EQ(wire.a().down, std::vector<std::string>{"connection refused"});
  wire.streams.SetUp(1, true);
  wire.pair.network.Cut(0, 1, true);
  wire.streams.Connect(0, LinkId(2), Address::V4(10, 0, 0, 2, 1000));
  world.RunFor(Seconds(11));
  ASSERT_EQ(wire.a().down.size(), 2u);
  EXPECT_EQ(wire.a().down[1], "connection timed out");
}

TEST(Streams, ACrashOfThePeerIsAResetOrSilenceUntilSomethingIsSentToIt) {
  StreamFaults faults;
  for (const uint32_t half_open : {0u, 100u}) {
    World world(1);
    faults.half_open_percent = half_open;
    Wire wire(world, faults);
    wire.Connect();
    world.RunFor(Milliseconds(5));
    wire.streams.SetUp(1, false);
    wire.streams.SetUp(1, true);
    world.RunFor(Seconds(60));
    EXPECT_EQ(wire.a().down.size(), half_open == 0 ? 1u : 0u);
    if (half_open == 0) continue;
    EXPECT_EQ(world.faults().count(Fault::kHalfOpen), 1u);
    wire.streams.SendBytes(0, kLink, Slice::Copy("hello?"));
    world.RunFor(Seconds(1));
    EXPECT_EQ(wire.a().down, std::vector<std::string>{"connection reset by peer"});
  }
}

TEST(Streams, APartitionHoldsBytesBackAndHealingLetsThemGo) {
  World world(1);
  Wire wire(world);
  wire.Connect();
  world.RunFor(Milliseconds(5));
  wire.pair.network.Cut(0, 1, true);
  wire.streams.SendBytes(0, kLink, Slice::Copy("patience"));
  world.RunFor(Seconds(5));
  EXPECT_EQ(wire.b().text, "");
  wire.pair.network.Cut(0, 1, false);
  wire.streams.Wake();
  world.RunFor(Seconds(1));
  EXPECT_EQ(wire.b().text, "patience");
}

TEST(Streams, ResetsAndRefusalsComeAsDrawn) {
  World world(1);
  StreamFaults faults;
  faults.reset_ppm = 500'000;
  faults.refuse_ppm = 500'000;
  Wire wire(world, faults);
  for (uint64_t i = 1; i <= 40; ++i) {
    wire.streams.Connect(0, LinkId(i), Address::V4(10, 0, 0, 2, 1000));
    world.RunFor(Milliseconds(5));
    wire.streams.SendBytes(0, LinkId(i), Slice::Copy("x"));
    world.RunFor(Milliseconds(5));
  }
  EXPECT_GT(world.faults().count(Fault::kConnectRefused), 10u);
  EXPECT_GT(world.faults().count(Fault::kStreamReset), 3u);
}

}  // namespace
}  // namespace bt::sim
