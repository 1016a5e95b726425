#pragma once

// SessionsJudge: one client's exactly-once session, by log time. The cluster must know a session until its
// last mutation is as old as a full table may forget (Limits::session_eviction_age), and must not take it for
// living once that mutation is older than the session's lifetime: whoever repeats a mutation then is refused,
// because nobody can tell any more whether it was executed. In between either is right. Log time is known
// from outside by bounds, as in claims.h. The client's workload is its user.

#include <cstdint>

#include "core/base/ids.h"
#include "core/tracker_api/answers.h"
#include "sim/world.h"

namespace bt::sim {

class SessionsJudge {
 public:
  struct Lifetimes {
    Duration lifetime;
    Duration eviction_age;
  };

  SessionsJudge(World& world, uint32_t client, Lifetimes lifetimes)
      : world_(world), client_(client), lifetimes_(lifetimes) {}

  // The client uses another session from here.
  void Begin() { used_ = false; }
  // A mutation of the session was answered by the log: the session's row was written between these.
  void Used(Instant asked, Instant answered);
  // A mutation that is not the session's first, or a repetition of one, was first asked for at `asked`, and
  // at `answered` the log said `outcome`.
  void Answered(tracker_api::Outcome outcome, Instant asked, Instant answered);

 private:
  World& world_;
  uint32_t client_;
  Lifetimes lifetimes_;
  bool used_ = false;
  Instant used_first_{};  // it was used between these two
  Instant used_last_{};
};

}  // namespace bt::sim
