#pragma once

// StateBuilder: the inverse of StateWalk: takes the items in any cuts between them and makes the state of
// them. The bytes come from a disk or from another node: they are checked and never trusted.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <optional>
#include <vector>

#include "core/base/slice.h"
#include "core/tracker/registry_restore.h"
#include "core/tracker/replicated_state.h"
#include "core/tracker/state_items.h"
#include "core/tracker/step_work.h"

namespace bt::tracker {

class StateBuilder {
 public:
  // `levels`: what this program reads.
  explicit StateBuilder(LevelRange levels = {}) : levels_(levels) {}

  // kDataLoss for bytes that are no items, or not in their order; kUnimplemented for those of a level that
  // this program does not read, with what to do. The builder is of no use afterwards.
  absl::Status Add(const Slice& bytes);
  // After the last Add: makes the state of the items, while there is room. True: it is made, and Take gives
  // it, once. kDataLoss when it contradicts itself, or does not have its digest.
  absl::StatusOr<bool> Finish(StepWork& work);
  absl::StatusOr<ReplicatedState> Take() &&;
  // The same at once, for who has all the time.
  absl::StatusOr<ReplicatedState> Finish() &&;

 private:
  // Bytes that begin with a head of a format that is not read here, whatever follows on it.
  absl::Status CheckFormat(const Slice& bytes) const;
  absl::Status Take(StateHead head);
  absl::Status Take(LevelItem item);
  absl::Status Take(TorrentItem item);
  absl::Status Take(TreeItem item);
  absl::Status Take(ClaimItem item);
  absl::Status Take(NameItem item);
  absl::Status Take(InfoHashItem item);
  absl::Status Take(Session session);

  LevelRange levels_;
  bool has_head_ = false;
  StateHead head_;
  RegistryState registry_;
  SessionsState sessions_;
  // Once there are no more items.
  std::optional<RegistryRestore> restore_;
  std::optional<Sessions> indexed_;
};

// The state that the parts make, one behind the other. kDataLoss: they are no state.
absl::StatusOr<ReplicatedState> ReadState(const std::vector<Slice>& parts);

}  // namespace bt::tracker
