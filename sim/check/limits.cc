#include "sim/check/limits.h"

#include <absl/strings/str_format.h>

#include <algorithm>

#include "core/base/fields.h"

namespace bt::sim {

void LimitsJudge::OnStart(const Limits& limits) {
  limits_ = limits;
  proposed_ = Slot(0);
}

void LimitsJudge::Compare(const char* what, uint64_t count, uint64_t bytes, uint64_t count_max,
                          uint64_t bytes_max) {
  if (count <= count_max && (count <= 1 || bytes <= bytes_max)) return;
  world_.Fail(
      absl::StrFormat("bounds: %s puts %d commands of %d bytes into one %s, and at most %d of %d may be",
                      node_, count, bytes, what, count_max, bytes_max));
}

void LimitsJudge::OnProposed(Slot slot, const Slice& value) {
  if (slot <= proposed_) return;  // to another follower, or again
  proposed_ = slot;
  const absl::StatusOr<paxos::Batch> batch = Decode<paxos::Batch>(value);
  if (!batch.ok()) return world_.Fail("bounds: " + node_ + " proposes what is no batch");
  uint64_t bytes = 0;
  for (const Slice& command : batch->commands) bytes += command.size();
  Compare("batch", batch->commands.size(), bytes, limits_.batch_commands, limits_.batch_bytes);
}

void LimitsJudge::OnForwarded(const std::vector<size_t>& sizes) {
  uint64_t bytes = 0;
  for (const size_t size : sizes) bytes += size;
  Compare("message", sizes.size(), bytes, limits_.forward_commands, limits_.forward_bytes);
  if (sizes.size() > 1 && *std::max_element(sizes.begin(), sizes.end()) > limits_.chunk_bytes) {
    world_.Fail("bounds: " + node_ + " lets short commands travel with one that is cut into chunks");
  }
}

void LimitsJudge::OnReplies(const std::vector<tracker_api::MutationId>& ids) {
  for (size_t i = 1; i < ids.size(); ++i) {
    if (std::find(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(i), ids[i]) ==
        ids.begin() + static_cast<ptrdiff_t>(i))
      continue;
    return world_.Fail(absl::StrFormat(
        "effort: %s tells a node twice in one message what became of mutation %d", node_, ids[i].sequence));
  }
}

}  // namespace bt::sim
