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
  LogEntry& place = entries_[slot - first()];
  bytes_ = bytes_ - place.value.size() + entry.value.size();
  place = std::move(entry);
}

void Log::Begin(Prefix base) {
  CHECK(base.slot >= base_.slot);
  while (base_.slot < base.slot && !entries_.empty()) {
    bytes_ -= entries_.front().value.size();
    entries_.pop_front();
    ++base_.slot;
  }
  base_ = base;
}

void Log::SetChain(Slot slot, uint64_t chain) {
  CHECK(Find(slot) != nullptr);
  entries_[slot - first()].chain = chain;
}

}  // namespace bt::paxos
