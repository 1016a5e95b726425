#include "core/paxos/log.h"

#include <utility>

#include "core/base/check.h"

namespace bt::paxos {

const LogEntry* Log::Find(Slot slot) const {
  if (slot < first_ || slot > last()) return nullptr;
  const LogEntry& entry = entries_[slot - first_];
  return entry.value.empty() ? nullptr : &entry;
}

void Log::Put(Slot slot, LogEntry entry) {
  CHECK(slot >= first_ && !entry.value.empty());
  if (slot > last()) entries_.resize(slot - first_ + 1);
  entries_[slot - first_] = std::move(entry);
}

}  // namespace bt::paxos
