#pragma once

// Replica: one participant of the replicated log, stable-leader Multi-Paxos. A Machine over
// paxos::Protocol, so it can be hosted alone; core/tracker holds one as a SubMachine. It is the only
// writer of its node's journal. After each Step call TakeDecided().

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/ids.h"
#include "core/machine/machine.h"
#include "core/paxos/acceptor.h"
#include "core/paxos/catch_up.h"
#include "core/paxos/config.h"
#include "core/paxos/plausibility.h"
#include "core/paxos/protocol.h"
#include "core/paxos/roles.h"
#include "core/paxos/snapshot.h"
#include "core/paxos/snapshot_fetch.h"
#include "core/paxos/snapshot_keeper.h"

namespace bt::paxos {

class Replica final {
 public:
  using Protocol = paxos::Protocol;

  // `snapshot`: what the state above already reflects, of FindSnapshot's; the slots after it are delivered.
  explicit Replica(Config config, Snapshot snapshot = {});
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  void Step(const Input<Protocol>& input, Context<Protocol>& context);

  // Newly chosen batches, in slot order without gaps, each once in the life of this object; stamps never
  // go back. After a restart, and after InstallSnapshot, they begin again behind the snapshot.
  std::vector<Decided> TakeDecided() { return acceptor_.TakeDecided(); }

  // A snapshot from a peer, of slots that this replica does not know as chosen, waits for InstallSnapshot. It
  // must get it before the replica's next step.
  const Snapshot* arrived() const { return fetch_.arrived(); }
  // The newest durable one; empty when there is none.
  const Snapshot& snapshot() const { return keeper_.kept(); }
  // The next part should wait: an earlier one is not durable yet.
  bool saving() const { return keeper_.writing(); }
  // Whether a snapshot of `slot` can be saved: who has joined, and was not told of the members before that
  // slot, cannot say who decides what follows it.
  bool may_save(Slot slot) const { return AreEpochs(acceptor_.configurations().At(slot)); }
  // A peer is reading the snapshot; a new one would make it begin again.
  bool snapshot_in_use(Instant now) const { return keeper_.InUse(now, config_.retry * 10); }

  bool is_leader() const { return std::holds_alternative<Leader>(role_); }
  // Who leads, as far as this replica has heard lately (itself included).
  std::optional<NodeId> leader() const;
  // The highest ballot promised; the leader's own when it leads.
  Ballot ballot() const { return acceptor_.promised(); }
  // What others may take a part of a long message from this replica for.
  Presence presence() const;
  // The watermark: every slot up to this one is known chosen here.
  Slot chosen() const { return acceptor_.chosen(); }
  // The first slot that is kept here for others.
  Slot first() const { return acceptor_.log().first(); }
  // It leads with a quorum behind it, or hears from one who does.
  bool has_quorum() const { return leader().has_value(); }
  RoleKind role() const { return static_cast<RoleKind>(role_.index()); }
  // "follower", "pre-candidate", "candidate", "leader".
  std::string_view role_name() const;
  // Digest of all chosen values in order: equal at equal chosen().
  uint64_t chain() const { return acceptor_.prefix().chain(); }
  // It has found that a peer's chosen prefix is another than its own (Diverged), or that it has forgotten
  // what it acknowledged (Forgot): it neither answers nor writes any more, in this life.
  bool stopped() const { return stopped_; }
  // The members as the log tells, and from which slot on; and with which of them this replica has to do now.
  const Epoch& members() const { return acceptor_.configurations().latest(); }
  std::vector<NodeId> others() const { return acceptor_.configurations().Others(config_.self, chosen()); }
  const Config& config() const { return config_; }
  // For judges: what the role knows, while it lasts.
  const Candidate* candidate() const { return std::get_if<Candidate>(&role_); }
  // Messages that were dropped because they named rounds or slots that no cluster can have come to.
  uint64_t implausible() const { return implausible_; }
  const Leader* leading() const { return std::get_if<Leader>(&role_); }

  void CheckInvariants() const;
  uint64_t Digest() const;
  // Of everything that decides what later steps do, but for readings of the clock and random draws: two
  // replicas with equal ones behave alike until their clocks differ (state_digest.cc). Without snapshots:
  // CHECKs that there are none.
  uint64_t StateDigest() const;

 private:
  using Ctx = Context<Protocol>;

  void OnStarted(const Started& started, Ctx& context);
  void OnTimer(Protocol::Timer timer, Ctx& context);
  void OnDurable(WriteSeq durable, Ctx& context);
  void OnCall(const Call<Protocol>& call, Ctx& context);
  void Stop(const Note& why, Ctx& context);

  // --- acceptor's side (replica.cc) ---
  void On(NodeId from, const Prepare& message, Ctx& context);
  void On(NodeId from, const Accept& message, Ctx& context);
  void On(NodeId from, const Heartbeat& message, Ctx& context);
  void On(NodeId from, const Watermark& message, Ctx& context);
  // What the leader says that this replica has told it is not all held here any more.
  std::optional<Forgot> Forgotten(NodeId from, const Heartbeat& message) const;
  // A message of one who leads with `ballot`: refused (false), or this replica is now its follower.
  bool Follow(NodeId from, Ballot ballot, Ctx& context);
  void OnWatermark(NodeId from, Ballot ballot, Slot chosen, Ctx& context);
  void On(NodeId from, const Rejected& message, Ctx& context);
  void On(NodeId from, const Accepted& message, Ctx& context);
  void On(NodeId from, const HeartbeatReply& message, Ctx& context);

  // --- election.cc ---
  void On(NodeId from, const PreVote& message, Ctx& context);
  void On(NodeId from, const PreVoteReply& message, Ctx& context);
  void On(NodeId from, const Promise& message, Ctx& context);
  bool CanReport(const Promise& promise, const AcceptedEntry& entry) const;
  void OnElectionTimer(Ctx& context);
  void OnPeerClosed(NodeId peer, Ctx& context);
  void AskForPreVotes(Ctx& context);
  void StandForElection(Ctx& context);
  void TakeOverIfReady(Ctx& context);
  void TakeOver(Candidate candidate, Ctx& context);
  void BecomeFollower(std::optional<NodeId> leader, Ctx& context);
  void DrawElectionTimeout(Ctx& context);
  void ArmElection(Ctx& context);
  // After each step: leads or stands only under the configurations that the chosen prefix tells of.
  void FollowConfigurations(Ctx& context);
  void On(NodeId from, const StandNow& message, Ctx& context);
  void On(NodeId from, const Presence& message, Ctx& context);
  bool HearsLeader(Instant now) const;
  uint64_t NextRound() const;

  // --- catch-up (replica.cc) ---
  void On(NodeId from, const CatchUp& message, Ctx& context);
  void On(NodeId from, const CatchUpReply& message, Ctx& context);
  void On(NodeId from, const AskSnapshot& message, Ctx& context);
  void On(NodeId from, const SnapshotPart& message, Ctx& context);
  void OnSave(const SaveSnapshot& save, Ctx& context);
  void OnInstall(bool sound, Ctx& context);

  const Config config_;
  Acceptor acceptor_;
  CatchUpClient catch_up_;
  SnapshotKeeper keeper_;
  SnapshotFetch fetch_;
  Role role_;
  Plausibility plausibility_;
  uint64_t implausible_ = 0;
  bool started_ = false;
  bool stopped_ = false;
  // What an earlier life told a leader that leads still has not been compared with what is held: until it is,
  // nothing more is accepted, for that would hide what is missing.
  bool compared_ = true;
  uint64_t highest_round_ = 0;     // of any ballot heard of
  uint32_t failed_elections_ = 0;  // since a leader was last heard
  Duration election_timeout_;      // drawn anew whenever the role changes
  Slot candidate_chosen_;          // at the last election timer, to tell progress
  uint64_t version_ = 0;           // of the membership, at the last step
  bool stands_next_ = false;       // when the election timer fires, without asking for pre-votes
};

}  // namespace bt::paxos
