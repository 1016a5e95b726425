#pragma once

// PieceMap: the set of pieces someone has: one bit per piece, of a fixed number of pieces.

#include <absl/functional/function_ref.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/base/ids.h"

namespace bt {

using PieceIndex = Tagged<struct PieceIndexTag, uint32_t>;  // a piece of a content, from 0

// A run of pieces [first, first + count).
struct PieceRange {
  PieceIndex first;
  uint32_t count = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("first", self.first);
    visit("count", self.count);
  }
  friend auto operator<=>(const PieceRange&, const PieceRange&) = default;
};

class PieceMap {
 public:
  PieceMap() = default;
  explicit PieceMap(uint32_t size);
  static PieceMap All(uint32_t size);

  // BEP 3 bitfield: high bit first; nullopt for a wrong length or a spare bit set.
  static std::optional<PieceMap> FromBitfield(std::string_view bytes, uint32_t size);
  std::string ToBitfield() const;

  // Sorted, disjoint, non-adjacent, non-empty ranges within `size`; nullopt otherwise.
  static std::optional<PieceMap> FromRanges(const std::vector<PieceRange>& ranges, uint32_t size);
  std::vector<PieceRange> ToRanges() const;
  // How many ranges ToRanges gives.
  uint32_t ranges() const;

  uint32_t size() const { return size_; }
  uint32_t count() const { return count_; }
  bool none() const { return count_ == 0; }
  bool all() const { return count_ == size_; }
  // Here and not in piece_map.cc: who picks a piece asks it of many.
  bool Has(PieceIndex index) const {
    CHECK(index.value() < size_);
    return (words_[index.value() / 64] >> (index.value() % 64) & 1) != 0;
  }
  // True if the bit changed.
  bool Add(PieceIndex index);
  bool Remove(PieceIndex index);
  // The first piece of both of which `is` holds, from 0 on; both have the same size.
  std::optional<PieceIndex> FindInBoth(const PieceMap& other, absl::FunctionRef<bool(PieceIndex)> is) const;
  void AddAll(const PieceMap& other);
  void RemoveAll(const PieceMap& other);

  // As it travels (core/base/fields.h): its size, and its words without spare bits.
  using Plain = std::pair<uint32_t, std::vector<uint64_t>>;
  Plain ToPlain() const { return {size_, words_}; }
  const std::vector<uint64_t>& words() const { return words_; }
  static std::optional<PieceMap> FromPlain(Plain plain);

  friend bool operator==(const PieceMap&, const PieceMap&) = default;

 private:
  uint32_t size_ = 0;
  uint32_t count_ = 0;
  std::vector<uint64_t> words_;  // one bit for each piece
};

}  // namespace bt
