#pragma once

// Whose address a claim may name: a rule of security, for a claim sends other people's downloads to that
// address. Pure. Its users are the parsers of offers, withdrawals and announces.

#include <optional>

#include "core/base/address.h"

namespace bt::nodes {

// The address that a claim made over a connection from `from` names when it asks for `asked`; nullopt: the
// claim is not acceptable.
// - An unspecified host (0.0.0.0 or ::) means the connection's host.
// - The connection's own host is accepted, with any port: whoever completed a TCP handshake from there
//   receives what is sent there.
// - Another host is accepted only when both hosts are local (IsLocalAddress): a client behind the same NAT or
//   on the same machine as the tracker knows better which of its addresses peers reach.
// - Nothing else is accepted, so that nobody on the internet can point a swarm at a stranger, and nobody can
//   make a local network's clients dial each other's services from outside.
std::optional<Address> ClaimAddress(const Address& asked, const Address& from);

// 127.0.0.0/8 or ::1: only this machine reaches it.
bool IsLoopbackAddress(const Address& address);
// Loopback, private (RFC 1918, RFC 4193), link-local (RFC 3927, RFC 4291) or shared (RFC 6598) addresses.
bool IsLocalAddress(const Address& address);

}  // namespace bt::nodes
