#include "sim/check/farewells.h"

#include <absl/strings/str_format.h>

namespace bt::sim {

void FarewellJudge::OnBeat(NodeId removed, Instant now, Duration tick) {
  const auto found = beats_.find(removed);
  if (found == beats_.end() || now - found->second.counted < tick) return;
  found->second.counted = now;
  if (++found->second.count <= kBeatsMax) return;
  world_.Fail(absl::StrFormat("effort: %s goes on writing to node %d, which is no member and knows it", node_,
                              removed.value()));
}

}  // namespace bt::sim
