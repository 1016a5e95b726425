#pragma once

// The leader's part of phase 2: commands wait for a slot, slots for a quorum, members are fed as fast as they
// answer. leader_members.cc: changes of the members, and giving the place up. Exists only while its ballot is
// this replica's promise: a disk completion or a reply that belongs to another ballot has nothing here to
// count for. Used only by Replica.

#include <absl/container/btree_map.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/base/digest.h"
#include "core/base/ids.h"
#include "core/base/time.h"
#include "core/machine/machine.h"
#include "core/paxos/acceptor.h"
#include "core/paxos/config.h"
#include "core/paxos/configurations.h"
#include "core/paxos/protocol.h"
#include "core/paxos/reads.h"

namespace bt::paxos {

class Leader {
 public:
  // Takes over at slot acceptor.chosen() + 1 under acceptor.promised(). `inherited`: what phase 1 found,
  // one value per slot from there on without gaps; they are proposed again, then a no-op of its own.
  // `promises`: who gave them. `config` must outlive it.
  Leader(const Config& config, Acceptor& acceptor, const VoteSet& promises, std::vector<Slice> inherited,
         Instant log_time, Context<Protocol>& context);

  Ballot ballot() const { return ballot_; }

  void OnPropose(CallId call, const Slice& command, Acceptor& acceptor, Context<Protocol>& context);
  void OnReadIndex(CallId call, const Acceptor& acceptor, Context<Protocol>& context);
  // AddMember, Readmit, RemoveMember or TransferLeadership, and nothing else.
  void OnOperator(CallId call, const Request& request, Acceptor& acceptor, Context<Protocol>& context);
  void OnAccepted(NodeId from, const Accepted& message, Acceptor& acceptor, Context<Protocol>& context);
  void OnHeartbeatReply(NodeId from, const HeartbeatReply& message, const Acceptor& acceptor,
                        Context<Protocol>& context);
  void OnSendAgain(const SendAgain& request, const Acceptor& acceptor, Context<Protocol>& context);
  // A sign that the peer lives and follows this ballot: no answer to a heartbeat, on which reads rest.
  void OnPresence(NodeId from, Instant now);
  void OnDurable(WriteSeq durable, Acceptor& acceptor, Context<Protocol>& context);
  // The heartbeat timer. False: a quorum has not been heard from, and this replica must step down.
  bool OnTick(Acceptor& acceptor, Context<Protocol>& context);

  // Answers NotLeader to everything that waits for a slot or a heartbeat. What has a slot is in doubt, and
  // was answered when it got it.
  void Dismiss(Context<Protocol>& context);

  // The watermark that this member last told; nullopt: none is fed under this id.
  std::optional<Slot> watermark_of(NodeId node) const;

  // --- for judges ---
  // Who has voted for `slot`, as far as this leader has counted; nullptr where the slot is not open.
  const VoteSet* votes(Slot slot) const;
  // Calls that have no answer yet.
  size_t waiting_calls() const { return pending_.size() + reads_.size(); }

  void CheckInvariants(const Acceptor& acceptor) const;
  uint64_t Digest() const;
  void DigestState(RollingDigest& digest) const;  // for Replica::StateDigest

 private:
  struct Pending {
    CallId call;
    Slice command;
  };
  // A slot proposed and not chosen.
  struct Open {
    WriteSeq own_write;
    VoteSet votes;
  };
  struct Sent {
    Slot slot;
    size_t bytes = 0;
    Instant when;
  };
  struct Peer {
    Instant heard;          // last answer to this ballot
    Instant progress;       // last Accepted, or reset
    uint64_t beat = 0;      // the highest heartbeat answered
    Slot next;              // the next slot to send
    Slot acknowledged;      // the highest slot answered
    Slot chosen;            // its watermark, as it last said
    bool promised = false;  // this ballot, durably
    std::deque<Sent> sent;  // not answered, in the order sent; at most peer_slots_max
    size_t sent_bytes = 0;
  };

  void ProposeValue(Slice value, Acceptor& acceptor, Context<Protocol>& context);
  void ProposePending(Acceptor& acceptor, Context<Protocol>& context);
  // Whether this ballot may have a value for the next slot; then the value that it should have, if any.
  bool MayPropose(const Acceptor& acceptor) const;
  std::optional<Slice> NextValue(const Acceptor& acceptor, Context<Protocol>& context);
  Slice CutBatch(Slot slot, Context<Protocol>& context);
  Slice OwnValue(std::optional<Membership> change, Instant now);
  Instant LogTime(Instant now);
  void Feed(NodeId node, Peer& peer, const Acceptor& acceptor, Context<Protocol>& context);
  void SendAccept(NodeId node, const Peer& peer, Slot slot, const Acceptor& acceptor,
                  Context<Protocol>& context);
  // What was cut from the log is not sent any more: it is chosen, and the peer asks for it by itself.
  static void PassOverCut(Peer& peer, const Log& log);
  void Resend(NodeId node, Peer& peer, const Acceptor& acceptor, Context<Protocol>& context);
  void ChooseReady(Acceptor& acceptor, Context<Protocol>& context);
  void Beat(const Acceptor& acceptor, Context<Protocol>& context);

  // --- leader_members.cc ---
  Response Add(const AddMember& request, const Acceptor& acceptor);
  Response LetInAnew(const Readmit& request, const Acceptor& acceptor, Instant now);
  Response Remove(const RemoveMember& request, const Acceptor& acceptor, Instant now);
  Response Transfer(const TransferLeadership& request, const Acceptor& acceptor, Instant now);
  // The next membership may be proposed: everything inherited is chosen, and no change is under way.
  bool MayChange(const Acceptor& acceptor) const;
  // Empty, or why the voters of `next` could not go on: too few of them are heard.
  std::string TooFew(const Membership& next, Instant now) const;
  bool Hears(NodeId node, Instant now) const;
  // At each tick: all of what follows here.
  void TendMembers(Acceptor& acceptor, Context<Protocol>& context);
  // Makes a learner a voter that has caught up.
  void Promote(const Acceptor& acceptor, Instant now);
  // Who has ceased to be a member, and knows it or is gone, is fed no more.
  void Forget(const Acceptor& acceptor, Instant now);
  void HandOver(const Acceptor& acceptor, Context<Protocol>& context);
  std::optional<NodeId> Successor(const Acceptor& acceptor, Instant now) const;
  void AnswerReads(const Acceptor& acceptor, Context<Protocol>& context);
  void ReleaseReads(const Acceptor& acceptor, Context<Protocol>& context);
  // What `peer` is told is chosen: not beyond what it was sent, so that it does not ask for what is on
  // its way.
  Slot WatermarkFor(const Peer& peer, const Acceptor& acceptor) const;

  // The leader stops proposing for the sake of `to`, until the time is over or another ballot is heard of.
  struct HandingOver {
    NodeId to;
    Instant until;
    bool told = false;
  };

  const Config& config_;
  const Ballot ballot_;
  const Slot first_;             // the first slot proposed under this ballot
  const uint64_t version_;       // of the membership that phase 1 knew
  std::deque<Slice> inherited_;  // not proposed yet; at most gap_slots_max
  Slot own_no_op_;         // reads wait until it is chosen: then every earlier leader's commands are, too
  Slot next_;              // the next slot to propose
  std::deque<Open> open_;  // slots next_ - size .. next_ - 1; at most window_slots
  absl::btree_map<NodeId, Peer> peers_;  // one for each member, and who has ceased to be one until it is told
  std::optional<Membership> change_;     // waits for a slot
  Slot changed_;                         // where it was proposed; 0: not yet
  std::optional<HandingOver> handing_over_;
  std::deque<Pending> pending_;  // at most pending_commands_max and pending_bytes_max
  size_t pending_bytes_ = 0;
  uint64_t beat_ = 0;  // the last heartbeat sent
  Reads reads_;
  Instant log_time_;
  Instant log_time_read_;  // when log_time_ was taken, on this node's clock
};

}  // namespace bt::paxos
