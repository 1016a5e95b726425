#pragma once

// ConnectionIds: the ids that BEP 15 makes a client fetch before it may ask, without a table: an id is a
// keyed hash (SipHash-2-4) of the client's address and of the minute. Who sends a valid one has received what
// was sent to the address it names, as who has completed a TCP handshake has. Pure.
//
// The secret is drawn when a node starts and is its own. Ids that all nodes accept would need clocks that
// agree and a key derived from the cluster's secret, handed to anybody to guess at; what they would save is
// one round trip of a client that comes to another node, or back to one that has been restarted.

#include <array>
#include <cstdint>

#include "core/base/address.h"
#include "core/base/time.h"

namespace bt::nodes {

class ConnectionIds {
 public:
  using Secret = std::array<uint64_t, 2>;

  explicit ConnectionIds(const Secret& secret) : secret_(secret) {}

  uint64_t Give(const Address& to, Instant now) const { return Of(to, Window(now)); }
  // From when it was given on for two minutes at least, as BEP 15 wants it, and at most for three.
  bool Valid(uint64_t id, const Address& from, Instant now) const;

 private:
  static uint64_t Window(Instant now);
  uint64_t Of(const Address& address, uint64_t window) const;

  const Secret secret_;
};

// SipHash-2-4 of three words, by their 24 bytes (least significant first).
uint64_t SipHash(const std::array<uint64_t, 2>& key, const std::array<uint64_t, 3>& words);

}  // namespace bt::nodes
