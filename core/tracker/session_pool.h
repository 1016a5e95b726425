#pragma once

// SessionPool: sessions of the node's own, for mutations that came without one. One mutation outstanding
// per session. Session ids never repeat, also not across restarts: they are drawn from the start's seed.

#include <cstdint>
#include <vector>

#include "core/base/digest.h"
#include "core/swarm/tracker_api.h"
#include "core/tracker/limits.h"

namespace bt::tracker {

class SessionPool {
 public:
  void Start(uint64_t seed) { seed_ = seed; }

  // The id of the next mutation of a session that is free.
  tracker_api::MutationId Take(Instant now) {
    // Sessions below one that has idled for long have idled for longer.
    if (!free_.empty() && free_.back().since + kSessionLifetime / 2 <= now) free_.clear();
    if (free_.empty()) return {NewSession(), 1};
    const tracker_api::MutationId id = free_.back().next;
    free_.pop_back();
    return id;
  }
  // The mutation is known to be applied. One whose fate is unknown takes its session with it.
  void Return(tracker_api::MutationId done, Instant now) {
    ++done.sequence;
    free_.push_back({done, now});
  }
  // Take was not followed by a proposal.
  void Unused(const tracker_api::MutationId& id, Instant now) { free_.push_back({id, now}); }
  SessionId NewSession() {
    RollingDigest digest;
    digest.Add(seed_);
    digest.Add(++sessions_);
    return SessionId(digest.value() | 1);  // never 0, which means none
  }

 private:
  struct Free {
    tracker_api::MutationId next;
    Instant since;
  };
  uint64_t seed_ = 0;
  uint64_t sessions_ = 0;
  std::vector<Free> free_;  // at most as many as mutations have been pending at a time
};

}  // namespace bt::tracker
