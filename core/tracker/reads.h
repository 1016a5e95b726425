#pragma once

// Reads: linearizable queries, and what else must see all that was acknowledged before. Reads that wait share
// rounds: one read-index round serves all that came before it was asked for (at the local replica when it
// leads, else at the leader), and is answered once its slot is applied here. Reads are taken out one by one,
// because a round may be of thousands, and a step has room for some of them only. Invariant: at most one
// round is without an index at a time.
//
// Why an answer is linearizable (read index, Ongaro's thesis, section 6.4): the leader takes its chosen
// watermark, and a quorum confirms afterwards that it had promised no higher ballot. So no other leader had a
// command chosen before the round was asked for that is not at or below this slot: whatever was acknowledged
// to anybody before the read came is in the state that answers it. A read may join a round only before the
// round is asked for, because of what is acknowledged later the index knows nothing. No clock is trusted
// anywhere.

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <variant>

#include "core/base/highest.h"
#include "core/tracker/config.h"
#include "core/tracker/protocol.h"
#include "core/tracker/replica_port.h"

namespace bt::tracker {

class Reads {
 public:
  using Query = std::variant<tracker_api::Lookup, tracker_api::List, tracker_api::Fetch, TakeSnapshot>;
  struct Read {
    CallId call;
    Query query;
    Instant deadline;
  };

  explicit Reads(const Config& config)
      : deadline_(config.deadline),
        retry_(config.retry),
        max_(config.reads_max),
        remote_max_(config.remote_reads_max) {}

  // Rounds count on from here: drawn anew each time the node starts. An answer to a round of the life before
  // would be taken for an answer to this life's round of that number, though its index is older than the
  // reads that wait for it.
  void Start(uint64_t first_round) { next_round_ = first_round; }

  // True for the calls this room makes at the replica.
  static bool IsReadCall(CallId call) { return (call.value() & kCallBit) != 0; }

  // False: there are too many already.
  bool Add(CallId call, Query query, Instant now);
  // Asks for an index if one is needed: new reads wait, the leader has changed, or no answer came in time.
  void Poll(bool leader_changed, ReplicaPort& port, Context<Protocol>& context);
  void OnAsked(NodeId from, uint64_t round, ReplicaPort& port, Context<Protocol>& context);
  void OnAnswered(uint64_t round, Slot slot);
  // The replica's answer to a ReadIndex of ours: for a round of this node or of another.
  void OnReplica(CallId call, const paxos::Response& response, Context<Protocol>& context);

  // Its caller has left: it is not answered.
  void Cancel(CallId call) { callers_.erase(call); }

  // The next one that can be answered, in order of arrival: its index is applied, or its deadline has passed.
  // It leaves.
  struct Next {
    Read read;
    bool overdue = false;
    bool asked_for = false;  // its caller still waits
  };
  std::optional<Next> TakeNext(Slot applied, Instant now);
  bool HasNext(Slot applied, Instant now) { return Front(applied, now) != nullptr; }
  bool idle() const { return size_ == 0; }
  uint32_t size() const { return size_; }
  const Highest& most() const { return most_; }
  // Read indexes asked for at the local replica, for this node and for others, without an answer.
  size_t asked() const { return calls_.size(); }
  const Highest& most_asked() const { return most_asked_; }
  bool round_unanswered() const { return !rounds_.empty() && !rounds_.back().slot; }

 private:
  static constexpr uint64_t kCallBit = uint64_t{1} << 63;

  struct Round {
    uint64_t id = 0;
    std::deque<Read> reads;  // at most reads_max
    std::optional<Slot> slot;
    std::optional<Instant> asked;
  };
  struct Asker {
    std::optional<NodeId> node;  // none: this one
    uint64_t round = 0;
  };

  // Where the next one is that can be answered, or nullptr. Drops the rounds before it, which are empty.
  std::deque<Read>* Front(Slot applied, Instant now);

  Duration deadline_;
  Duration retry_;
  uint32_t max_;
  uint32_t remote_max_;
  uint64_t next_round_ = 1;
  uint64_t next_call_ = 0;
  uint32_t size_ = 0;
  Highest most_;
  Highest most_asked_;
  std::deque<Read> waiting_;             // for a round to be opened; at most reads_max
  std::deque<Round> rounds_;             // at most reads_max
  absl::flat_hash_set<CallId> callers_;  // still waiting; look-up only; at most reads_max
  // At most remote_reads_max.
  absl::btree_map<CallId, Asker> calls_;  // read-index requests at the local replica
};

}  // namespace bt::tracker
