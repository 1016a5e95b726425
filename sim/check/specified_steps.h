#pragma once

// SpecifiedSteps: what replicas do, as actions of MultiPaxos (multi_paxos.h). What a replica writes to its
// journal, what leaves it and what it calls chosen are the specification's actions; the first one that the
// specification refuses is kept as a sentence. No replica's word is taken for what is durable, promised or
// chosen: the disk and the other replicas' journals say so. A value: who looks at many futures copies it.
// LockstepJudge (lockstep.h) is its use in a simulated world.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/paxos/protocol.h"
#include "core/paxos/replica.h"
#include "sim/check/multi_paxos.h"

namespace bt::sim {

class SpecifiedSteps {
 public:
  // The first `voters` of the nodes are the first members.
  explicit SpecifiedSteps(std::vector<NodeId> nodes, size_t voters = SIZE_MAX)
      : paxos_(std::move(nodes), voters) {}

  // The node begins a life with the writes up to `last`.
  void OnStart(NodeId node, WriteSeq last);
  // The node gives its journal a record of this type (core/paxos/journal.h).
  void OnWrite(NodeId node, WriteSeq seq, uint8_t type, const Slice& body);
  // Called before anything that others could take as a sign of it.
  void OnDurable(NodeId node, WriteSeq durable);
  // The message leaves the node.
  void OnTransmit(NodeId node, NodeId to, const paxos::Message& message);
  // A promise comes to the node's machine.
  void OnPromise(NodeId node, NodeId from, const paxos::Promise& promise) {
    paxos_.HearPromise(node, from, promise);
  }
  void OnNote(NodeId node, const paxos::Note& note);
  void OnApplied(NodeId node, Slot slot) { Take(node, paxos_.Apply(node, slot)); }

  // What a replica holds in memory after a step. Pointers: nullptr where it has none.
  struct Held {
    paxos::Ballot ballot;
    Slot chosen;
    const paxos::Candidate* candidate = nullptr;
    const paxos::VoteSet* votes = nullptr;  // as a leader's under `ballot`, in `slot`
    Slot slot;
  };
  void OnStep(NodeId node, const Held& held);

  const MultiPaxos& paxos() const { return paxos_; }
  // "specification: tracker-2 promised ballot ..": the first action that was refused.
  const std::optional<std::string>& refusal() const { return refusal_; }

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

  MultiPaxos paxos_;
  std::optional<std::string> refusal_;
};

// A leader's votes in `slot`, that an Accepted has just come for: into `held`.
void HoldVotes(const paxos::Replica& replica, Slot slot, SpecifiedSteps::Held& held);

}  // namespace bt::sim
