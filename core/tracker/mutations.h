#pragma once

// Mutations: commands on their way into the log, from local callers, from other nodes (when this one
// leads) and from this node's own announces. Proposes them here or forwards them to the leader, again
// under the same id when the leader changes or is silent, until they are applied or their time is up.
// Invariant: every local caller is answered once, by its deadline at the latest.
//
// Repeating is safe because every copy carries one (session, sequence), and the sessions execute one of them
// (sessions.h). Repeating is necessary because a leader that loses its place keeps no promise about what it
// had proposed: such a command may be chosen later or never, and nobody can tell which. A mutation that is
// answered kUnavailable at its deadline is in that state, which is why its reason says that it may still take
// effect.

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/highest.h"
#include "core/base/slot_map.h"
#include "core/tracker/command.h"
#include "core/tracker/config.h"
#include "core/tracker/protocol.h"
#include "core/tracker/replica_port.h"
#include "core/tracker/replicated_state.h"
#include "core/tracker/session_pool.h"
#include "core/tracker/shipments.h"
#include "core/tracker/step_work.h"

namespace bt::tracker {

class Mutations {
 public:
  using MutationId = tracker_api::MutationId;
  using Response = tracker_api::Response;

  explicit Mutations(const Config& config) : config_(config) {}

  // `seed` differs at every start of every node: the node's own sessions are derived from it.
  void Start(uint64_t seed) { pool_.Start(seed); }

  // A mutation that `source` asks for here, checked in form: Register, Offer, Withdraw or SetLimits. A
  // response: refused at once.
  template <class Operation>
  std::optional<Response> Submit(CallId call, const Operation& operation, Source source, const Limits& limits,
                                 Context<Protocol>& context);
  // Claims of announces; their end is told by TakeClaimsApplied.
  void SubmitClaims(const Claims& claims);
  void Cancel(CallId call) { callers_.erase(call); }

  // `refusal`: why this node, which leads, takes none that it does not know already; empty: it does. It takes
  // none of a format level above the one in force, and none that `applied` has an answer for.
  void OnForwarded(NodeId from, const ForwardCommands& message, bool leading, const std::string& refusal,
                   const ReplicatedState& applied, Context<Protocol>& context);
  void OnReplies(const ForwardReplies& message, const ReplicatedState& applied, StepWork& work,
                 Context<Protocol>& context);
  void OnApplied(const MutationId& id, Response response, StepWork& work, Context<Protocol>& context);
  // The local replica has taken a proposal, or not.
  void OnReplica(CallId call, const paxos::Response& response, Shipments& shipments, StepWork& work,
                 Context<Protocol>& context);
  // Sends what is to be sent, as far as there is room. `leader_changed`: whatever was under way is in doubt.
  // Long commands are waited for while long messages make progress, as last at `progress`.
  void Poll(bool leader_changed, Instant progress, Shipments& shipments, ReplicaPort& port, StepBudget& work,
            Context<Protocol>& context);
  // From here on all that waits is looked at, in as many steps as it takes: what is overdue is answered, and
  // what was not heard of for too long is sent again.
  void OnRetryTimer();
  // Poll had no room for all that it could do.
  bool has_rest(Instant now) const;
  // The outcome of SubmitClaims, once.
  std::optional<Response> TakeClaimsApplied() { return std::exchange(claims_applied_, std::nullopt); }

  bool idle() const { return by_id_.empty(); }
  uint64_t size() const { return by_id_.size(); }
  uint64_t bytes() const { return bytes_; }
  const Highest& most() const { return most_; }
  const Highest& most_bytes() const { return most_bytes_; }
  // Taken up from callers and other nodes, ever.
  uint64_t taken() const { return taken_; }
  // Local callers without an answer.
  size_t callers() const { return callers_.size(); }
  void CheckInvariants() const;

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  // A place in entries_; those in use are linked in order of arrival, which is the order of deadlines too.
  struct Pending {
    MutationId id;
    Slice command;
    absl::InlinedVector<CallId, 1> calls;  // local callers; at most waiters_per_mutation_max
    absl::InlinedVector<NodeId, 1> nodes;  // nodes that forwarded it; at most one for each member
    Instant deadline;
    Instant sent{};        // forwarded last
    uint64_t sent_in = 0;  // leader epoch in which it was forwarded or the local replica took it; 0: none
    bool queued = false;   // in undispatched_ or to_forward_
    bool pooled = false;   // of a session of this node's own
    bool claims = false;   // of SubmitClaims
    uint32_t previous = kNone;
    uint32_t next = kNone;
  };

  Duration Silence(const Pending& entry) const;
  Instant DeadlineOf(const Pending& entry, Instant progress) const;
  bool IsToBeSent(const Pending& entry, const paxos::Replica& replica, Instant progress, Instant now) const;
  bool HasRoom(size_t bytes) const;
  uint32_t Insert(const MutationId& id, Slice command, Instant deadline);
  void Remove(uint32_t place);
  void Answer(CallId call, const MutationId& id, const Response& response, Context<Protocol>& context);
  void Complete(uint32_t place, const Response& response, StepWork& work, Context<Protocol>& context);
  void Dispatch(uint64_t key, Shipments& shipments, ReplicaPort& port, StepWork& work,
                Context<Protocol>& context);
  void Propose(uint64_t key, ReplicaPort& port, Context<Protocol>& context);
  void Queue(uint32_t place);
  void AnswerLate(uint32_t place, const paxos::Replica& replica, StepWork& work, Context<Protocol>& context);
  void Look(const paxos::Replica& replica, Instant progress, StepWork& work, Context<Protocol>& context);
  bool FlushIsDue(Instant now) const { return !to_forward_.empty() && flushed_ + config_.coalesce <= now; }
  void Flush(const paxos::Replica& replica, StepWork& work, Context<Protocol>& context);
  void FlushReplies(Context<Protocol>& context);
  bool origin(const Pending& entry) const { return entry.claims || !entry.calls.empty(); }

  const Config config_;
  SessionPool pool_;
  SlotMap<Pending> entries_;  // at most pending_max, and the node's own claims
  uint32_t oldest_ = kNone;
  uint32_t newest_ = kNone;
  size_t bytes_ = 0;
  Highest most_;
  Highest most_bytes_;
  uint64_t taken_ = 0;
  absl::flat_hash_map<MutationId, uint32_t> by_id_;  // look-up only; one for each of entries_
  // At most waiters_per_mutation_max for each of entries_.
  absl::flat_hash_set<CallId> callers_;  // still waiting; look-up only
  // Keys of places, each once; some may be gone.
  std::deque<uint64_t> undispatched_;  // at most one for each of entries_, and gone ones
  std::deque<uint64_t> to_forward_;    // at most one for each of entries_, and gone ones
  uint32_t look_ = kNone;              // the next place that is looked at; kNone: none until the timer
  Instant flushed_{};
  uint64_t epoch_ = 1;
  // Of one step: at most forward_commands_max, and what it applies.
  absl::btree_map<NodeId, std::vector<ForwardReply>> replies_;
  MutationId claims_id_;
  std::optional<Response> claims_applied_;
};

}  // namespace bt::tracker
