#pragma once

// Bytes as text and numbers as bytes: what every format of this project needs of raw memory.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bt {

// A view of the array's bytes; valid as long as the array.
template <size_t N>
std::string_view BytesOf(const std::array<uint8_t, N>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), N};
}

// The bytes of all arrays, one after the other.
template <size_t N>
std::string Joined(const std::vector<std::array<uint8_t, N>>& arrays) {
  std::string bytes;
  bytes.reserve(arrays.size() * N);
  for (const auto& array : arrays) bytes.append(BytesOf(array));
  return bytes;
}

// `width` bytes, at most 8, least significant first.
inline uint64_t LoadLittle(const char* bytes, int width) {
  uint64_t value = 0;
  for (int i = width - 1; i >= 0; --i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}
inline void StoreLittle(char* bytes, uint64_t value, int width) {
  for (int i = 0; i < width; ++i, value >>= 8) bytes[i] = static_cast<char>(value & 0xff);
}

// The same, most significant first: the order of BitTorrent and of the network.
inline uint64_t LoadBig(const char* bytes, int width) {
  uint64_t value = 0;
  for (int i = 0; i < width; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}
inline void AppendBig(std::string& out, uint64_t value, int width) {
  for (int i = width - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

}  // namespace bt
