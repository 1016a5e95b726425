#pragma once

// AddressBook: the addresses of peers this client may dial, who has named them, when to try each again
// (exponential back-off with jitter), and who is banned. Each source has a limit of its own, so that a source
// that names thousands cannot crowd out what another has named. What peers tell comes last: it is dialled
// when nobody else's word is due, and a few at a time until they have answered. Iteration order is by source
// and address. The client's engine is its user.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <array>
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
  // Whose word is worth more comes first.
  enum class Source : uint8_t { kUser, kTracker, kPeers, kCount };
  // Addresses that only peers have told and that have never answered: so many are dialled at a time.
  static constexpr uint32_t kHearsayDials = 8;

  AddressBook(Timing timing, Limits limits, Address self) : timing_(timing), limits_(limits), self_(self) {}

  // Heard of an address. Ignored: our own, banned ones, port 0, and new ones beyond the source's limit when
  // none of the same source can be forgotten. One that is known already counts to the better source.
  void Add(const Address& address, Source source);
  // Up to `count` addresses that are due; they are then being dialled until Lost or Failed.
  std::vector<Address> TakeDue(Instant now, uint32_t count);
  // When the next address is due; Never if none waits.
  Instant next_due() const;

  // The connection worked, and is gone now.
  void Lost(const Address& address, Instant now, Rng& rng);
  // It could not be made, or the peer broke the protocol: longer and longer pauses.
  void Failed(const Address& address, Instant now, Rng& rng);
  // It took the connection and not the handshake. The handshake names one of `hashes` info-hashes, and a peer
  // need not know the content by this one: that is no verdict on it. The next try names the next info-hash,
  // if `at_once` without a pause until all of them have been tried.
  void Refused(const Address& address, uint32_t hashes, bool at_once, Instant now, Rng& rng);
  // It answered a handshake: the info-hash it was tried with stays the one to try it with.
  void Greeted(const Address& address);
  uint32_t failures(const Address& address) const;
  // Counts the info-hashes it was tried with.
  uint32_t attempt(const Address& address) const;
  // It worked: the next failure starts from the shortest pause again.
  void Worked(const Address& address);
  // It is ourselves under another address, or not worth dialling again.
  void Forget(const Address& address);
  // Nobody to be dialled, unless somebody is heard of there again.
  void Erase(const Address& address);
  void EraseIdle();
  void Ban(const Address& address);
  bool banned(const Address& address) const { return banned_.contains(address); }

  size_t known() const { return entries_.size(); }
  size_t bans() const { return banned_.size(); }

 private:
  struct Entry {
    Source source = Source::kUser;
    bool in_use = false;
    bool never = false;
    bool met = false;  // it has answered a handshake
    uint32_t failures = 0;
    uint32_t attempt = 0;   // which info-hash is its turn
    uint32_t refusals = 0;  // info-hashes tried in vain without a pause
    Instant due{};
  };
  using Entries = absl::btree_map<Address, Entry>;
  void Schedule(Entry& entry, Instant now, Rng& rng);
  uint32_t LimitOf(Source source) const {
    switch (source) {
      case Source::kUser:
        return limits_.given_addresses;
      case Source::kTracker:
        return limits_.told_addresses;
      default:
        return limits_.exchanged_addresses;
    }
  }
  static bool IsHearsay(const Entry& entry) { return entry.source == Source::kPeers && !entry.met; }
  uint32_t HearsayRoom() const;
  bool MakeRoom(Source source);
  Entries::iterator Remove(Entries::iterator entry);
  uint32_t& count(Source source) { return counts_[static_cast<size_t>(source)]; }

  Timing timing_;
  Limits limits_;
  Address self_;
  Entries entries_;
  std::array<uint32_t, static_cast<size_t>(Source::kCount)> counts_{};  // of entries, by source
  absl::btree_set<Address> banned_;                                     // at most bans
  std::deque<Address> ban_order_;                                       // one for each of banned_
};

}  // namespace bt::swarm
