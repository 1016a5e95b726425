#pragma once

// Source: who asks, as far as shares of the tables go: an IPv4 address, or the /64 of an IPv6 one, which is
// what one household or host is given (RFC 6177). Made of the address of the connection that asked, never of
// what a request says of itself.

#include <cstdint>
#include <string>

#include "core/base/address.h"
#include "core/base/tagged.h"

namespace bt::tracker {

// The upper half of an IPv6 address, or the lower half of an IPv4-mapped one: 0000:ffff::/32 is not given to
// anybody, so the two do not meet. 0 is ::/64, in which the loopback address is.
using Source = Tagged<struct SourceTag, uint64_t>;

Source SourceOf(const Address& address);
// "192.0.2.7" or "2001:db8:0:1::/64".
std::string SourceText(Source source);

}  // namespace bt::tracker
