// Every row of a node's own limits is reached by a test. Those of what the edges keep are reached here, by
// the table's own figures; the others by the tests of who keeps it, which are listed below.

#include "nodes/tracker/limits_table.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/check.h"
#include "nodes/tracker/descriptors.h"
#include "nodes/tracker/http_edge.h"
#include "tests/net/support.h"

namespace bt::nodes {
namespace {

// Which test reaches each row: its file under tests/, its suite and name.
struct Reached {
  std::string_view row;
  std::string_view file;
  std::string_view test;
};
constexpr Reached kReached[] = {
    {"memory", "nodes/descriptors_test.cc",
     "Memory, EnoughLeavesEveryPartItsUsualLimitAndLittleGivesEachLess"},
    {"descriptors", "nodes/limits_table_test.cc",
     "OwnLimitsTest, WithoutADescriptorANewcomerWaitsToBeAccepted"},
    {"connections", "net/http/server_test.cc",
     "HttpServerTest, RefusesConnectionsOverTheLimitWhenNoneIsIdle"},
    {"connections_per_address", "net/http/server_test.cc",
     "HttpServerTest, WhoHasItsShareOfConnectionsDisplacesItsOwnAndNobodyElses"},
    {"requests_per_connection", "net/http/server_test.cc",
     "HttpServerTest, StopsReadingAConnectionWithManyUnansweredRequestsAndGoesOnLater"},
    {"unsent_bytes_per_connection", "net/http/server_test.cc",
     "HttpServerTest, CountsAnswersThatWaitForAnEarlierOneAgainstTheLimit"},
    {"unsent_bytes", "net/http/server_test.cc",
     "HttpServerTest, AnswersThatNobodyTakesAreDroppedWithTheirConnectionOldestFirst"},
    {"unfinished_bytes", "net/http/server_test.cc",
     "HttpServerTest, DropsUnfinishedRequestsThatFillTheMemorySetAsideForThem"},
    {"calls_under_way", "nodes/limits_table_test.cc",
     "OwnLimitsTest, ARequestBeyondTheCallsUnderWayIsAnswered503"},
    {"udp_requests", "nodes/limits_table_test.cc",
     "OwnLimitsTest, ADatagramBeyondTheRequestsUnderWayIsToldToAskAgain"},
    {"udp_requests_per_source", "nodes/udp_api_test.cc", "UdpEdge, WhatIsUnderWayIsBounded"},
    {"mutations", "core/tracker/node_test.cc", "NodeLimitTest, MutationsBeyondTheLimitAreRefusedAtOnce"},
    {"mutation_bytes", "core/tracker/node_test.cc",
     "NodeLimitTest, BytesOfMutationsBeyondTheLimitAreRefusedAtOnce"},
    {"reads", "core/tracker/node_test.cc", "NodeLimitTest, LinearizableReadsBeyondTheLimitAreRefusedAtOnce"},
    {"read_rounds", "core/tracker/node_test.cc", "NodeLimitTest, ReadRoundsOfOtherNodesAreBounded"},
    {"announces", "core/tracker/node_test.cc",
     "NodeLimitTest, AnnouncesThatWaitAreBoundedInAllAndForEachSource"},
    {"announces_per_source", "core/tracker/node_test.cc",
     "NodeLimitTest, AnnouncesThatWaitAreBoundedInAllAndForEachSource"},
    {"orders", "core/tracker/orders_test.cc", "OrdersTest, TooManyWaitingOrdersAreRefused"},
    {"snapshots_asked", "core/tracker/node_snapshot_test.cc",
     "AskedSnapshotTest, MoreThanTheLimitAreRefused"},
    {"shipped_values", "core/tracker/shipping_test.cc",
     "ShippingLimitTest, OfLongCommandsNoMoreAreShippedThanMayBe"},
    {"shipped_bytes", "core/tracker/shipping_test.cc", "ShippingLimitTest, NoMoreBytesAreShippedThanMayBe"},
    {"held_values", "core/tracker/shipping_test.cc", "HeldValuesTest, OldOnesMakeRoom"},
    {"held_values_bytes", "core/tracker/shipping_test.cc", "HeldValuesTest, OldOnesMakeRoom"},
    {"long_messages_per_node", "core/tracker/bulk_test.cc", "Bulk, NoMoreMessagesAreQueuedThanMayBe"},
    {"long_message_bytes_per_node", "core/tracker/bulk_test.cc",
     "Bulk, APeerThatTakesNothingCostsNoMoreThanTheLimitAndIsGivenUp"},
    {"journal_queue_bytes", "net/journal_test.cc",
     "JournalTest, ADiskThatDoesNotKeepUpStopsTheJournalWhenAsMuchWaitsAsMay"},
    {"replica_connections", "net/replica_links_test.cc",
     "ReplicaLinksTest, SilentStrangersCannotKeepAPeerOut"},
    {"replica_queue_bytes", "net/replica_links_test.cc",
     "ReplicaLinksTest, AQueueIsFullOfBytesTooButTakesOneFrameHoweverLong"},
};

// The file as one line, with one space where there are several.
std::string Words(const std::string& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in.good()) << path;
  std::string words;
  for (std::string word; in >> word;) words += (words.empty() ? "" : " ") + word;
  return words;
}

// What a node consists of on its way out, around a machine that is never stepped.
class OwnLimitsTest : public testing::Test {
 protected:
  void SetUp() override {
    net::JournalRecovery recovery;
    auto journal =
        net::Journal::Open(loop_, {.directory = directory_ / "data", .identity = {7, NodeId(1)}}, recovery);
    ASSERT_TRUE(journal.ok()) << journal.status();
    journal_ = *std::move(journal);
    absl::StatusOr<net::Listener> listener = net::Listen(Address::V4(127, 0, 0, 1, 0));
    ASSERT_TRUE(listener.ok()) << listener.status();
    server_.emplace(
        loop_, *std::move(listener), limits_.clients,
        [this](net::HttpExchange exchange, net::HttpRequest&& request, const Address& peer) {
          http_.OnRequest(exchange, std::move(request), peer);
        },
        [this](net::HttpExchange exchange) { http_.OnGone(exchange); });
    http_.Attach(&*server_, limits_);
    http_.Begin(journal_.get(), &links_, nullptr);
  }

  std::vector<LimitRow> Rows() const {
    return OwnLimits({*server_, limits_, node_, router_, *journal_, 0, &udp_, &links_});
  }
  LimitRow Row(std::string_view name) const {
    for (LimitRow& row : Rows())
      if (row.name == name) return row;
    ADD_FAILURE() << "no row " << name;
    return {};
  }
  void ExpectFull(std::string_view name) const {
    const LimitRow row = Row(name);
    EXPECT_EQ(row.use, row.value) << name;
    EXPECT_EQ(row.highest, row.value) << name;
  }

  net::TemporaryDirectory directory_;
  net::Loop loop_;
  LocalLimits limits_{.descriptors = DescriptorLimit()};
  const tracker::TrackerNode node_{{.replica = {.self = NodeId(1), .members = {NodeId(1)}}}};
  CallRouter router_{[](const Input<tracker::Protocol>&) {}};
  std::vector<std::string> datagrams_;
  UdpEdge udp_{router_,
               {1, 2},
               [this] { return loop_.now(); },
               [this](const net::DatagramRoute&, std::string_view bytes) { datagrams_.emplace_back(bytes); },
               [] { return std::nullopt; }};
  HttpEdge http_{{NodeId(1), {}}, router_};
  net::ReplicaLinks links_{loop_, {.identity = {.self = NodeId(1)}}, 1};
  std::unique_ptr<net::Journal> journal_;
  std::optional<net::HttpServer> server_;
};

TEST_F(OwnLimitsTest, EachRowIsReachedByATestThatIsThere) {
  for (const LimitRow& row : Rows()) {
    const auto reached = std::find_if(std::begin(kReached), std::end(kReached),
                                      [&](const Reached& r) { return r.row == row.name; });
    if (reached == std::end(kReached)) {
      ADD_FAILURE() << "write a test that reaches \"" << row.name << "\", and name it in kReached";
      continue;
    }
    const std::string text = Words("tests/" + std::string(reached->file));
    const std::string test(reached->test);
    EXPECT_TRUE(text.find("TEST_F(" + test + ")") != std::string::npos ||
                text.find("TEST(" + test + ")") != std::string::npos)
        << reached->file << " has no " << test;
    EXPECT_TRUE(row.highest.has_value()) << row.name;
    EXPECT_FALSE(row.at_limit.empty()) << row.name;
  }
  EXPECT_EQ(Rows().size(), std::size(kReached)) << "a row that is no more";
}

TEST_F(OwnLimitsTest, ARequestBeyondTheCallsUnderWayIsAnswered503) {
  struct : CallOrigin {
    void OnReply(uint64_t, tracker_api::Response) override {}
  } other;
  while (router_.under_way() < router_.limit()) ASSERT_TRUE(router_.Open(other, 0));
  ExpectFull("calls_under_way");
  const absl::StatusOr<net::Fd> fd = net::StartConnect(server_->address());
  ASSERT_TRUE(fd.ok());
  constexpr std::string_view kAsk = "GET /status HTTP/1.1\r\nHost: node\r\n\r\n";
  std::string answer(4096, '\0');
  ASSERT_TRUE(
      net::RunUntil(loop_, [&] { return send(fd->get(), kAsk.data(), kAsk.size(), MSG_NOSIGNAL) > 0; }));
  ASSERT_TRUE(net::RunUntil(loop_, [&] { return recv(fd->get(), answer.data(), answer.size(), 0) > 0; }));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  EXPECT_NE(answer.find("too many requests are under way"), std::string::npos) << answer;
}

TEST_F(OwnLimitsTest, ADatagramBeyondTheRequestsUnderWayIsToldToAskAgain) {
  // Its address says which source and which of its requests: each source asks as often as it may.
  const auto ask = [&](uint8_t source) {
    const net::DatagramRoute from{.peer = Address::V4(192, 0, 2, source, 9)};
    udp_.OnDatagram(from, RenderUdpConnect(1));
    const auto connected = ReadUdpAnswer(datagrams_.back(), true);
    tracker_api::Announce announce;
    announce.peer = from.peer;
    udp_.OnDatagram(from,
                    RenderUdpAnnounce(std::get<UdpConnected>(connected->answer).connection, 2, announce, {}));
  };
  for (size_t i = 0; i < kUdpCallLimit; ++i) ask(static_cast<uint8_t>(i / kUdpCallLimitOfSource));
  ExpectFull("udp_requests");
  EXPECT_EQ(Row("udp_requests_per_source").highest, kUdpCallLimitOfSource);
  datagrams_.clear();
  ask(200);
  ASSERT_EQ(datagrams_.size(), 2u);
  EXPECT_NE(datagrams_[1].find("too many requests are under way"), std::string::npos) << datagrams_[1];
}

TEST_F(OwnLimitsTest, WithoutADescriptorANewcomerWaitsToBeAccepted) {
  constexpr size_t kClients = 6;
  constexpr size_t kLeft = 2;
  std::vector<absl::StatusOr<net::Fd>> clients;
  for (size_t i = 0; i < kClients; ++i) clients.push_back(net::StartConnect(server_->address()));
  rlimit usual{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &usual), 0);
  const uint64_t open = OpenDescriptors(usual.rlim_cur);
  const rlimit few{.rlim_cur = open + kLeft, .rlim_max = usual.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  limits_.descriptors = DescriptorLimit();
  EXPECT_TRUE(net::RunUntil(loop_, [&] { return server_->open_connections() == kLeft; }));
  for (int i = 0; i < 3; ++i) loop_.RunOnce(Milliseconds(1));
  EXPECT_EQ(server_->open_connections(), kLeft);
  ExpectFull("descriptors");
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &usual), 0);
  EXPECT_TRUE(net::RunUntil(loop_, [&] { return server_->open_connections() == kClients; }));
  limits_.descriptors = usual.rlim_cur;
  EXPECT_EQ(Row("descriptors").use, open + kClients);
}

}  // namespace
}  // namespace bt::nodes
