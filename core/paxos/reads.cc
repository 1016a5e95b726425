#include "core/paxos/reads.h"

namespace bt::paxos {

void Reads::Begin(uint64_t beat, Slot chosen) {
  for (const CallId call : waiting_) asked_.push_back({beat, {call, chosen}});
  waiting_.clear();
}

// Beats were asked for in order, so an answer to a later one confirms all reads of earlier ones, too.
std::vector<Reads::Ready> Reads::Confirm(uint64_t beat) {
  std::vector<Ready> ready;
  while (!asked_.empty() && asked_.front().beat <= beat) {
    ready.push_back(asked_.front().ready);
    asked_.pop_front();
  }
  return ready;
}

std::vector<CallId> Reads::TakeAll() {
  std::vector<CallId> calls;
  for (const Asked& asked : asked_) calls.push_back(asked.ready.call);
  calls.insert(calls.end(), waiting_.begin(), waiting_.end());
  asked_.clear();
  waiting_.clear();
  return calls;
}

}  // namespace bt::paxos
