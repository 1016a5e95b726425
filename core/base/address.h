#pragma once

// Address: an IP address (IPv4 kept as an IPv4-mapped IPv6 address) and a port.
// Names are resolved at the edges; a machine only ever sees addresses.

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace bt {

struct Address {
  std::array<uint8_t, 16> ip{};
  uint16_t port = 0;

  static Address V4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port);

  bool is_v4() const;
  // "127.0.0.1:6881" or "[::1]:6881".
  std::string ToString() const;
  // The inverse of ToString; no names. nullopt when it is not exactly that.
  static std::optional<Address> Parse(std::string_view text);

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("ip", self.ip);
    visit("port", self.port);
  }
  friend auto operator<=>(const Address&, const Address&) = default;
  template <class H>
  friend H AbslHashValue(H state, const Address& address) {
    return H::combine(std::move(state), address.ip, address.port);
  }
};

}  // namespace bt
