#pragma once

// MultiPaxos: the protocol as its papers have it, to hold real replicas against. Ballots, promises, votes and
// choices; no timers, batches, windows or catch-up: to be told a chosen value is the action Learn. Names of
// actions are those of "Paxos Made Simple" (Prepare is phase 1a, Promise 1b, Propose 2a, Accept 2b). An
// action is taken when the state allows it and otherwise refused with the predicate of a sentence about who
// tried it.
//
// Memory and disk are told apart: Promise and Accept happen when the acceptor writes them down, bind others
// from when they are durable (Sync), and are undone by a crash before that (Restart). A value is chosen when
// the disks of a majority hold their votes for it under one ballot, whoever knows of it. The acceptors of a
// slot are those that the values chosen kMembershipDelay below it name ("Paxos Made Simple", section 3). Only
// specified_steps.h uses this class, and tests.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>
#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/paxos/protocol.h"
#include "core/paxos/roles.h"

namespace bt::sim {

class MultiPaxos {
 public:
  using Ballot = paxos::Ballot;
  using Value = uint64_t;                      // xxh3-64 of the bytes
  using Refusal = std::optional<std::string>;  // nullopt: allowed, and done
  static Value ValueOf(const Slice& bytes);

  // `voters`: how many of these nodes, the first ones, are the first slots' acceptors; by default all. CHECKs
  // that there are at most 16 nodes.
  explicit MultiPaxos(std::vector<NodeId> nodes, size_t voters = SIZE_MAX);

  // `value` names other members from where it is chosen on, if it may.
  void IsChange(Value value, const paxos::Membership& membership) { changes_[value] = membership; }
  // The node says that this membership is in force from slot `from` on.
  Refusal TellMembers(NodeId node, Slot from, const paxos::Membership& membership) const;
  // The membership that was chosen last, and from which slot it is in force.
  const paxos::Membership& membership() const { return configurations_.back().membership; }
  Slot in_force_from() const { return configurations_.back().from; }

  // --- what a node does to its own state, in the order of its journal ---

  // Phase 1b, the state: the promise rises. With a ballot of its own the node begins to stand for election.
  Refusal Promise(NodeId node, Ballot ballot, WriteSeq write);
  // Phase 2b, the state: a vote. With a ballot of its own the node proposes (phase 2a) in the same breath.
  Refusal Accept(NodeId node, Ballot ballot, Slot slot, Value value, WriteSeq write);
  // The node knows `slot`, the one after those it knows, as chosen.
  Refusal Learn(NodeId node, Slot slot, Value value);
  // The state above the log takes up `slot`.
  Refusal Apply(NodeId node, Slot slot);
  // The node takes up a snapshot: it knows every slot up to `slot` as chosen, and the state above is that of
  // `slot`, which it applies next.
  Refusal Restore(NodeId node, Slot slot);
  // Every write of the node up to `durable` is on its disk.
  Refusal Sync(NodeId node, WriteSeq durable);
  // The node has crashed and begins again from its writes up to `last`, knowing nothing as chosen.
  Refusal Restart(NodeId node, WriteSeq last);

  // --- what a node says, when it leaves the node ---

  Refusal Prepare(NodeId node, Ballot ballot);                     // phase 1a
  Refusal TellPromise(NodeId node, const paxos::Promise& report);  // phase 1b, the message
  Refusal TellProposal(NodeId node, Ballot ballot, Slot slot, Value value);
  Refusal TellAccepted(NodeId node, Ballot ballot, Slot slot);  // phase 2b, the message
  Refusal TellRejected(NodeId node, Ballot ballot, Ballot promised) const;
  // It says that it leads, or answers one who says so.
  Refusal TellLeads(NodeId node, Ballot ballot) const;
  Refusal TellFollows(NodeId node, Ballot ballot) const;
  // The leader of `ballot` lets `heir` stand, who must have voted for all that it proposed, or it would be
  // lost for as long as the heir needs to hear of it.
  Refusal TellHeir(NodeId node, NodeId heir, Ballot ballot) const;
  // It says that this value, or every slot up to this one, is chosen.
  Refusal TellChosen(Slot slot, Value value) const;
  Refusal TellChosenUpTo(Slot slot) const;

  // A part of a promise has come to the candidate. Parts that do not follow on those heard are repetitions.
  void HearPromise(NodeId node, NodeId from, const paxos::Promise& report);

  // What the node holds in memory is what it has written and learned, ...
  Refusal Holds(NodeId node, Ballot promised, Slot known) const;
  Refusal HoldsPromise(NodeId node, Ballot promised) const;
  // ... as a candidate the highest ballot reported for each slot above the watermarks reported, ...
  Refusal HoldsReports(NodeId node, const paxos::Candidate& candidate) const;
  // ... and as a leader no vote that was not given, and no majority for a value that is not chosen.
  Refusal HoldsVotes(Ballot ballot, Slot slot, const paxos::VoteSet& votes) const;

  std::optional<Value> chosen(Slot slot) const;
  // Every slot up to it is chosen.
  Slot chosen() const { return chosen_; }

  // Of the whole state: with equal ones the same actions are allowed from here on.
  uint64_t Digest() const;

 private:
  using Nodes = uint16_t;  // a bit for each node
  struct VotersFrom {
    Slot from;
    Nodes voters;
    paxos::Membership membership;
  };
  struct Proposal {
    Ballot ballot;
    Value value = 0;
    Nodes voted = 0;     // also in memory only
    Nodes durable = 0;   // the votes on disk: these count
    Nodes answered = 0;  // told like a vote by those who knew the slot as chosen
  };
  struct Decision {
    absl::InlinedVector<Proposal, 1> proposals;
    std::optional<Value> chosen;
  };
  struct Write {
    WriteSeq seq;
    Ballot ballot;
    Slot slot;  // 0: a promise
  };
  // The slots `from` (included) to `to` (excluded) about which an acceptor has reported.
  struct Reported {
    NodeId node;
    Slot from;
    Slot to;
  };
  struct Candidacy {
    Ballot ballot;
    bool leads = false;  // it has proposed: what it hears from here on changes nothing
    std::vector<Reported> reported;
    absl::btree_map<Slot, paxos::AcceptedEntry> highest;  // by slot, of the highest ballot; values left out
  };
  struct Acceptor {
    Ballot promised;
    Ballot durable_promise;
    WriteSeq durable;
    std::deque<Write> writes;  // not yet durable
    Slot known;                // chosen, as far as the node knows
    Slot applied;
    Candidacy candidacy;
  };

  size_t IndexOf(NodeId node) const;
  Nodes BitOf(NodeId node) const { return static_cast<Nodes>(1u << IndexOf(node)); }
  Acceptor& Of(NodeId node) { return acceptors_[IndexOf(node)]; }
  const Acceptor& Of(NodeId node) const { return acceptors_[IndexOf(node)]; }
  // Of those who vote on the slot.
  bool Majority(Nodes nodes, Slot slot) const;
  Nodes VotersOf(Slot slot) const;
  // Slot chosen_ is chosen with this value.
  void FollowChange(Value value);
  const Proposal* Find(Slot slot, Ballot ballot) const;
  Proposal* Find(Slot slot, Ballot ballot);
  // The vote of the node for this slot under the highest ballot below `ballot`.
  const Proposal* LastVote(NodeId node, Slot slot, Ballot ballot) const;
  Refusal Propose(NodeId node, Ballot ballot, Slot slot, Value value);
  Refusal CheckReported(NodeId node, Ballot ballot, const paxos::AcceptedEntry& entry) const;
  Refusal Count(Slot slot, Ballot ballot, Nodes bit);

  const std::vector<NodeId> nodes_;
  std::vector<Acceptor> acceptors_;
  std::vector<Decision> slots_;  // slot i + 1
  absl::btree_set<Ballot> prepared_;
  Slot chosen_;
  absl::btree_map<Value, paxos::Membership> changes_;
  std::vector<VotersFrom> configurations_;  // ascending
};

}  // namespace bt::sim
