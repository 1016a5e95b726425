#pragma once

// Shares: how much of the registry's tables each source holds, and in which order its claims give way. Counts
// and indexes alone, kept up by the registry with each change and made anew of its state: equal states have
// equal shares. Invariant: exactly one entry of each index per claim.

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "core/base/address.h"
#include "core/base/time.h"
#include "core/tracker/command.h"
#include "core/tracker/peaks.h"
#include "core/tracker/registry_state.h"
#include "core/tracker/source.h"

namespace bt::tracker {

struct Share {
  uint32_t claims = 0;
  uint32_t names = 0;
  uint64_t claim_bytes = 0;
  uint64_t registered_bytes = 0;  // of metainfo

  friend bool operator==(const Share&, const Share&) = default;
};

class Shares {
 public:
  // Who holds at least so many claims or names, or bytes of them, is found by Largest.
  static constexpr uint32_t kLarge = 1024;
  static constexpr uint64_t kLargeBytes = 1 << 20;

  struct Place {
    TorrentNumber torrent;
    Address peer;
  };

  // A claim that has been added to the torrent; one that is about to be removed from it.
  void AddClaim(const Torrent& torrent, const Claim& claim);
  void RemoveClaim(const Torrent& torrent, const Claim& claim);
  // Around a change of `claim.indexed`.
  void Unindex(const Torrent& torrent, const Claim& claim);
  void Index(const Torrent& torrent, const Claim& claim);
  void AddClaimBytes(Source source, uint64_t bytes);
  void RemoveClaimBytes(Source source, uint64_t bytes);
  void AddName(Source source);
  void AddRegisteredBytes(Source source, uint64_t bytes);

  Share Of(Source source) const;
  uint32_t ClaimsOf(Source source, TorrentNumber torrent) const;
  // The claim that gives way first: the one that is indexed to expire first. None: it has none.
  std::optional<Place> Oldest(Source source) const;
  std::optional<Place> Oldest(Source source, TorrentNumber torrent) const;
  // At most `most` sources with the most claims, or names, the largest first; none below kLarge. By bytes:
  // none below kLargeBytes.
  std::vector<Source> Largest(uint32_t Share::*what, size_t most) const;
  std::vector<Source> Largest(uint64_t Share::*what, size_t most) const;

  // Torrents with at least kLarge claims.
  const absl::btree_set<TorrentNumber>& crowded() const { return crowded_; }

  size_t indexed() const { return by_age_.size(); }
  // Of what one source holds, and of claims of one content.
  const Peaks& peaks() const { return peaks_; }
  friend bool operator==(const Shares& a, const Shares& b) {
    return a.shares_ == b.shares_ && a.by_age_ == b.by_age_;
  }

 private:
  // Changes what the source holds.
  template <class Change>
  void Update(Source source, Change change);

  // At most one for each claim and name.
  absl::flat_hash_map<Source, Share> shares_;  // look-up only
  // At most one for each claim.
  absl::flat_hash_map<std::pair<Source, TorrentNumber>, uint32_t> of_torrent_;       // look-up only
  absl::btree_set<std::tuple<Source, Instant, TorrentNumber, Address>> by_age_;      // one for each claim
  absl::btree_set<std::tuple<Source, TorrentNumber, Instant, Address>> by_torrent_;  // one for each claim
  absl::btree_set<Source> large_;           // at most one for each of shares_
  absl::btree_set<TorrentNumber> crowded_;  // at most one for each torrent
  Peaks peaks_;
};

}  // namespace bt::tracker
