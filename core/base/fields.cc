#include "core/base/fields.h"

#include <absl/strings/str_cat.h>

namespace bt {

absl::Status Decoder::status() const {
  return absl::InvalidArgumentError(absl::StrCat(error_, " in field ", field_, " at byte ", position_));
}

bool Decoder::GetFlag(const char* name) {
  if (error_ != nullptr) return false;
  if (remaining() < 1) {
    Fail(name, "truncated");
    return false;
  }
  const uint8_t byte = static_cast<uint8_t>(source_.data()[position_++]);
  if (byte > 1) Fail(name, "flag is neither 0 nor 1");
  return byte == 1;
}

uint64_t Decoder::GetVarint(const char* name) {
  if (error_ != nullptr) return 0;
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (remaining() < 1) {
      Fail(name, "truncated");
      return 0;
    }
    const uint8_t byte = static_cast<uint8_t>(source_.data()[position_++]);
    if (shift == 63 && byte > 1) break;
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (byte == 0 && shift > 0) break;  // not minimal: Encode would not have written it
      return value;
    }
  }
  Fail(name, "malformed integer");
  return 0;
}

uint64_t Decoder::GetCount(const char* name) {
  const uint64_t count = GetVarint(name);
  if (error_ != nullptr) return 0;
  // Every element takes at least a byte, so a count beyond what is left cannot be honest.
  if (count > remaining()) {
    Fail(name, "more elements than bytes");
    return 0;
  }
  return count;
}

Slice Decoder::GetBytes(const char* name) {
  const uint64_t size = GetVarint(name);
  if (error_ != nullptr) return {};
  if (size > remaining()) {
    Fail(name, "truncated");
    return {};
  }
  Slice bytes = source_.Sub(position_, size);
  position_ += size;
  return bytes;
}

namespace fields_internal {

void Tracer::PutBytes(std::string_view bytes) {
  constexpr size_t kShown = 48;
  bool printable = bytes.size() <= kShown;
  for (const char c : bytes.substr(0, kShown)) printable = printable && c >= ' ' && c <= '~';
  if (printable) {
    text_ += '"';
    text_ += bytes;
    text_ += '"';
  } else {
    absl::StrAppend(&text_, "<", bytes.size(), " bytes ", Hex(bytes.substr(0, 4)), ">");
  }
}

}  // namespace fields_internal
}  // namespace bt
