#pragma once

// What a replica knows only while it has a role. What a role must not know, it cannot reach.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <optional>
#include <variant>

#include "core/base/ids.h"
#include "core/base/time.h"
#include "core/paxos/configuration.h"
#include "core/paxos/leader.h"
#include "core/paxos/protocol.h"

namespace bt::paxos {

struct Follower {
  std::optional<NodeId> leader;
  Instant heard;  // from `leader`
};

// Asks who would promise `ballot`; nothing is durable yet.
struct PreCandidate {
  Ballot ballot;
  VoteSet votes;
};

// Phase 1 under the ballot this replica itself has promised, then catching up to the highest watermark that
// was reported.
struct Candidate {
  Ballot ballot;
  WriteSeq own_promise;
  VoteSet promises;                        // complete ones
  absl::btree_map<NodeId, Slot> expected;  // by voter: where the next part of its promise must begin
  Slot watermark;                          // the highest one reported
  NodeId watermark_holder;
  absl::btree_map<Slot, AcceptedEntry> highest;  // by slot, of the highest ballot reported
};

using Role = std::variant<Follower, PreCandidate, Candidate, Leader>;
// Which of them, for those who may not see inside; in the order of Role's alternatives.
enum class RoleKind : uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };

}  // namespace bt::paxos
