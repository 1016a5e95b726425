#include "core/machine/recording.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "core/machine/conform.h"
#include "core/machine/step_recorder.h"
#include "tests/support/vector_surroundings.h"

namespace bt {
namespace {

// A machine that does something of each kind: asked to, it writes, tells another node what rests on that, and
// wakes after a time that it draws.
struct Told {
  static constexpr bool kRestsOnJournal = true;
  uint64_t number = 0;
  static constexpr void Fields(auto& self, auto&& visit) { visit("number", self.number); }
};
struct Remember {
  uint64_t number = 0;
  static constexpr void Fields(auto& self, auto&& visit) { visit("number", self.number); }
};
struct Woken {
  uint64_t times = 0;
  static constexpr void Fields(auto& self, auto&& visit) { visit("times", self.times); }
};

struct Protocol {
  using FileEffect = NoFiles;
  using FileDone = NoFiles;
  using Message = std::variant<Told>;
  enum class Timer : uint8_t { kIdle, kWake, kCount };
  using Request = std::variant<Remember>;
  using Response = Woken;
  using Note = std::variant<Woken>;
};

class TestMachine final {
 public:
  using Protocol = bt::Protocol;
  // What a later release does differently.
  enum class Release { kSame, kAnswersMore, kForgetsTimer, kWritesNothing, kEndsElsewhere };

  explicit TestMachine(Release release = Release::kSame) : release_(release) {}

  void Step(const Input<Protocol>& input, Context<Protocol>& context) {
    if (const auto* call = std::get_if<Call<Protocol>>(&input)) On(*call, context);
    if (std::holds_alternative<TimerFired<Protocol>>(input)) context.out.Note(Woken{++woken_});
    if (const auto* up = std::get_if<LinkUp>(&input)) {
      context.out.Link(LinkClose{up->link, context.out.timers.armed(Protocol::Timer::kWake)});
    }
  }
  void CheckInvariants() const {}
  uint64_t Digest() const { return woken_ + (release_ == Release::kEndsElsewhere ? 1 : 0); }

 private:
  void On(const Call<Protocol>& call, Context<Protocol>& context) {
    const uint64_t number = std::get<Remember>(call.request).number;
    if (release_ != Release::kWritesNothing) {
      const WriteSeq seq = context.out.Write(1, Slice::Own(std::to_string(number)));
      context.out.SendAfter(NodeId(2), Told{number + context.rng.Below(1000)}, seq);
    }
    if (release_ != Release::kForgetsTimer) {
      context.out.Arm(Protocol::Timer::kWake,
                      context.now + context.rng.Between(Milliseconds(1), Milliseconds(9)));
    }
    context.out.Reply(call.id, Woken{woken_ + (release_ == Release::kAnswersMore && number == 2 ? 1 : 0)});
  }

  const Release release_;
  uint64_t woken_ = 0;
};
using Release = TestMachine::Release;

// A recording in memory; with a limit, as a file has one.
struct Tape final : RecordingSink {
  absl::Status Keep(std::string block) override {
    if (bytes.size() + block.size() > limit) return absl::ResourceExhaustedError("no room");
    bytes += block;
    return absl::OkStatus();
  }
  void KeepLast(std::string block) override { bytes += block; }

  std::string bytes;
  size_t limit = SIZE_MAX;
};

// As net::Host records.
struct Recorded : VectorSurroundings<Protocol> {
  Recorded(const Instant& test_clock, const RecordingHead& head, Tape& tape)
      : VectorSurroundings(test_clock, Rng(head.seed)), recorder(head, tape) {}

  void Append(const JournalWrite& write) { recorder.effects().Add(write); }
  void Transmit(NodeId to, const Protocol::Message& message) { recorder.effects().Add(to, message); }
  void Do(const LinkEffect& effect) { recorder.effects().Add(effect); }
  void Do(const NoFiles&) {}
  void Answer(CallId call, const Woken& response) { recorder.effects().Add(call, response); }
  void Note(const Protocol::Note& note) { recorder.effects().AddNote(note); }
  void StepBegins(const Input<Protocol>& input) {
    if (recorder.recording()) recorder.Begin(clock, input);
  }
  void StepEnds(const Input<Protocol>&) {
    if (recorder.recording()) recorder.End();
  }

  StepRecorder<Protocol> recorder;
};

class RecordingTest : public testing::Test {
 protected:
  // Two calls, their writes, two time-outs, a link. `cut_often`: a block for each step.
  std::string Record(bool finish = true, bool cut_often = false, size_t limit = SIZE_MAX) {
    Tape tape;
    tape.limit = limit;
    Instant now{Seconds(5).ns};
    Recorded surroundings(now, {.program = "9.9", .machine = "test", .seed = 7, .durable = WriteSeq(3)},
                          tape);
    Runner<TestMachine, Recorded> runner(std::make_unique<TestMachine>(), surroundings);
    const auto pass = [&] {
      now = now + Milliseconds(10);
      if (cut_often) surroundings.recorder.Cut();
    };
    runner.Start({{WriteSeq(3), 1, Slice::Static("old")}}, WriteSeq(3));
    for (uint64_t number = 1; number <= 2; ++number) {
      runner.Deliver(Call<Protocol>{CallId(number), Remember{number}});
      pass();
      runner.Durable(WriteSeq(3 + number));
      pass();
      runner.FireDueTimers();
      pass();
    }
    runner.Deliver(LinkUp{LinkId(8), Address::V4(10, 0, 0, 1, 80)});
    pass();
    if (finish) surroundings.recorder.Finish("told to", runner.machine().Digest());
    surroundings.recorder.Cut();
    return tape.bytes;
  }

  static absl::StatusOr<Conformity> Replay(std::string bytes, Release release = Release::kSame) {
    absl::StatusOr<RecordingReader> reader = RecordingReader::Open(Slice::Own(std::move(bytes)));
    if (!reader.ok()) return reader.status();
    return Conform(*reader, std::make_unique<TestMachine>(release));
  }
};

TEST_F(RecordingTest, TheSameMachineDoesTheSameAgain) {
  const absl::StatusOr<Conformity> found = Replay(Record());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->difference, "");
  EXPECT_EQ(found->steps, 8u);
  EXPECT_EQ(found->span, Milliseconds(60));
  ASSERT_TRUE(found->ended);
  EXPECT_EQ(found->ended->why, "told to");
}

TEST_F(RecordingTest, WhatDiffersIsNamedWithItsStep) {
  EXPECT_EQ(Replay(Record(), Release::kAnswersMore)->difference,
            "step 5, Call{id=2 request=Remember{number=2}}: it did something else");
  EXPECT_EQ(Replay(Record(), Release::kForgetsTimer)->difference,
            "step 4, TimerFired{timer=1}: a timer that this machine has not armed");
  EXPECT_EQ(Replay(Record(), Release::kWritesNothing)->difference,
            "step 2, Call{id=1 request=Remember{number=1}}: it did something else");
  EXPECT_EQ(Replay(Record(), Release::kEndsElsewhere)->difference,
            "after the last step this machine is in another state than the recorded one");
}

TEST_F(RecordingTest, AReaderIsToldOfEachStepAndOfItsEffects) {
  absl::StatusOr<RecordingReader> reader = RecordingReader::Open(Slice::Own(Record()));
  ASSERT_TRUE(reader.ok());
  std::vector<std::string> lines;
  ASSERT_TRUE(Conform(*reader, std::make_unique<TestMachine>(), [&](const std::string& line) {
                lines.push_back(line);
              }).ok());
  ASSERT_GE(lines.size(), 5u);
  EXPECT_EQ(lines[1], "  0.000000  Call{id=1 request=Remember{number=1}}");
  EXPECT_EQ(lines[2], "    writes record 4 of type 1, 1 bytes");
  EXPECT_EQ(lines[3], "    answers call 1: Woken{times=0}");
  EXPECT_EQ(lines[4], "  0.010000  WriteDone{seq=4}");
}

TEST_F(RecordingTest, WhatIsDrawnIsDrawnAgainFromTheSeedInTheHead) {
  std::string bytes = Record();
  const RecordingHead head = RecordingReader::Open(Slice::Copy(bytes))->head();
  RecordingHead other = head;
  ++other.seed;
  const auto block = [](const RecordingHead& of) { return FrameOfBlock(RecordingBlock::kHead, Encode(of)); };
  bytes.replace(kRecordingMark.size(), block(head).size(), block(other));
  EXPECT_EQ(Replay(bytes)->difference, "step 3, WriteDone{seq=4}: it did something else");
}

TEST_F(RecordingTest, WhatACrashLeavesConformsUpToThere) {
  const std::string bytes = Record(/*finish=*/false, /*cut_often=*/true);
  const size_t steps = Replay(bytes)->steps;
  EXPECT_EQ(steps, 8u);
  for (size_t length = kRecordingMark.size() + 40; length < bytes.size(); ++length) {
    const absl::StatusOr<Conformity> found = Replay(bytes.substr(0, length));
    if (!found.ok()) continue;  // in the head
    EXPECT_EQ(found->difference, "");
    EXPECT_FALSE(found->ended);
    EXPECT_LT(found->steps, steps) << length;
  }
}

TEST_F(RecordingTest, AFlippedBitAnywhereIsSeen) {
  const std::string bytes = Record();
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 4);
    const absl::StatusOr<Conformity> found = Replay(flipped);
    // A longer length looks like a block that a crash has cut.
    EXPECT_TRUE(!found.ok() || !found->ended) << at;
  }
}

TEST_F(RecordingTest, OneWithoutRoomEndsAndSaysWhy) {
  const size_t whole = Record(true, true).size();
  const absl::StatusOr<Conformity> found = Replay(Record(true, true, whole / 2));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->difference, "");
  ASSERT_TRUE(found->ended);
  EXPECT_EQ(found->ended->why, "no room");
  EXPECT_GT(found->steps, 0u);
  EXPECT_LT(found->steps, 8u);
}

TEST_F(RecordingTest, OtherFilesAreRefused) {
  EXPECT_EQ(RecordingReader::Open(Slice::Static("what is this?")).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RecordingReader::Open(Slice::Copy(kRecordingMark)).status().message(),
            "the recording ends before its head");
}

// A block that is whole and holds an impossible input: no CHECK of the runner is reached.
TEST_F(RecordingTest, AnInputThatCannotComeIsADifference) {
  const auto replay = [](const std::vector<Input<Protocol>>& inputs) {
    std::string steps;
    for (const Input<Protocol>& input : inputs) {
      AppendInput<Protocol>(Instant{1}, input, steps);
      Encoder(steps).Put(EffectsDigest<Protocol>().Take());
    }
    return Replay(std::string(kRecordingMark) + FrameOfBlock(RecordingBlock::kHead, Encode(RecordingHead())) +
                  FrameOfBlock(RecordingBlock::kSteps, steps));
  };
  EXPECT_EQ(replay({WriteDone{WriteSeq(0)}})->difference,
            "step 1, WriteDone{seq=0}: Started is the first step and no other");
  EXPECT_EQ(replay({Started{}, Started{}})->difference,
            "step 2, Started{records=[]}: Started is the first step and no other");
  EXPECT_EQ(replay({Started{}, WriteDone{WriteSeq(5)}})->difference,
            "step 2, WriteDone{seq=5}: a write that this machine has not made");
  EXPECT_EQ(replay({Started{}, PeerClosed{NodeId(2)}})->steps, 2u);
}

TEST_F(RecordingTest, EveryKindOfInputIsReadAsItWasWritten) {
  const std::vector<Input<Protocol>> inputs = {
      Started{{{WriteSeq(1), 2, Slice::Static("body")}}},
      Received<Protocol>{NodeId(3), Told{9}},
      TimerFired<Protocol>{Protocol::Timer::kWake},
      WriteDone{WriteSeq(4)},
      Call<Protocol>{CallId(5), Remember{6}},
      CallCancelled{CallId(7)},
      LinkUp{LinkId(8), Address::V4(1, 2, 3, 4, 5)},
      LinkReceived{LinkId(9), Slice::Static("bytes")},
      LinkSent{LinkId(10), 11},
      LinkDown{LinkId(12), "why"},
      ReadFailed{FileId(1), 2, 3, absl::DataLossError("gone")},
      PeerClosed{NodeId(13)},
  };
  ASSERT_EQ(inputs.size() + 1, std::variant_size_v<Input<Protocol>>) << "all but FileCompleted";
  for (const Input<Protocol>& input : inputs) {
    std::string bytes;
    AppendInput<Protocol>(Instant{77}, input, bytes);
    Encoder(bytes).Put(uint64_t{88});
    Decoder decoder(Slice::Own(std::move(bytes)));
    const absl::StatusOr<RecordedStep<Protocol>> step = TakeStep<Protocol>(decoder);
    ASSERT_TRUE(step.ok()) << InputText(input);
    EXPECT_EQ(InputText(step->input), InputText(input));
    EXPECT_EQ(InputDigest(step->input), InputDigest(input));
    EXPECT_EQ(step->now, Instant{77});
    EXPECT_EQ(step->effects, 88u);
    EXPECT_EQ(decoder.remaining(), 0u);
  }
}

}  // namespace
}  // namespace bt
