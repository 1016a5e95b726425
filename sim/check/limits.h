#pragma once

// LimitsJudge: what a tracker node puts into one batch and into one message to another node is within its
// limits, and no message says one thing twice. A single command that is longer than a limit travels alone, as
// core/paxos/config.h and core/tracker/config.h have it.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/ids.h"
#include "core/paxos/protocol.h"
#include "core/tracker_api/tracker_api.h"
#include "sim/world.h"

namespace bt::sim {

class LimitsJudge {
 public:
  struct Limits {
    uint64_t batch_commands = 0;
    uint64_t batch_bytes = 0;
    uint64_t forward_commands = 0;
    uint64_t forward_bytes = 0;
    uint64_t chunk_bytes = 0;  // a longer command is forwarded alone
  };

  LimitsJudge(World& world, std::string node) : world_(world), node_(std::move(node)) {}

  void OnStart(const Limits& limits);
  // The node leads and asks for acceptance of `value`, which a leader with the same limits has made.
  void OnProposed(Slot slot, const Slice& value);
  // One message with commands of these sizes, in bytes, goes to the leader.
  void OnForwarded(const std::vector<size_t>& sizes);
  // One message tells a node what became of these mutations.
  void OnReplies(const std::vector<tracker_api::MutationId>& ids);

 private:
  void Compare(const char* what, uint64_t count, uint64_t bytes, uint64_t count_max, uint64_t bytes_max);

  World& world_;
  std::string node_;
  Limits limits_;
  Slot proposed_;  // the highest slot that was judged
};

}  // namespace bt::sim
