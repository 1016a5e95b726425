#include "net/connection.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <string>
#include <vector>

#include "net/acceptor.h"
#include "net/socket.h"
#include "tests/net/support.h"

namespace bt::net {
namespace {

// A connection that notes what it is told and reads everything.
struct End {
  End(Loop& loop, const ConnectionOptions& options, const Address& peer)
      : connection(std::make_unique<Connection>(loop, options, counters, peer,
                                                [this](ConnectionEvent event) { On(event); })) {}
  End(Loop& loop, const ConnectionOptions& options, Fd accepted, const Address& peer)
      : connection(std::make_unique<Connection>(loop, options, counters, peer,
                                                Accepted{std::move(accepted), nullptr},
                                                [this](ConnectionEvent event) { On(event); })) {}

  void On(ConnectionEvent event) {
    events.push_back(event);
    if (event == ConnectionEvent::kReadable) Read();
    if (destroy_at == event) connection.reset();
  }
  void Read() {
    char room[4096];
    const IoResult got = connection->Read(room, sizeof room);
    received.append(room, got.bytes);
    if (got.state == IoResult::State::kEnd) {
      ended = true;
      connection->SetReading(false);
    }
  }
  bool Heard(ConnectionEvent event) const {
    return std::find(events.begin(), events.end(), event) != events.end();
  }
  bool Down(DownReason reason) const {
    return Heard(ConnectionEvent::kDown) && connection->reason() == reason;
  }

  ConnectionCounters counters;
  std::vector<ConnectionEvent> events;
  std::string received;
  bool ended = false;
  std::optional<ConnectionEvent> destroy_at;
  std::unique_ptr<Connection> connection;
};

class ConnectionTest : public testing::Test {
 protected:
  ConnectionTest() {
    acceptor_.emplace(loop_, *Listen(Address::V4(127, 0, 0, 1, 0)), [this](Fd fd, const Address& peer) {
      servers_.push_back(std::make_unique<End>(loop_, options_, std::move(fd), peer));
    });
  }
  std::unique_ptr<End> Dial() { return std::make_unique<End>(loop_, options_, acceptor_->address()); }
  // A pair: what it returns, and server().
  std::unique_ptr<End> Connected() {
    const size_t before = servers_.size();
    auto client = Dial();
    EXPECT_TRUE(Until([&] { return client->Heard(ConnectionEvent::kUp) && servers_.size() > before; }));
    return client;
  }
  End& server() { return *servers_.back(); }
  bool Until(const std::function<bool()>& done) { return RunUntil(loop_, done); }
  void Pass(Duration time) {
    bool over = false;
    Timer timer(loop_, [&] { over = true; });
    timer.Arm(Loop::ReadClock() + time);
    Until([&] { return over; });
  }

  Loop loop_;
  ConnectionOptions options_;
  std::optional<Acceptor> acceptor_;
  std::vector<std::unique_ptr<End>> servers_;
};

TEST_F(ConnectionTest, BothSidesAreToldUpBeforeAnythingElseAndFlushedWhenTheQueueHasGone) {
  auto client = Dial();
  client->connection->Write("early");
  ASSERT_TRUE(Until([&] { return !servers_.empty() && server().received == "early"; }));
  EXPECT_EQ(server().events.front(), ConnectionEvent::kUp);
  EXPECT_EQ(client->events, (std::vector{ConnectionEvent::kUp, ConnectionEvent::kFlushed}));
  EXPECT_EQ(client->counters.sent_bytes, 5u);
  EXPECT_EQ(server().counters.received_bytes, 5u);
}

TEST_F(ConnectionTest, ManyShortPiecesOfAnIterationLeaveInOneSystemCall) {
  auto client = Connected();
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    client->connection->Write("piece " + std::to_string(i));
    expected += "piece " + std::to_string(i);
  }
  ASSERT_TRUE(Until([&] { return server().received.size() == expected.size(); }));
  EXPECT_EQ(server().received, expected);
  EXPECT_EQ(client->counters.writes, 1u);
}

TEST_F(ConnectionTest, BytesSlicesAndFileRangesKeepTheirOrderUnderBackPressure) {
  TemporaryDirectory directory;
  const std::string bytes = RandomBytes(3'000'000, 1);
  WriteFile(directory / "file", bytes);
  const auto file = OpenReadable(directory / "file");
  auto client = Connected();
  server().connection->SetReading(false);
  std::string expected;
  for (uint64_t at = 0; at + 200'000 <= bytes.size(); at += 200'000) {
    client->connection->Write("<" + std::to_string(at) + ">");
    client->connection->Write(Slice::Copy(bytes.substr(at, 100'000)));
    client->connection->Write(FileRange{file, at, 200'000, 0});
    expected += "<" + std::to_string(at) + ">" + bytes.substr(at, 100'000) + bytes.substr(at, 200'000);
  }
  // More items than the queue keeps behind it before it cuts them off.
  for (size_t at = 0; at < 300; ++at) {
    client->connection->Write(Slice::Copy(bytes.substr(at * 2'000, 2'000)));
    expected += bytes.substr(at * 2'000, 2'000);
  }
  Pass(Milliseconds(50));
  EXPECT_LT(client->counters.sent_bytes, expected.size());
  server().connection->SetReading(true);
  ASSERT_TRUE(Until([&] { return server().received.size() == expected.size(); }));
  EXPECT_TRUE(server().received == expected);
  EXPECT_EQ(client->connection->sent(), expected.size());
  EXPECT_EQ(client->connection->queued_bytes(), 0u);
}

TEST_F(ConnectionTest, AFileThatHasBecomeShorterTakesTheConnectionDownWithWhatWasLeft) {
  TemporaryDirectory directory;
  WriteFile(directory / "file", "0123456789");
  const auto file = OpenReadable(directory / "file");
  auto client = Connected();
  client->connection->Write(FileRange{file, 4, 100, 77});
  ASSERT_TRUE(Until([&] { return client->Down(DownReason::kUnreadable); }));
  EXPECT_EQ(client->connection->unreadable().tag, 77u);
  EXPECT_EQ(client->connection->unreadable().offset, 10u);
  EXPECT_EQ(client->connection->unreadable().length, 94u);
  EXPECT_NE(client->connection->why().find(file->path), std::string::npos) << client->connection->why();
}

TEST_F(ConnectionTest, FinishDeliversWhatIsQueuedAndWaitsForThePeersEndSoThatNoResetDestroysIt) {
  auto client = Connected();
  server().connection->SetReading(false);
  // Unread bytes here would turn a close into a reset.
  server().connection->Write("never read by the client");
  Pass(Milliseconds(20));
  client->connection->SetReading(false);
  const std::string bytes = RandomBytes(8 << 20, 2);
  client->connection->Write(Slice::Copy(bytes));
  client->connection->Finish(Connection::Drain::kIfUnread);
  client->connection->Write("after the end: ignored");
  server().connection->Write("nor this");
  Pass(Milliseconds(50));
  server().connection->SetReading(true);
  ASSERT_TRUE(Until([&] { return server().ended; }));
  EXPECT_TRUE(server().received == bytes);
  EXPECT_FALSE(client->Heard(ConnectionEvent::kDown)) << "it waits for the peer's end";
  servers_.clear();
  ASSERT_TRUE(Until([&] { return client->Down(DownReason::kFinished); }));
}

TEST_F(ConnectionTest, FinishWaitsForNobodyWhenNothingCanBeLost) {
  auto client = Connected();
  client->connection->Write("answer");
  client->connection->Finish(Connection::Drain::kIfUnread);
  ASSERT_TRUE(Until([&] { return client->Down(DownReason::kFinished); }));
  ASSERT_TRUE(Until([&] { return server().ended; }));
  EXPECT_EQ(server().received, "answer");
}

TEST_F(ConnectionTest, AFinishedConnectionWaitsForASilentPeerOnlySoLong) {
  options_.drain = Milliseconds(50);
  auto client = Connected();
  client->connection->Finish(Connection::Drain::kAlways);
  ASSERT_TRUE(Until([&] { return client->Down(DownReason::kTimedOut); }));
}

TEST_F(ConnectionTest, DestroyingAConnectionSendsNothingMore) {
  auto client = Connected();
  client->connection->Write("lost");
  client->connection.reset();
  ASSERT_TRUE(Until([&] { return server().ended; }));
  EXPECT_EQ(server().received, "");
}

TEST_F(ConnectionTest, AConnectionMayBeDestroyedWhateverItTells) {
  for (const auto event : {ConnectionEvent::kUp, ConnectionEvent::kReadable, ConnectionEvent::kFlushed}) {
    servers_.clear();
    auto client = Dial();
    client->destroy_at = event;
    client->connection->Write("request");
    ASSERT_TRUE(Until([&] {
      return client->connection == nullptr || (!servers_.empty() && server().received == "request");
    }));
    if (client->connection != nullptr) server().connection->Write("answer");
    ASSERT_TRUE(Until([&] { return client->connection == nullptr; }));
  }
}

TEST_F(ConnectionTest, APeerThatTakesNothingIsGivenUp) {
  options_.write_progress = Milliseconds(200);
  auto client = Connected();
  server().connection->SetReading(false);
  client->connection->Write(Slice::Own(std::string(32 << 20, 'x')));
  ASSERT_TRUE(Until([&] { return client->Down(DownReason::kTimedOut); }));
  EXPECT_NE(client->connection->why().find("slowly"), std::string::npos);
}

TEST_F(ConnectionTest, APeerThatTakesALittleNowAndThenIsNotGivenUpHoweverLongTheWholeTakes) {
  options_.write_progress = Seconds(1);
  auto client = Connected();
  server().connection->SetReading(false);
  client->connection->Write(Slice::Own(std::string(64 << 20, 'x')));
  // By a timer of the same loop, so that even on a starved machine something is taken before the connection
  // looks again.
  Instant next = Loop::ReadClock();
  Timer reader(loop_, [&] {
    for (int i = 0; i < 16; ++i)
      server().Read();  // 64 KiB: the socket stays full for longer than the patience
    reader.Arm(next = next + Milliseconds(50));
  });
  reader.Arm(next);
  Pass(options_.write_progress * 3);
  EXPECT_FALSE(client->Heard(ConnectionEvent::kDown));
  EXPECT_FALSE(client->connection->flushed());
}

TEST_F(ConnectionTest, AnEarlyAnswerIsReadThoughThePeerTakesNoMoreOfTheRequest) {
  auto client = Connected();
  server().connection->SetReading(false);
  client->connection->SetReading(false);
  client->connection->Write("a part of the request");
  server().connection->Write("too large");
  ASSERT_TRUE(
      Until([&] { return server().Heard(ConnectionEvent::kFlushed) && client->connection->flushed(); }));
  servers_.clear();  // with bytes of the request unread: a reset
  client->connection->SetReading(true);
  client->connection->Write("the rest");  // written before the loop looks for what there is to read
  ASSERT_TRUE(Until([&] { return client->ended || client->Heard(ConnectionEvent::kDown); }));
  EXPECT_EQ(client->received, "too large");
}

TEST_F(ConnectionTest, WhoTakesLessThanItAsksForIsDisconnectedAtTheLimit) {
  options_.queued_bytes_max = 1 << 20;
  auto client = Connected();
  server().connection->SetReading(false);
  for (int i = 0; i < 1000 && !client->Heard(ConnectionEvent::kDown); ++i) {
    client->connection->Write(Slice::Own(std::string(100'000, 'x')));
    EXPECT_LE(client->connection->queued_bytes(), options_.queued_bytes_max);
    loop_.RunOnce(Duration{0});
  }
  EXPECT_TRUE(client->Down(DownReason::kOverflow));
}

TEST_F(ConnectionTest, TheUsersDeadlineTakesAnIdleConnectionDownUnlessItIsMoved) {
  auto client = Connected();
  for (int i = 0; i < 6; ++i) {
    client->connection->SetDeadline(Loop::ReadClock() + Milliseconds(500));
    Pass(Milliseconds(200));
  }
  EXPECT_FALSE(client->Heard(ConnectionEvent::kDown));
  ASSERT_TRUE(Until([&] { return client->Down(DownReason::kTimedOut); }));
  auto patient = Connected();
  patient->connection->SetDeadline(loop_.now() + Milliseconds(30));
  patient->connection->SetDeadline(Instant::Never());
  Pass(Milliseconds(60));
  EXPECT_FALSE(patient->Heard(ConnectionEvent::kDown));
}

TEST_F(ConnectionTest, AConnectionThatCannotBeMadeIsToldAfterTheCallThatAskedForIt) {
  const ReservedPort silent;
  const Address nobody = silent.address();
  End refused(loop_, options_, nobody);
  EXPECT_TRUE(refused.events.empty());
  ASSERT_TRUE(Until([&] { return refused.Down(DownReason::kNotConnected); }));
  EXPECT_NE(refused.connection->why().find(nobody.ToString()), std::string::npos);
  // A multicast address is refused by connect itself.
  End impossible(loop_, options_, Address::V4(224, 0, 0, 1, 9));
  EXPECT_TRUE(impossible.events.empty());
  ASSERT_TRUE(Until([&] { return impossible.Down(DownReason::kNotConnected); }));
}

TEST_F(ConnectionTest, APeerIsNotHeardFromOnceItHasEndedTheConnectionHoweverRecentlyItSpoke) {
  auto client = Connected();
  EXPECT_TRUE(server().connection->HeardFrom(Seconds(600)));
  client.reset();
  EXPECT_TRUE(Until([&] { return !server().connection->HeardFrom(Seconds(600)); }));
}

TEST_F(ConnectionTest, WithoutDescriptorsAcceptingPausesWithoutSpinningAndGoesOnWhenThereAreSome) {
  Connected();
  Fd next(dup(0));
  const int lowest_free = next.get();
  rlimit old_limit{};
  getrlimit(RLIMIT_NOFILE, &old_limit);
  // Room for the client's socket (it takes the freed number), none for the accepted one.
  next.Reset();
  const rlimit limit{.rlim_cur = static_cast<rlim_t>(lowest_free) + 1, .rlim_max = old_limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  auto client = Dial();
  const bool paused = Until([&] { return acceptor_->pauses() > 0; });
  int wakes = 0;
  const Instant until = Loop::ReadClock() + Milliseconds(250);
  while (Loop::ReadClock() < until) {
    loop_.RunOnce(until - Loop::ReadClock());
    ++wakes;
  }
  setrlimit(RLIMIT_NOFILE, &old_limit);
  ASSERT_TRUE(paused);
  EXPECT_LT(wakes, 20);
  ASSERT_TRUE(Until([&] { return servers_.size() == 2; }));
}

}  // namespace
}  // namespace bt::net
