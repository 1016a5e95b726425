#pragma once

// LockstepJudge: holds every replica of a simulated cluster against MultiPaxos (multi_paxos.h), step by step,
// through SpecifiedSteps. With the first action that the specification refuses it fails the world.

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "core/paxos/protocol.h"
#include "core/paxos/replica.h"
#include "sim/check/specified_steps.h"
#include "sim/world.h"

namespace bt::sim {

class LockstepJudge {
 public:
  // The first `voters` of the nodes are the first members.
  LockstepJudge(World& world, std::vector<NodeId> nodes, size_t voters = SIZE_MAX)
      : world_(world), steps_(std::move(nodes), voters) {}

  // As SpecifiedSteps has them; messages are encoded paxos::Messages.
  void OnStart(NodeId node, WriteSeq last) {
    steps_.OnStart(node, last);
    Judged();
  }
  void OnWrite(NodeId node, WriteSeq seq, uint8_t type, const Slice& body) {
    steps_.OnWrite(node, seq, type, body);
    Judged();
  }
  void OnDurable(NodeId node, WriteSeq durable) {
    steps_.OnDurable(node, durable);
    Judged();
  }
  void OnTransmit(NodeId node, NodeId to, const Slice& message);
  void OnDeliver(NodeId node, NodeId from, const Slice& message);
  void OnNote(NodeId node, const paxos::Note& note) {
    steps_.OnNote(node, note);
    Judged();
  }
  void OnApplied(NodeId node, Slot slot) {
    steps_.OnApplied(node, slot);
    Judged();
  }
  // After each step: what the replica holds in memory.
  void OnStep(NodeId node, const paxos::Replica& replica);

  const MultiPaxos& paxos() const { return steps_.paxos(); }

 private:
  void Judged() {
    if (steps_.refusal().has_value()) [[unlikely]] {
      world_.Fail(*steps_.refusal());
    }
  }

  World& world_;
  SpecifiedSteps steps_;
  std::optional<Slot> answered_;  // of the Accepted that has come to the step under way
};

}  // namespace bt::sim
