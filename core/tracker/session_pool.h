#pragma once

// SessionPool: sessions of the node's own, for mutations that came without one. One mutation outstanding
// per session. Session ids never repeat, also not across restarts: they are drawn from the start's seed.

#include <cstdint>
#include <vector>

#include "core/base/digest.h"
#include "core/base/time.h"
#include "core/tracker_api/tracker_api.h"

namespace bt::tracker {

class SessionPool {
 public:
  void Start(uint64_t seed) { seed_ = seed; }

  // The id of the next mutation of a session that is free. `lifetime`: of sessions in the replicated state.
  tracker_api::MutationId Take(Instant now, Duration lifetime) {
    // Sessions below one that has idled for long have idled for longer. One that may have expired by log time
    // would be refused: half a lifetime is left for the difference between the clocks.
    if (!free_.empty() && free_.back().since + lifetime / 2 <= now) free_.clear();
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
    // Two lives of a node that drew one id would give two mutations one (session, sequence), and the second
    // would be answered with the first one's response without being executed.
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
  std::vector<Free> free_;  // at most pending_max: as many as mutations have been pending at a time
};

}  // namespace bt::tracker
