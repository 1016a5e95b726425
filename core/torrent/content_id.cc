#include "core/torrent/content_id.h"

#include <algorithm>
#include <charconv>

namespace bt {

InfoHash CutToInfoHash(const Sha256Digest& digest) {
  InfoHash hash;
  std::copy_n(digest.begin(), hash.size(), hash.begin());
  return hash;
}

std::string ContentId::ToString() const { return Hex(root) + "-" + std::to_string(length); }

std::optional<ContentId> ContentId::Parse(std::string_view text) {
  ContentId id;
  constexpr size_t kHexSize = 64;
  if (text.size() < kHexSize + 2 || text[kHexSize] != '-') return std::nullopt;
  const std::string_view root = text.substr(0, kHexSize);
  const std::string_view length = text.substr(kHexSize + 1);
  if (!FromHex(root, id.root)) return std::nullopt;
  const char* end = length.data() + length.size();
  const auto [stop, error] = std::from_chars(length.data(), end, id.length);
  if (error != std::errc() || stop != end) return std::nullopt;
  // One id, one spelling: no capitals, no leading zeros.
  const bool capitals = std::any_of(root.begin(), root.end(), [](char c) { return 'A' <= c && c <= 'F'; });
  if (capitals || (length.size() > 1 && length.front() == '0')) return std::nullopt;
  return id;
}

}  // namespace bt
