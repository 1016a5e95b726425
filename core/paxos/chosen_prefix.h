#pragma once

// The chosen prefix: how far this replica knows the log as chosen (the watermark), the log time, the chain
// digest and the configurations there, and what of it the state above has not taken yet. Invariant: it only
// grows, one slot at a time or by a snapshot, and each slot that no snapshot held is delivered once in the
// life of this object. Used only by Acceptor.

#include <cstdint>
#include <utility>
#include <vector>

#include "core/base/ids.h"
#include "core/base/time.h"
#include "core/machine/machine.h"
#include "core/paxos/configurations.h"
#include "core/paxos/log.h"
#include "core/paxos/protocol.h"

namespace bt::paxos {

// What the state above reflects when the replica is made: nothing, or what a snapshot holds. The replica
// delivers from the slot after it.
struct Beginning {
  Prefix prefix;
  Instant stamp;
  std::vector<Epoch> epochs;  // empty: at slot 0
};

// The batch a value encodes. Bytes that are none are a no-op, on every replica alike.
Batch DecodeBatch(const Slice& value);

class ChosenPrefix {
 public:
  // At slot 0 `first_voters` decide.
  ChosenPrefix(const Beginning& beginning, const std::vector<NodeId>& first_voters)
      : prefix_(beginning.prefix),
        stamp_(beginning.stamp),
        configurations_(beginning.epochs.empty() ? Configurations(first_voters)
                                                 : Configurations(beginning.epochs)) {}

  Slot chosen() const { return prefix_.slot; }
  uint64_t chain() const { return prefix_.chain; }
  // The log time of the last chosen batch.
  Instant stamp() const { return stamp_; }
  const Configurations& configurations() const { return configurations_; }

  // `entry` is the chosen one of slot chosen() + 1.
  void Extend(const LogEntry& entry, Outbox<Protocol>& out);
  std::vector<Decided> TakeDecided() { return std::exchange(decided_, {}); }

  // The state above is now what a snapshot of a longer prefix holds; everything before was taken.
  void Begin(const Beginning& beginning, Outbox<Protocol>& out);

  void CheckInvariants() const;

 private:
  Prefix prefix_;
  Instant stamp_;
  Configurations configurations_;
  std::vector<Decided> decided_;  // of one step: at most gap_slots_max
};

}  // namespace bt::paxos
