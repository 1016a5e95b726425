#pragma once

// The replica's log in memory: for each slot the value last accepted and its ballot. Slots may be
// missing above the chosen prefix. It begins at `first`, which moves up once snapshots cut the log.

#include <cstdint>
#include <deque>

#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/paxos/protocol.h"

namespace bt::paxos {

// A value is never empty (an encoded no-op is two bytes): empty means that nothing was accepted.
struct LogEntry {
  Ballot ballot;
  uint64_t digest = 0;  // xxh3-64 of the value
  Slice value;
  uint64_t chain = 0;  // of all values up to this one, once it is known chosen
};

class Log {
 public:
  Slot first() const { return first_; }
  // The highest slot with an entry; first - 1 when there is none.
  Slot last() const { return Slot(first_.value() + entries_.size() - 1); }

  // nullptr: nothing accepted there. Valid until the next Put.
  const LogEntry* Find(Slot slot) const;
  void Put(Slot slot, LogEntry entry);
  // Slot has an entry.
  void SetChain(Slot slot, uint64_t chain) { entries_[slot - first_].chain = chain; }

 private:
  Slot first_{1};
  std::deque<LogEntry> entries_;
};

}  // namespace bt::paxos
