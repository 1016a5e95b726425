#include "net/stream_links.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <map>
#include <string>
#include <vector>

#include "tests/net/support.h"

namespace bt::net {
namespace {

constexpr FileId kFile(0);

// One side: its links, and all it was told about them.
struct Side {
  explicit Side(Loop& loop, StreamLinksOptions options = {}) : links(loop, options) {
    links.Connect([this](LinkInput input) { On(std::move(input)); },
                  [this](FileId id, uint64_t offset) {
                    return FileSpot{id == kFile ? file : nullptr, offset};
                  });
  }

  void On(LinkInput input) {
    if (const auto* link_up = std::get_if<LinkUp>(&input)) up.push_back(link_up->link);
    if (const auto* bytes = std::get_if<LinkReceived>(&input)) {
      received[bytes->link] += bytes->bytes.view();
      total += bytes->bytes.size();
    }
    if (const auto* link_sent = std::get_if<LinkSent>(&input)) sent[link_sent->link] = link_sent->total;
    if (const auto* link_down = std::get_if<LinkDown>(&input)) down[link_down->link] = link_down->why;
    if (const auto* failed = std::get_if<ReadFailed>(&input)) read_failures.push_back(failed->status);
  }

  StreamLinks links;
  std::shared_ptr<ReadableFile> file;
  std::vector<LinkId> up;
  std::map<LinkId, std::string> received;
  std::map<LinkId, uint64_t> sent;
  std::map<LinkId, std::string> down;
  std::vector<absl::Status> read_failures;
  uint64_t total = 0;
};

class StreamLinksTest : public testing::Test {
 protected:
  // Connects link `id` of the client to the server; returns the server's id for it.
  LinkId Connected(uint64_t id = 1) {
    if (!address_) address_ = *server_.links.Listen(Address::V4(127, 0, 0, 1, 0));
    const size_t before = server_.up.size();
    client_.links.Execute(LinkConnect{LinkId(id), *address_});
    EXPECT_TRUE(RunUntil(loop_, [&] { return server_.up.size() > before && Up(client_, LinkId(id)); }));
    return server_.up.empty() ? LinkId(0) : server_.up.back();
  }
  static bool Up(const Side& side, LinkId id) {
    return std::find(side.up.begin(), side.up.end(), id) != side.up.end();
  }

  void MakeFile(Side& side, const std::string& bytes) {
    WriteFile(directory_ / "file", bytes);
    side.file = OpenReadable(directory_ / "file");
  }

  TemporaryDirectory directory_;
  Loop loop_;
  Side server_{loop_};
  Side client_{loop_};
  std::optional<Address> address_;
};

TEST_F(StreamLinksTest, BytesArriveInOrderInBothDirectionsAndSentTellsTheTotal) {
  const LinkId there = Connected();
  EXPECT_NE(there.value() & kInboundLink, 0u);
  client_.links.Execute(LinkSendBytes{LinkId(1), Slice::Static("hel")});
  client_.links.Execute(LinkSendBytes{LinkId(1), Slice::Static("lo")});
  server_.links.Execute(LinkSendBytes{there, Slice::Static("welcome")});
  ASSERT_TRUE(RunUntil(loop_, [&] { return server_.total == 5 && client_.total == 7; }));
  EXPECT_EQ(server_.received[there], "hello");
  EXPECT_EQ(client_.received[LinkId(1)], "welcome");
  EXPECT_EQ(client_.sent[LinkId(1)], 5u);
  EXPECT_EQ(server_.sent[there], 7u);
}

TEST_F(StreamLinksTest, WhatIsSentBeforeTheConnectionIsUpGoesOutOnceItIs) {
  address_ = *server_.links.Listen(Address::V4(127, 0, 0, 1, 0));
  client_.links.Execute(LinkConnect{LinkId(1), *address_});
  client_.links.Execute(LinkSendBytes{LinkId(1), Slice::Static("early")});
  ASSERT_TRUE(RunUntil(loop_, [&] { return server_.total == 5; }));
}

// As at a port that several share: what has arrived meanwhile is there to be read.
TEST_F(StreamLinksTest, AConnectionThatWasAcceptedElsewhereIsALinkLikeOthers) {
  absl::StatusOr<Listener> listener = Listen(Address::V4(127, 0, 0, 1, 0));
  ASSERT_TRUE(listener.ok());
  const Address at = listener->address;
  Fd accepted;
  Acceptor acceptor(loop_, *std::move(listener), [&](Fd fd, const Address&) { accepted = std::move(fd); });
  client_.links.Execute(LinkConnect{LinkId(1), at});
  client_.links.Execute(LinkSendBytes{LinkId(1), Slice::Static("hello")});
  ASSERT_TRUE(RunUntil(loop_, [&] { return accepted.valid() && Up(client_, LinkId(1)); }));
  server_.links.Adopt(Accepted{std::move(accepted), nullptr}, Address::V4(127, 0, 0, 1, 99));
  ASSERT_TRUE(RunUntil(loop_, [&] { return server_.total == 5; }));
  ASSERT_EQ(server_.up.size(), 1u);
  EXPECT_NE(server_.up[0].value() & kInboundLink, 0u);
  server_.links.Execute(LinkSendBytes{server_.up[0], Slice::Static("welcome")});
  ASSERT_TRUE(RunUntil(loop_, [&] { return client_.total == 7; }));
}

TEST_F(StreamLinksTest, BlocksOfAFileAreSentInOrderWithTheOtherBytes) {
  const LinkId there = Connected();
  const std::string bytes = RandomBytes(3 * 1024 * 1024 + 17, 1);
  MakeFile(server_, bytes);
  std::string expected;
  constexpr uint32_t kBlock = 16 * 1024;
  for (uint64_t at = 0; at < bytes.size(); at += kBlock) {
    const auto length = static_cast<uint32_t>(std::min<uint64_t>(kBlock, bytes.size() - at));
    const std::string header = "<" + std::to_string(at) + ">";
    server_.links.Execute(LinkSendFile{there, Slice::Copy(header), kFile, at, length});
    expected += header + bytes.substr(at, length);
    if (at % (8 * kBlock) == 0) {
      server_.links.Execute(LinkSendBytes{there, Slice::Static("--")});
      expected += "--";
    }
  }
  ASSERT_TRUE(RunUntil(loop_, [&] { return client_.total == expected.size(); }));
  EXPECT_TRUE(client_.received[LinkId(1)] == expected);
  EXPECT_EQ(server_.sent[there], expected.size());
}

TEST_F(StreamLinksTest, AFileThatHasBecomeShorterFailsTheReadAndTheLink) {
  const LinkId there = Connected();
  MakeFile(server_, std::string(100'000, 'x'));
  std::filesystem::resize_file(directory_ / "file", 10);
  server_.links.Execute(LinkSendFile{there, Slice::Static("header"), kFile, 50'000, 16'384});
  ASSERT_TRUE(RunUntil(loop_, [&] { return server_.down.contains(there); }));
  ASSERT_EQ(server_.read_failures.size(), 1u);
  EXPECT_NE(std::string(server_.read_failures[0].message()).find(directory_ / "file"), std::string::npos);
}

TEST_F(StreamLinksTest, ABlockOfAFileThatIsNotOpenFailsTheReadAndTheLink) {
  const LinkId there = Connected();
  server_.links.Execute(LinkSendFile{there, Slice::Static("header"), FileId(5), 0, 16'384});
  EXPECT_TRUE(server_.down.empty()) << "told after the step, not within it";
  ASSERT_TRUE(RunUntil(loop_, [&] { return server_.down.contains(there); }));
  EXPECT_EQ(server_.read_failures.size(), 1u);
}

TEST_F(StreamLinksTest, AFlushingCloseDeliversEverythingAndAPlainOneNothingMore) {
  const LinkId there = Connected();
  const std::string bytes = RandomBytes(5 * 1024 * 1024, 2);
  client_.links.Execute(LinkSendBytes{there, Slice::Static("not ours: ignored")});
  // Unread bytes on the closing side would turn its close into a reset that destroys what is in flight.
  server_.links.Execute(LinkSendBytes{there, Slice::Static("unread")});
  client_.links.Execute(LinkSendBytes{LinkId(1), Slice::Copy(bytes)});
  client_.links.Execute(LinkClose{LinkId(1), true});
  ASSERT_TRUE(RunUntil(loop_, [&] { return server_.down.contains(there); }));
  EXPECT_TRUE(server_.received[there] == bytes);
  EXPECT_TRUE(client_.down.empty()) << "a link the machine closed is not reported";
  ASSERT_TRUE(RunUntil(loop_, [&] { return client_.links.links() == 0; }));

  const LinkId second = Connected(2);
  client_.links.Execute(LinkSendBytes{LinkId(2), Slice::Static("dropped")});
  client_.links.Execute(LinkClose{LinkId(2), false});
  ASSERT_TRUE(RunUntil(loop_, [&] { return server_.down.contains(second); }));
  EXPECT_EQ(server_.received[second], "");
}

TEST_F(StreamLinksTest, ARefusedConnectionIsReportedWithItsReason) {
  const ReservedPort closed;
  const Address nobody = closed.address();
  client_.links.Execute(LinkConnect{LinkId(1), nobody});
  ASSERT_TRUE(RunUntil(loop_, [&] { return client_.down.contains(LinkId(1)); }));
  EXPECT_NE(client_.down[LinkId(1)].find("refused"), std::string::npos) << client_.down[LinkId(1)];
  EXPECT_NE(client_.down[LinkId(1)].find(nobody.ToString()), std::string::npos);
}

TEST_F(StreamLinksTest, AConnectionNobodyAnswersIsGivenUp) {
  // A listener whose backlog is full drops further attempts.
  const auto listener = Listen(Address::V4(127, 0, 0, 1, 0));
  listen(listener->fd.get(), 0);
  std::vector<Fd> fill;
  for (int i = 0; i < 4; ++i) fill.push_back(*StartConnect(listener->address));
  Side impatient(loop_, {.connection = {.connect = Milliseconds(50)}});
  impatient.links.Execute(LinkConnect{LinkId(1), listener->address});
  ASSERT_TRUE(RunUntil(loop_, [&] { return impatient.down.contains(LinkId(1)); }));
  EXPECT_EQ(impatient.links.counters().connect_failed, 1u);
}

TEST_F(StreamLinksTest, TellsHowEachDialledConnectionHasEnded) {
  using Ends = std::vector<std::pair<bool, bool>>;  // it was up, the peer spoke
  Ends told;
  StreamLinksOptions options;
  options.dialled = [&](const Address&, bool up, bool spoke) { told.emplace_back(up, spoke); };
  Side dials(loop_, options);
  const Address address = *server_.links.Listen(Address::V4(127, 0, 0, 1, 0));
  dials.links.Execute(LinkConnect{LinkId(1), address});
  dials.links.Execute(LinkClose{LinkId(1), false});
  EXPECT_EQ(told, (Ends{{false, false}}));
  dials.links.Execute(LinkConnect{LinkId(2), address});
  ASSERT_TRUE(RunUntil(loop_, [&] { return Up(dials, LinkId(2)) && server_.up.size() == 2; }));
  server_.links.Execute(LinkClose{server_.up.back(), false});
  ASSERT_TRUE(RunUntil(loop_, [&] { return told.size() == 2; }));
  EXPECT_EQ(told.back(), std::pair(true, false));
}

TEST_F(StreamLinksTest, ConnectionsOverTheLimitAreTurnedAwayAndCounted) {
  Side small(loop_, {.links_max = 2});
  const Address address = *small.links.Listen(Address::V4(127, 0, 0, 1, 0));
  for (uint64_t id = 1; id <= 5; ++id) client_.links.Execute(LinkConnect{LinkId(id), address});
  ASSERT_TRUE(RunUntil(loop_, [&] { return client_.down.size() == 3; }));
  EXPECT_EQ(small.links.links(), 2u);
  EXPECT_EQ(small.links.counters().turned_away, 3u);
}

TEST_F(StreamLinksTest, PausedReadingHoldsThePeerBackAndLosesNothing) {
  const LinkId there = Connected();
  server_.links.PauseReading(true);
  const std::string bytes = RandomBytes(16 * 1024 * 1024, 3);
  client_.links.Execute(LinkSendBytes{LinkId(1), Slice::Copy(bytes)});
  // The sockets' buffers fill and the client's queue stops moving.
  for (uint64_t last = 1; last != client_.links.counters().sent_bytes;) {
    last = client_.links.counters().sent_bytes;
    for (int i = 0; i < 5; ++i) loop_.RunOnce(Milliseconds(5));
  }
  EXPECT_EQ(server_.total, 0u);
  EXPECT_LT(client_.links.counters().sent_bytes, bytes.size());
  EXPECT_FALSE(client_.sent.contains(LinkId(1)));
  server_.links.PauseReading(false);
  ASSERT_TRUE(RunUntil(loop_, [&] { return server_.total == bytes.size(); }));
  EXPECT_TRUE(server_.received[there] == bytes);
}

TEST_F(StreamLinksTest, APeerThatBreaksWhileReadingIsPausedIsNoticedWithoutSpinning) {
  const LinkId there = Connected();
  server_.links.PauseReading(true);
  server_.links.Execute(LinkSendBytes{there, Slice::Static("unread by the client")});
  client_.links.PauseReading(true);
  for (int i = 0; i < 5; ++i) loop_.RunOnce(Milliseconds(5));
  client_.links.Execute(LinkClose{LinkId(1), false});  // with unread bytes: a reset
  ASSERT_TRUE(RunUntil(loop_, [&] { return server_.down.contains(there); }));
  const Instant start = Loop::ReadClock();
  loop_.RunOnce(Milliseconds(30));
  EXPECT_GE(Loop::ReadClock() - start, Milliseconds(29)) << "nothing is left to wake the loop";
}

TEST_F(StreamLinksTest, APeerThatNeverReadsCannotMakeTheQueueGrowWithoutBound) {
  Side small(loop_, {.connection = {.queued_bytes_max = 1024 * 1024}});
  const Address address = *small.links.Listen(Address::V4(127, 0, 0, 1, 0));
  client_.links.Execute(LinkConnect{LinkId(1), address});
  ASSERT_TRUE(RunUntil(loop_, [&] { return !small.up.empty(); }));
  client_.links.PauseReading(true);
  for (int i = 0; i < 1000 && small.down.empty(); ++i) {
    small.links.Execute(LinkSendBytes{small.up[0], Slice::Own(std::string(100'000, 'x'))});
    loop_.RunOnce(Duration{0});
  }
  ASSERT_EQ(small.down.size(), 1u);
  EXPECT_EQ(small.links.counters().queue_overflow, 1u);
}

TEST(BufferPoolTest, BuffersComeBackWhenTheirLastSliceIsGone) {
  BufferPool pool;
  std::vector<Slice> slices;
  for (int i = 0; i < 40; ++i) slices.push_back(pool.Take(BufferPool::kRoomBytesMin));
  EXPECT_EQ(pool.free_buffers(), 0u);
  slices.clear();
  EXPECT_GE(pool.free_buffers(), 5u);
  const char* before = pool.room();
  const Slice small = pool.Take(10);
  EXPECT_EQ(pool.room(), before) << "a short message pins no buffer";
}

}  // namespace
}  // namespace bt::net
