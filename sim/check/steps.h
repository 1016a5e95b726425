#pragma once

// StepJudge: no step of a node is long, however many reads have become answerable at once: before the last
// answer that a step gives to a linearizable read, all others together have cost less than the step has room
// for. It counts what it sees, the answers and their entries, and asks the node whether it has counted as
// much itself. Counts, because in a world steps take no time.

#include <cstdint>
#include <string>
#include <utility>

#include "core/tracker_api/tracker_api.h"
#include "sim/world.h"

namespace bt::sim {

class StepJudge {
 public:
  // What an answer costs beside its entries (core/tracker/effort.h).
  static constexpr uint64_t kAnswer = 16;

  StepJudge(World& world, std::string node) : world_(world), node_(std::move(node)) {}

  // A life begins, whose steps have room for so much.
  void OnStart(uint64_t room) { room_ = room; }
  // The answer to a linearizable read, in this step.
  void OnRead(const tracker_api::Response& response);
  // The step is over. `counted`: by the node.
  void OnStep(uint64_t counted);

 private:
  World& world_;
  std::string node_;
  uint64_t room_ = 0;
  uint64_t cost_ = 0;  // of this step's answers
};

}  // namespace bt::sim
