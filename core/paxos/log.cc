#include "core/paxos/log.h"

#include <utility>

#include "core/base/check.h"

namespace bt::paxos {

const LogEntry* Log::Find(Slot slot) const {
  if (slot < first() || slot > last()) return nullptr;
  const LogEntry& entry = entries_[slot - first()];
  return entry.value.empty() ? nullptr : &entry;
}

void Log::Put(Slot slot, LogEntry entry) {
  CHECK(slot >= first() && !entry.value.empty());
  if (slot > last()) entries_.resize(slot - base_.slot);
  entries_[slot - first()] = std::move(entry);
}

void Log::SetChain(Slot slot, uint64_t chain) {
  CHECK(Find(slot) != nullptr);
  entries_[slot - first()].chain = chain;
}

}  // namespace bt::paxos
