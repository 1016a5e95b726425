#pragma once

// ContentId: the name of one data file by its bytes: BEP 52 pieces root (SHA-256 Merkle root over 16 KiB
// blocks) and length. The length is part of the name because the tree alone does not separate leaves
// from nodes. Independent of piece length and of the file's name.

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/digest.h"

namespace bt {

inline constexpr uint32_t kBlockSize = 16 * 1024;  // BEP 3's request size and BEP 52's leaf size

// 20 bytes as in handshakes and announces: SHA-1 of a v1 or hybrid info, or a v2 SHA-256 cut short.
using InfoHash = std::array<uint8_t, 20>;
InfoHash CutToInfoHash(const Sha256Digest& digest);

struct ContentId {
  Sha256Digest root{};
  uint64_t length = 0;

  // "<64 hex>-<length>"
  std::string ToString() const;
  // The inverse; nullopt for anything ToString does not print.
  static std::optional<ContentId> Parse(std::string_view text);

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("root", self.root);
    visit("length", self.length);
  }
  friend auto operator<=>(const ContentId&, const ContentId&) = default;
};

}  // namespace bt
