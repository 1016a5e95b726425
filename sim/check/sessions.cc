#include "sim/check/sessions.h"

#include <absl/strings/str_format.h>

#include <algorithm>

namespace bt::sim {

void SessionsJudge::Used(Instant asked, Instant answered) {
  used_first_ = used_ ? std::max(used_first_, asked) : asked;
  used_last_ = answered;
  used_ = true;
}

void SessionsJudge::Answered(tracker_api::Outcome outcome, Instant asked, Instant answered) {
  if (!used_) return;
  if (outcome == tracker_api::Outcome::kSessionExpired) {
    if (answered < used_first_ + lifetimes_.eviction_age) {
      world_.Fail(absl::StrFormat(
          "sessions: client %d used its session at log time %s or later, and at log time %s it is forgotten, "
          "although a full table keeps it for %d s",
          client_, TimeText(used_first_), TimeText(answered), lifetimes_.eviction_age.seconds()));
    }
  } else if (asked >= used_last_ + lifetimes_.lifetime) {
    world_.Fail(
        absl::StrFormat("sessions: client %d used its session at log time %s or before, and a mutation of it "
                        "asked for at log "
                        "time %s is taken, although it lives for %d s",
                        client_, TimeText(used_last_), TimeText(asked), lifetimes_.lifetime.seconds()));
  }
}

}  // namespace bt::sim
