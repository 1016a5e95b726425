#pragma once

// ReplicatedState: everything the log's commands act on: registry and sessions. Equal prefixes of the
// log give equal states and equal responses on every node. Owned by the tracker node; tests drive it alone.

#include <cstdint>

#include "core/base/slice.h"
#include "core/tracker/registry.h"
#include "core/tracker/sessions.h"

namespace bt::tracker {

struct CommandResult {
  tracker_api::MutationId id;  // session 0: not a mutation of anybody's
  tracker_api::Response response;
  bool well_formed = true;
};

class ReplicatedState {
 public:
  explicit ReplicatedState(const Limits& limits = Limits()) : registry_(limits), sessions_(limits) {}

  // `stamp`: log time of the command's batch, never less than the one before. Bytes that are no command
  // change nothing and are answered kInvalid, on every node alike.
  CommandResult Apply(Instant stamp, const Slice& command);

  const Registry& registry() const { return registry_; }
  const Sessions& sessions() const { return sessions_; }
  uint64_t commands() const { return commands_; }
  uint64_t Digest() const;
  void CheckInvariants() const;

 private:
  Registry registry_;
  Sessions sessions_;
  uint64_t commands_ = 0;
};

}  // namespace bt::tracker
