#pragma once

// What a client and whoever fetches for it from web servers (BEP 19) agree on.

#include <cstdint>

#include "core/base/address.h"
#include "core/base/time.h"

namespace bt::swarm {

inline constexpr uint32_t kWebSeedsLimit = 16;       // of a torrent; others are not asked
inline constexpr uint32_t kWebRangesAtOnce = 4;      // in flight, one from each server
inline constexpr uint32_t kWebRangeBytes = 4 << 20;  // of one, at most
inline constexpr uint32_t kWebStrikes = 3;           // wrong answers one after the other, then it is given up
// From the request to the last byte.
inline constexpr Duration kWebAnswerTimeout = Seconds(60);

// Servers stand among senders under addresses that no peer can have (240.0.0.0/4, RFC 1112).
inline Address WebSeedAddress(uint32_t seed) {
  return Address::V4(255, 255, 255, static_cast<uint8_t>(seed), 80);
}
inline bool IsWebSeed(const Address& sender) {
  return sender.ip.back() < kWebSeedsLimit && sender == WebSeedAddress(sender.ip.back());
}

}  // namespace bt::swarm
