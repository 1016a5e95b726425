#pragma once

// Sessions: exactly once. Session id -> the last sequence applied and its response; replicated state.
// Invariant: a mutation of a live session takes effect at most once, however often it is in the log.
// Sessions are forgotten by log time alone. Used by ReplicatedState, around Registry::Apply.

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "core/base/digest.h"
#include "core/swarm/tracker_api.h"
#include "core/tracker/limits.h"

namespace bt::tracker {

class Sessions {
 public:
  explicit Sessions(const Limits& limits = Limits()) : limit_(limits.sessions) {}

  // Moves log time on; forgets a few sessions that are due.
  void AdvanceTo(Instant stamp);

  // The response of a mutation that must not be executed: a duplicate's first response, or a refusal (a
  // sequence gone by, an unknown session not at its start, a full table). nullopt: execute it.
  std::optional<tracker_api::Response> Known(const tracker_api::MutationId& id);
  // After execution. A mutation that came to kUnavailable did nothing and is not recorded.
  void Record(const tracker_api::MutationId& id, const tracker_api::Response& response);

  uint64_t size() const { return sessions_.size(); }
  uint64_t digest() const { return digest_.value(); }
  void CheckInvariants() const;

 private:
  struct Entry {
    uint64_t sequence = 0;
    Instant used;     // log time of the last mutation
    Instant indexed;  // where the age index has it: at most `used`
    tracker_api::Outcome outcome = tracker_api::Outcome::kOk;
    std::optional<ContentId> registered;
    std::string reason;
  };
  using AgeKey = std::pair<Instant, SessionId>;

  bool Expired(const Entry& entry) const { return entry.used + kSessionLifetime <= log_time_; }
  // Brings the front of the age index up to date; false when the oldest session is younger than `age`.
  bool ForgetOldest(Duration age);

  uint32_t limit_;
  Instant log_time_{};
  absl::flat_hash_map<SessionId, Entry> sessions_;  // look-up only
  absl::btree_set<AgeKey> ages_;                    // exactly one per session
  RollingDigest digest_;
};

}  // namespace bt::tracker
