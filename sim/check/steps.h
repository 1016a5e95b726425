#pragma once

// StepJudge: no step of a node is long, however much has become possible at once. A step may apply chosen
// commands, answer linearizable reads, and send; of each it has a stated room, and before the last thing that
// it does all others together have cost less than that room. The judge counts what it sees leave the step,
// and asks the node whether it has counted as much itself. Counts, because in a world steps take no time.
// Units are those of core/tracker/step_work.h.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <string>
#include <utility>

#include "core/base/ids.h"
#include "core/tracker_api/tracker_api.h"
#include "sim/world.h"

namespace bt::sim {

class StepJudge {
 public:
  static constexpr uint64_t kAnswer = 16;  // beside its entries
  static constexpr uint64_t kCommand = 4;  // beside its bytes
  static constexpr uint64_t kRowBytes = 64;

  struct Room {
    uint64_t reads = 0;         // in units
    uint64_t commands = 0;      // applied, in units
    uint64_t forwards = 0;      // commands sent to the leader, in units
    uint64_t answer_bytes = 0;  // of answers of all kinds
    uint64_t sent_bytes = 0;    // to one peer
  };

  StepJudge(World& world, std::string node) : world_(world), node_(std::move(node)) {}

  // A life begins, whose steps have so much room.
  void OnStart(Room room);
  // In this step: the answer to a linearizable read, any answer, so many commands that are applied, a
  // message.
  void OnRead(const tracker_api::Response& response);
  void OnAnswer(uint64_t bytes);
  void OnApplied(uint64_t commands);
  void OnForwarded(uint64_t bytes);  // a command
  void OnSent(NodeId to, uint64_t bytes);
  // The step is over. What the node says it has cost, in units.
  struct Counted {
    uint64_t reads = 0;
    uint64_t commands = 0;
  };
  void OnStep(const Counted& counted);

 private:
  void Begin();
  void Compare(const char* what, uint64_t counted, uint64_t cost);
  void Spend(const char* doing, uint64_t room, uint64_t cost, uint64_t& spent);

  World& world_;
  std::string node_;
  Room room_;
  // Of this step.
  uint64_t reads_ = 0;
  uint64_t commands_ = 0;
  uint64_t forwards_ = 0;
  uint64_t answer_bytes_ = 0;
  absl::btree_map<NodeId, uint64_t> sent_bytes_;
};

}  // namespace bt::sim
