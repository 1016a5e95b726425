#pragma once

// AddressBook: the addresses of peers this client may dial, when to try each again (exponential back-off
// with jitter), and who is banned. Bounded; iteration order is by address. The client's engine is its user.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "core/base/address.h"
#include "core/base/rng.h"
#include "core/base/time.h"
#include "core/swarm/config.h"

namespace bt::swarm {

class AddressBook {
 public:
  AddressBook(Timing timing, Address self) : timing_(timing), self_(self) {}

  // Heard of an address. Ignored: our own, banned ones, port 0, and new ones beyond kKnownAddressLimit when
  // none can be forgotten.
  void Add(const Address& address);
  // Up to `count` addresses that are due; they are then being dialled until Lost or Failed.
  std::vector<Address> TakeDue(Instant now, uint32_t count);
  // When the next address is due; Never if none waits.
  Instant next_due() const;

  // The connection worked, and is gone now.
  void Lost(const Address& address, Instant now, Rng& rng);
  // It could not be made, or the peer broke the protocol: longer and longer pauses.
  void Failed(const Address& address, Instant now, Rng& rng);
  // It worked: the next failure starts from the shortest pause again.
  void Worked(const Address& address);
  // It is ourselves under another address, or not worth dialling again.
  void Forget(const Address& address);
  void Ban(const Address& address);
  bool banned(const Address& address) const { return banned_.contains(address); }
  // How often in a row it failed: a caller may try something else next time.
  uint32_t failures(const Address& address) const;

  size_t known() const { return entries_.size(); }
  size_t bans() const { return banned_.size(); }

 private:
  struct Entry {
    bool in_use = false;
    bool never = false;
    uint32_t failures = 0;
    Instant due{};
  };
  void Schedule(Entry& entry, Instant now, Rng& rng);

  Timing timing_;
  Address self_;
  absl::btree_map<Address, Entry> entries_;
  absl::btree_set<Address> banned_;
  std::deque<Address> ban_order_;
};

}  // namespace bt::swarm
