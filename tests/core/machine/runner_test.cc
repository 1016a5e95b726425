#include "core/machine/runner.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace bt {
namespace {

struct Word {
  std::string text;
  static constexpr void Fields(auto& self, auto&& visit) { visit("text", self.text); }
};

struct Shut {};
struct TestProtocol {
  using FileEffect = std::variant<Shut>;
  using FileDone = std::variant<Shut>;
  using Message = std::variant<Word>;
  enum class Timer { kFirst, kSecond, kCount };
  using Request = std::variant<std::monostate>;
  using Response = std::string;
  using Note = std::string;
};

// Does what the test says, and writes down what it is told.
class Puppet final {
 public:
  using Protocol = TestProtocol;
  using Act = std::function<void(const Input<Protocol>&, Context<Protocol>&)>;

  explicit Puppet(Act act) : act_(std::move(act)) {}
  void Step(const Input<Protocol>& input, Context<Protocol>& context) { act_(input, context); }
  void CheckInvariants() const { ++checks; }
  uint64_t Digest() const { return 0; }

  mutable int checks = 0;

 private:
  Act act_;
};

// One list of everything that happens, in order.
struct Recorder {
  using P = TestProtocol;

  Instant Now() const { return now; }
  Rng& rng() { return random; }
  void StepBegins(const Input<P>& input) { Happens("begin " + std::to_string(input.index())); }
  void StepEnds(const Input<P>&) { Happens("end"); }
  void Holds(const Outbox<P>::Outgoing& message) { Happens("hold " + std::get<Word>(message.message).text); }
  void Append(JournalWrite write) { Happens("write " + std::to_string(write.seq.value())); }
  void Commit() { Happens("commit"); }
  void Forget(WriteSeq needed) { Happens("forget below " + std::to_string(needed.value())); }
  void Transmit(NodeId to, const P::Message& message) {
    Happens("send " + std::get<Word>(message).text + " to " + std::to_string(to.value()));
  }
  void Do(const P::FileEffect&) { Happens("file"); }
  void Do(const LinkEffect&) { Happens("link"); }
  void Answer(CallId, const std::string& response) { Happens("answer " + response); }
  void Note(const std::string& note) { Happens("note " + note); }
  void Wake(Instant when) { wake = when; }

  void Happens(std::string what) {
    log.push_back(std::move(what));
    if (on_happening) on_happening(log.back());
  }

  Instant now{100};
  Rng random{1};
  Instant wake = Instant::Never();
  std::vector<std::string> log;
  std::function<void(const std::string&)> on_happening;
};

using List = std::vector<std::string>;
using TestRunner = Runner<Puppet, Recorder>;
using Timer = TestProtocol::Timer;

class RunnerTest : public testing::Test {
 protected:
  // Started, with nothing in the log yet.
  TestRunner& Run(Puppet::Act act, WriteSeq durable = WriteSeq(0)) {
    runner_ = std::make_unique<TestRunner>(
        std::make_unique<Puppet>([act = std::move(act)](auto& input, auto& context) {
          if (!std::holds_alternative<Started>(input)) act(input, context);
        }),
        world_);
    runner_->Start({}, durable);
    world_.log.clear();
    return *runner_;
  }
  void Poke() { runner_->Deliver(CallCancelled{CallId(1)}); }
  List TakeSends() {
    List sends;
    for (const std::string& line : std::exchange(world_.log, {})) {
      if (line.starts_with("send")) sends.push_back(line.substr(5));
    }
    return sends;
  }

  Recorder world_;
  std::unique_ptr<TestRunner> runner_;
};

TEST_F(RunnerTest, ExecutesTheEffectsOfOneStepInTheOrderOfTheContract) {
  Run([](const auto&, auto& context) {
    // Asked for in the opposite order.
    context.out.Note("n");
    context.out.Reply(CallId(1), "a");
    context.out.Link(LinkClose{LinkId(1)});
    context.out.File(Shut{});
    context.out.Send(NodeId(2), Word{"now"});
    context.out.SendAfter(NodeId(2), Word{"later"}, context.out.Write(1, {}));
    context.out.Write(1, {});
  });
  Poke();
  EXPECT_EQ(world_.log, (List{"begin 5", "write 1", "write 2", "commit", "send now to 2", "hold later",
                              "file", "link", "answer a", "note n", "end"}));
}

TEST_F(RunnerTest, ForgetsAfterTheWritesAndBeforeAnythingIsSent) {
  TestRunner& runner = Run([](const auto& input, auto& context) {
    context.out.Send(NodeId(2), Word{"now"});
    if (std::holds_alternative<WriteDone>(input)) context.out.Forget(WriteSeq(2));
    context.out.Write(1, {});
  });
  Poke();
  world_.log.clear();
  runner.Durable(WriteSeq(1));
  EXPECT_EQ(world_.log, (List{"begin 3", "write 2", "commit", "forget below 2", "send now to 2", "end"}));
}

TEST_F(RunnerTest, CommitsOnlyWhatWasWritten) {
  Run([](const auto&, auto& context) { context.out.Note("n"); });
  Poke();
  EXPECT_EQ(world_.log, (List{"begin 5", "note n", "end"}));
}

TEST_F(RunnerTest, LetsAMessageGoWhenItsWriteIsDurableAndBeforeTheStepThatHearsOfIt) {
  TestRunner& runner = Run([](const auto& input, auto& context) {
    if (std::holds_alternative<WriteDone>(input)) return context.out.Note("told");
    context.out.SendAfter(NodeId(2), Word{"vote"}, context.out.Write(1, {}));
  });
  Poke();
  EXPECT_EQ(TakeSends(), List{});
  EXPECT_EQ(runner.held(), 1u);
  runner.Durable(WriteSeq(1));
  EXPECT_EQ(world_.log, (List{"begin 3", "send vote to 2", "note told", "end"}));
  EXPECT_EQ(runner.held(), 0u);
}

TEST_F(RunnerTest, LetsGoInTheOrderSentWhatOneWriteDoneFreesAndKeepsTheRest) {
  TestRunner& runner = Run([](const auto& input, auto& context) {
    if (std::holds_alternative<WriteDone>(input)) return;
    const WriteSeq first = context.out.Write(1, {});
    const WriteSeq second = context.out.Write(1, {});
    const WriteSeq third = context.out.Write(1, {});
    context.out.SendAfter(NodeId(2), Word{"a"}, second);
    context.out.SendAfter(NodeId(2), Word{"b"}, third);
    context.out.SendAfter(NodeId(2), Word{"c"}, first);
    context.out.Send(NodeId(2), Word{"at once"});
  });
  Poke();
  EXPECT_EQ(TakeSends(), List{"at once to 2"});
  runner.Durable(WriteSeq(2));
  EXPECT_EQ(TakeSends(), (List{"a to 2", "c to 2"}));
  runner.Durable(WriteSeq(3));
  EXPECT_EQ(TakeSends(), List{"b to 2"});
}

TEST_F(RunnerTest, HoldsNoMessageThatRestsOnWhatWasDurableBefore) {
  Run([](const auto&, auto& context) { context.out.SendAfter(NodeId(2), Word{"old"}, WriteSeq(7)); },
      WriteSeq(7));
  Poke();
  EXPECT_EQ(TakeSends(), List{"old to 2"});
}

TEST_F(RunnerTest, DropsAndCountsMessagesOnceTooManyWaitForTheDisk) {
  TestRunner& runner = Run([](const auto&, auto& context) {
    context.out.Write(1, {});
    for (size_t i = 0; i < TestRunner::kHeldMessagesMax + 3; ++i) {
      context.out.SendAfter(NodeId(2), Word{}, WriteSeq(1));
    }
  });
  Poke();
  EXPECT_EQ(runner.held(), TestRunner::kHeldMessagesMax);
  EXPECT_EQ(runner.dropped(), 3u);
}

TEST_F(RunnerTest, TakesAnInputThatComesDuringAStepAfterIt) {
  int steps = 0;
  TestRunner& runner = Run([&](const auto&, auto& context) {
    context.out.Note(std::to_string(++steps));
    context.out.Note("more");
  });
  world_.on_happening = [&](const std::string& what) {
    if (what == "note 1" || what == "note 2") Poke();
  };
  Poke();
  EXPECT_EQ(world_.log, (List{"begin 5", "note 1", "note more", "end",  //
                              "begin 5", "note 2", "note more", "end",  //
                              "begin 5", "note 3", "note more", "end"}));
  EXPECT_EQ(runner.machine().checks, 4) << "invariants are looked at after each step, the first included";
}

TEST_F(RunnerTest, AWriteThatBecomesDurableDuringAStepFreesItsMessagesAfterIt) {
  TestRunner& runner = Run([](const auto& input, auto& context) {
    if (!std::holds_alternative<WriteDone>(input))
      context.out.SendAfter(NodeId(2), Word{"vote"}, context.out.Write(1, {}));
  });
  world_.on_happening = [&](const std::string& what) {
    if (what == "commit") runner.Durable(WriteSeq(1));  // a disk that is at once done
  };
  Poke();
  EXPECT_EQ(world_.log, (List{"begin 5", "write 1", "commit", "hold vote", "end",  //
                              "begin 3", "send vote to 2", "end"}));
}

TEST_F(RunnerTest, FiresEachDueTimerOnceACallAlsoWhenItIsArmedAgainForAPastTime) {
  TestRunner& runner = Run([](const auto& input, auto& context) {
    if (const auto* fired = std::get_if<TimerFired<TestProtocol>>(&input)) {
      context.out.Note(fired->timer == Timer::kFirst ? "first" : "second");
      context.out.Arm(fired->timer, Instant{10});
    } else {
      context.out.Arm(Timer::kFirst, Instant{50});
      context.out.Arm(Timer::kSecond, Instant{20});
    }
  });
  Poke();
  EXPECT_EQ(world_.wake, Instant{20});
  world_.log.clear();
  runner.FireDueTimers();
  EXPECT_EQ(world_.log, (List{"begin 2", "note second", "end", "begin 2", "note first", "end"}));
  EXPECT_EQ(world_.wake, Instant{10}) << "armed again: for the next call";
}

TEST_F(RunnerTest, FiresNoTimerThatIsNotDueOrThatAnEarlierOneDisarmed) {
  TestRunner& runner = Run([](const auto& input, auto& context) {
    if (std::holds_alternative<TimerFired<TestProtocol>>(input)) return context.out.Disarm(Timer::kSecond);
    context.out.Arm(Timer::kFirst, Instant{90});
    context.out.Arm(Timer::kSecond, Instant{100});
  });
  Poke();
  world_.now = Instant{89};
  world_.log.clear();
  runner.FireDueTimers();
  EXPECT_EQ(world_.log, List{});
  world_.now = Instant{100};
  runner.FireDueTimers();
  EXPECT_EQ(world_.log, (List{"begin 2", "end"}));
}

using RunnerDeathTest = RunnerTest;

TEST_F(RunnerDeathTest, RefusesAMessageThatRestsOnAWriteThatWasNeverMade) {
  Run([](const auto&, auto& context) { context.out.SendAfter(NodeId(2), Word{"vote"}, WriteSeq(1)); });
  EXPECT_DEATH(Poke(), "rests on a write that was never made");
}

TEST_F(RunnerDeathTest, RefusesAJournalThatConfirmsMoreThanItWasGivenOrGoesBack) {
  TestRunner& runner = Run([](const auto&, auto&) {}, WriteSeq(5));
  EXPECT_DEATH(runner.Durable(WriteSeq(6)), "confirms what it was not given");
  EXPECT_DEATH(runner.Durable(WriteSeq(4)), "confirms what it was not given");
}

TEST_F(RunnerDeathTest, RefusesToBeDestroyedWithinAStep) {
  Run([&](const auto&, auto&) { runner_.reset(); });
  EXPECT_DEATH(Poke(), "destroyed within a step");
}

}  // namespace
}  // namespace bt
