#pragma once

// AddressGroup: who connects, as far as shares of places go: an address without its port, of IPv6 the /64,
// which one machine has as a whole.

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/base/address.h"

namespace bt::net {

using AddressGroup = std::array<uint8_t, 16>;

inline AddressGroup GroupOf(const Address& peer) {
  AddressGroup group = peer.ip;
  if (!peer.is_v4()) std::fill(group.begin() + 8, group.end(), uint8_t{0});
  return group;
}

}  // namespace bt::net
