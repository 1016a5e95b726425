#include "core/machine/sub_machine.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/vector_surroundings.h"

namespace bt {
namespace {

struct Vote {
  static constexpr bool kRestsOnJournal = true;
  uint64_t number = 0;
};
struct Other {};

struct Shut {};
using FileWork = std::variant<Shut>;

struct InnerProtocol {
  using FileEffect = FileWork;
  using FileDone = FileWork;
  using Message = std::variant<Vote>;
  enum class Timer { kTick, kTock, kCount };
  using Request = uint64_t;
  using Response = uint64_t;
  using Note = std::variant<std::monostate>;
};
struct OuterProtocol {
  using FileEffect = FileWork;
  using FileDone = FileWork;
  using Message = std::variant<InnerProtocol::Message, Other>;
  enum class Timer { kInner, kCount };
  using Request = uint64_t;
  using Response = std::string;
  using Note = std::variant<InnerProtocol::Note, std::string>;
};

// Asked for a number: writes it, votes for it, notes it, has a file closed and a link, wakes up twice,
// answers.
class Inner final {
 public:
  using Protocol = InnerProtocol;

  void Step(const Input<Protocol>& input, Context<Protocol>& context) {
    if (const auto* call = std::get_if<Call<Protocol>>(&input)) {
      context.out.SendAfter(NodeId(2), Vote{call->request}, context.out.Write(9, Slice::Static("body")));
      context.out.Note({});
      context.out.File(Shut{});
      context.out.Link(LinkClose{LinkId(4)});
      context.out.Arm(Protocol::Timer::kTick, context.now + Seconds(2));
      context.out.Arm(Protocol::Timer::kTock, context.now + Seconds(1));
      context.out.Reply(call->id, call->request + context.rng.Below(1));
    } else if (std::holds_alternative<TimerFired<Protocol>>(input)) {
      ++fired;
    } else if (const auto* done = std::get_if<WriteDone>(&input)) {
      durable = done->seq;
    }
  }
  void CheckInvariants() const {}
  uint64_t Digest() const { return 0; }

  int fired = 0;
  WriteSeq durable;
};

class Outer final {
 public:
  using Protocol = OuterProtocol;

  void Step(const Input<Protocol>& input, Context<Protocol>& context) {
    if (const auto* started = std::get_if<Started>(&input)) {
      inner.Start(*started, context);
    } else if (const auto* call = std::get_if<Call<Protocol>>(&input)) {
      inner.Call(call->id, call->request, context);
    } else if (const auto* done = std::get_if<WriteDone>(&input)) {
      inner.Deliver(*done, context);
    } else if (std::holds_alternative<TimerFired<Protocol>>(input)) {
      inner.FireDueTimers(context);
    }
    for (const auto& answer : inner.TakeAnswers()) {
      context.out.Reply(answer.call, std::to_string(answer.response));
    }
    context.out.Arm(Protocol::Timer::kInner, inner.next_timer());
  }
  void CheckInvariants() const {}
  uint64_t Digest() const { return 0; }

  SubMachine<Inner, OuterProtocol> inner;
};

class SubMachineTest : public testing::Test {
 protected:
  SubMachineTest() { runner_.Start({}, WriteSeq(40)); }

  Instant now_{1'000};
  VectorSurroundings<OuterProtocol> world_{now_, Rng(1)};
  Runner<Outer, VectorSurroundings<OuterProtocol>> runner_{std::make_unique<Outer>(), world_};
};

TEST_F(SubMachineTest, HandsItsEffectsOnToTheOuterMachineAndItsAnswersToIt) {
  runner_.Deliver(Call<OuterProtocol>{CallId(7), 5});
  ASSERT_EQ(world_.writes.size(), 1u);
  EXPECT_EQ(world_.writes[0].seq, WriteSeq(41)) << "numbered as the outer outbox does";
  EXPECT_EQ(world_.writes[0].type, 9);
  EXPECT_EQ(world_.notes.size(), 1u);
  EXPECT_EQ(world_.files.size(), 1u);
  EXPECT_EQ(world_.links.size(), 1u);
  ASSERT_EQ(world_.answers.size(), 1u);
  EXPECT_EQ(world_.answers[0].call, CallId(7));
  EXPECT_EQ(world_.answers[0].response, "5");
}

TEST_F(SubMachineTest, AMessageKeepsTheWriteItRestsOnAndTheOuterRunnerHoldsIt) {
  runner_.Deliver(Call<OuterProtocol>{CallId(7), 5});
  EXPECT_TRUE(world_.sent.empty());
  EXPECT_EQ(runner_.held(), 1u);
  runner_.Durable(WriteSeq(41));
  ASSERT_EQ(world_.sent.size(), 1u);
  EXPECT_EQ(world_.sent[0].to, NodeId(2));
  EXPECT_EQ(std::get<Vote>(std::get<InnerProtocol::Message>(world_.sent[0].message)).number, 5u);
  EXPECT_EQ(runner_.machine().inner.machine().durable, WriteSeq(41));
}

TEST_F(SubMachineTest, ItsTimersFireThroughOneTimerOfTheOuterMachine) {
  runner_.Deliver(Call<OuterProtocol>{CallId(7), 5});
  const Instant start = now_;
  EXPECT_EQ(runner_.timers().Next(), start + Seconds(1));
  now_ = start + Seconds(1);
  runner_.FireDueTimers();
  EXPECT_EQ(runner_.machine().inner.machine().fired, 1);
  EXPECT_EQ(runner_.timers().Next(), start + Seconds(2));
  now_ = start + Seconds(2);
  runner_.FireDueTimers();
  EXPECT_EQ(runner_.machine().inner.machine().fired, 2);
  EXPECT_EQ(runner_.timers().Next(), Instant::Never());
}

}  // namespace
}  // namespace bt
