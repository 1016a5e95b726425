#pragma once

// Probation: how long a newcomer is asked for nothing because a connection from its IP address was proven to
// lie. The port an accepted connection comes from says nothing, so a liar comes back as somebody new after
// each ban; with each proof the pause doubles, so that it costs a number of pieces that grows with the
// logarithm of the time. An honest peer behind the same address is served meanwhile, and asked when the pause
// is over; connections that were there before are not concerned. Pure; the client's engine is its user.

#include <absl/container/btree_map.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/base/address.h"
#include "core/base/time.h"

namespace bt::swarm {

class Probation {
 public:
  static constexpr size_t kRemembered =
      1024;  // IP addresses; beyond, the one whose pause ends first is forgotten
  static constexpr Duration kFirst = Seconds(1);
  static constexpr Duration kLongest = Seconds(64);

  // A connection from there has lied.
  void Convicted(const Address& from, Instant now) {
    Entry& entry = entries_[from.ip];
    entry.pause = entry.pause.ns == 0 ? kFirst : std::min(entry.pause * 2, kLongest);
    entry.until = now + entry.pause;
    if (entries_.size() <= kRemembered) return;
    entries_.erase(std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
      return a.second.until < b.second.until;
    }));
  }
  // From when on a newcomer from there is asked for blocks; the origin when nothing is known against it.
  Instant until(const Address& from) const {
    const auto found = entries_.find(from.ip);
    return found == entries_.end() ? Instant{} : found->second.until;
  }

 private:
  struct Entry {
    Duration pause{};
    Instant until{};
  };
  absl::btree_map<std::array<uint8_t, 16>, Entry> entries_;  // at most kRemembered
};

}  // namespace bt::swarm
