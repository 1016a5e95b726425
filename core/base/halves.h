#pragma once

// Two numbers of 32 bits in one of 64, for keys, tokens and the indexes of random streams.

#include <cstdint>

namespace bt {

constexpr uint64_t Join(uint32_t high, uint32_t low) { return uint64_t{high} << 32 | low; }
constexpr uint32_t HighHalf(uint64_t joined) { return static_cast<uint32_t>(joined >> 32); }
constexpr uint32_t LowHalf(uint64_t joined) { return static_cast<uint32_t>(joined); }

}  // namespace bt
