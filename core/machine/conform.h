#pragma once

// Conform: steps a machine with the inputs of a recording and compares what it does with what the recorded
// one did. The runner is the one that ships, so that durability gating and the order of effects are compared
// as well.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "core/base/rng.h"
#include "core/machine/effects_digest.h"
#include "core/machine/input_name.h"
#include "core/machine/recording.h"
#include "core/machine/runner.h"

namespace bt {

// What came of it. `difference` is a sentence, empty where everything was the same.
struct Conformity {
  uint64_t steps = 0;
  Duration span;                      // from the first step to the last
  std::optional<RecordingEnd> ended;  // nullopt: the process had no time to say how
  std::string difference;
};

// Gets what a person may read of a replay, line by line.
using Teller = std::function<void(const std::string& line)>;

namespace conform_internal {

// What a replayed machine does leaves digests alone, and lines, if somebody wants to read them.
template <class P>
class Replay {
 public:
  Replay(uint64_t seed, WriteSeq durable, Teller tell)
      : random_(seed), last_write_(durable), tell_(std::move(tell)) {}

  void At(Instant now) {
    if (first_ == Instant::Never()) first_ = now;
    now_ = now;
  }
  Duration since_first() const { return now_ - first_; }
  uint64_t TakeEffects() { return effects_.Take(); }
  WriteSeq last_write() const { return last_write_; }

  Instant Now() const { return now_; }
  Rng& rng() { return random_; }
  void Append(const JournalWrite& write) {
    last_write_ = write.seq;
    effects_.Add(write);
    Tell([&] {
      return absl::StrCat("writes record ", write.seq.value(), " of type ", write.type, ", ",
                          write.body.size(), " bytes");
    });
  }
  void Commit() {}
  void Forget(WriteSeq needed) {
    effects_.AddForget(needed);
    Tell([&] { return absl::StrCat("needs no record below ", needed.value()); });
  }
  void Transmit(NodeId to, const typename P::Message& message) {
    effects_.Add(to, message);
    Tell([&] { return absl::StrCat("to node ", to.value(), ": ", TraceText(message)); });
  }
  void Do(const LinkEffect& effect) {
    effects_.Add(effect);
    Tell([&] { return absl::StrCat("link effect ", effect.index()); });
  }
  void Answer(CallId call, const typename P::Response& response) {
    effects_.Add(call, response);
    Tell([&] { return absl::StrCat("answers call ", call.value(), ": ", TraceText(response)); });
  }
  void Note(const typename P::Note& note) {
    effects_.AddNote(note);
    Tell([&] { return absl::StrCat("notes ", TraceText(note)); });
  }
  void Wake(Instant) {}
  void StepBegins(const Input<P>& input) {
    if (!tell_) return;
    const int64_t micros = since_first().micros();
    tell_(absl::StrFormat("%3d.%06d  %s", micros / 1'000'000, micros % 1'000'000, InputText(input)));
  }
  void Holds(const typename Outbox<P>::Outgoing&) {}
  void StepEnds(const Input<P>&) {}

 private:
  template <class F>
  void Tell(F line) {
    if (tell_) tell_(absl::StrCat("    ", line()));
  }

  Instant now_;
  Instant first_ = Instant::Never();
  Rng random_;
  WriteSeq last_write_;
  const Teller tell_;
  EffectsDigest<P> effects_;
};

template <Machine M>
class Run {
 public:
  using P = typename M::Protocol;

  Run(const RecordingHead& head, std::unique_ptr<M> machine, Teller tell)
      : replay_(head.seed, head.durable, std::move(tell)),
        runner_(std::move(machine), replay_),
        durable_(head.durable) {}

  absl::Status TakeSteps(const Slice& body) {
    Decoder decoder(body);
    while (decoder.remaining() > 0 && found_.difference.empty()) {
      absl::StatusOr<RecordedStep<P>> step = TakeStep<P>(decoder);
      if (!step.ok()) return step.status();
      Take(*step);
    }
    return absl::OkStatus();
  }
  absl::Status TakeEnd(const Slice& body) {
    absl::StatusOr<RecordingEnd> end = Decode<RecordingEnd>(body);
    if (!end.ok()) return absl::DataLossError(absl::StrCat("the end: ", end.status().message()));
    found_.ended = *std::move(end);
    const uint64_t digest = runner_.machine().Digest();
    if (found_.ended->steps != found_.steps || found_.ended->machine.value_or(digest) != digest) {
      found_.difference = "after the last step this machine is in another state than the recorded one";
    }
    return absl::OkStatus();
  }
  bool over() const { return found_.ended.has_value() || !found_.difference.empty(); }
  Conformity Found() && { return std::move(found_); }

 private:
  void Take(const RecordedStep<P>& step) {
    replay_.At(step.now);
    found_.span = replay_.since_first();
    const auto differs = [&](const char* how) {
      found_.difference = absl::StrCat("step ", found_.steps + 1, ", ", InputText(step.input), ": ", how);
    };
    if (const char* wrong = WhyImpossible(step); wrong != nullptr) return differs(wrong);
    if (const auto* started = std::get_if<Started>(&step.input)) {
      runner_.Start(started->records, durable_);
    } else {
      if (const auto* fired = std::get_if<TimerFired<P>>(&step.input)) runner_.timers().Disarm(fired->timer);
      if (const auto* done = std::get_if<WriteDone>(&step.input)) durable_ = done->seq;
      runner_.Deliver(step.input);
    }
    if (replay_.TakeEffects() != step.effects) return differs("it did something else");
    ++found_.steps;
  }

  // Such an input never comes to a machine that has done what this one did; nullptr: it may.
  const char* WhyImpossible(const RecordedStep<P>& step) const {
    if (std::holds_alternative<Started>(step.input) != (found_.steps == 0)) {
      return "Started is the first step and no other";
    }
    if (const auto* fired = std::get_if<TimerFired<P>>(&step.input);
        fired != nullptr && runner_.timers().deadline(fired->timer) > step.now) {
      return "a timer that this machine has not armed";
    }
    if (const auto* done = std::get_if<WriteDone>(&step.input);
        done != nullptr && (done->seq < durable_ || done->seq > replay_.last_write())) {
      return "a write that this machine has not made";
    }
    return nullptr;
  }

  Replay<P> replay_;
  Runner<M, Replay<P>> runner_;
  WriteSeq durable_;
  Conformity found_;
};

}  // namespace conform_internal

// Replays what `reader` has behind its head on `machine`, made with what the head says. `tell` gets a line
// for each step, with its time in seconds since the first one, and an indented one for each effect.
// kDataLoss: damaged.
template <Machine M>
absl::StatusOr<Conformity> Conform(RecordingReader& reader, std::unique_ptr<M> machine,
                                   Teller tell = nullptr) {
  conform_internal::Run<M> run(reader.head(), std::move(machine), std::move(tell));
  while (!run.over()) {
    absl::StatusOr<std::optional<RecordingReader::Block>> block = reader.Next();
    if (!block.ok()) return block.status();
    if (!block->has_value()) break;
    const RecordingReader::Block& next = **block;
    const absl::Status taken =
        next.kind == RecordingBlock::kEnd ? run.TakeEnd(next.body) : run.TakeSteps(next.body);
    if (!taken.ok()) return taken;
  }
  return std::move(run).Found();
}

}  // namespace bt
