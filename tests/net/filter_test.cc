#include "net/filter.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "net/http/client.h"
#include "net/http/server.h"
#include "net/replica_links.h"
#include "net/socket.h"
#include "net/stream_links.h"
#include "tests/net/support.h"
#include "tests/net/tls_identity.h"

namespace bt::net {
namespace {

// What a machine hears of its links.
struct Side {
  Side(Loop& loop, const ConnectionOptions& connection) : links(loop, {.connection = connection}) {
    links.Connect([this](LinkInput input) { On(std::move(input)); },
                  [this](FileId, uint64_t offset) {
                    return FileSpot{file, offset};
                  });
  }
  void On(LinkInput input) {
    if (const auto* link_up = std::get_if<LinkUp>(&input)) up = link_up->link;
    if (const auto* bytes = std::get_if<LinkReceived>(&input)) received += bytes->bytes.view();
    if (const auto* link_down = std::get_if<LinkDown>(&input)) down = link_down->why;
    if (const auto* link_sent = std::get_if<LinkSent>(&input)) sent = link_sent->total;
    if (std::holds_alternative<ReadFailed>(input)) ++read_failures;
  }

  std::shared_ptr<ReadableFile> file;
  std::optional<LinkId> up;
  std::string received;
  std::optional<std::string> down;
  uint64_t sent = 0;
  int read_failures = 0;
  StreamLinks links;
};

class FilterTest : public testing::Test {
 protected:
  bool Until(const std::function<bool()>& done) { return RunUntil(loop_, done); }

  void Serve(const ConnectionOptions& connection) {
    server_ = std::make_unique<HttpServer>(
        loop_, *Listen(Address::V4(127, 0, 0, 1, 0)), HttpServerLimits{.connection = connection},
        [this](HttpExchange exchange, HttpRequest&& request, const Address&) {
          HttpResponse response;
          response.body = request.body + request.target;
          server_->Reply(exchange, response);
        },
        [](HttpExchange) {});
  }
  absl::StatusOr<HttpResponse> Ask(HttpClient& client, const std::string& body) {
    std::optional<absl::StatusOr<HttpResponse>> result;
    HttpRequest request{.method = "PUT", .target = "/echo", .headers = {}, .body = body};
    client.Send(server_->address(), request, Seconds(15), [&](auto answer) { result = std::move(answer); });
    EXPECT_TRUE(Until([&] { return result.has_value(); }));
    return *result;
  }
  // Two link users that are connected.
  void ConnectSides() {
    address_ = *there_.links.Listen(Address::V4(127, 0, 0, 1, 0));
    here_.links.Execute(LinkConnect{LinkId(1), address_});
    ASSERT_TRUE(Until([&] { return here_.up && there_.up; }));
  }

  Loop loop_;
  TlsIdentity identity_;
  ConnectionOptions tls_{.make_filter = identity_.make_filter()};
  std::unique_ptr<HttpServer> server_;
  Address address_;
  Side here_{loop_, tls_};
  Side there_{loop_, tls_};
};

TEST_F(FilterTest, AnHttpServerAndClientTalkThroughTlsAndKnowNothingOfIt) {
  Serve(tls_);
  HttpClient client(loop_, {.connection = tls_});
  for (const size_t size : {0, 1, 70'000, 5'000'000, 3}) {
    const std::string body = RandomBytes(size, size);
    const auto answer = Ask(client, body);
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_TRUE(answer->body == body + "/echo");
  }
  EXPECT_EQ(server_->counters().accepted, 1u) << "the connection is kept alive";
}

TEST_F(FilterTest, WhoSpeaksPlainlyIsToldInPlainWordsAndGetsNoConnection) {
  Serve(tls_);
  HttpClient plain(loop_);
  const auto answer = Ask(plain, "in the clear");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 400);
  EXPECT_EQ(answer->body, "use TLS\n");
  EXPECT_EQ(server_->counters().requests, 0u);
  ASSERT_TRUE(Until([&] { return server_->open_connections() == 0; }));
}

TEST_F(FilterTest, WhoIsNotTrustedOrIsSomebodyElseIsShownNothing) {
  Serve(tls_);
  const TlsIdentity stranger;
  const TlsIdentity expired("IP:127.0.0.1", -60);
  const auto why = [&](const MakeFilter& make_filter) {
    HttpClient client(loop_, {.connection = {.make_filter = make_filter}});
    const auto answer = Ask(client, "a secret");
    EXPECT_FALSE(answer.ok());
    return std::string(answer.status().message());
  };
  EXPECT_NE(why(stranger.make_filter()).find("the certificate of 127.0.0.1 is not to be trusted"),
            std::string::npos);
  for (const char* host : {"127.0.0.2", "[::1]", "other.example", "sub.localhost"}) {
    const std::string told = why(identity_.make_filter(host));
    EXPECT_NE(told.find("mismatch"), std::string::npos) << host << ": " << told;
  }
  EXPECT_EQ(server_->counters().requests, 0u);
  HttpClient by_name(loop_, {.connection = {.make_filter = identity_.make_filter("localhost")}});
  EXPECT_TRUE(Ask(by_name, "a secret").ok());
  Serve({.make_filter = expired.make_filter()});
  EXPECT_NE(why(expired.make_filter()).find("expired"), std::string::npos);
}

TEST_F(FilterTest, AServerThatDoesNotSpeakTlsIsNotSpokenTo) {
  Serve({});
  HttpClient client(loop_, {.connection = tls_});
  const auto answer = Ask(client, "a secret");
  ASSERT_FALSE(answer.ok());
  EXPECT_NE(std::string(answer.status().message()).find("write http://"), std::string::npos)
      << answer.status();
}

TEST_F(FilterTest, FilesThatAreNoCertificateOrNotItsKeyAreNamed) {
  const TlsIdentity other;
  const auto why = [](const std::string& certificate, const std::string& key) {
    return std::string(TlsContext::ForServer(certificate, key, "").status().message());
  };
  EXPECT_EQ(why(identity_.certificate_file(), identity_.key_file()), "");
  EXPECT_NE(why("/nowhere", identity_.key_file()).find("the certificate /nowhere: No such file"),
            std::string::npos);
  EXPECT_NE(why(identity_.key_file(), identity_.key_file()).find("no start line"), std::string::npos);
  const std::string mismatch = why(identity_.certificate_file(), other.key_file());
  EXPECT_NE(mismatch.find(other.key_file() + ": key values mismatch"), std::string::npos) << mismatch;
  EXPECT_NE(std::string(TlsContext::ForClient("/nowhere").status().message()).find("/nowhere"),
            std::string::npos);
  EXPECT_TRUE(TlsContext::ForClient("").ok());
}

TEST_F(FilterTest, AHandshakeThatDoesNotEndIsGivenUp) {
  tls_.connect = Milliseconds(100);
  Serve(tls_);
  const Fd silent = *StartConnect(server_->address());
  ASSERT_TRUE(Until([&] { return server_->counters().accepted == 1; }));
  ASSERT_TRUE(Until([&] { return server_->open_connections() == 0; }));
}

TEST_F(FilterTest, PeerLinksSendBytesAndRangesOfFilesThroughTlsInOrder) {
  TemporaryDirectory directory;
  const std::string bytes = RandomBytes(3'000'000, 1);
  WriteFile(directory / "file", bytes);
  here_.file = OpenReadable(directory / "file");
  ConnectSides();
  std::string expected;
  for (uint32_t at = 0; at < bytes.size(); at += 300'000) {
    const std::string header = "<" + std::to_string(at) + ">";
    here_.links.Execute(LinkSendFile{LinkId(1), Slice::Copy(header), FileId(0), at, 300'000});
    expected += header + bytes.substr(at, 300'000);
  }
  there_.links.Execute(LinkSendBytes{*there_.up, Slice::Static("back")});
  ASSERT_TRUE(Until([&] { return there_.received.size() == expected.size() && here_.received == "back"; }));
  EXPECT_TRUE(there_.received == expected);
  EXPECT_EQ(here_.sent, expected.size());

  here_.links.Execute(LinkSendFile{LinkId(1), Slice::Static("header"), FileId(0), 2'999'000, 5'000});
  ASSERT_TRUE(Until([&] { return here_.down.has_value(); }));
  EXPECT_EQ(here_.read_failures, 1) << "the file is shorter than the range";
}

TEST_F(FilterTest, AReaderThatPausesHoldsTheSenderBackAndLosesNothing) {
  ConnectSides();
  there_.links.PauseReading(true);
  const std::string bytes = RandomBytes(16 << 20, 2);
  here_.links.Execute(LinkSendBytes{LinkId(1), Slice::Copy(bytes)});
  for (uint64_t last = 1; last != here_.links.counters().sent_bytes;) {
    last = here_.links.counters().sent_bytes;
    for (int i = 0; i < 5; ++i) loop_.RunOnce(Milliseconds(5));
  }
  EXPECT_LT(here_.links.counters().sent_bytes, bytes.size());
  EXPECT_EQ(there_.received, "");
  there_.links.PauseReading(false);
  ASSERT_TRUE(Until([&] { return there_.received.size() == bytes.size(); }));
  EXPECT_TRUE(there_.received == bytes);
}

TEST_F(FilterTest, AFlushingCloseEndsTheStreamInItsOwnTermsAndAnAbruptOneDoesNotPassForIt) {
  ConnectSides();
  const std::string bytes = RandomBytes(5 << 20, 3);
  here_.links.Execute(LinkSendBytes{LinkId(1), Slice::Copy(bytes)});
  here_.links.Execute(LinkClose{LinkId(1), true});
  ASSERT_TRUE(Until([&] { return there_.down.has_value(); }));
  EXPECT_TRUE(there_.received == bytes);
  EXPECT_EQ(*there_.down, "the peer closed the connection");

  there_.up.reset();
  there_.down.reset();
  here_.links.Execute(LinkConnect{LinkId(2), address_});
  ASSERT_TRUE(Until([&] { return there_.up.has_value(); }));
  here_.links.Execute(LinkClose{LinkId(2), false});
  ASSERT_TRUE(Until([&] { return there_.down.has_value(); }));
  EXPECT_NE(*there_.down, "the peer closed the connection")
      << "whoever cuts the connection cannot end a stream";
}

TEST_F(FilterTest, ReplicaLinksTalkThroughTls) {
  const ReplicaSecret secret{1};
  const ReservedPort ports[2];
  const Address addresses[] = {ports[0].address(), ports[1].address()};
  std::vector<std::unique_ptr<ReplicaLinks>> nodes;
  std::vector<std::string> received;
  for (uint32_t i = 0; i < 2; ++i) {
    ReplicaLinksOptions options{.identity = {.cluster = 9, .secret = secret, .self = NodeId(i + 1)}};
    options.peers[NodeId(2 - i)] = HostAndPort::Of(addresses[1 - i]);
    options.connection.make_filter = identity_.make_filter();
    nodes.push_back(std::make_unique<ReplicaLinks>(loop_, options, i));
    ASSERT_TRUE(nodes[i]->Listen(addresses[i]).ok());
  }
  for (auto& node : nodes) {
    node->Connect([&](NodeId, const Slice& body) {
      received.emplace_back(body.view());
      return true;
    });
  }
  ASSERT_TRUE(Until([&] { return nodes[0]->connected(NodeId(2)) && nodes[1]->connected(NodeId(1)); }));
  const std::string large = RandomBytes(17 << 20, 4);
  nodes[0]->Send(NodeId(2), Slice::Static("first"));
  nodes[0]->Send(NodeId(2), Slice::Copy(large));
  ASSERT_TRUE(Until([&] { return received.size() == 2; }));
  EXPECT_EQ(received[0], "first");
  EXPECT_TRUE(received[1] == large);
}

}  // namespace
}  // namespace bt::net
