#pragma once

// Digests: xxh3-64 for frames, records and state comparison (not against forgers),
// SHA-256 where it has to hold against them.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/base/bytes.h"

namespace bt {

uint64_t HashBytes(std::string_view bytes, uint64_t seed = 0);

// A running state digest: order matters, equal sequences give equal values.
class RollingDigest {
 public:
  void Add(uint64_t value) { value_ = Mix(value_ ^ value); }
  void Add(std::string_view bytes) { value_ = HashBytes(bytes, value_); }
  // Several numbers, each in full: nobody needs to pack them into one.
  template <class... More>
  void Add(uint64_t first, uint64_t second, More... more) {
    Add(first);
    Add(second, static_cast<uint64_t>(more)...);
  }
  uint64_t value() const { return value_; }

 private:
  static constexpr uint64_t Mix(uint64_t x) {
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
    return x ^ (x >> 32);
  }
  uint64_t value_ = 0x6279746574;
};

using Sha256Digest = std::array<uint8_t, 32>;

Sha256Digest Sha256(std::string_view bytes);

// Lower-case hexadecimal.
std::string Hex(std::string_view bytes);
template <size_t N>
std::string Hex(const std::array<uint8_t, N>& bytes) {
  return Hex(BytesOf(bytes));
}

// Exactly 2*out.size() hexadecimal digits of either case into out; false otherwise.
bool FromHex(std::string_view hex, std::span<uint8_t> out);

}  // namespace bt
