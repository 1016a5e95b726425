#include "core/swarm/address_book.h"

#include <algorithm>
#include <iterator>

namespace bt::swarm {

void AddressBook::Add(const Address& address, Source source) {
  if (address.port == 0 || address == self_ || banned(address)) return;
  const auto known = entries_.find(address);
  std::optional<Source> before;
  if (known != entries_.end()) before = known->second.source;
  if (before && *before <= source) return;
  if (count(source) >= LimitOf(source) && !MakeRoom(source)) return;
  if (before) --count(*before);
  entries_[address].source = source;
  ++count(source);
}

// Room for a new one is made by an idle one of the same source that has never answered of late.
bool AddressBook::MakeRoom(Source source) {
  auto worst = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    const Entry& entry = it->second;
    if (entry.source != source || entry.in_use || entry.never || entry.failures == 0) continue;
    if (worst == entries_.end() || entry.failures > worst->second.failures) worst = it;
  }
  if (worst == entries_.end()) return false;
  Remove(worst);
  return true;
}

AddressBook::Entries::iterator AddressBook::Remove(Entries::iterator entry) {
  --count(entry->second.source);
  return entries_.erase(entry);
}

void AddressBook::Erase(const Address& address) {
  const auto found = entries_.find(address);
  if (found != entries_.end()) Remove(found);
}

std::vector<Address> AddressBook::TakeDue(Instant now, uint32_t count) {
  std::vector<Address> due;
  uint32_t hearsay = HearsayRoom();
  for (size_t source = 0; source < static_cast<size_t>(Source::kCount); ++source) {
    if (counts_[source] == 0) continue;
    for (auto& [address, entry] : entries_) {
      if (due.size() == count) return due;
      if (entry.source != static_cast<Source>(source)) continue;
      if (entry.in_use || entry.never || entry.due > now) continue;
      if (IsHearsay(entry) && hearsay == 0) continue;
      if (IsHearsay(entry)) --hearsay;
      entry.in_use = true;
      due.push_back(address);
    }
  }
  return due;
}

uint32_t AddressBook::HearsayRoom() const {
  if (counts_[static_cast<size_t>(Source::kPeers)] == 0) return 0;
  uint32_t dialled = 0;
  for (const auto& [address, entry] : entries_) dialled += IsHearsay(entry) && entry.in_use ? 1 : 0;
  return kHearsayDials - std::min(dialled, kHearsayDials);
}

Instant AddressBook::next_due() const {
  Instant next = Instant::Never();
  const bool room = HearsayRoom() > 0;
  for (const auto& [address, entry] : entries_) {
    if (!entry.in_use && !entry.never && (room || !IsHearsay(entry))) next = std::min(next, entry.due);
  }
  return next;
}

void AddressBook::Schedule(Entry& entry, Instant now, Rng& rng) {
  entry.in_use = false;
  const uint32_t doublings = std::min(entry.failures, 10u);
  const Duration pause = std::min(timing_.reconnect_min * (int64_t{1} << doublings), timing_.reconnect_max);
  entry.due = now + rng.Between(pause / 2, pause);
}

void AddressBook::Lost(const Address& address, Instant now, Rng& rng) {
  const auto found = entries_.find(address);
  if (found != entries_.end()) Schedule(found->second, now, rng);
}

void AddressBook::Failed(const Address& address, Instant now, Rng& rng) {
  const auto found = entries_.find(address);
  if (found == entries_.end()) return;
  ++found->second.failures;
  Schedule(found->second, now, rng);
}

void AddressBook::Refused(const Address& address, uint32_t hashes, bool at_once, Instant now, Rng& rng) {
  const auto found = entries_.find(address);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  ++entry.attempt;
  if (at_once && ++entry.refusals < hashes) {
    entry.in_use = false;
    entry.due = now;
    return;
  }
  entry.refusals = 0;
  Failed(address, now, rng);
}

void AddressBook::Greeted(const Address& address) {
  const auto found = entries_.find(address);
  if (found == entries_.end()) return;
  found->second.refusals = 0;
  found->second.met = true;
}

void AddressBook::Worked(const Address& address) {
  const auto found = entries_.find(address);
  if (found != entries_.end()) found->second.failures = 0;
}

void AddressBook::Forget(const Address& address) {
  const auto found = entries_.find(address);
  if (found == entries_.end()) return;
  found->second.in_use = false;
  found->second.never = true;
}

void AddressBook::Ban(const Address& address) {
  Erase(address);
  if (!banned_.insert(address).second) return;
  ban_order_.push_back(address);
  if (ban_order_.size() > limits_.bans) {
    banned_.erase(ban_order_.front());
    ban_order_.pop_front();
  }
}

void AddressBook::EraseIdle() {
  for (auto it = entries_.begin(); it != entries_.end();) {
    const bool idle = !it->second.in_use && !it->second.never;
    it = idle ? Remove(it) : std::next(it);
  }
}

uint32_t AddressBook::failures(const Address& address) const {
  const auto found = entries_.find(address);
  return found == entries_.end() ? 0 : found->second.failures;
}

uint32_t AddressBook::attempt(const Address& address) const {
  const auto found = entries_.find(address);
  return found == entries_.end() ? 0 : found->second.attempt;
}

}  // namespace bt::swarm
