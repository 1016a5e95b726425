#pragma once

// Snapshots: when a node's state is saved, and how fast. A snapshot is begun when somebody asks for one, or
// when the log applied since the last one is as long as that one, and at least config.snapshot_log_bytes: so
// the journal holds at most about two snapshots and as much log, and all saving together writes no more than
// the log does. It is saved a piece at a time, between other steps and no faster than the disk takes it. Used
// only by TrackerNode.

#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/highest.h"
#include "core/base/ids.h"
#include "core/base/time.h"
#include "core/machine/machine.h"
#include "core/paxos/protocol.h"
#include "core/tracker/config.h"
#include "core/tracker/protocol.h"
#include "core/tracker/replica_port.h"
#include "core/tracker/replicated_state.h"

namespace bt::tracker {

class Snapshots {
 public:
  explicit Snapshots(const Config& config) : config_(config) {}  // must outlive it

  // The state is that of a snapshot of so many bytes, and the log goes on behind it. What was being saved of
  // another state is given up.
  void StartFrom(uint64_t bytes);
  // `state` reflects everything up to `entry`.
  void OnApplied(const paxos::Decided& entry);
  // Begins a snapshot if it is time: from here on kSnapshot fires until it is saved.
  void Poll(ReplicatedState& state, const ReplicaPort& port, Context<Protocol>& context);
  void OnTimer(ReplicatedState& state, ReplicaPort& port, Context<Protocol>& context);

  // `call` is answered when a snapshot of slots up to `slot`, which is applied, or more is durable here.
  void Ask(CallId call, Slot slot, Context<Protocol>& context);
  void AnswerDurable(Slot durable, Context<Protocol>& context);
  void AnswerOverdue(Context<Protocol>& context);
  void Cancel(CallId call);
  size_t asked() const { return asked_.size(); }
  const Highest& most_asked() const { return most_asked_; }

 private:
  struct At {
    Slot slot;
    Instant stamp;
  };

  struct Asked {
    CallId call;
    Slot slot;
    Instant deadline;
  };

  bool IsTime(const ReplicaPort& port, Instant now) const;

  const Config& config_;
  std::vector<Asked> asked_;  // at most snapshots_asked_max
  Highest most_asked_;
  At applied_;
  At saving_;
  uint64_t log_bytes_ = 0;    // applied since the last snapshot was begun
  uint64_t saved_bytes_ = 0;  // of the last snapshot, or of the one being saved so far
};

}  // namespace bt::tracker
