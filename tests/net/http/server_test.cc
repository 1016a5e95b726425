#include "net/http/server.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/http/client.h"
#include "tests/net/http/server_fixture.h"

namespace bt::net {
namespace {

TEST_F(HttpServerTest, AnswersPipelinedRequestsInTheirOrder) {
  Serve();
  const Fd fd = Connect();
  Write(fd,
        "GET /later HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /later HTTP/1.1\r\n\r\nGET /d "
        "HTTP/1.1\r\nConnection: close\r\n\r\n");
  Until([&] { return requests_.size() == 4; });
  server_->Reply(waiting_[1], Text("third"));
  server_->Reply(waiting_[0], Text("first"));
  const std::string text = ReadToEnd(fd);
  EXPECT_LT(text.find("first"), text.find("/b"));
  EXPECT_LT(text.find("/b"), text.find("third"));
  EXPECT_LT(text.find("third"), text.find("/d"));
  EXPECT_EQ(Count(text, "HTTP/1.1 200 OK"), 4u);
  EXPECT_EQ(Count(text, "<eof>"), 1u);
}

TEST_F(HttpServerTest, ClosesAfterAnHttp10RequestAndKeepsAliveWhenAsked) {
  Serve();
  const Fd once = Connect();
  Write(once, "GET /x HTTP/1.0\r\n\r\n");
  EXPECT_NE(ReadToEnd(once).find("<eof>"), std::string::npos);
  const Fd kept = Connect();
  Write(kept, "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const std::string text =
      ReadUntil(kept, [](const std::string& t) { return t.find("/x") != std::string::npos; });
  EXPECT_NE(text.find("Connection: keep-alive"), std::string::npos);
}

TEST_F(HttpServerTest, AnswersASenderThatHasShutItsHalf) {
  Serve();
  const Fd fd = Connect();
  Write(fd, "GET /half HTTP/1.1\r\n\r\n");
  ::shutdown(fd.get(), SHUT_WR);
  EXPECT_NE(ReadToEnd(fd).find("/half"), std::string::npos);
}

TEST_F(HttpServerTest, AnswersGarbageWith400ClosesAndCountsIt) {
  Serve();
  const Fd fd = Connect();
  Write(fd,
        "\x13"
        "BitTorrent protocol\r\n\r\n");
  const std::string text = ReadToEnd(fd);
  EXPECT_EQ(text.find("HTTP/1.1 400 Bad Request"), 0u);
  EXPECT_EQ(server_->counters().malformed, 1u);
  EXPECT_TRUE(requests_.empty());
  Until([&] { return server_->open_connections() == 0; });
}

TEST_F(HttpServerTest, RefusesAnEndlessBodyWith413AndTheSenderSeesTheAnswer) {
  Serve();
  const Fd fd = Connect();
  Write(fd, "PUT /torrents HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n" + std::string(300000, 'x'));
  const std::string text = ReadToEnd(fd);
  EXPECT_EQ(text.find("HTTP/1.1 413"), 0u);
  EXPECT_TRUE(text.ends_with("<eof>")) << text;
  // The sender is still listened to for a while: a reset could overtake the answer.
  EXPECT_EQ(::send(fd.get(), "more", 4, MSG_NOSIGNAL), 4);
}

TEST_F(HttpServerTest, TellsASenderThatWaitsToContinue) {
  Serve();
  const Fd fd = Connect();
  Write(fd, "PUT /put HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  ReadUntil(fd, [](const std::string& t) { return t.find("100 Continue") != std::string::npos; });
  Write(fd, "ok");
  ReadUntil(fd, [](const std::string& t) { return t.find("/put") != std::string::npos; });
  EXPECT_EQ(requests_.at(0).body, "ok");
}

TEST_F(HttpServerTest, LeavesTheBodyOutForHead) {
  Serve();
  const Fd fd = Connect();
  Write(fd, "HEAD /12345 HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string text = ReadToEnd(fd);
  EXPECT_NE(text.find("Content-Length: 6"), std::string::npos);
  EXPECT_EQ(text.find("/12345"), std::string::npos);
}

TEST_F(HttpServerTest, DropsASenderThatNeverFinishesItsRequest) {
  HttpServerLimits limits;
  limits.request = Milliseconds(50);
  Serve(limits);
  const Fd fd = Connect();
  Write(fd, "GET / HT");
  EXPECT_EQ(ReadToEnd(fd), "<eof>");
  EXPECT_EQ(server_->counters().timed_out, 1u);
}

TEST_F(HttpServerTest, ClosesIdleConnections) {
  HttpServerLimits limits;
  limits.idle = Milliseconds(50);
  Serve(limits);
  const Fd fd = Connect();
  Write(fd, "GET /x HTTP/1.1\r\n\r\n");
  EXPECT_NE(ReadToEnd(fd).find("/x<eof>"), std::string::npos);
}

TEST_F(HttpServerTest, RefusesConnectionsOverTheLimitWhenNoneIsIdle) {
  HttpServerLimits limits;
  limits.connections = 2;
  Serve(limits);
  const Fd a = Connect();
  const Fd b = Connect();
  for (const Fd* busy : {&a, &b}) Write(*busy, "GET /later HTTP/1.1\r\n\r\n");
  Until([&] { return waiting_.size() == 2; });
  const Fd c = Connect();
  EXPECT_EQ(ReadToEnd(c), "<eof>");
  EXPECT_EQ(server_->counters().refused, 1u);
  EXPECT_EQ(server_->connections().highest(), 2u);
}

TEST_F(HttpServerTest, ANewcomerTakesThePlaceOfTheConnectionThatIsIdleForLongest) {
  HttpServerLimits limits;
  limits.connections = 2;
  Serve(limits);
  const Fd a = Connect();
  Until([&] { return server_->open_connections() == 1; });
  const Fd b = Connect();
  Until([&] { return server_->open_connections() == 2; });
  Write(a, "GET /a HTTP/1.1\r\n\r\n");  // b is idle for longer now
  ReadUntil(a, [](const std::string& t) { return t.find("/a") != std::string::npos; });
  const Fd c = Connect();
  EXPECT_EQ(ReadToEnd(b), "<eof>");
  Write(c, "GET /c HTTP/1.1\r\n\r\n");
  ReadUntil(c, [](const std::string& t) { return t.find("/c") != std::string::npos; });
  EXPECT_EQ(server_->counters().displaced, 1u);
  EXPECT_EQ(server_->open_connections(), 2u);
}

TEST_F(HttpServerTest, WhoHasItsShareOfConnectionsDisplacesItsOwnAndNobodyElses) {
  HttpServerLimits limits;
  limits.connections = 10;
  limits.connections_per_address = 2;
  Serve(limits);
  const Fd other = ConnectFrom("127.0.0.2");
  Until([&] { return server_->open_connections() == 1; });
  const Fd a = Connect();
  Until([&] { return server_->open_connections() == 2; });
  const Fd b = Connect();
  Until([&] { return server_->open_connections() == 3; });
  const Fd c = Connect();
  EXPECT_EQ(ReadToEnd(a), "<eof>");
  EXPECT_EQ(server_->most_of_address().value(), 2u);
  Write(other, "GET /other HTTP/1.1\r\n\r\n");
  EXPECT_EQ(
      Count(ReadUntil(other, [](const std::string& t) { return t.find("/other") != std::string::npos; }),
            "200 OK"),
      1u);
  EXPECT_EQ(server_->open_connections(), 3u);
}

TEST_F(HttpServerTest, WhoTakesMostPlacesLosesThemToNewcomersAndWhoHasOneKeepsIt) {
  HttpServerLimits limits;
  limits.connections = 4;
  Serve(limits);
  const Fd honest = ConnectFrom("127.0.0.2");  // idle for longest
  Until([&] { return server_->open_connections() == 1; });
  std::vector<Fd> greedy;
  for (size_t i = 0; i < 6; ++i) {
    greedy.push_back(Connect());
    Until([&] { return server_->counters().accepted == i + 2; });
  }
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(ReadToEnd(greedy[i]), "<eof>");
  const Fd newcomer = ConnectFrom("127.0.0.3");
  EXPECT_EQ(ReadToEnd(greedy[3]), "<eof>");
  for (const Fd* one : {&honest, &newcomer}) {
    Write(*one, "GET /x HTTP/1.1\r\n\r\n");
    const std::string text =
        ReadUntil(*one, [](const std::string& t) { return t.find("/x") != std::string::npos; });
    EXPECT_EQ(Count(text, "200 OK"), 1u);
  }
  EXPECT_EQ(server_->counters().displaced, 4u);
}

std::string Requests(const std::string& target, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "GET " + target + " HTTP/1.1\r\n\r\n";
  return text;
}

TEST_F(HttpServerTest, AnAddressWaitsForAllItsOwnRequestsAndForOneOfEachOther) {
  // One request an iteration of the loop, so that whoever asked first does not matter.
  Serve({.iteration = Duration{}, .turn = Duration{}});
  std::vector<Fd> greedy;
  for (int i = 0; i < 3; ++i) greedy.push_back(ConnectFrom("127.0.0.2"));
  const Fd honest = ConnectFrom("127.0.0.3");
  Until([&] { return server_->open_connections() == 4; });
  for (const Fd& fd : greedy) Write(fd, Requests("/greedy", 20));
  Write(honest, Requests("/honest", 2));
  Until([&] { return requests_.size() == 62; });
  std::vector<size_t> places;
  for (size_t i = 0; i < requests_.size(); ++i) {
    if (requests_[i].target == "/honest") places.push_back(i);
  }
  ASSERT_EQ(places.size(), 2u);
  EXPECT_LE(places[0], 2u);
  EXPECT_LE(places[1], 4u);
  EXPECT_GT(server_->counters().deferred, 0u);
  for (const Fd& fd : greedy) {
    const std::string text = ReadUntil(fd, [](const std::string& t) { return Count(t, "/greedy") == 20; });
    EXPECT_EQ(Count(text, "HTTP/1.1 200 OK"), 20u);
  }
  EXPECT_EQ(server_->receiving().now(), 0u);
  EXPECT_GT(server_->receiving().highest(), 0u);
}

TEST_F(HttpServerTest, WhoWaitsForItsTurnIsNotIdleAndCountsForWhatItHasSent) {
  Serve({.connections = 2, .iteration = Duration{}, .turn = Duration{}});
  const Fd first = ConnectFrom("127.0.0.2");
  const Fd second = ConnectFrom("127.0.0.3");
  Until([&] { return server_->open_connections() == 2; });
  Write(first, Requests("/first", 50));
  Write(second, Requests("/second", 50));
  Until([&] { return !requests_.empty(); });  // both have been read by then
  const Fd third = ConnectFrom("127.0.0.4");
  Until([&] { return server_->counters().refused == 1 || requests_.size() == 100; });
  Until([&] { return requests_.size() == 100; });
  EXPECT_EQ(server_->counters().displaced, 0u);
}

TEST_F(HttpServerTest, WhoWaitsForItsTurnGoesOnSpeakingAndMayEnd) {
  Serve({.pipelined = 1000, .iteration = Duration{}, .turn = Duration{}});
  std::vector<Fd> others;  // one turn of each is as long as what the third can say, if it is read meanwhile
  for (int i = 0; i < 60; ++i) others.push_back(ConnectFrom("127.0.0.2"));
  const Fd second = ConnectFrom("127.0.0.2");
  const Fd third = ConnectFrom("127.0.0.2");
  Until([&] { return server_->open_connections() == 62; });
  for (const Fd& other : others) Write(other, Requests("/other", 2));
  Until([&] { return !requests_.empty(); });
  Write(second, Requests("/second", 2));  // two words while it waits, and its end
  loop_.RunOnce(Milliseconds(1));
  Write(second, Requests("/second", 1));
  loop_.RunOnce(Milliseconds(1));
  ::shutdown(second.get(), SHUT_WR);
  const std::string long_target = "/" + std::string(200, 't');
  Write(third, Requests(long_target, 1000));  // more than is read of one that waits
  Until([&] { return requests_.size() == 1123; });
  const std::string text = ReadToEnd(second);
  EXPECT_EQ(Count(text, "/second"), 3u);
  EXPECT_TRUE(text.ends_with("<eof>")) << text;
  const std::string answers =
      ReadUntil(third, [&](const std::string& t) { return Count(t, long_target) == 1000; });
  EXPECT_EQ(Count(answers, "HTTP/1.1 200 OK"), 1000u);
  EXPECT_EQ(server_->receiving().now(), 0u);
  EXPECT_LT(server_->receiving().highest(), 100u << 10);
}

TEST_F(HttpServerTest, AnswersThatNobodyTakesAreDroppedWithTheirConnectionOldestFirst) {
  constexpr size_t kAnswer = 24 << 20;  // more than the kernel takes
  HttpServerLimits limits;
  limits.unsent = kAnswer * 3 / 2;
  Serve(limits);
  const Fd a = Connect();
  Write(a, "GET /later HTTP/1.1\r\n\r\n");
  Until([&] { return waiting_.size() == 1; });
  const Fd b = Connect();
  Write(b, "GET /later HTTP/1.1\r\n\r\n");
  Until([&] { return waiting_.size() == 2; });
  server_->Reply(waiting_[0], Text(std::string(kAnswer, 'a')));
  server_->Reply(waiting_[1], Text(std::string(kAnswer, 'b')));
  const std::string taken =
      ReadUntil(b, [](const std::string& t) { return t.size() > kAnswer && t.back() == 'b'; });
  EXPECT_GT(taken.size(), kAnswer) << "who takes its answer gets it";
  EXPECT_EQ(server_->counters().unread, 1u);
  EXPECT_LT(ReadToEnd(a).size(), kAnswer);
  EXPECT_GT(server_->unsent().highest(), kAnswer);
  Until([&] { return server_->unsent().now() == 0; });
}

TEST_F(HttpServerTest, OfAnswersThatNobodyTakesTheAddressWithMostLosesItsOwn) {
  constexpr size_t kAnswer = 24 << 20;  // more than the kernel takes
  HttpServerLimits limits;
  limits.unsent = kAnswer * 5 / 2;
  Serve(limits);
  std::vector<Fd> clients;  // the first one's answer waits for longest
  for (const char* host : {"127.0.0.2", "127.0.0.1", "127.0.0.1", "127.0.0.1"}) {
    clients.push_back(ConnectFrom(host));
    Until([&] { return server_->open_connections() == clients.size(); });
    Write(clients.back(), Requests("/later", 2));
    Until([&] { return waiting_.size() == 2 * clients.size(); });
  }
  // Of each client one answer is under way, and one request is left, of which its end is told.
  for (size_t i = 0; i < waiting_.size(); i += 2) {
    server_->Reply(waiting_[i], Text(std::string(kAnswer, 'a')));
  }
  Until([&] { return server_->counters().unread == 2; });
  EXPECT_EQ(gone_, (std::vector<HttpExchange>{waiting_[3], waiting_[5]}));
}

TEST_F(HttpServerTest, ABodyThatStopsIsGivenUpHoweverMuchOfItHasCome) {
  HttpServerLimits limits;
  limits.request = Milliseconds(300);
  limits.slow_bytes = 10;  // 50,000 bytes would be worth more than an hour
  Serve(limits);
  const Fd fd = Connect();
  Write(fd, "PUT /x HTTP/1.1\r\nContent-Length: 60000\r\n\r\nx");
  Until([&] { return server_->receiving().now() > 0; });
  Write(fd, std::string(50000, 'x'));
  EXPECT_EQ(Count(ReadToEnd(fd), "<"), 1u);
  EXPECT_EQ(server_->counters().timed_out, 1u);
}

TEST_F(HttpServerTest, TheAddressWithMostUnfinishedBytesLosesARequestToOthers) {
  HttpServerLimits limits;
  limits.receiving = 100000;
  Serve(limits);
  const std::string begun = "PUT /x HTTP/1.1\r\nContent-Length: 80000\r\n\r\n";
  const Fd greedy = Connect();
  Write(greedy, begun + std::string(70000, 'x'));
  Until([&] { return server_->receiving().now() >= 70000; });
  const Fd honest = ConnectFrom("127.0.0.2");
  Write(honest, begun + std::string(60000, 'y'));
  Until([&] { return server_->counters().overloaded == 1; });
  Write(honest, std::string(20000, 'y'));
  ReadUntil(honest, [](const std::string& t) { return t.find("/x") != std::string::npos; });
  EXPECT_EQ(requests_.size(), 1u);
}

TEST_F(HttpServerTest, StopsReadingAConnectionWithManyUnansweredRequestsAndGoesOnLater) {
  HttpServerLimits limits;
  limits.pipelined = 4;
  Serve(limits);
  const Fd fd = Connect();
  std::string many;
  for (int i = 0; i < 10; ++i) many += "GET /later HTTP/1.1\r\n\r\n";
  Write(fd, many);
  Until([&] { return requests_.size() == 4; });
  for (int i = 0; i < 20; ++i) loop_.RunOnce(Milliseconds(1));
  EXPECT_EQ(requests_.size(), 4u);
  EXPECT_EQ(server_->most_pipelined().value(), 4u);
  for (size_t i = 0; i < 10; ++i) {
    Until([&] { return waiting_.size() > i; });
    server_->Reply(waiting_[i], Text("answer"));
  }
  const std::string text = ReadUntil(fd, [](const std::string& t) { return Count(t, "answer") == 10; });
  EXPECT_EQ(Count(text, "answer"), 10u);
}

TEST_F(HttpServerTest, CountsAnswersThatWaitForAnEarlierOneAgainstTheLimit) {
  HttpServerLimits limits;
  limits.output = 1000;
  Serve(limits);
  const Fd fd = Connect();
  std::string many = "GET /later HTTP/1.1\r\n\r\n";
  for (int i = 0; i < 20; ++i) many += "GET /" + std::string(400, 'x') + " HTTP/1.1\r\n\r\n";
  Write(fd, many);
  Until([&] { return requests_.size() >= 3; });
  for (int i = 0; i < 20; ++i) loop_.RunOnce(Milliseconds(1));
  EXPECT_LT(requests_.size(), 6u);
  EXPECT_GE(server_->most_output().value(), limits.output);
  EXPECT_LT(server_->most_output().value(), 2 * limits.output);
  server_->Reply(waiting_[0], Text("first"));
  ReadUntil(fd, [](const std::string& t) { return Count(t, "HTTP/1.1 200") == 21; });
  EXPECT_EQ(requests_.size(), 21u);
}

TEST_F(HttpServerTest, DropsUnfinishedRequestsThatFillTheMemorySetAsideForThem) {
  HttpServerLimits limits;
  limits.receiving = 100000;
  Serve(limits);
  const Fd a = Connect();
  Write(a, "PUT /x HTTP/1.1\r\nContent-Length: 80000\r\n\r\n" + std::string(70000, 'x'));
  const Fd b = Connect();
  Write(b, "PUT /y HTTP/1.1\r\nContent-Length: 80000\r\n\r\n" + std::string(70000, 'y'));
  Until([&] { return server_->counters().overloaded == 1; });
  Write(a, std::string(10000, 'x'));
  ReadUntil(a, [](const std::string& t) { return t.find("/x") != std::string::npos; });
  EXPECT_EQ(requests_.size(), 1u);
}

TEST_F(HttpServerTest, GivesASlowButHonestSenderTheTimeItsBodyNeeds) {
  HttpServerLimits limits;
  limits.request = Milliseconds(1000);
  limits.slow_bytes = 100;
  Serve(limits);
  const Fd fd = Connect();
  Write(fd, "PUT /slow HTTP/1.1\r\nContent-Length: 3000\r\n\r\n");
  const Instant began = Loop::ReadClock();
  // A second's worth each 100 ms, for 3 s.
  for (int i = 1; i <= 30; ++i) {
    Until([&] { return Loop::ReadClock() > began + Milliseconds(100) * i; });
    Write(fd, std::string(100, 'x'));
  }
  EXPECT_NE(
      ReadUntil(fd, [](const std::string& t) { return t.find("/slow") != std::string::npos; }).find("/slow"),
      std::string::npos);
}

TEST_F(HttpServerTest, TellsWhenTheAskerIsGoneAndIgnoresALateReply) {
  Serve();
  {
    const Fd fd = Connect();
    Write(fd, "GET /later HTTP/1.1\r\n\r\n");
    Until([&] { return waiting_.size() == 1; });
    const linger reset{1, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  }
  Until([&] { return gone_.size() == 1; });
  ASSERT_EQ(gone_.size(), 1u);
  EXPECT_EQ(gone_[0], waiting_[0]);
  server_->Reply(waiting_[0], Text("late"));
}

TEST_F(HttpServerTest, TheClientReusesItsConnection) {
  Serve();
  HttpClient client(loop_);
  for (int i = 0; i < 3; ++i) {
    std::optional<absl::StatusOr<HttpResponse>> result;
    HttpRequest request;
    request.method = "GET";
    request.target = "/r" + std::to_string(i);
    client.Send(server_->address(), request, Seconds(5), [&](auto r) { result = std::move(r); });
    Until([&] { return result.has_value(); });
    ASSERT_TRUE(result->ok()) << result->status();
    EXPECT_EQ((*result)->body, request.target);
  }
  EXPECT_EQ(server_->counters().accepted, 1u);
}

TEST_F(HttpServerTest, TheClientTriesAgainWhenAKeptConnectionHasBeenClosed) {
  HttpServerLimits limits;
  limits.idle = Milliseconds(20);
  Serve(limits);
  HttpClient client(loop_);
  HttpRequest request;
  request.method = "GET";
  request.target = "/r";
  for (int i = 0; i < 2; ++i) {
    std::optional<absl::StatusOr<HttpResponse>> result;
    client.Send(server_->address(), request, Seconds(5), [&](auto r) { result = std::move(r); });
    Until([&] { return result.has_value(); });
    ASSERT_TRUE(result->ok()) << result->status();
    Until([&] { return server_->open_connections() == 0; });
  }
  EXPECT_EQ(server_->counters().accepted, 2u);
}

TEST_F(HttpServerTest, TheClientKeepsNothingOfAServerThatItIsNotConnectedTo) {
  HttpServerLimits limits;
  limits.idle = Milliseconds(20);
  Serve(limits);
  HttpClient client(loop_);
  HttpRequest request;
  request.method = "GET";
  request.target = "/r";
  bool answered = false;
  client.Send(server_->address(), request, Seconds(5), [&](auto) { answered = true; });
  EXPECT_EQ(client.servers(), 1u);
  Until([&] { return answered; });
  Until([&] { return client.servers() == 0; });
  EXPECT_EQ(client.servers(), 0u);
}

TEST_F(HttpServerTest, TheClientReportsRefusedConnectionsAndSilence) {
  Serve();
  HttpClient client(loop_);
  HttpRequest request;
  request.method = "GET";
  request.target = "/later";
  std::optional<absl::StatusOr<HttpResponse>> silent;
  client.Send(server_->address(), request, Milliseconds(50), [&](auto r) { silent = std::move(r); });
  Until([&] { return silent.has_value(); });
  EXPECT_EQ(silent->status().code(), absl::StatusCode::kDeadlineExceeded);

  const ReservedPort closed;
  const Address nobody = closed.address();
  std::optional<absl::StatusOr<HttpResponse>> refused;
  client.Send(nobody, request, Seconds(5), [&](auto r) { refused = std::move(r); });
  Until([&] { return refused.has_value(); });
  EXPECT_EQ(refused->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(std::string(refused->status().message()).find("refused"), std::string::npos) << refused->status();
}

TEST_F(HttpServerTest, TheClientQueuesAboveItsConnectionsAndCancels) {
  Serve();
  HttpClientLimits limits;
  limits.connections_per_server = 1;
  HttpClient client(loop_, limits);
  HttpRequest request;
  request.method = "GET";
  request.target = "/later";
  int answered = 0;
  std::vector<uint64_t> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(
        client.Send(server_->address(), request, Seconds(10), [&](auto r) { answered += r.ok() ? 1 : 100; }));
  }
  client.Cancel(ids[1]);
  for (size_t i = 0; i < 2; ++i) {
    Until([&] { return waiting_.size() > i; });
    server_->Reply(waiting_[i], Text("x"));
  }
  Until([&] { return answered == 2; });
  EXPECT_EQ(server_->counters().accepted, 1u);
}

}  // namespace
}  // namespace bt::net
