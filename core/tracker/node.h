#pragma once

// TrackerNode: one node of the tracker cluster, a Machine. Composes the replica, the replicated state it
// feeds, and what is on its way: mutations, linearizable reads, announces.
// Invariant: state() is the result of exactly the slots 1..applied() of the log and of the first
// applied_of_next() commands of the slot behind them; every call is answered once, within about the
// configured deadline. The host starts it, steps it, and keeps its journal.
//
// A start takes many short steps: first the journal's snapshot is read, and until then the replica inside is
// a blank one that hears and says nothing; then the replica begins, and the log above the snapshot is
// applied. Calls are refused until all of it is.

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "core/machine/machine.h"
#include "core/paxos/replica.h"
#include "core/tracker/announces.h"
#include "core/tracker/bulk.h"
#include "core/tracker/config.h"
#include "core/tracker/disk_watch.h"
#include "core/tracker/held_values.h"
#include "core/tracker/level_watch.h"
#include "core/tracker/mutations.h"
#include "core/tracker/orders.h"
#include "core/tracker/protocol.h"
#include "core/tracker/reads.h"
#include "core/tracker/replica_port.h"
#include "core/tracker/replicated_state.h"
#include "core/tracker/shipments.h"
#include "core/tracker/snapshots.h"
#include "core/tracker/state_builder.h"
#include "core/tracker/step_work.h"

namespace bt::tracker {

// What a node has seen that it did not act on.
struct Counters {
  uint64_t malformed_commands = 0;    // in the log: changed nothing
  uint64_t unreadable_snapshots = 0;  // of peers
  uint64_t refused_for_room = 0;      // mutations of local callers, at a leader
};

// How much waits at a node for what others do: all 0 once everybody has been answered.
struct Waiting {
  uint64_t callers = 0;       // local callers of mutations
  uint64_t mutations = 0;     // theirs, other nodes', and the node's own claims
  uint64_t reads = 0;         // linearizable ones of local callers
  uint64_t read_indexes = 0;  // asked for at the replica
  uint64_t orders = 0;        // of the operator's
  uint64_t snapshots = 0;     // asked for and not written yet
  uint64_t proposals = 0;     // and read indexes that the leading replica holds

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("callers", self.callers);
    visit("mutations", self.mutations);
    visit("reads", self.reads);
    visit("read_indexes", self.read_indexes);
    visit("orders", self.orders);
    visit("snapshots", self.snapshots);
    visit("proposals", self.proposals);
  }
  friend bool operator==(const Waiting&, const Waiting&) = default;
};

// What a node keeps under a limit of its Config: how much there is, and the most that was.
struct Kept {
  uint64_t now = 0;
  uint64_t most = 0;
};

// Everything of a node that has a limit in its Config.
struct KeptParts {
  Kept mutations;
  Kept mutation_bytes;
  Kept reads;
  Kept read_rounds;  // read indexes asked for at the replica
  Kept orders;
  Kept snapshots_asked;
  Kept announces;
  Kept announces_of_source;  // the most of one; `now` is not known
  Kept shipped_values;
  Kept shipped_bytes;
  Kept held_values;
  Kept held_values_bytes;
  Kept long_messages;       // of the node that has most of them
  Kept long_message_bytes;  // the same
};

class TrackerNode final {
 public:
  using Protocol = tracker::Protocol;

  explicit TrackerNode(Config config);

  void Step(const Input<Protocol>& input, Context<Protocol>& context);
  void CheckInvariants() const;
  uint64_t Digest() const;

  const Registry& registry() const { return state_.registry(); }
  const ReplicatedState& state() const { return state_; }
  const paxos::Replica& replica() const { return port_->machine(); }
  const Bulk& bulk() const { return bulk_; }
  const Shipments& shipments() const { return shipments_; }
  const HeldValues& held_values() const { return held_values_; }
  const DiskWatch& disk() const { return disk_; }
  const LevelWatch& levels() const { return levels_; }
  const Config& config() const { return config_; }
  const Counters& counters() const { return counters_; }
  // What an operator should look at: in the registry, and at this node.
  std::vector<tracker_api::Alarm> Alarms(Instant now) const;
  Slot applied() const { return applied_; }
  // Commands of the slot behind applied() that are applied: a long slot is of several steps.
  size_t applied_of_next() const { return applied_of_next_; }
  // The replica inside takes part.
  bool begun() const { return !recovering_ && !unusable_; }
  // It has said Unusable, and does nothing any more.
  bool unusable() const { return unusable_; }
  // What the journal held is not all applied yet. percent_recovered() says how far it is.
  bool recovering() const { return recovering_ || recovered_ > applied_; }
  uint32_t percent_recovered() const;
  // Mutations, linearizable reads and orders that wait for others, and snapshots for the disk.
  bool has_pending() const {
    return !mutations_.idle() || !reads_.idle() || !orders_.idle() || snapshots_.asked() > 0;
  }
  Waiting waiting() const;
  KeptParts kept() const;
  // Mutations taken up from callers and other nodes, ever.
  uint64_t taken() const { return mutations_.taken(); }
  // What the last step has done.
  const StepBudget& work() const { return work_; }

 private:
  using Ctx = Context<Protocol>;

  void On(const Started& started, Ctx& context);
  // --- node_recovery.cc ---
  // From here on the node does nothing.
  void GiveUp(std::string why, Ctx& context);
  // A step while recovering(); false: it goes on as any other.
  bool StepOfRecovery(const Input<Protocol>& input, Ctx& context);
  void ReadOn(Ctx& context);
  // Reads as many of the parts as still fit this step, and then indexes as many of their rows. True: the
  // builder has the state.
  absl::StatusOr<bool> ReadParts(const std::vector<Slice>& parts, size_t& parts_read, StateBuilder& builder);
  void Begin(const Started& started, paxos::Snapshot snapshot, Ctx& context);

  void On(const Received<Protocol>& received, Ctx& context);
  void OnPart(NodeId from, const paxos::Presence& presence, Ctx& context);
  void On(const TimerFired<Protocol>& fired, Ctx& context);
  void On(const WriteDone& done, Ctx& context);
  void On(const Call<Protocol>& call, Ctx& context);
  void On(const PeerClosed& closed, Ctx& context) { port_->Deliver(closed, context); }
  void On(const CallCancelled& cancelled, Ctx&) {
    mutations_.Cancel(cancelled.id);
    reads_.Cancel(cancelled.id);
    snapshots_.Cancel(cancelled.id);
  }

  void OnRequest(CallId call, const tracker_api::Register& request, Source source, Ctx& context);
  void OnRequest(CallId call, const tracker_api::Offer& request, Source source, Ctx& context);
  void OnRequest(CallId call, const tracker_api::Withdraw& request, Source source, Ctx& context);
  void OnRequest(CallId call, const tracker_api::Lookup& request, Source source, Ctx& context);
  void OnRequest(CallId call, const tracker_api::List& request, Source source, Ctx& context);
  void OnRequest(CallId call, const tracker_api::Fetch& request, Source source, Ctx& context);
  void OnRequest(CallId call, const tracker_api::Status& request, Source source, Ctx& context);
  void OnRequest(CallId call, const tracker_api::Announce& request, Source source, Ctx& context);
  void OnRequest(CallId call, const tracker_api::Scrape& request, Source source, Ctx& context);
  // To the log; a refusal is answered at once.
  template <class Mutation>
  void Submit(CallId call, const Mutation& mutation, Source source, Ctx& context);
  // False: there are too many, and the call has been answered.
  bool CheckRanges(CallId call, const std::vector<PieceRange>& pieces, Ctx& context);
  template <class Query>
  void OnQuery(CallId call, const Query& query, Ctx& context);
  void AddRead(CallId call, Reads::Query query, Ctx& context);
  void Answer(const Reads::Read& read, Ctx& context);
  template <class Query>
  tracker_api::Response Answer(const Query& query);

  // Follows up on whatever the input has set off, until nothing more comes of it.
  void Settle(Ctx& context);
  void RouteReplicaAnswers(Ctx& context);
  // --- node_apply.cc ---
  // As much as there is room for. True: some was applied.
  bool ApplyDecided(Ctx& context);
  void ApplyNext(const paxos::Decided& entry, Ctx& context);
  void EndSlot(const paxos::Decided& entry, Ctx& context);
  void PollSnapshots(Ctx& context);
  // Takes up a snapshot that has come from a peer, over several steps; true at the end.
  bool InstallArrived(Ctx& context);
  // The state is this snapshot's.
  void NoteApplied(size_t commands, Ctx& context);
  void Restore(ReplicatedState state, const paxos::Snapshot& snapshot, Ctx& context);
  bool LeaderChanged();
  void PumpAnnounces(Ctx& context);
  // As many as there is room for.
  void AnswerReads(Ctx& context);
  // What there was no room for is the next step's of kRest.
  void LeaveRest(Ctx& context);
  void ArmTimers(Ctx& context);
  // Never behind the stamp of the next batch by more than the leader's idle time.
  Instant EstimatedLogTime(Instant now) const;

  const Config config_;
  std::optional<ReplicaPort> port_;  // always there; made anew when the journal was read
  bool unusable_ = false;
  struct Recovering {
    Started started;
    paxos::Snapshot snapshot;
    StateBuilder builder;
    size_t parts_read = 0;
  };
  std::optional<Recovering> recovering_;  // while the snapshot is being read
  // Of a peer's snapshot that has come: what has been read of it.
  struct Installing {
    paxos::Prefix prefix;
    StateBuilder builder;
    size_t parts_read = 0;
  };
  std::optional<Installing> installing_;
  StepBudget work_;       // of this step
  bool resting_ = false;  // some is left, which the step that kRest brings goes on with
  Slot recovered_;        // how far the journal says that the log is chosen
  // Chosen and not applied: behind applied_, in order. As long as the log kept in memory at most, whose
  // values they share.
  // lint: allow(limit): the log in memory has them all, and shares its values
  std::deque<paxos::Decided> decided_;
  ReplicatedState state_;
  Mutations mutations_;
  Reads reads_;
  Orders orders_;
  Announces announces_;
  Snapshots snapshots_;
  Bulk bulk_;
  Shipments shipments_;
  HeldValues held_values_;
  DiskWatch disk_;
  LevelWatch levels_;
  Counters counters_;
  Slot applied_;
  uint64_t applied_digest_ = 0;  // of the state there
  size_t applied_of_next_ = 0;
  Instant applied_at_{};  // local time of the last command
  Instant last_tick_{};
  Instant announced_at_{};
  uint64_t listings_ = 0;  // of peers: the seed of the next draw; no part of the replicated state
  std::optional<NodeId> last_leader_;
  paxos::Ballot last_ballot_;
  bool was_leader_ = false;
};

static_assert(Machine<TrackerNode>);

}  // namespace bt::tracker
