#include "net/replica_links.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <map>
#include <string>
#include <vector>

#include "core/base/fields.h"
#include "net/frame_reader.h"
#include "net/message_links.h"
#include "net/socket.h"
#include "tests/net/support.h"

namespace bt::net {
namespace {

// A replica: its links and what came, by sender.
struct Replica {
  Replica(Loop& loop, ReplicaLinksOptions options) : links(loop, std::move(options), 1) {}

  void Connect() {
    links.Connect(
        [this](NodeId from, Slice body) {
          if (body.view() == "not a message") return false;
          received[from].emplace_back(body.view());
          return true;
        },
        [this](NodeId peer) { closed.push_back(peer); });
  }

  ReplicaLinks links;
  std::map<NodeId, std::vector<std::string>> received;
  std::vector<NodeId> closed;
};

// Over after a while in which the loop runs.
struct Impatient {
  Impatient(Loop& loop, Duration patience) : timer(loop, [this] { over = true; }) {
    timer.Arm(Loop::ReadClock() + patience);
  }
  bool over = false;
  Timer timer;
};

class ReplicaLinksTest : public testing::Test {
 protected:
  ReplicaLinksTest() {
    for (const ReservedPort& port : ports_) addresses_.push_back(port.address());
    for (uint32_t i = 0; i < 2; ++i) Start(i);
    for (auto& replica : replicas_) replica->Connect();
  }

  static ReplicaHandshake::Identity Identity(uint32_t id) {
    return {.cluster = 9, .secret = {7}, .self = NodeId(id)};
  }
  ReplicaLinksOptions Options(uint32_t i) {
    ReplicaLinksOptions options{.identity = Identity(i + 1)};
    options.peers[NodeId(2 - i)] = HostAndPort::Of(addresses_[1 - i]);
    options.note = [this](std::string line) { notes_.push_back(std::move(line)); };
    return options;
  }
  void Start(uint32_t i, std::optional<ReplicaLinksOptions> options = std::nullopt) {
    if (replicas_.size() <= i) replicas_.resize(i + 1);
    replicas_[i] = std::make_unique<Replica>(loop_, options ? *options : Options(i));
    const auto address = replicas_[i]->links.Listen(addresses_[i]);
    ASSERT_TRUE(address.ok()) << address.status();
  }
  bool BothConnected() {
    return RunUntil(loop_, [&] { return a().connected(NodeId(2)) && b().connected(NodeId(1)); });
  }

  ReplicaLinks& a() { return replicas_[0]->links; }
  ReplicaLinks& b() { return replicas_[1]->links; }
  std::vector<std::string>& AtB() { return replicas_[1]->received[NodeId(1)]; }

  // A stranger's bytes to a's port; waits until a hangs up.
  void SendGarbage(const std::string& bytes) {
    const auto fd = StartConnect(addresses_[0]);
    ASSERT_TRUE(fd.ok());
    bool sent = false;
    ASSERT_TRUE(RunUntil(loop_, [&] {
      if (!sent)
        sent =
            send(fd->get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
      char byte = 0;
      const ssize_t got = sent ? recv(fd->get(), &byte, 1, 0) : -1;
      return sent && (got == 0 || (got < 0 && errno != EAGAIN));
    }));
  }
  static std::string Frame(const std::string& body) {
    const FrameHeader header = EncodeFrameHeader(body);
    return std::string(header.begin(), header.end()) + body;
  }
  // A connection to a's port on which `handshake` has said its first word and `challenge` is the answer.
  Fd Dial(const ReplicaHandshake& handshake, std::string& challenge) {
    absl::StatusOr<Fd> fd = StartConnect(addresses_[0]);
    const std::string hello = Frame(handshake.Open());
    EXPECT_TRUE(RunUntil(loop_, [&] {
      return send(fd->get(), hello.data(), hello.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(hello.size());
    }));
    const size_t whole = Frame(Encode(ReplicaChallenge{.hello = {.cluster = 9}})).size();
    std::string answer(whole, '\0');
    EXPECT_TRUE(RunUntil(loop_, [&] {
      return recv(fd->get(), answer.data(), whole, MSG_PEEK) == static_cast<ssize_t>(whole) &&
             recv(fd->get(), answer.data(), whole, 0) == static_cast<ssize_t>(whole);
    }));
    challenge = answer.substr(kFrameHeaderBytes);
    return *std::move(fd);
  }
  static std::string HelloFrame(ReplicaHello hello) { return Frame(Encode(hello)); }

  Loop loop_;
  const ReservedPort ports_[2];  // so that each can name the other before either listens
  std::vector<Address> addresses_;
  std::vector<std::string> notes_;
  std::vector<std::unique_ptr<Replica>> replicas_;
};

TEST_F(ReplicaLinksTest, FramesArriveWholeInOrderAndOfAnySize) {
  ASSERT_TRUE(BothConnected());
  std::vector<std::string> expected;
  for (size_t size : {0, 1, 100, 70'000, 17 * 1024 * 1024, 3}) expected.push_back(RandomBytes(size, size));
  for (const std::string& body : expected) a().Send(NodeId(2), Slice::Copy(body));
  b().Send(NodeId(1), Slice::Static("back"));
  ASSERT_TRUE(RunUntil(loop_, [&] { return AtB().size() == expected.size(); }));
  EXPECT_TRUE(AtB() == expected);
  ASSERT_TRUE(RunUntil(loop_, [&] { return replicas_[0]->received[NodeId(2)].size() == 1; }));
}

TEST_F(ReplicaLinksTest, AllFramesOfAnIterationGoOutInOneSystemCall) {
  ASSERT_TRUE(BothConnected());
  const uint64_t before = a().counters().writes;
  for (int i = 0; i < 200; ++i) a().Send(NodeId(2), Slice::Static("message"));
  ASSERT_TRUE(RunUntil(loop_, [&] { return AtB().size() == 200; }));
  EXPECT_EQ(a().counters().writes - before, 1u);
}

TEST_F(ReplicaLinksTest, APeerThatComesBackIsReconnectedAndWhatWasSentMeanwhileIsCountedAsDropped) {
  ASSERT_TRUE(BothConnected());
  replicas_[1].reset();
  ASSERT_TRUE(RunUntil(loop_, [&] { return !a().connected(NodeId(2)); }));
  a().Send(NodeId(2), Slice::Static("into the void"));
  ASSERT_TRUE(RunUntil(loop_, [&] { return a().counters().dropped_unconnected > 0; }));
  Start(1);
  replicas_[1]->Connect();
  ASSERT_TRUE(BothConnected());
  a().Send(NodeId(2), Slice::Static("again"));
  ASSERT_TRUE(RunUntil(loop_, [&] { return !AtB().empty(); }));
  EXPECT_EQ(AtB().back(), "again");
}

TEST_F(ReplicaLinksTest, ALinkIsToldWhenItComesUpAndWhenItEnds) {
  std::vector<std::pair<NodeId, bool>> told;
  ReplicaLinksOptions options = Options(0);
  options.linked = [&](NodeId peer, const Address& address, bool up) {
    EXPECT_EQ(address, addresses_[1]);
    told.emplace_back(peer, up);
  };
  replicas_[0].reset();
  Start(0, options);
  replicas_[0]->Connect();
  ASSERT_TRUE(BothConnected());
  EXPECT_EQ(told, (std::vector<std::pair<NodeId, bool>>{{NodeId(2), true}}));
  replicas_[1].reset();
  ASSERT_TRUE(RunUntil(loop_, [&] { return a().counters().connect_failures > 1; }));
  EXPECT_EQ(told, (std::vector<std::pair<NodeId, bool>>{{NodeId(2), true}, {NodeId(2), false}}));
}

TEST_F(ReplicaLinksTest, TheEndOfAPeersConnectionIsToldOnceAndThatOfAStrangersNever) {
  ASSERT_TRUE(BothConnected());
  SendGarbage(std::string(100, 'x'));
  EXPECT_TRUE(replicas_[0]->closed.empty());
  replicas_[1].reset();
  ASSERT_TRUE(RunUntil(loop_, [&] { return !replicas_[0]->closed.empty() && !a().connected(NodeId(2)); }));
  EXPECT_EQ(replicas_[0]->closed, std::vector<NodeId>{NodeId(2)});
}

TEST_F(ReplicaLinksTest, APeerThatIsStartedAnewIsTakenBackAtOnceThoughItsOldConnectionWasNotSeenToEnd) {
  ASSERT_TRUE(BothConnected());
  const Instant start = Loop::ReadClock();
  replicas_[1].reset();  // no iteration of the loop before it is back
  Start(1);
  replicas_[1]->Connect();
  ASSERT_TRUE(RunUntil(loop_, [&] { return b().connected(NodeId(1)); }));
  EXPECT_LT(Loop::ReadClock() - start, Options(0).silence);
}

TEST_F(ReplicaLinksTest, WhoClaimsTheIdOfALivingPeerIsClosedAndThePeerStays) {
  ASSERT_TRUE(BothConnected());
  const uint64_t connects = b().counters().connects;
  for (int i = 0; i < 5; ++i) {
    SendGarbage(HelloFrame({.cluster = 9, .from = NodeId(2), .to = NodeId(1)}) + Frame("a lie"));
  }
  EXPECT_EQ(a().counters().in_use, 5u);
  // Silent for longer than `silence`, as followers are to each other: the kernels speak for them.
  Impatient idle(loop_, Options(0).silence + Milliseconds(500));
  ASSERT_TRUE(RunUntil(loop_, [&] { return idle.over; }));
  SendGarbage(HelloFrame({.cluster = 9, .from = NodeId(2), .to = NodeId(1)}) + Frame("a lie"));
  EXPECT_EQ(a().counters().in_use, 6u);
  b().Send(NodeId(1), Slice::Static("the truth"));
  ASSERT_TRUE(RunUntil(loop_, [&] { return !replicas_[0]->received[NodeId(2)].empty(); }));
  EXPECT_EQ(replicas_[0]->received[NodeId(2)], std::vector<std::string>{"the truth"});
  EXPECT_EQ(b().counters().connects, connects);
}

TEST_F(ReplicaLinksTest, APeerThatWasCutOffSilentlyIsTakenBackSoon) {
  replicas_[1].reset();
  // The peer as it was before the cut: it proves itself and says something, then its kernel drops whatever
  // comes, acknowledges nothing and resets nothing.
  ReplicaHandshake handshake(Identity(2), ReplicaHandshake::FreshNonce(), NodeId(1));
  std::string challenge;
  const Fd before = Dial(handshake, challenge);
  const std::string proof = Frame(handshake.Receive(Slice::Copy(challenge)).answer) + Frame("last words");
  ASSERT_EQ(send(before.get(), proof.data(), proof.size(), MSG_NOSIGNAL), static_cast<ssize_t>(proof.size()));
  ASSERT_TRUE(RunUntil(loop_, [&] { return replicas_[0]->received[NodeId(2)].size() == 1; }));
  // Acknowledged: its kernel has nothing left to repeat, which would be heard.
  int unacknowledged = 1;
  ASSERT_TRUE(RunUntil(
      loop_, [&] { return ioctl(before.get(), SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0; }));
  sock_filter drop[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
  const sock_fprog program{.len = 1, .filter = drop};
  if (setsockopt(before.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) {
    GTEST_SKIP() << "this process may not cut a connection off: " << ErrnoText(errno);
  }

  const Instant start = Loop::ReadClock();
  Start(1);
  replicas_[1]->Connect();
  ASSERT_TRUE(RunUntil(loop_, [&] { return b().connected(NodeId(1)); }));
  EXPECT_GT(a().counters().in_use, 0u) << "at first nobody knows which of the two is cut off";
  EXPECT_LT(Loop::ReadClock() - start, Options(0).silence + Options(0).back_off_max + Seconds(1));
}

TEST_F(ReplicaLinksTest, AttemptsAtAnAbsentPeerBackOff) {
  ASSERT_TRUE(BothConnected());
  replicas_[1].reset();
  const uint64_t before = a().counters().connects;
  const Instant until = Loop::ReadClock() + Milliseconds(300);
  while (Loop::ReadClock() < until) loop_.RunOnce(until - Loop::ReadClock());
  const uint64_t attempts = a().counters().connects - before;
  EXPECT_GE(attempts, 1u);
  EXPECT_LE(attempts, 12u);  // 20 ms doubling, half of it random: 300 ms hold a handful
}

TEST_F(ReplicaLinksTest, AFullQueueDropsTheOldestAndKeepsTheNewest) {
  ReplicaLinksOptions options = Options(0);
  options.queued_frames_max = 10;
  replicas_[0].reset();
  Start(0, options);
  replicas_[0]->Connect();
  ASSERT_TRUE(BothConnected());
  for (int i = 0; i < 100; ++i) a().Send(NodeId(2), Slice::Own(std::to_string(i)));
  ASSERT_TRUE(RunUntil(loop_, [&] { return !AtB().empty() && AtB().back() == "99"; }));
  EXPECT_EQ(AtB().size(), 10u);
  EXPECT_EQ(AtB().front(), "90");
  EXPECT_EQ(a().counters().dropped_overflow, 90u);
  EXPECT_EQ(a().queued_bytes(), 0u);
  EXPECT_EQ(a().most_queued_bytes().value(), Frame("90").size() * 10);
}

TEST_F(ReplicaLinksTest, AQueueIsFullOfBytesTooButTakesOneFrameHoweverLong) {
  const std::string body(1000, 'x');
  ReplicaLinksOptions options = Options(0);
  options.queued_bytes_max = 10 * Frame(body).size();
  replicas_[0].reset();
  Start(0, options);
  replicas_[0]->Connect();
  ASSERT_TRUE(BothConnected());
  for (int i = 0; i < 100; ++i) a().Send(NodeId(2), Slice::Own(std::string(body)));
  EXPECT_EQ(a().queued_bytes(), a().queued_bytes_max());
  EXPECT_EQ(a().counters().dropped_overflow, 90u);
  ASSERT_TRUE(RunUntil(loop_, [&] { return AtB().size() == 10; }));
  EXPECT_EQ(a().most_queued_bytes().value(), a().queued_bytes_max());
  a().Send(NodeId(2), Slice::Own(std::string(2 * a().queued_bytes_max(), 'y')));
  ASSERT_TRUE(RunUntil(loop_, [&] { return AtB().size() == 11; }));
  EXPECT_EQ(a().counters().dropped_overflow, 90u);
}

TEST_F(ReplicaLinksTest, StrangersAreRefusedAndCounted) {
  ASSERT_TRUE(BothConnected());
  SendGarbage("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(a().counters().malformed, 1u);
  SendGarbage(RandomBytes(100'000, 5));
  EXPECT_EQ(a().counters().malformed, 2u);
  std::string damaged = HelloFrame({.cluster = 9, .from = NodeId(2), .to = NodeId(1)});
  damaged.back() ^= 1;
  SendGarbage(damaged);
  EXPECT_EQ(a().counters().malformed, 3u) << "the checksum";
  SendGarbage(Frame("a frame that is no Hello"));
  EXPECT_EQ(a().counters().malformed, 4u);
  std::string huge = HelloFrame({});
  huge[6] = 0x10;  // a length of a megabyte, before the Hello
  SendGarbage(huge);
  EXPECT_EQ(a().counters().malformed, 5u);

  SendGarbage(HelloFrame({.cluster = 8, .from = NodeId(2), .to = NodeId(1)}));
  SendGarbage(HelloFrame({.cluster = 9, .from = NodeId(5), .to = NodeId(1)}));
  SendGarbage(HelloFrame({.cluster = 9, .from = NodeId(2), .to = NodeId(4)}));
  SendGarbage(
      HelloFrame({.version = ReplicaHello::kVersion + 1, .cluster = 9, .from = NodeId(2), .to = NodeId(1)}));
  EXPECT_EQ(a().counters().foreign, 4u);
  EXPECT_TRUE(a().connected(NodeId(2)));
  EXPECT_EQ(a().counters().received_frames, 0u);
}

TEST_F(ReplicaLinksTest, WhoCannotProveTheSecretNeverTakesAnId) {
  replicas_[1].reset();
  // One claims to be node 2 and waits, one lies about the proof, both while node 2 is away.
  ReplicaHandshake stranger({.cluster = 9, .secret = {8}, .self = NodeId(2)}, {}, NodeId(1));
  std::string challenge;
  const Fd waiting = Dial(stranger, challenge);
  EXPECT_EQ(stranger.Receive(Slice::Copy(challenge)).outcome, ReplicaHandshake::Outcome::kUnproven);
  {
    const Fd lying = Dial(stranger, challenge);
    const std::string proof = Frame(Encode(ReplicaProof{{1, 2, 3}})) + Frame("a lie");
    ASSERT_EQ(send(lying.get(), proof.data(), proof.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(proof.size()));
    ASSERT_TRUE(RunUntil(loop_, [&] { return a().counters().unproven == 1; }));
  }
  Start(1);
  replicas_[1]->Connect();
  ASSERT_TRUE(RunUntil(loop_, [&] { return b().connected(NodeId(1)); }));
  b().Send(NodeId(1), Slice::Static("the truth"));
  ASSERT_TRUE(RunUntil(loop_, [&] { return !replicas_[0]->received[NodeId(2)].empty(); }));
  EXPECT_EQ(replicas_[0]->received[NodeId(2)], std::vector<std::string>{"the truth"});
  EXPECT_EQ(a().counters().in_use, 0u);
}

TEST_F(ReplicaLinksTest, NothingIsSentToAListenerThatCannotProveTheSecret) {
  replicas_[1].reset();
  ReplicaLinksOptions options = Options(1);
  options.identity.secret = {8};
  Start(1, options);
  replicas_[1]->Connect();
  for (int i = 0; i < 3; ++i) a().Send(NodeId(2), Slice::Static("confidential"));
  ASSERT_TRUE(RunUntil(loop_, [&] { return a().counters().unproven > 1 && b().counters().unproven > 1; }));
  EXPECT_FALSE(a().connected(NodeId(2)));
  EXPECT_FALSE(b().connected(NodeId(1)));
  EXPECT_EQ(b().counters().received_frames, 0u);
}

TEST_F(ReplicaLinksTest, OnlyAProvenPeerIsAdmittedForGoodAndAnotherIncarnationOfItIsRefused) {
  replicas_[1].reset();
  std::map<uint64_t, bool> proven;  // by incarnation
  ReplicaLinksOptions options = Options(0);
  options.admit = [&](NodeId peer, uint64_t incarnation, bool is_proven) {
    EXPECT_EQ(peer, NodeId(2));
    proven[incarnation] |= is_proven;
    return incarnation != 21;
  };
  replicas_[0].reset();
  Start(0, options);
  {
    ReplicaHandshake stranger({.cluster = 9, .secret = {8}, .self = NodeId(2), .incarnation = 22}, {},
                              NodeId(1));
    std::string challenge;
    const Fd waiting = Dial(stranger, challenge);
    EXPECT_TRUE(proven.contains(22));
  }
  ReplicaLinksOptions other = Options(1);
  for (const uint64_t incarnation : {21, 20}) {
    replicas_[1].reset();
    other.identity.incarnation = incarnation;
    Start(1, other);
    replicas_[1]->Connect();
    ASSERT_TRUE(
        RunUntil(loop_, [&] { return incarnation == 20 ? proven[incarnation] : a().counters().reborn > 1; }));
    EXPECT_EQ(b().connected(NodeId(1)), incarnation == 20);
  }
  EXPECT_EQ(proven, (std::map<uint64_t, bool>{{20, true}, {21, false}, {22, false}}));
}

TEST_F(ReplicaLinksTest, RefusalsAreToldOfOnceInAPause) {
  ReplicaLinksOptions options = Options(0);
  options.note_pause = Milliseconds(300);
  replicas_[0].reset();
  Start(0, options);
  replicas_[0]->Connect();
  ASSERT_TRUE(BothConnected());
  notes_.clear();
  for (int i = 0; i < 5; ++i) SendGarbage("GET / HTTP/1.1\r\n\r\n");
  ASSERT_EQ(notes_.size(), 1u);
  EXPECT_NE(notes_[0].find("127.0.0.1"), std::string::npos) << notes_[0];
  Impatient pause(loop_, options.note_pause);
  ASSERT_TRUE(RunUntil(loop_, [&] { return pause.over; }));
  SendGarbage(HelloFrame({.cluster = 8, .from = NodeId(2), .to = NodeId(1)}));
  ASSERT_EQ(notes_.size(), 2u);
  EXPECT_NE(notes_[1].find("5 refused"), std::string::npos) << notes_[1];
}

TEST_F(ReplicaLinksTest, ABodyThatIsNoMessageClosesTheConnectionAndIsCounted) {
  ASSERT_TRUE(BothConnected());
  b().Send(NodeId(1), Slice::Static("not a message"));
  ASSERT_TRUE(RunUntil(loop_, [&] { return a().counters().malformed == 1; }));
  ASSERT_TRUE(RunUntil(loop_, [&] { return !b().connected(NodeId(1)); }));
  ASSERT_TRUE(BothConnected()) << "and it may try again";
}

TEST_F(ReplicaLinksTest, SilentStrangersCannotKeepAPeerOut) {
  ReplicaLinksOptions options = Options(0);
  options.inbound_max = 3;
  options.hello_timeout = Seconds(600);
  replicas_[0].reset();
  Start(0, options);
  std::vector<Fd> silent;
  for (int i = 0; i < 10; ++i) silent.push_back(*StartConnect(addresses_[0]));
  replicas_[0]->Connect();
  ASSERT_TRUE(BothConnected());
  EXPECT_GT(a().counters().turned_away, 0u);
  EXPECT_EQ(a().most_inbound().value(), 3u);
}

struct Ping {
  uint64_t number = 0;
  static constexpr void Fields(auto& self, auto&& visit) { visit("number", self.number); }
};
struct Text {
  std::string text;
  static constexpr void Fields(auto& self, auto&& visit) { visit("text", self.text); }
};

TEST(MessageLinksTest, MessagesAreEncodedAndDecodedAndNonsenseIsMalformed) {
  using Message = std::variant<Ping, Text>;
  Loop loop;
  const ReservedPort port;
  const Address address = port.address();
  ReplicaLinksOptions at{.identity = {.cluster = 1, .self = NodeId(1)}};
  at.peers[NodeId(2)] = {"127.0.0.1", 1};
  ReplicaLinksOptions from{.identity = {.cluster = 1, .self = NodeId(2)}};
  from.peers[NodeId(1)] = HostAndPort::Of(address);
  ReplicaLinks receiver(loop, at, 1);
  ReplicaLinks sender(loop, from, 2);
  ASSERT_TRUE(receiver.Listen(address).ok());
  std::vector<std::string> texts;
  MessageLinks<Message> in(
      receiver,
      [&](NodeId node, Message message) {
        EXPECT_EQ(node, NodeId(2));
        if (const auto* text = std::get_if<Text>(&message)) texts.push_back(text->text);
      },
      [](NodeId) {});
  MessageLinks<Message> out(
      sender, [](NodeId, Message) {}, [](NodeId) {});
  ASSERT_TRUE(RunUntil(loop, [&] { return sender.connected(NodeId(1)); }));
  out.Send(NodeId(1), Ping{3});
  out.Send(NodeId(1), Text{"hello"});
  ASSERT_TRUE(RunUntil(loop, [&] { return texts.size() == 1; }));
  EXPECT_EQ(texts[0], "hello");
  sender.Send(NodeId(1), Slice::Static("\x07nonsense"));
  ASSERT_TRUE(RunUntil(loop, [&] { return receiver.counters().malformed == 1; }));
}

}  // namespace
}  // namespace bt::net
