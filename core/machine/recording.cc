#include "core/machine/recording.h"

#include <absl/strings/str_cat.h>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/digest.h"

namespace bt {
namespace {

constexpr size_t kLengthBytes = 4;
constexpr size_t kDigestBytes = 8;
constexpr size_t kFrameBytes = kLengthBytes + kDigestBytes;

}  // namespace

std::string FrameOfBlock(RecordingBlock kind, std::string_view body) {
  CHECK(body.size() < kRecordingBlockMax);
  std::string frame(kFrameBytes, '\0');
  frame.reserve(kFrameBytes + 1 + body.size());
  frame.push_back(static_cast<char>(kind));
  frame.append(body);
  StoreLittle(frame.data(), frame.size() - kFrameBytes, kLengthBytes);
  StoreLittle(frame.data() + kLengthBytes, HashBytes(std::string_view(frame).substr(kFrameBytes)),
              kDigestBytes);
  return frame;
}

absl::StatusOr<RecordingReader> RecordingReader::Open(Slice file) {
  if (!file.view().starts_with(kRecordingMark)) {
    return absl::InvalidArgumentError("this is no recording, or one of another format");
  }
  RecordingReader reader(std::move(file));
  absl::StatusOr<std::optional<Block>> first = reader.Next();
  if (!first.ok()) return first.status();
  if (!first->has_value() || (*first)->kind != RecordingBlock::kHead) {
    return absl::InvalidArgumentError("the recording ends before its head");
  }
  absl::StatusOr<RecordingHead> head = Decode<RecordingHead>((*first)->body);
  if (!head.ok()) return absl::InvalidArgumentError(absl::StrCat("the head: ", head.status().message()));
  reader.head_ = *std::move(head);
  return reader;
}

absl::StatusOr<std::optional<RecordingReader::Block>> RecordingReader::Next() {
  const size_t left = file_.size() - position_;
  if (left < kFrameBytes) return std::nullopt;
  const uint64_t length = LoadLittle(file_.data() + position_, kLengthBytes);
  const uint64_t digest = LoadLittle(file_.data() + position_ + kLengthBytes, kDigestBytes);
  if (length > left - kFrameBytes) return std::nullopt;
  const Slice block = file_.Sub(position_ + kFrameBytes, length);
  if (HashBytes(block.view()) != digest || block.empty() ||
      static_cast<uint8_t>(block.data()[0]) > static_cast<uint8_t>(RecordingBlock::kEnd)) {
    return absl::DataLossError(absl::StrCat("the block at byte ", position_, " is damaged"));
  }
  position_ += kFrameBytes + length;
  return Block{static_cast<RecordingBlock>(block.data()[0]), block.From(1)};
}

}  // namespace bt
