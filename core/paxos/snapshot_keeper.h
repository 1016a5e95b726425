#pragma once

// SnapshotKeeper: a replica's own snapshot: the newest that is durable, from which it serves others, and the
// one that is being written. Invariant: kept() is whole and durable, so that the log and the journal may be
// cut below it. Used only by Replica.

#include <optional>

#include "core/base/ids.h"
#include "core/base/time.h"
#include "core/machine/machine.h"
#include "core/paxos/acceptor.h"
#include "core/paxos/snapshot.h"

namespace bt::paxos {

class SnapshotKeeper {
 public:
  explicit SnapshotKeeper(Snapshot recovered) : kept_(std::move(recovered)) {}

  // Writes a part of the snapshot of `at`; the first part of another slot's begins a new one.
  void Save(const Beginning& at, Slice bytes, bool last, Acceptor& acceptor, Outbox<Protocol>& out);
  // True when the snapshot that was being written has become durable as a whole, and is the one kept.
  bool OnDurable(WriteSeq durable);

  // Empty: none yet.
  const Snapshot& kept() const { return kept_; }
  // No record below it is needed besides the kept snapshot's own; of the one that became durable last.
  WriteSeq needed() const { return needed_; }
  // A part that was written is not durable yet.
  bool writing() const { return written_ > durable_; }

  // Answers a peer that asks for a part; the first part when the peer speaks of another snapshot.
  void Serve(NodeId peer, const AskSnapshot& ask, Context<Protocol>& context);
  // Somebody has asked for the kept snapshot within `lately`: a new one would make it begin again.
  bool InUse(Instant now, Duration lately) const { return served_ && now - *served_ < lately; }

 private:
  Snapshot kept_;
  Snapshot saving_;
  bool complete_ = false;  // saving_ has its last part
  WriteSeq saving_needed_;
  WriteSeq needed_;
  WriteSeq written_;  // the last part's record
  WriteSeq durable_;
  std::optional<Instant> served_;
};

}  // namespace bt::paxos
