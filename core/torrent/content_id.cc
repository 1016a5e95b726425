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
  if (!FromHex(text.substr(0, kHexSize), id.root)) return std::nullopt;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + kHexSize + 1, end, id.length);
  if (error != std::errc() || stop != end) return std::nullopt;
  // One id, one spelling: no capitals, no leading zeros.
  if (id.ToString() != text) return std::nullopt;
  return id;
}

}  // namespace bt
