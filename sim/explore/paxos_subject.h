#pragma once

// PaxosSubject: the shipping paxos::Replica as a subject of explore, judged by the specification that
// simulated worlds use in lockstep (sim/check/specified_steps.h): one value for a slot, promises kept,
// nothing told before it is durable, only what a majority's disks hold called chosen, and that for ever; and
// reads that reflect what had been acknowledged.
//
// Time. No timer waits: it fires whenever it is armed, within its budget. A node's clock stands still but for
// two moments, at which more time passes than election_min: before its own election time-out, and before a
// pre-vote comes to it while it does not lead. So no pre-vote is refused for a leader's sake alone, which is
// the worst for safety; a leader's clock never moves, so that log time is the same in all futures. Then no
// other reading of the clock decides anything, and the digest of a replica leaves them out.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/paxos/replica.h"
#include "sim/check/specified_steps.h"
#include "sim/explore/sight.h"
#include "sim/explore/subject.h"

namespace bt::sim::explore {

struct PaxosScope {
  uint32_t replicas = 3;
  uint32_t ballots = 1;  // election time-outs
  // Whose they are, one after the other; empty: anybody's. With other ids the same happens, but for which of
  // two ballots of one round is the higher.
  std::vector<uint32_t> candidates;
  uint32_t commands = 1;
  uint32_t reads = 0;
  uint32_t catch_ups = 0;          // time-outs of catch-up
  uint32_t beats = 0;              // heartbeat time-outs
  bool heartbeats = false;         // heartbeats and their answers arrive; else none ever does
  bool pre_votes_at_once = false;  // pre-votes and their answers come in the step that sends them
};

// What judges look at of a replica's memory.
struct PaxosLook {
  paxos::Ballot ballot;
  Slot chosen;
  std::vector<Slot> applied;
  std::optional<paxos::Candidate> candidate;
  std::optional<std::pair<Slot, paxos::VoteSet>> votes;  // a leader's, where an Accepted has just come for
};

using PaxosSight = Sight<paxos::Protocol, PaxosLook>;

class PaxosJudge {
 public:
  explicit PaxosJudge(std::vector<NodeId> nodes) : steps_(std::move(nodes)) {}

  std::optional<std::string> See(NodeId node, const PaxosSight& sight);
  uint64_t Digest() const;

 private:
  void See(NodeId node, const Began& began);
  void See(NodeId node, const Wrote& wrote) { steps_.OnWrite(node, wrote.seq, wrote.type, wrote.body); }
  void See(NodeId node, const Synced& synced) { steps_.OnDurable(node, synced.seq); }
  void See(NodeId node, const Heard<paxos::Protocol>& heard);
  void See(NodeId, const Fired<paxos::Protocol>&) {}
  void See(NodeId node, const Asked<paxos::Protocol>& asked);
  void See(NodeId node, const Told<paxos::Protocol>& told) { steps_.OnTransmit(node, told.to, told.message); }
  void See(NodeId node, const Answered<paxos::Protocol>& answered);
  void See(NodeId node, const Noted<paxos::Protocol>& noted);
  void See(NodeId node, const Ended<PaxosLook>& ended);

  SpecifiedSteps steps_;
  Slot acknowledged_;                           // the highest slot that anybody has called chosen
  std::vector<std::pair<CallId, Slot>> reads_;  // not answered: `acknowledged_` when they came
  std::optional<std::string> wrong_;
};

class PaxosSubject {
 public:
  using Machine = paxos::Replica;
  using Look = PaxosLook;
  using Judge = PaxosJudge;
  using Timer = paxos::Protocol::Timer;
  enum CallKind : uint32_t { kCommand, kRead };

  explicit PaxosSubject(const PaxosScope& scope);

  std::unique_ptr<paxos::Replica> Make(NodeId self, const std::vector<JournalRecord>& records) const;
  uint64_t Digest(const paxos::Replica& replica) const { return replica.StateDigest(); }
  PaxosLook After(paxos::Replica& replica, const Input<paxos::Protocol>& input) const;
  uint64_t Digest(const PaxosSight& sight) const;

  uint32_t Fires(Timer timer) const;
  bool MayFire(Timer timer, uint32_t number, NodeId node) const;
  uint32_t Draws(Timer timer) const;
  Rng Generator(uint32_t way) const { return Rng(seeds_[way]); }
  Duration Passes(const paxos::Replica& replica, const Input<paxos::Protocol>& input) const;
  Way WayOf(const paxos::Message& message) const;
  const std::vector<std::vector<paxos::Request>>& calls() const { return calls_; }
  bool Takes(const paxos::Replica& replica, uint32_t) const { return replica.is_leader(); }
  PaxosJudge FirstJudge() const { return PaxosJudge(members_); }

  std::string Words(const paxos::Message& message) const;
  std::string Words(Timer timer) const;
  std::string Words(const paxos::Request& request) const;
  std::string Words(const paxos::Note& note) const;

 private:
  PaxosScope scope_;
  std::vector<NodeId> members_;
  paxos::Config config_;
  std::vector<std::vector<paxos::Request>> calls_;
  std::vector<uint64_t> seeds_;  // by the way in which a generator of it draws below the number of peers
};

}  // namespace bt::sim::explore
