#pragma once

// Announces: what standard clients have said at this node and the replicated state does not show yet.
// Invariant: a peer is listed here from its announce on until its claim is applied, so other announcers
// at this node see it at once; at most one batch of claims is under way. Soft state: lost with the node.

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/highest.h"
#include "core/tracker/command.h"
#include "core/tracker/config.h"
#include "core/tracker/registry.h"

namespace bt::tracker {

class Announces {
 public:
  explicit Announces(const Config& config) : limit_(config.unapplied_announces_max) {}

  // Of so many announces that wait to be replicated one source may have so many.
  static constexpr uint32_t LimitOfSource(uint32_t limit) {
    constexpr uint32_t kSourcePart = 16;
    return limit < kSourcePart ? 1 : limit / kSourcePart;
  }

  // Answers `source` from the applied state and what is known here. `log_time`: an estimate of the log time
  // now. What keeps the claim from being listed is told beside the peers.
  tracker_api::Response Answer(const tracker_api::Announce& announce, Source source, const Registry& registry,
                               Instant now, Instant log_time, uint64_t seed);

  bool has_work() const { return !batch_underway_ && !queue_.empty(); }
  // The claims to propose next, oldest first; they stay listed until BatchApplied.
  std::vector<ClaimUpdate> TakeBatch(const Limits& limits);
  // This replica has applied the batch, or (`done` false) it was refused and is to be proposed again.
  void BatchApplied(bool done);

  uint64_t size() const { return soft_.size(); }
  const Highest& most() const { return most_; }
  const Highest& most_of_source() const { return most_of_source_; }

 private:
  using Key = std::pair<TorrentNumber, Address>;
  struct Soft {
    ClaimUpdate::Kind kind = ClaimUpdate::Kind::kIncomplete;
    Instant since;
    Source source;
    bool underway = false;  // in the batch that is being proposed
    bool changed = false;   // ... and has been told otherwise since
  };

  // Why the claim may not be listed; nullopt: it is, or will be.
  std::optional<std::string> Note(const Torrent& torrent, const Address& peer, Source source,
                                  ClaimUpdate::Kind kind, const Registry& registry, Instant now,
                                  Instant log_time);
  void Forget(absl::btree_map<Key, Soft>::iterator soft);
  void ForgetOld(Duration age, Instant now);
  void ListPeers(const Torrent& torrent, const tracker_api::Announce& announce, const Registry& registry,
                 uint64_t seed, tracker_api::Peers& peers) const;

  uint32_t limit_;
  absl::btree_map<Key, Soft> soft_;  // at most unapplied_announces_max
  // At most one for each of soft_.
  absl::flat_hash_map<Source, uint32_t> of_source_;  // how many of soft_; look-up only
  // At most one for each of soft_.
  std::deque<Key> queue_;   // the ones not under way, oldest first
  std::vector<Key> batch_;  // the ones under way; at most claims_per_command
  bool batch_underway_ = false;
  Highest most_;
  Highest most_of_source_;
};

}  // namespace bt::tracker
