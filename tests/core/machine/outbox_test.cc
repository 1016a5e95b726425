#include "core/machine/outbox.h"

#include <gtest/gtest.h>

#include <variant>

#include "core/machine/machine.h"

namespace bt {
namespace {

struct Question {
  uint64_t number = 0;
};
struct Vote {
  static constexpr bool kRestsOnJournal = true;
  uint64_t ballot = 0;
};
struct Rumour {
  static constexpr bool kRestsOnJournal = false;
};
struct Shut {};
struct TestProtocol {
  using FileEffect = std::variant<Shut>;
  using FileDone = std::variant<Shut>;
  using Message = std::variant<Question, Vote, Rumour>;
  enum class Timer { kTick, kCount };
  using Request = std::variant<std::monostate>;
  using Response = std::string;
  using Note = std::string;
};

// Durability gating is a matter of types, so its test is, too: what must not be written does not compile.
template <class M>
concept SendCompiles = requires(Outbox<TestProtocol>& out, M message) {
  out.Send(NodeId(1), message);
};
template <class M>
concept SendAfterCompiles = requires(Outbox<TestProtocol>& out, M message) {
  out.SendAfter(NodeId(1), message, WriteSeq(1));
};
static_assert(SendCompiles<Question>);
static_assert(SendCompiles<Rumour>);
static_assert(!SendCompiles<Vote>, "a message that rests on the journal needs the write it rests on");
static_assert(!SendCompiles<TestProtocol::Message>, "the variant would slip past the gate");
static_assert(SendAfterCompiles<Vote>);
static_assert(SendAfterCompiles<Question>);

class Echo final {
 public:
  using Protocol = TestProtocol;
  void Step(const Input<Protocol>&, Context<Protocol>&) {}
  void CheckInvariants() const {}
  uint64_t Digest() const { return 0; }
};
class WithoutDigest final {
 public:
  using Protocol = TestProtocol;
  void Step(const Input<Protocol>&, Context<Protocol>&) {}
  void CheckInvariants() const {}
};
static_assert(Machine<Echo>);
static_assert(!Machine<WithoutDigest>);

TEST(Outbox, NumbersWritesOnFromTheLastDurableRecord) {
  Outbox<TestProtocol> out(WriteSeq(41));
  EXPECT_EQ(out.Write(3, Slice::Static("body")), WriteSeq(42));
  EXPECT_EQ(out.Write(3, Slice()), WriteSeq(43));
  EXPECT_EQ(out.last_write(), WriteSeq(43));
  ASSERT_EQ(out.writes.size(), 2u);
  EXPECT_EQ(out.writes[0].seq, WriteSeq(42));
  EXPECT_EQ(out.writes[0].type, 3);
  EXPECT_EQ(out.writes[0].body.view(), "body");
}

TEST(Outbox, KeepsForEachMessageTheWriteItRestsOn) {
  Outbox<TestProtocol> out;
  out.Send(NodeId(2), Question{7});
  out.SendAfter(NodeId(3), Vote{9}, out.Write(0, Slice()));
  ASSERT_EQ(out.sends.size(), 2u);
  EXPECT_EQ(out.sends[0].after, WriteSeq(0));
  EXPECT_EQ(out.sends[1].after, WriteSeq(1));
  EXPECT_EQ(out.sends[1].to, NodeId(3));
  EXPECT_EQ(std::get<Vote>(out.sends[1].message).ballot, 9u);
}

TEST(Outbox, ClearForgetsEffectsButNeitherTimersNorTheWriteSequence) {
  Outbox<TestProtocol> out;
  out.Send(NodeId(1), Question{});
  out.Write(0, Slice());
  out.Link(LinkClose{LinkId(1)});
  out.File(Shut{});
  out.Reply(CallId(1), "yes");
  out.Note("noted");
  out.Arm(TestProtocol::Timer::kTick, Instant{5});

  out.Clear();

  EXPECT_TRUE(out.sends.empty() && out.writes.empty() && out.links.empty() && out.files.empty() &&
              out.replies.empty() && out.notes.empty());
  EXPECT_EQ(out.timers.Next(), Instant{5});
  EXPECT_EQ(out.Write(0, Slice()), WriteSeq(2));
}

}  // namespace
}  // namespace bt
