#pragma once

// A first start is said, not guessed: init writes a node's first state, serving only reads it. The one
// exception is a cluster of one without --node flags, which begins by itself where no directory is. Blocking,
// before the loop runs.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <string>

#include "nodes/tracker/node_state.h"
#include "nodes/tracker/tracker_flags.h"

namespace bt::nodes {

// bytetorrent-tracker init: says what it did, or why not. The exit status.
int RunInit(const TrackerFlags& flags);

// The state to serve from, of the node that `flags` describe; `note` is told when a cluster of one began.
absl::StatusOr<NodeState> StateToServe(const TrackerFlags& flags,
                                       const std::function<void(std::string)>& note);

// Why a node that was initialised is not served when its journal is gone, and what to do.
absl::Status LostJournal(const TrackerFlags& flags, const NodeState& state);

// Whether the node is of a cluster of several, whose other members can let it in anew.
bool HasOthers(const TrackerFlags& flags);

}  // namespace bt::nodes
