#include "sim/check/repeats.h"

#include <absl/strings/str_format.h>

namespace bt::sim {

void RepeatsJudge::OnSaid(NodeId to, const char* what, uint64_t digest, Instant now, Duration after) {
  if (said_.size() >= kRemembered) said_.clear();
  const auto [said, first] = said_.try_emplace({to, what, digest}, now);
  if (!first && now >= said->second && now - said->second < after) {
    world_.Fail(absl::StrFormat("effort: %s sends node %d the same %s %d us after it has sent it", node_,
                                to.value(), what, (now - said->second).micros()));
  }
  said->second = now;
}

}  // namespace bt::sim
