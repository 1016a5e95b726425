#pragma once

// Addresses as BitTorrent's messages carry them (BEP 7, 11, 15, 23): the IP address's 4 or 16 bytes, then the
// port's two, most significant first.

#include <string>
#include <string_view>

#include "core/base/address.h"
#include "core/base/bytes.h"

namespace bt {

// 4 bytes or 16; valid as long as the address.
inline std::string_view IpBytes(const Address& address) {
  return BytesOf(address.ip).substr(address.is_v4() ? 12 : 0);
}

inline void AppendCompact(const Address& address, std::string& out) {
  out.append(IpBytes(address));
  AppendBig(out, address.port, 2);
}

}  // namespace bt
