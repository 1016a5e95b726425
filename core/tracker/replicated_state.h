#pragma once

// ReplicatedState: everything the log's commands act on: registry (with the limits in force) and sessions.
// Equal prefixes of the log give equal states and equal responses on every node: nothing that is made of a
// node's flags, clock or release may enter here. Owned by the tracker node; tests drive it alone.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/slice.h"
#include "core/tracker/registry.h"
#include "core/tracker/sessions.h"
#include "core/tracker/state_walk.h"

namespace bt::tracker {

struct CommandResult {
  tracker_api::MutationId id;  // session 0: not a mutation of anybody's
  tracker_api::Response response;
  bool well_formed = true;
  // Not empty: this program cannot read the command, and why. Nothing was done, and nothing that follows may
  // be applied.
  std::string unreadable;
};

class ReplicatedState {
 public:
  ReplicatedState() = default;
  ReplicatedState(Registry registry, Sessions sessions, uint64_t commands)
      : registry_(std::move(registry)), sessions_(std::move(sessions)), commands_(commands) {}

  // `stamp`: log time of the command's batch, never less than the one before. Bytes that are no command
  // change nothing and are answered kInvalid, on every node alike. `levels`: what this program reads.
  CommandResult Apply(Instant stamp, const Slice& command, const LevelRange& levels = {});

  // The state as it is now, encoded piece by piece while commands go on being applied: Begin, then NextPiece
  // of about so many bytes until walking() is false. The pieces one behind the other are Encode() of now.
  void BeginWalk();
  bool walking() const { return walk_.has_value(); }
  std::string NextPiece(size_t bytes);
  void AbandonWalk();

  // The state as bytes (state_items.h); equal states have equal bytes. For tests and judges: it copies.
  std::string Encode() const;
  // The inverse. kDataLoss for bytes that are no state, contradict themselves or do not have their digest.
  static absl::StatusOr<ReplicatedState> Decode(const Slice& bytes);

  const Registry& registry() const { return registry_; }
  const Sessions& sessions() const { return sessions_; }
  uint64_t commands() const { return commands_; }
  // What applying has cost beside the commands' bytes, ever. No part of the state.
  uint64_t rows() const { return registry_.rows() + sessions_.rows(); }
  // The most that was taken of each agreed limit: since this state is there, and before, as far as told.
  Peaks peaks() const;
  void TakeOver(const Peaks& before) { before_.Note(before); }
  // Which tables are full, and who fills them.
  std::vector<tracker_api::Alarm> Alarms() const;
  // A function of the state alone, at O(1): equal on every node at one slot.
  uint64_t Digest() const;
  void CheckInvariants() const;

 private:
  Registry registry_;
  Sessions sessions_;
  uint64_t commands_ = 0;
  Peaks before_;
  std::optional<StateWalk> walk_;
};

}  // namespace bt::tracker
