#pragma once

// The replica's log in memory: for each slot the value last accepted and its ballot. Slots may be missing
// above the chosen prefix. The log begins after `base`: whatever lies below is kept elsewhere (in a
// snapshot), and only its chain digest is known here. Nobody else assumes where the log begins.

#include <cstdint>
#include <deque>

#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/paxos/protocol.h"

namespace bt::paxos {

// A value is never empty (an encoded no-op is three bytes): empty means that nothing was accepted.
struct LogEntry {
  Ballot ballot;
  uint64_t digest = 0;  // xxh3-64 of the value
  Slice value;
  WriteSeq record;     // of the journal, that holds it
  uint64_t chain = 0;  // of all values up to this one, once it is known chosen
};

class Log {
 public:
  explicit Log(Prefix base) : base_(base) {}

  const Prefix& base() const { return base_; }
  Slot first() const { return base_.slot.next(); }
  // The highest slot with an entry; base().slot when there is none.
  Slot last() const { return base_.slot + entries_.size(); }
  size_t bytes() const { return bytes_; }  // of the values

  // nullptr: nothing accepted there, or not kept here. Valid until the next Put.
  const LogEntry* Find(Slot slot) const;
  void Put(Slot slot, LogEntry entry);
  // The log begins behind `base`, which must not be below where it begins now.
  void Begin(Prefix base);
  // `slot` has an entry, and it is chosen.
  void SetChain(Slot slot, uint64_t chain);

 private:
  Prefix base_;
  size_t bytes_ = 0;
  // Above the chosen ones at most gap_slots_max; those are cut with each snapshot.
  std::deque<LogEntry> entries_;
};

}  // namespace bt::paxos
