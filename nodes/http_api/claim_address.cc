#include "nodes/http_api/claim_address.h"

#include <algorithm>

namespace bt::nodes {

bool IsLoopbackAddress(const Address& address) {
  const auto& ip = address.ip;
  if (address.is_v4()) return ip[12] == 127;
  return std::all_of(ip.begin(), ip.end() - 1, [](uint8_t b) { return b == 0; }) && ip[15] == 1;
}

bool IsLocalAddress(const Address& address) {
  if (IsLoopbackAddress(address)) return true;
  const auto& ip = address.ip;
  if (!address.is_v4()) return (ip[0] & 0xfe) == 0xfc || (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80);
  const uint8_t a = ip[12];
  const uint8_t b = ip[13];
  return a == 10 || (a == 172 && (b & 0xf0) == 16) || (a == 192 && b == 168) || (a == 169 && b == 254) ||
         (a == 100 && (b & 0xc0) == 64);
}

std::optional<Address> ClaimAddress(const Address& asked, const Address& from) {
  Address address = asked;
  const size_t host = asked.is_v4() ? 12 : 0;
  if (std::all_of(asked.ip.begin() + host, asked.ip.end(), [](uint8_t byte) { return byte == 0; }))
    address.ip = from.ip;
  if (address.ip == from.ip || (IsLocalAddress(address) && IsLocalAddress(from))) return address;
  return std::nullopt;
}

}  // namespace bt::nodes
