#include "core/torrent/piece_map.h"

#include <bit>

#include "core/base/check.h"

namespace bt {
namespace {

constexpr uint32_t kWordBits = 64;

// The bits of each byte in the other order: in a bitfield a piece is counted from the byte's highest bit, in
// a word from the lowest.
uint64_t Mirrored(uint64_t word) {
  word = (word >> 1 & 0x5555'5555'5555'5555) | (word & 0x5555'5555'5555'5555) << 1;
  word = (word >> 2 & 0x3333'3333'3333'3333) | (word & 0x3333'3333'3333'3333) << 2;
  return (word >> 4 & 0x0f0f'0f0f'0f0f'0f0f) | (word & 0x0f0f'0f0f'0f0f'0f0f) << 4;
}

}  // namespace

PieceMap::PieceMap(uint32_t size) : size_(size), words_((uint64_t{size} + kWordBits - 1) / kWordBits) {}

PieceMap PieceMap::All(uint32_t size) {
  PieceMap map(size);
  for (uint64_t& word : map.words_) word = ~uint64_t{0};
  if (size % kWordBits != 0) map.words_.back() >>= kWordBits - size % kWordBits;
  map.count_ = size;
  return map;
}

std::optional<PieceMap> PieceMap::FromBitfield(std::string_view bytes, uint32_t size) {
  if (bytes.size() != (uint64_t{size} + 7) / 8) return std::nullopt;
  PieceMap map(size);
  for (uint32_t i = 0; i < bytes.size() * 8; ++i) {
    if ((static_cast<uint8_t>(bytes[i / 8]) >> (7 - i % 8) & 1) == 0) continue;
    if (i >= size) return std::nullopt;
    map.Add(PieceIndex(i));
  }
  return map;
}

std::string PieceMap::ToBitfield() const {
  std::string bytes;
  bytes.reserve(words_.size() * sizeof(uint64_t));
  for (const uint64_t word : words_) {
    const uint64_t mirrored = Mirrored(word);
    for (uint32_t byte = 0; byte < sizeof word; ++byte) bytes += static_cast<char>(mirrored >> 8 * byte);
  }
  bytes.resize((uint64_t{size_} + 7) / 8);
  return bytes;
}

std::optional<PieceMap> PieceMap::FromRanges(const std::vector<PieceRange>& ranges, uint32_t size) {
  PieceMap map(size);
  uint64_t least_first = 0;  // where the next range may begin
  for (const PieceRange& range : ranges) {
    const uint64_t end = uint64_t{range.first.value()} + range.count;
    if (range.count == 0 || range.first.value() < least_first || end > size) return std::nullopt;
    for (uint64_t i = range.first.value(); i < end; ++i) map.Add(PieceIndex(static_cast<uint32_t>(i)));
    least_first = end + 1;  // adjacent ranges should have been one
  }
  return map;
}

std::vector<PieceRange> PieceMap::ToRanges() const {
  std::vector<PieceRange> ranges;
  ranges.reserve(this->ranges());
  // The bits from piece `i` to the end of its word, lowest first.
  const auto rest = [this](uint32_t i) { return words_[i / kWordBits] >> i % kWordBits; };
  for (uint32_t i = 0; i < size_;) {
    if (rest(i) == 0) {
      i = (i / kWordBits + 1) * kWordBits;
      continue;
    }
    i += static_cast<uint32_t>(std::countr_zero(rest(i)));
    const uint32_t first = i;
    do {
      i += static_cast<uint32_t>(std::countr_one(rest(i)));
    } while (i < size_ && i % kWordBits == 0 && (rest(i) & 1) != 0);
    ranges.push_back({PieceIndex(first), i - first});
  }
  return ranges;
}

uint32_t PieceMap::ranges() const {
  uint32_t ranges = 0;
  uint64_t before = 0;  // the last piece of the word before, as the lowest bit
  for (const uint64_t word : words_) {
    // A range begins at each piece whose predecessor is not there.
    ranges += static_cast<uint32_t>(std::popcount(word & ~(word << 1 | before)));
    before = word >> (kWordBits - 1);
  }
  return ranges;
}

std::optional<PieceMap> PieceMap::FromPlain(Plain plain) {
  const auto& [size, words] = plain;
  if (words.size() != (uint64_t{size} + kWordBits - 1) / kWordBits) return std::nullopt;
  if (size % kWordBits != 0 && words.back() >> size % kWordBits != 0) return std::nullopt;
  PieceMap map;
  map.size_ = size;
  for (const uint64_t word : words) map.count_ += static_cast<uint32_t>(std::popcount(word));
  map.words_ = std::move(plain.second);
  return map;
}

bool PieceMap::Add(PieceIndex index) {
  if (Has(index)) return false;
  words_[index.value() / kWordBits] |= uint64_t{1} << index.value() % kWordBits;
  ++count_;
  return true;
}

bool PieceMap::Remove(PieceIndex index) {
  if (!Has(index)) return false;
  words_[index.value() / kWordBits] &= ~(uint64_t{1} << index.value() % kWordBits);
  --count_;
  return true;
}

std::optional<PieceIndex> PieceMap::FindInBoth(const PieceMap& other,
                                               absl::FunctionRef<bool(PieceIndex)> is) const {
  CHECK(other.size_ == size_);
  for (size_t i = 0; i < words_.size(); ++i) {
    for (uint64_t both = words_[i] & other.words_[i]; both != 0; both &= both - 1) {
      const PieceIndex piece(
          static_cast<uint32_t>(i * kWordBits + static_cast<size_t>(std::countr_zero(both))));
      if (is(piece)) return piece;
    }
  }
  return std::nullopt;
}

void PieceMap::AddAll(const PieceMap& other) {
  CHECK(other.size_ == size_);
  count_ = 0;
  for (size_t i = 0; i < words_.size(); ++i) {
    words_[i] |= other.words_[i];
    count_ += static_cast<uint32_t>(std::popcount(words_[i]));
  }
}

void PieceMap::RemoveAll(const PieceMap& other) {
  CHECK(other.size_ == size_);
  count_ = 0;
  for (size_t i = 0; i < words_.size(); ++i) {
    words_[i] &= ~other.words_[i];
    count_ += static_cast<uint32_t>(std::popcount(words_[i]));
  }
}

}  // namespace bt
