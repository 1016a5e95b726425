#include "core/tracker/source.h"

#include <absl/strings/str_cat.h>

#include <cstddef>

namespace bt::tracker {
namespace {

constexpr uint64_t kMapped = 0xffff;

}  // namespace

Source SourceOf(const Address& address) {
  uint64_t half = 0;
  const size_t from = address.is_v4() ? 8 : 0;
  for (size_t i = from; i < from + 8; ++i) half = half << 8 | address.ip[i];
  return Source(half);
}

std::string SourceText(Source source) {
  const uint64_t half = source.value();
  if (half >> 32 == kMapped) {
    return absl::StrCat(half >> 24 & 255, ".", half >> 16 & 255, ".", half >> 8 & 255, ".", half & 255);
  }
  if (half == 0) return "::/64";
  return absl::StrCat(absl::Hex(half >> 48), ":", absl::Hex(half >> 32 & 0xffff), ":",
                      absl::Hex(half >> 16 & 0xffff), ":", absl::Hex(half & 0xffff), "::/64");
}

}  // namespace bt::tracker
