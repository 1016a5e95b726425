#include "nodes/daemon/byte_range.h"

#include <absl/strings/match.h>

#include <algorithm>
#include <charconv>

#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

// Digits alone. What is larger than any file is the largest number: a range may end behind the end.
std::optional<uint64_t> ParsePosition(std::string_view digits) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), digit)) return std::nullopt;
  uint64_t position = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), position);
  return error == std::errc() ? position : UINT64_MAX;
}

}  // namespace

absl::StatusOr<std::optional<ByteRange>> ParseRange(std::string_view value, uint64_t length) {
  if (!absl::StartsWithIgnoreCase(Absl(value), "bytes=")) return std::nullopt;
  value.remove_prefix(std::string_view("bytes=").size());
  const size_t dash = value.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view first_text = value.substr(0, dash);
  const std::string_view last_text = value.substr(dash + 1);
  const std::optional<uint64_t> first = ParsePosition(first_text);
  const std::optional<uint64_t> last = ParsePosition(last_text);
  if ((!first && !first_text.empty()) || (!last && !last_text.empty())) return std::nullopt;
  if (!first && !last) return std::nullopt;
  const absl::Status nothing = absl::OutOfRangeError("there is no such byte");
  if (!first) {
    // The last so many bytes.
    if (*last == 0 || length == 0) return nothing;
    const uint64_t suffix = std::min(*last, length);
    return ByteRange{length - suffix, suffix};
  }
  if (last && *last < *first) return std::nullopt;
  if (*first >= length) return nothing;
  const uint64_t end = last ? std::min(*last, length - 1) : length - 1;
  return ByteRange{*first, end - *first + 1};
}

}  // namespace bt::nodes
