#pragma once

// StepRecorder<P>: makes the blocks of a recording (recording.h) while a machine runs. Its owner tells it
// each step's input and effects, and keeps the blocks.

#include <absl/status/status.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "core/machine/effects_digest.h"
#include "core/machine/recording.h"

namespace bt {

// Where blocks are kept.
class RecordingSink {
 public:
  virtual ~RecordingSink() = default;
  // Not OK: the block was not kept, and no other will be but the last one, for which there is always room.
  virtual absl::Status Keep(std::string block) = 0;
  virtual void KeepLast(std::string block) = 0;
};

template <class P>
class StepRecorder {
 public:
  // A block is as long as this, and longer by one step.
  static constexpr size_t kBlockBytes = size_t{256} << 10;

  // `sink` must outlive the recorder.
  StepRecorder(const RecordingHead& head, RecordingSink& sink) : sink_(sink) {
    Keep(std::string(kRecordingMark) + FrameOfBlock(RecordingBlock::kHead, Encode(head)));
  }

  // False: it has ended, and takes no more steps.
  bool recording() const { return !ended_why_; }
  // Why, once it has ended.
  const std::string& ended_why() const { return *ended_why_; }

  void Begin(Instant now, const Input<P>& input) { AppendInput<P>(now, input, steps_); }
  EffectsDigest<P>& effects() { return effects_; }
  void End() {
    Encoder(steps_).Put(effects_.Take());
    ++made_;
    if (steps_.size() >= kBlockBytes) Cut();
  }

  // Hands over what was recorded; between steps.
  void Cut() {
    if (!recording() || steps_.empty()) return;
    if (steps_.size() >= kRecordingBlockMax) {
      KeepLast({"a step was longer than a recording can hold", kept_, std::nullopt});
    } else if (Keep(FrameOfBlock(RecordingBlock::kSteps, steps_))) {
      kept_ = made_;
    }
    // What a start with a long journal has taken is not needed again.
    steps_.capacity() > 2 * kBlockBytes ? std::string().swap(steps_) : steps_.clear();
  }
  // The last block; between steps. `machine`: its digest.
  void Finish(std::string why, uint64_t machine) {
    Cut();
    if (recording()) KeepLast({std::move(why), kept_, machine});
  }

 private:
  bool Keep(std::string block) {
    const absl::Status kept = sink_.Keep(std::move(block));
    if (!kept.ok()) KeepLast({std::string(kept.message()), kept_, std::nullopt});
    return kept.ok();
  }
  void KeepLast(const RecordingEnd& end) {
    ended_why_ = end.why;
    sink_.KeepLast(FrameOfBlock(RecordingBlock::kEnd, Encode(end)));
  }

  RecordingSink& sink_;
  EffectsDigest<P> effects_;
  std::string steps_;  // at most kBlockBytes and a step
  uint64_t made_ = 0;
  uint64_t kept_ = 0;
  std::optional<std::string> ended_why_;  // at most one sentence
};

}  // namespace bt
