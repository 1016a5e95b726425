#pragma once

// What part of a file an HTTP request asks for (RFC 9110, 14). Pure.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace bt::nodes {

struct ByteRange {
  uint64_t first = 0;
  uint64_t length = 0;

  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

// The range that the value of a Range header asks for of `length` bytes. nullopt: all of them are to be
// answered, because the value is empty, of another form or unit, or names several ranges, which a server may
// ignore. kOutOfRange: there is no such byte.
absl::StatusOr<std::optional<ByteRange>> ParseRange(std::string_view value, uint64_t length);

}  // namespace bt::nodes
