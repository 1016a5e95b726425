#pragma once

// BulkJudge: one node's long messages, as it sends their chunks. Whoever needs a message asks for it again
// some day, so a chunk that is never repeated costs nothing but time, and no other judge would speak:
//   - a chunk that is not acknowledged is sent again before anything new is, and before the node falls
//   silent;
//   - when the peer says that it has begun a message anew, what it had acknowledged before is sent again,
//   too:
//     it is gone there, and the message would never be complete.
// What the node says that it has lost is excused.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "core/base/ids.h"
#include "core/base/time.h"
#include "sim/world.h"

namespace bt::sim {

class BulkJudge {
 public:
  BulkJudge(World& world, std::string node) : world_(world), node_(std::move(node)) {}

  // All times are the node's own.
  void OnStart(Instant now);
  // The chunk of `message` that begins at `offset` is on its way.
  void OnSent(NodeId to, uint64_t message, uint64_t offset, Instant now);
  // The node is about to hear that it has come, and is part of the peer's `assembly`.
  void OnAcknowledged(NodeId from, uint64_t message, uint64_t offset, uint64_t assembly, Instant now);
  // The node has stepped. `lost`: messages that were given up, in this life.
  void OnStep(uint64_t lost, Instant now);

 private:
  struct Part {
    Instant sent;
    bool repeated = false;
    bool excused = false;
  };
  // What the peer has of a message, as it says.
  struct Assembly {
    uint64_t number = 0;
    uint64_t forgotten = 0;                  // the number of the one before
    absl::btree_set<uint64_t> acknowledged;  // offsets
  };
  struct Peer {
    absl::btree_map<std::pair<uint64_t, uint64_t>, Part> under_way;  // by message and offset
    absl::btree_map<uint64_t, Assembly> assemblies;                  // of messages
    Duration longest{};              // way and back, of chunks that were sent once
    std::optional<Instant> overdue;  // since when something has been
    bool sends_on = false;           // something new, in this step, although something is overdue for long
  };

  void Excuse();
  void JudgePeer(NodeId to, Peer& peer, Instant now);

  World& world_;
  const std::string node_;
  absl::btree_map<NodeId, Peer> peers_;
  Instant last_step_;
  uint64_t lost_ = 0;
};

}  // namespace bt::sim
