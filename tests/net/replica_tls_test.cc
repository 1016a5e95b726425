#include "net/replica_tls.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/replica_guest.h"
#include "net/replica_links.h"
#include "tests/net/support.h"

namespace bt::net {
namespace {

constexpr uint64_t kCluster = 9;
constexpr ReplicaSecret kSecret{7};
constexpr ReplicaSecret kOtherSecret{8};
constexpr int64_t kDay = 24 * 3600;

// One node: what it shows, its links, and what came.
struct Node {
  std::optional<ReplicaTls> tls;
  std::optional<ReplicaLinks> links;
  std::vector<std::string> received;
};

// Two nodes at places of their own; each test says what they show to each other.
class ReplicaTlsTest : public testing::Test {
 protected:
  bool Until(const std::function<bool()>& done) { return RunUntil(loop_, done); }

  Node& Start(uint32_t id, std::optional<ReplicaTls> tls) {
    Node& node = nodes_[id - 1];
    node.links.reset();
    node.tls.reset();
    if (tls) node.tls.emplace(*std::move(tls));
    ReplicaLinksOptions options{.identity = {.cluster = kCluster, .secret = kSecret, .self = NodeId(id)}};
    options.tls = node.tls ? &*node.tls : nullptr;
    options.peers[NodeId(3 - id)] = HostAndPort::Of(ports_[2 - id].address());
    options.note = [this](std::string line) { notes_ += line + "\n"; };
    options.note_pause = Duration{0};
    options.guest = [](const Slice& question) {
      return Slice::Copy("answer to " + std::string(question.view()));
    };
    node.links.emplace(loop_, std::move(options), id);
    EXPECT_TRUE(node.links->Listen(ports_[id - 1].address()).ok());
    node.links->Connect([&node](NodeId, const Slice& body) {
      node.received.emplace_back(body.view());
      return true;
    });
    return node;
  }
  static ReplicaTls Shows(uint32_t id, ReplicaTlsMode mode = ReplicaTlsMode::kRequired,
                          const ReplicaSecret& secret = kSecret, int64_t seconds_ago = 0) {
    return ReplicaTls(mode, secret, kCluster, NodeId(id),
                      [seconds_ago] { return ReplicaTls::SystemSeconds() - seconds_ago; });
  }
  bool Connected(uint32_t id) const { return nodes_[id - 1].links->connected(NodeId(3 - id)); }
  bool Encrypted(uint32_t id) const { return nodes_[id - 1].links->encrypted(NodeId(3 - id)); }
  bool BothConnected() {
    return Until([&] { return Connected(1) && Connected(2); });
  }
  // Node 2 as it is comes to nothing at node 1, which says these words.
  void ExpectRefused(const char* words) {
    if (HasFailure()) return;
    const uint64_t before = nodes_[0].links->counters().untrusted;
    EXPECT_TRUE(Until([&] { return notes_.find(words) != std::string::npos; })) << notes_;
    EXPECT_TRUE(Until([&] { return nodes_[0].links->counters().untrusted > before + 2; }));
    EXPECT_FALSE(Connected(1) || Connected(2));
    EXPECT_TRUE(nodes_[0].received.empty());
    notes_.clear();
  }

  Loop loop_;
  const ReservedPort ports_[2] = {};
  std::string notes_;
  Node nodes_[2];
};

TEST_F(ReplicaTlsTest, NodesOfOneSecretTalkInTlsWithoutAnyFile) {
  Node& a = Start(1, Shows(1));
  Node& b = Start(2, Shows(2));
  ASSERT_TRUE(BothConnected());
  EXPECT_TRUE(Encrypted(1) && Encrypted(2));
  const std::string large = RandomBytes(17 << 20, 1);
  a.links->Send(NodeId(2), Slice::Static("first"));
  a.links->Send(NodeId(2), Slice::Copy(large));
  for (int i = 0; i < 100; ++i) a.links->Send(NodeId(2), Slice::Copy(RandomBytes(3000, i)));
  ASSERT_TRUE(Until([&] { return b.received.size() == 102; }));
  EXPECT_EQ(b.received[0], "first");
  EXPECT_TRUE(b.received[1] == large);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(b.received[2 + i] == RandomBytes(3000, i)) << i;
  EXPECT_EQ(notes_, "");
}

TEST_F(ReplicaTlsTest, WhoShowsTheWrongCertificateOrNoneIsRefusedAloudThoughHeKnowsTheSecret) {
  Start(1, Shows(1));
  Start(2, Shows(2, ReplicaTlsMode::kRequired, kOtherSecret));
  ExpectRefused("the certificate of the peer is not to be trusted: ");
  Start(2, Shows(3));
  ExpectRefused("it says that it is node 2, and its certificate is another's");
  Start(2, Shows(2, ReplicaTlsMode::kRequired, kSecret, kReplicaCertificateSeconds + kDay));
  ExpectRefused("certificate has expired");
  Start(2, std::nullopt);
  ExpectRefused("the peer does not speak TLS");
  Start(2, Shows(2));
  EXPECT_TRUE(BothConnected()) << notes_;
}

TEST_F(ReplicaTlsTest, APeerWhoseClockIsMonthsBehindIsNoStranger) {
  Start(1, Shows(1));
  Start(2, Shows(2, ReplicaTlsMode::kRequired, kSecret, 200 * kDay));
  EXPECT_TRUE(BothConnected()) << notes_;
}

TEST_F(ReplicaTlsTest, WhereTlsIsOfferedANodeOfAReleaseWithoutItIsSpokenWithInClearAndInTlsWhenItIsUpgraded) {
  Node& a = Start(1, Shows(1, ReplicaTlsMode::kOffered));
  Start(2, std::nullopt);
  ASSERT_TRUE(BothConnected()) << notes_;
  EXPECT_FALSE(Encrypted(1) || Encrypted(2));
  a.links->Send(NodeId(2), Slice::Static("in clear"));
  nodes_[1].links->Send(NodeId(1), Slice::Static("back"));
  ASSERT_TRUE(Until([&] { return !nodes_[1].received.empty() && !a.received.empty(); }));
  for (const ReplicaTlsMode mode : {ReplicaTlsMode::kOffered, ReplicaTlsMode::kRequired}) {
    nodes_[1].links.reset();
    ASSERT_TRUE(Until([&] { return !Connected(1); }));
    Start(2, Shows(2, mode));
    ASSERT_TRUE(BothConnected()) << notes_;
    EXPECT_TRUE(Encrypted(1) && Encrypted(2));
  }
}

TEST_F(ReplicaTlsTest, WhoComesInTlsIsNotLeftOnALinkInClear) {
  Start(1, Shows(1, ReplicaTlsMode::kOffered));
  // Node 2 hears in clear, as one does that was stopped in the middle of TLS and is back ...
  const ReservedPort nowhere;
  ReplicaLinksOptions options{.identity = {.cluster = kCluster, .secret = kSecret, .self = NodeId(2)}};
  options.peers[NodeId(1)] = HostAndPort::Of(nowhere.address());
  std::optional<ReplicaLinks> hears(std::in_place, loop_, options, 3);
  ASSERT_TRUE(hears->Listen(ports_[1].address()).ok());
  hears->Connect([](NodeId, const Slice&) { return true; });
  ASSERT_TRUE(Until([&] { return Connected(1); })) << notes_;
  EXPECT_FALSE(Encrypted(1));
  // ... and speaks in TLS.
  const ReplicaTls shown = Shows(2);
  options.tls = &shown;
  options.peers[NodeId(1)] = HostAndPort::Of(ports_[0].address());
  ReplicaLinks speaks(loop_, options, 4);
  speaks.Connect([](NodeId, const Slice&) { return true; });
  ASSERT_TRUE(Until([&] { return !Connected(1); }));
  // Nor is it tried in clear again.
  const uint64_t failed = nodes_[0].links->counters().connect_failures;
  ASSERT_TRUE(
      Until([&] { return Connected(1) || nodes_[0].links->counters().connect_failures > failed + 3; }));
  EXPECT_FALSE(Connected(1));
}

TEST_F(ReplicaTlsTest, ANodeThatIsSpokenWithInTlsIsNotBelievedToComeInClear) {
  Start(1, Shows(1, ReplicaTlsMode::kOffered));
  Start(2, Shows(2));
  ASSERT_TRUE(BothConnected());
  // Of the same name and secret, elsewhere; only its own way to node 1 is there.
  ReplicaLinksOptions options{.identity = {.cluster = kCluster, .secret = kSecret, .self = NodeId(2)}};
  options.peers[NodeId(1)] = HostAndPort::Of(ports_[0].address());
  ReplicaLinks impostor(loop_, options, 3);
  impostor.Connect([](NodeId, const Slice&) { return true; });
  ASSERT_TRUE(Until(
      [&] { return notes_.find("it comes in clear as node 2, which speaks TLS") != std::string::npos; }));
  EXPECT_TRUE(Connected(1) && Connected(2));
}

TEST_F(ReplicaTlsTest, ACertificateIsRenewedUnderRunningLinksAndTheNextLinkShowsTheNewOne) {
  Node& a = Start(1, Shows(1));
  Start(2, Shows(2));
  ASSERT_TRUE(BothConnected());
  a.tls->Renew();
  a.links->Send(NodeId(2), Slice::Static("on the old link"));
  ASSERT_TRUE(Until([&] { return !nodes_[1].received.empty(); }));
  Start(2, Shows(2));
  ASSERT_TRUE(Until([&] { return Connected(2) && Connected(1); }));
  EXPECT_EQ(notes_, "");
}

TEST(ReplicaTls, RenewsAfterAMonthAndWhenTheClockWasSet) {
  int64_t now = 1'800'000'000;
  ReplicaTls tls(ReplicaTlsMode::kRequired, kSecret, kCluster, NodeId(1), [&now] { return now; });
  const auto ends = [&now] { return now + kReplicaCertificateSeconds; };
  EXPECT_EQ(tls.ends(), ends());
  now += 29 * kDay;
  EXPECT_FALSE(tls.RenewWhenDue());
  now += 2 * kDay;
  EXPECT_TRUE(tls.RenewWhenDue());
  EXPECT_EQ(tls.ends(), ends());
  now -= 2 * kDay;
  EXPECT_TRUE(tls.RenewWhenDue()) << "drawn by a clock that was ahead: it would end later than it may";
  now += 3000 * kDay;
  EXPECT_TRUE(tls.RenewWhenDue()) << "drawn before the clock was set right";
  EXPECT_FALSE(tls.RenewWhenDue());
}

TEST(ReplicaCertificate, TheAuthorityIsTheSecretsAndANodesKeyIsNot) {
  const ReplicaCertificate one = DrawReplicaCertificate(kSecret, kCluster, NodeId(1), 0);
  const ReplicaCertificate two = DrawReplicaCertificate(kSecret, kCluster, NodeId(1), 1'800'000'000);
  EXPECT_EQ(one.credentials.authority, two.credentials.authority);
  EXPECT_NE(one.credentials.key, two.credentials.key);
  EXPECT_NE(one.credentials.authority,
            DrawReplicaCertificate(kOtherSecret, kCluster, NodeId(1), 0).credentials.authority);
  EXPECT_EQ(ReplicaNodeName(0xabc, NodeId(3)), "node-3.0000000000000abc.bytetorrent.internal");
}

// A guest's question and its answer, of a cluster whose node 1 has `tls`.
TEST_F(ReplicaTlsTest, GuestsAreAnsweredInTlsAndWhereItIsOfferedInClear) {
  Start(1, Shows(1));
  const auto ask = [&](const ReplicaTls* tls) {
    std::string told;
    ReplicaGuest guest(
        loop_,
        {.cluster = kCluster,
         .secret = kSecret,
         .tls = tls,
         .places = {HostAndPort::Of(ports_[0].address())},
         .question = Slice::Static("a question")},
        [&](const HostAndPort&, const Slice& answer) {
          told = answer.view();
          return true;
        },
        [&](const HostAndPort&, const std::string& why) { told = why; });
    EXPECT_TRUE(Until([&] { return !told.empty(); }));
    return told;
  };
  const ReplicaTls required = Shows(0);
  const ReplicaTls offered = Shows(0, ReplicaTlsMode::kOffered);
  const ReplicaTls member = Shows(2);
  EXPECT_EQ(ask(&required), "answer to a question");
  EXPECT_EQ(ask(&offered), "answer to a question");
  EXPECT_NE(ask(nullptr), "answer to a question");
  EXPECT_NE(ask(&member), "answer to a question") << "a guest's certificate is made out to a guest";
  Start(1, std::nullopt);
  EXPECT_EQ(ask(&offered), "answer to a question");
  EXPECT_NE(ask(&required), "answer to a question");
}

TEST_F(ReplicaTlsTest, LinksThatComeAndGoLeaveNoDescriptor) {
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  };
  Start(1, Shows(1));
  Start(2, Shows(2));
  ASSERT_TRUE(BothConnected());
  const auto before = descriptors();
  for (int i = 0; i < 50; ++i) {
    Start(2, Shows(2));
    ASSERT_TRUE(Until([&] { return Connected(2) && Connected(1); }));
  }
  EXPECT_TRUE(Until([&] { return descriptors() <= before; })) << before << " became " << descriptors();
}

// What a filter has to say goes to the other one until neither has anything.
void Pump(Filter& one, Filter& other) {
  for (int quiet = 0; quiet < 2;) {
    for (const auto& [from, to] : {std::pair(&one, &other), std::pair(&other, &one)}) {
      std::string encoded;
      from->TakeEncoded(encoded);
      quiet = encoded.empty() ? quiet + 1 : 0;
      if (encoded.empty()) continue;
      ASSERT_TRUE(to->PutEncoded(encoded).ok());
    }
  }
}

TEST(TlsOfEquals, ReplacesItsKeysBeforeTheyHaveEncryptedTooMuchAndBindsEachSessionToItself) {
  const TlsCredentials credentials =
      DrawReplicaCertificate(kSecret, kCluster, NodeId(1), ReplicaTls::SystemSeconds()).credentials;
  size_t sent[2] = {};
  std::vector<std::string> bindings;
  for (const bool often : {false, true}) {
    const TlsContext context = TlsContext::ForEquals(credentials, often ? 3 : TlsContext::kRecordsPerKey);
    const std::unique_ptr<Filter> here = context.ConnectToEqual();
    const std::unique_ptr<Filter> there = context.Accept();
    Pump(*here, *there);
    ASSERT_TRUE(here->established() && there->established());
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(here->PutPlain("words").ok());
      std::string encoded;
      here->TakeEncoded(encoded);
      sent[often] += encoded.size();
      ASSERT_TRUE(there->PutEncoded(encoded).ok());
      char room[16];
      ASSERT_EQ(std::string(room, there->TakePlain(room, sizeof room)), "words");
    }
    EXPECT_EQ(here->Binding(), there->Binding());
    bindings.push_back(here->Binding());
    EXPECT_TRUE(here->PeerIsCalled(ReplicaNodeName(kCluster, NodeId(1))));
    EXPECT_FALSE(here->PeerIsCalled(ReplicaNodeName(kCluster, NodeId(11))));
    EXPECT_FALSE(here->PeerIsCalled(ReplicaNodeName(kCluster + 1, NodeId(1))));
  }
  EXPECT_EQ(bindings[0].size(), 32u);
  EXPECT_NE(bindings[0], bindings[1]);
  EXPECT_GT(sent[1], sent[0]) << "no word of a new key was sent";
}

}  // namespace
}  // namespace bt::net
