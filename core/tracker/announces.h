#pragma once

// Announces: what standard clients have said at this node and the replicated state does not show yet.
// Invariant: a peer is listed here from its announce on until its claim is applied, so other announcers
// at this node see it at once; at most one batch of claims is under way. Soft state: lost with the node.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "core/tracker/command.h"
#include "core/tracker/config.h"
#include "core/tracker/registry.h"

namespace bt::tracker {

class Announces {
 public:
  explicit Announces(const Config& config) : limit_(config.unapplied_announces_max) {}

  // Answers from the applied state and what is known here. `log_time`: an estimate of the log time now.
  tracker_api::Response Answer(const tracker_api::Announce& announce, const Registry& registry, Instant now,
                               Instant log_time, uint64_t seed);

  bool has_work() const { return !batch_underway_ && !queue_.empty(); }
  // The claims to propose next, oldest first; they stay listed until BatchApplied.
  std::vector<ClaimUpdate> TakeBatch(const Limits& limits);
  // This replica has applied the batch, or (`done` false) it was refused and is to be proposed again.
  void BatchApplied(bool done);

  uint64_t size() const { return soft_.size(); }

 private:
  using Key = std::pair<TorrentNumber, Address>;
  struct Soft {
    ClaimUpdate::Kind kind = ClaimUpdate::Kind::kIncomplete;
    Instant since;
    bool underway = false;  // in the batch that is being proposed
    bool changed = false;   // ... and has been told otherwise since
  };

  // False when there is no room to remember it.
  bool Note(const Torrent& torrent, const Address& peer, ClaimUpdate::Kind kind, const Registry& registry,
            Instant now, Instant log_time);
  void ForgetOld(Duration age, Instant now);
  void ListPeers(const Torrent& torrent, const tracker_api::Announce& announce, const Registry& registry,
                 uint64_t seed, tracker_api::Peers& peers) const;

  uint32_t limit_;
  absl::btree_map<Key, Soft> soft_;
  std::deque<Key> queue_;   // the ones not under way, oldest first
  std::vector<Key> batch_;  // the ones under way
  bool batch_underway_ = false;
};

}  // namespace bt::tracker
