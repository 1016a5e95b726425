#pragma once

// LockstepJudge: holds every replica of a simulated cluster against MultiPaxos (multi_paxos.h), step by step.
// What a replica writes to its journal, what leaves it and what it calls chosen are the specification's
// actions; with the first one that the specification refuses it fails the world. It takes no replica's word
// for what is durable, promised or chosen: the disk and the other replicas' journals say so.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/paxos/protocol.h"
#include "core/paxos/replica.h"
#include "sim/check/multi_paxos.h"
#include "sim/world.h"

namespace bt::sim {

class LockstepJudge {
 public:
  // The first `voters` of the nodes are the first members.
  LockstepJudge(World& world, std::vector<NodeId> nodes, size_t voters = SIZE_MAX)
      : world_(world), paxos_(std::move(nodes), voters) {}

  // The node begins a life with the writes up to `last`.
  void OnStart(NodeId node, WriteSeq last);
  // The node gives its journal a record of this type (core/paxos/journal.h).
  void OnWrite(NodeId node, WriteSeq seq, uint8_t type, const Slice& body);
  // Called before anything that others could take as a sign of it.
  void OnDurable(NodeId node, WriteSeq durable);
  // An encoded paxos::Message leaves the node, or comes to the node's machine.
  void OnTransmit(NodeId node, NodeId to, const Slice& message);
  void OnDeliver(NodeId node, NodeId from, const Slice& message);
  void OnNote(NodeId node, const paxos::Note& note);
  void OnApplied(NodeId node, Slot slot) { Take(node, paxos_.Apply(node, slot)); }
  // After each step: what the replica holds in memory.
  void OnStep(NodeId node, const paxos::Replica& replica);

  const MultiPaxos& paxos() const { return paxos_; }

 private:
  void Take(NodeId node, const MultiPaxos::Refusal& refusal) {
    if (refusal.has_value()) [[unlikely]] {
      Refuse(node, *refusal);
    }
  }
  void Refuse(NodeId node, const std::string& what);
  void LookForChange(const Slice& value);

  void Say(NodeId node, const paxos::Prepare& message);
  void Say(NodeId node, const paxos::Promise& message);
  void Say(NodeId node, const paxos::Accept& message);
  void Say(NodeId node, const paxos::Accepted& message);
  void Say(NodeId node, const paxos::Rejected& message);
  void Say(NodeId node, const paxos::Heartbeat& message);
  void Say(NodeId node, const paxos::HeartbeatReply& message);
  void Say(NodeId node, const paxos::Watermark& message);
  void Say(NodeId node, const paxos::CatchUpReply& message);
  void Say(NodeId node, const paxos::SnapshotPart& message);
  // Pre-votes and requests for what is chosen bind nobody.
  template <class Message>
  void Say(NodeId, const Message&) {}

  World& world_;
  MultiPaxos paxos_;
  std::optional<Slot> answered_;  // of the Accepted that has come to the step under way
};

}  // namespace bt::sim
