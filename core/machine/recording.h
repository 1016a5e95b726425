#pragma once

// A recording: what one machine was told in one life, step by step, and a digest of what it did each time. A
// machine reads no clock, file or socket, so whoever steps another one with the same inputs must see it do
// the same (conform.h). docs/formats.md has the bytes.
//
// A recording is a mark and then blocks, each with its length and its xxh3-64. The first block is the head,
// the last one, where the process had time for it, says how the recording ended. What a crash leaves is cut
// in the middle of a block at most; a block that is whole and does not match its digest is damaged.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "core/base/fields.h"
#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/base/time.h"
#include "core/machine/files.h"
#include "core/machine/input.h"

namespace bt {

struct RecordingHead {
  std::string program;  // its version, for people
  std::string machine;  // which one: "tracker"
  Slice config;         // what the machine was made with, encoded
  uint64_t seed = 0;    // of the stream it draws from
  WriteSeq durable;     // the last record that recovery found

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("program", self.program);
    visit("machine", self.machine);
    visit("config", self.config);
    visit("seed", self.seed);
    visit("durable", self.durable);
  }
};

// The last block.
struct RecordingEnd {
  std::string why;
  uint64_t steps = 0;
  std::optional<uint64_t> machine;  // its digest after the last step; none where later steps were not kept

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("why", self.why);
    visit("steps", self.steps);
    visit("machine", self.machine);
  }
};

template <class P>
struct RecordedStep {
  Instant now;
  Input<P> input;
  uint64_t effects = 0;  // EffectsDigest of the step
};

inline constexpr std::string_view kRecordingMark = "btrecrd1";
inline constexpr size_t kRecordingBlockMax = size_t{1} << 30;  // bytes of one block
enum class RecordingBlock : uint8_t { kHead, kSteps, kEnd };

// The block as it stands in the file: its kind and `body`, behind their length and digest.
std::string FrameOfBlock(RecordingBlock kind, std::string_view body);

// Goes through the blocks of a recording that is in memory.
class RecordingReader {
 public:
  struct Block {
    RecordingBlock kind = RecordingBlock::kSteps;
    Slice body;
  };

  // kInvalidArgument: no recording, or of a format that this program does not know.
  static absl::StatusOr<RecordingReader> Open(Slice file);

  const RecordingHead& head() const { return head_; }
  // The next block; nullopt behind the last whole one. kDataLoss: it is damaged; the message says where.
  absl::StatusOr<std::optional<Block>> Next();

 private:
  explicit RecordingReader(Slice file) : file_(std::move(file)), position_(kRecordingMark.size()) {}

  Slice file_;
  size_t position_;
  RecordingHead head_;
};

namespace recording_internal {

template <class P, class T>
void PutInput(Encoder& encoder, const T& input) {
  if constexpr (std::is_same_v<T, TimerFired<P>>) {
    encoder.Put(static_cast<uint8_t>(input.timer));
  } else if constexpr (std::is_same_v<T, ReadFailed>) {
    encoder.Put(input.file);
    encoder.Put(input.offset);
    encoder.Put(input.length);
    encoder.Put(static_cast<uint32_t>(input.status.code()));
    encoder.Put(std::string(input.status.message()));
  } else if constexpr (!std::is_same_v<T, FileCompleted<P>>) {
    encoder.Put(input);
  }
}

// False: there is no such input.
template <class P, class T>
bool GetInput(Decoder& decoder, T& input) {
  if constexpr (std::is_same_v<T, TimerFired<P>>) {
    uint8_t timer = 0;
    decoder.Get("timer", timer);
    if (timer >= static_cast<uint8_t>(P::Timer::kCount)) return false;
    input.timer = static_cast<typename P::Timer>(timer);
  } else if constexpr (std::is_same_v<T, ReadFailed>) {
    uint32_t code = 0;
    std::string message;
    decoder.Get("file", input.file);
    decoder.Get("offset", input.offset);
    decoder.Get("length", input.length);
    decoder.Get("code", code);
    decoder.Get("message", message);
    input.status = absl::Status(static_cast<absl::StatusCode>(code), message);
  } else {
    decoder.Get("input", input);
  }
  return true;
}

template <class P, size_t I = 0>
std::optional<Input<P>> GetAlternative(Decoder& decoder, uint32_t index) {
  if constexpr (I == std::variant_size_v<Input<P>>) {
    return std::nullopt;
  } else {
    using T = std::variant_alternative_t<I, Input<P>>;
    if (index != I) return GetAlternative<P, I + 1>(decoder, index);
    if constexpr (std::is_same_v<T, FileCompleted<P>>) {
      return std::nullopt;
    } else {
      T input{};
      if (!GetInput<P>(decoder, input)) return std::nullopt;
      return Input<P>(std::move(input));
    }
  }
}

}  // namespace recording_internal

// Machines with files cannot be recorded yet: what their files hold would have to stand in the recording.
template <class P>
void AppendInput(Instant now, const Input<P>& input, std::string& out) {
  static_assert(!HasFiles<P>, "a machine that works on files cannot be recorded");
  Encoder encoder(out);
  encoder.Put(now);
  encoder.Put(static_cast<uint32_t>(input.index()));
  std::visit([&](const auto& one) { recording_internal::PutInput<P>(encoder, one); }, input);
}

// Takes one step off the decoder. kDataLoss: these bytes are none.
template <class P>
absl::StatusOr<RecordedStep<P>> TakeStep(Decoder& decoder) {
  RecordedStep<P> step;
  uint32_t index = 0;
  decoder.Get("now", step.now);
  decoder.Get("kind", index);
  std::optional<Input<P>> input = recording_internal::GetAlternative<P>(decoder, index);
  decoder.Get("effects", step.effects);
  if (!decoder.ok()) return absl::DataLossError(decoder.status().message());
  if (!input) return absl::DataLossError("an input of a kind that this program does not know");
  step.input = *std::move(input);
  return step;
}

}  // namespace bt
