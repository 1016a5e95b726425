#include "net/host.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/swarm/file_effects.h"
#include "nodes/content/block_store.h"
#include "tests/net/support.h"

namespace bt::net {
namespace {

using swarm::BlockStored;
using swarm::BlockToken;
using swarm::FileFinished;
using swarm::FileMode;
using swarm::FileOpened;
using swarm::FinishFile;
using swarm::OpenFile;
using swarm::StoreBlock;

// A machine that shows every effect once: asked to, it writes and tells another node of it (resting on
// the write), tells it something else at once, arms a timer, moves bytes over links and into a file.
struct Told {
  static constexpr bool kRestsOnJournal = true;
  uint64_t number = 0;
  static constexpr void Fields(auto& self, auto&& visit) { visit("number", self.number); }
};
struct Hint {
  uint64_t number = 0;
  static constexpr void Fields(auto& self, auto&& visit) { visit("number", self.number); }
};
struct Remember {
  uint64_t number = 0;
};
struct WakeMe {
  Duration in;
};
struct Offer {
  uint64_t length = 0;  // of the file "source"
};
struct Fetch {
  Address peer;
  uint64_t length = 0;  // into the file "target"
};

struct Protocol {
  using FileEffect = swarm::FileEffect;
  using FileDone = swarm::FileDone;
  using Message = std::variant<Told, Hint>;
  enum class Timer { kWake, kCount };
  using Request = std::variant<Remember, WakeMe, Offer, Fetch>;
  using Response = uint64_t;
  using Note = std::string;
};

constexpr FileId kFile(0);
constexpr uint64_t kBlock = 16 * 1024;

class TestMachine final {
 public:
  using Protocol = net::Protocol;

  void Step(const Input<Protocol>& input, Context<Protocol>& context) {
    std::visit([&](const auto& one) { On(one, context); }, input);
  }
  void CheckInvariants() const { ++checks; }
  uint64_t Digest() const { return recovered; }

  mutable uint64_t checks = 0;
  uint64_t recovered = 0;
  WriteSeq done;
  std::vector<uint64_t> received;

 private:
  using Ctx = Context<Protocol>;

  void On(const Started& started, Ctx&) { recovered = started.records.size(); }
  void On(const Call<Protocol>& call, Ctx& context) {
    std::visit([&](const auto& request) { Do(call.id, request, context); }, call.request);
  }
  void Do(CallId id, const Remember& request, Ctx& context) {
    const WriteSeq seq = context.out.Write(1, Slice::Own(std::to_string(request.number)));
    context.out.SendAfter(NodeId(2), Told{request.number}, seq);
    context.out.Send(NodeId(2), Hint{request.number});
    context.out.Reply(id, request.number);
  }
  void Do(CallId, const WakeMe& request, Ctx& context) {
    context.out.Arm(Protocol::Timer::kWake, context.now + request.in);
  }
  void Do(CallId, const Offer& request, Ctx& context) {
    context.out.File(OpenFile{kFile, FileMode::kRead, "source", request.length, {}});
  }
  void Do(CallId, const Fetch& request, Ctx& context) {
    peer_ = request.peer;
    length_ = request.length;
    context.out.File(OpenFile{kFile, FileMode::kDownload, "target", request.length, {}});
  }

  void On(const Received<Protocol>& message, Ctx&) {
    std::visit([&](const auto& one) { received.push_back(one.number); }, message.message);
  }
  void On(const TimerFired<Protocol>&, Ctx& context) { context.out.Note("woken"); }
  void On(const WriteDone& write, Ctx&) { done = write.seq; }

  // The offering side answers a request with the whole file, block by block.
  void On(const LinkReceived& bytes, Ctx& context) {
    if ((bytes.link.value() & kInboundLink) != 0) {
      const uint64_t length = std::stoull(std::string(bytes.bytes.view().substr(5)));
      for (uint64_t at = 0; at < length; at += kBlock) {
        context.out.Link(
            LinkSendFile{bytes.link, {}, kFile, at, static_cast<uint32_t>(std::min(kBlock, length - at))});
      }
      return;
    }
    for (size_t at = 0; at < bytes.bytes.size();) {
      const size_t take = std::min<uint64_t>(bytes.bytes.size() - at, kBlock - stored_ % kBlock);
      context.out.File(StoreBlock{BlockToken(++token_), kFile, stored_, bytes.bytes.Sub(at, take)});
      stored_ += take;
      at += take;
    }
  }
  void On(const FileCompleted<Protocol>& completed, Ctx& context) {
    std::visit([&](const auto& done) { On(done, context); }, completed.what);
  }
  void On(const BlockStored& stored, Ctx& context) {
    CHECK(stored.status.ok());
    if (++completed_ == token_ && stored_ == length_) context.out.File(FinishFile{kFile});
  }
  void On(const FileFinished& finished, Ctx& context) {
    context.out.Note("finished: " + std::string(finished.status.message()));
  }
  void On(const FileOpened& opened, Ctx& context) {
    context.out.Note("opened: " + std::string(opened.status.message()));
    if (length_ == 0) return;
    context.out.Link(LinkConnect{LinkId(1), peer_});
    context.out.Link(LinkSendBytes{LinkId(1), Slice::Own("send " + std::to_string(length_))});
  }
  void On(const auto&, Ctx&) {}

  Address peer_;
  uint64_t length_ = 0;
  uint64_t stored_ = 0;
  uint64_t token_ = 0;
  uint64_t completed_ = 0;
};
static_assert(Machine<TestMachine>);

struct TestEdges {
  void SendMessage(NodeId to, const Protocol::Message& message) {
    EXPECT_EQ(to, NodeId(2));
    sent.push_back(message);
  }
  void OnReply(CallId call, Protocol::Response response) {
    replies.push_back(response);
    if (on_reply) on_reply(call);
  }
  void OnNote(Protocol::Note note) { notes.push_back(std::move(note)); }
  void OnFatal(absl::Status status) { fatal = std::move(status); }

  std::vector<Protocol::Message> sent;
  std::vector<uint64_t> replies;
  std::vector<std::string> notes;
  absl::Status fatal;
  std::function<void(CallId)> on_reply;
};

using TestHost = Host<TestMachine, TestEdges, nodes::BlockStore>;

class HostTest : public testing::Test {
 protected:
  std::unique_ptr<Journal> OpenJournal(JournalRecovery& recovery) {
    auto journal = Journal::Open(
        loop_, {.directory = directory_ / "data", .identity = {.cluster = 1, .node = NodeId(1)}}, recovery);
    EXPECT_TRUE(journal.ok()) << journal.status();
    return *std::move(journal);
  }

  TemporaryDirectory directory_;
  Loop loop_;
  TestEdges edges_;
};

TEST_F(HostTest, AMessageThatRestsOnAWriteLeavesOnlyWhenTheWriteIsDurable) {
  JournalRecovery recovery;
  const auto journal = OpenJournal(recovery);
  TestHost host(loop_, std::make_unique<TestMachine>(), edges_, {.journal = journal.get()});
  host.Start(std::move(recovery.records), recovery.last);
  for (uint64_t i = 1; i <= 3; ++i) host.Deliver(Call<Protocol>{CallId(i), Remember{i}});
  ASSERT_EQ(edges_.sent.size(), 3u) << "the hints alone";
  for (const auto& message : edges_.sent) EXPECT_TRUE(std::holds_alternative<Hint>(message));
  EXPECT_EQ(host.held_sends(), 3u);
  EXPECT_EQ(journal->counters().commits, 0u);
  ASSERT_TRUE(RunUntil(loop_, [&] { return edges_.sent.size() == 6; }));
  EXPECT_GE(journal->counters().commits, 1u);
  EXPECT_EQ(std::get<Told>(edges_.sent[5]).number, 3u);
  EXPECT_EQ(host.held_sends(), 0u);
  EXPECT_EQ(host.machine().done, WriteSeq(3));
  EXPECT_GE(host.machine().checks, 4u);
}

TEST_F(HostTest, AfterARestartTheMachineIsGivenItsRecordsAndGoesOnBehindThem) {
  {
    JournalRecovery recovery;
    const auto journal = OpenJournal(recovery);
    TestHost host(loop_, std::make_unique<TestMachine>(), edges_, {.journal = journal.get()});
    host.Start(std::move(recovery.records), recovery.last);
    for (uint64_t i = 1; i <= 3; ++i) host.Deliver(Call<Protocol>{CallId(i), Remember{i}});
    ASSERT_TRUE(RunUntil(loop_, [&] { return edges_.sent.size() == 6; }));
  }
  JournalRecovery recovery;
  const auto journal = OpenJournal(recovery);
  TestHost host(loop_, std::make_unique<TestMachine>(), edges_, {.journal = journal.get()});
  host.Start(std::move(recovery.records), recovery.last);
  EXPECT_EQ(host.machine().recovered, 3u);
  host.Deliver(Call<Protocol>{CallId(4), Remember{4}});
  ASSERT_TRUE(RunUntil(loop_, [&] { return edges_.sent.size() == 8; }));
  EXPECT_EQ(host.machine().done, WriteSeq(4));
}

TEST_F(HostTest, TimersFireAtTheirDeadline) {
  TestHost host(loop_, std::make_unique<TestMachine>(), edges_, {});
  host.Start({});
  const Instant start = Loop::ReadClock();
  host.Deliver(Call<Protocol>{CallId(1), WakeMe{Milliseconds(30)}});
  ASSERT_TRUE(RunUntil(loop_, [&] { return !edges_.notes.empty(); }));
  EXPECT_GE(Loop::ReadClock() - start, Milliseconds(29));
}

TEST_F(HostTest, AnEdgeMayDeliverFromWithinAStepAndIsTakenUpAfterIt) {
  JournalRecovery recovery;
  const auto journal = OpenJournal(recovery);
  TestHost host(loop_, std::make_unique<TestMachine>(), edges_, {.journal = journal.get()});
  host.Start({});
  edges_.on_reply = [&](CallId call) {
    if (call < CallId(10)) host.Deliver(Call<Protocol>{call.next(), Remember{call.value()}});
  };
  host.Deliver(Call<Protocol>{CallId(1), Remember{0}});
  EXPECT_EQ(edges_.replies.size(), 10u);
  EXPECT_EQ(edges_.sent.size(), 10u);
}

// Two hosts, a file from one to the other: sendfile, links, hashing and writing on the workers,
// back-pressure.
TEST_F(HostTest, AFileGoesFromOneHostToTheOtherAndIsTheSame) {
  const std::string bytes = RandomBytes(32 * 1024 * 1024 + 5, 1);
  WriteFile(directory_ / "source", bytes);
  const auto resolve = [this](const OpenFile& open) { return nodes::FilePlace{directory_ / open.name}; };
  StreamLinks offering_links(loop_, {});
  StreamLinks fetching_links(loop_, {});
  nodes::BlockStore offering_files(loop_, {}, resolve);
  nodes::BlockStore fetching_files(loop_, {.queued_bytes_high = 512 * 1024, .queued_bytes_low = 256 * 1024},
                                   resolve);
  TestEdges fetching_edges;
  TestHost offering(loop_, std::make_unique<TestMachine>(), edges_,
                    {.links = &offering_links, .files = &offering_files});
  TestHost fetching(loop_, std::make_unique<TestMachine>(), fetching_edges,
                    {.links = &fetching_links, .files = &fetching_files});
  offering.Start({});
  fetching.Start({});
  const Address address = *offering_links.Listen(Address::V4(127, 0, 0, 1, 0));
  offering.Deliver(Call<Protocol>{CallId(1), Offer{bytes.size()}});
  ASSERT_TRUE(RunUntil(loop_, [&] { return !edges_.notes.empty(); }));
  EXPECT_EQ(edges_.notes[0], "opened: ");
  fetching.Deliver(Call<Protocol>{CallId(1), Fetch{address, bytes.size()}});
  ASSERT_TRUE(RunUntil(loop_, [&] { return fetching_edges.notes.size() == 2; }));
  EXPECT_EQ(fetching_edges.notes[1], "finished: ");
  EXPECT_TRUE(ReadFile(directory_ / "target") == bytes);
  EXPECT_GT(fetching_links.counters().reading_pauses, 0u) << "the limit is small enough to be felt";
}

}  // namespace
}  // namespace bt::net
