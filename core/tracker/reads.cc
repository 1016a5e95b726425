#include "core/tracker/reads.h"

#include <utility>

namespace bt::tracker {

bool Reads::Add(CallId call, Query query, Instant now) {
  if (size_ >= max_) return false;
  most_.Note(++size_);
  callers_.insert(call);
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
    most_asked_.Note(calls_.size());
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
  most_asked_.Note(calls_.size());
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

std::deque<Reads::Read>* Reads::Front(Slot applied, Instant now) {
  while (!rounds_.empty()) {
    Round& round = rounds_.front();
    const bool ready = round.slot && *round.slot <= applied;
    // Deadlines are in order of arrival.
    if (!round.reads.empty()) return ready || round.reads.front().deadline <= now ? &round.reads : nullptr;
    // A round that all its reads have left is not waited for any more.
    rounds_.pop_front();
  }
  return !waiting_.empty() && waiting_.front().deadline <= now ? &waiting_ : nullptr;
}

std::optional<Reads::Next> Reads::TakeNext(Slot applied, Instant now) {
  std::deque<Read>* const reads = Front(applied, now);
  if (reads == nullptr) return std::nullopt;
  Next next{std::move(reads->front())};
  reads->pop_front();
  --size_;
  next.overdue = next.read.deadline <= now;
  next.asked_for = callers_.erase(next.read.call) > 0;
  return next;
}

}  // namespace bt::tracker
