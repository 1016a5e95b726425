#include "core/tracker/reads.h"

#include <utility>

namespace bt::tracker {

bool Reads::Add(CallId call, Query query, Instant now) {
  if (size_ >= max_) return false;
  ++size_;
  waiting_.push_back({call, std::move(query), now + deadline_});
  return true;
}

// A linearizable read is answered from this node's own state, once that has applied the slot that a leader
// names. The leader names what it knows chosen when the question comes and then hears from a quorum that it
// still leads; so every mutation acknowledged before the question is at or below that slot (read index:
// Ongaro, 6.4). A round is asked for as a whole: reads that come while it is under way wait for the next one,
// for its answer may be older than they are.
void Reads::Poll(bool leader_changed, ReplicaPort& port, Context<Protocol>& context) {
  if (!round_unanswered()) {
    if (waiting_.empty()) return;
    Round& round = rounds_.emplace_back();
    round.id = next_round_++;
    round.reads = std::exchange(waiting_, {});
  }
  Round& round = rounds_.back();
  // Asked again after a change of leader or a silence, under the same number: any answer to it was computed
  // after its reads came, so whichever arrives first will do.
  if (round.asked && !leader_changed && context.now < *round.asked + retry_) return;
  const paxos::Replica& replica = port.machine();
  if (replica.is_leader()) {
    round.asked = context.now;
    const CallId call(kCallBit | ++next_call_);
    calls_[call] = {std::nullopt, round.id};
    port.Call(call, paxos::ReadIndex{}, context);
  } else if (const std::optional<NodeId> leader = replica.leader()) {
    round.asked = context.now;
    context.out.Send(*leader, AskReadIndex{round.id});
  }
}

void Reads::OnAsked(NodeId from, uint64_t round, ReplicaPort& port, Context<Protocol>& context) {
  // Not answered: the asker repeats it, to the leader of that time.
  if (!port.machine().is_leader() || calls_.size() >= remote_max_) return;
  const CallId call(kCallBit | ++next_call_);
  calls_[call] = {from, round};
  port.Call(call, paxos::ReadIndex{}, context);
}

void Reads::OnAnswered(uint64_t round, Slot slot) {
  if (round_unanswered() && rounds_.back().id == round) rounds_.back().slot = slot;
}

void Reads::OnReplica(CallId call, const paxos::Response& response, Context<Protocol>& context) {
  const auto found = calls_.find(call);
  if (found == calls_.end()) return;
  const Asker asker = found->second;
  calls_.erase(found);
  const auto* ready = std::get_if<paxos::ReadReady>(&response);
  if (ready == nullptr) return;  // the round is asked for again when its time comes
  if (asker.node) {
    context.out.Send(*asker.node, ReadIndexAnswer{asker.round, ready->slot});
  } else {
    OnAnswered(asker.round, ready->slot);
  }
}

std::vector<Reads::Read> Reads::TakeReady(Slot applied) {
  std::vector<Read> ready;
  while (!rounds_.empty() && rounds_.front().slot && *rounds_.front().slot <= applied) {
    auto& reads = rounds_.front().reads;
    size_ -= static_cast<uint32_t>(reads.size());
    if (ready.empty()) {
      ready = std::move(reads);
    } else {
      ready.insert(ready.end(), std::make_move_iterator(reads.begin()), std::make_move_iterator(reads.end()));
    }
    rounds_.pop_front();
  }
  return ready;
}

std::vector<Reads::Read> Reads::TakeOverdue(Instant now) {
  std::vector<Read> overdue;
  const auto take = [&](std::vector<Read>& reads) {
    size_t count = 0;  // deadlines are in order of arrival
    while (count < reads.size() && reads[count].deadline <= now) ++count;
    const auto end = reads.begin() + static_cast<ptrdiff_t>(count);
    overdue.insert(overdue.end(), std::make_move_iterator(reads.begin()), std::make_move_iterator(end));
    reads.erase(reads.begin(), end);
    return reads.empty();
  };
  while (!rounds_.empty() && take(rounds_.front().reads)) rounds_.pop_front();
  if (rounds_.empty()) take(waiting_);
  size_ -= static_cast<uint32_t>(overdue.size());
  return overdue;
}

}  // namespace bt::tracker
