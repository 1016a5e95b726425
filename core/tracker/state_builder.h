#pragma once

// StateBuilder: the inverse of StateWalk: takes the items in any cuts between them and makes the state of
// them. The bytes come from a disk or from another node: they are checked and never trusted.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <vector>

#include "core/base/slice.h"
#include "core/tracker/replicated_state.h"
#include "core/tracker/state_items.h"

namespace bt::tracker {

class StateBuilder {
 public:
  // kDataLoss for bytes that are no items, or not in their order; the builder is of no use afterwards.
  absl::Status Add(const Slice& bytes);
  // The whole state, once. kDataLoss when it contradicts itself or does not have its digest.
  absl::StatusOr<ReplicatedState> Finish() &&;

 private:
  absl::Status Take(StateHead head);
  absl::Status Take(TorrentItem item);
  absl::Status Take(TreeItem item);
  absl::Status Take(ClaimItem item);
  absl::Status Take(NameItem item);
  absl::Status Take(InfoHashItem item);
  absl::Status Take(Session session);

  bool has_head_ = false;
  StateHead head_;
  RegistryState registry_;
  SessionsState sessions_;
};

// The state that the parts make, one behind the other. kDataLoss: they are no state.
absl::StatusOr<ReplicatedState> ReadState(const std::vector<Slice>& parts);

}  // namespace bt::tracker
