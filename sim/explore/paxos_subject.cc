#include "sim/explore/paxos_subject.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <type_traits>
#include <variant>

#include "core/base/check.h"
#include "core/base/digest.h"
#include "core/base/fields.h"

namespace bt::sim::explore {
namespace {

using paxos::Protocol;

template <class T>
const T* MessageIn(const Input<Protocol>& input) {
  const auto* received = std::get_if<Received<Protocol>>(&input);
  return received != nullptr ? std::get_if<T>(&received->message) : nullptr;
}

bool IsPreVote(const paxos::Message& message) {
  return std::holds_alternative<paxos::PreVote>(message) ||
         std::holds_alternative<paxos::PreVoteReply>(message);
}

// Adds to a sight's digest what PaxosJudge looks at of an event, and nothing where it does not.
struct Adder {
  void operator()(const Began& began) const { digest.Add(0, began.durable.value()); }
  void operator()(const Wrote& wrote) const {
    digest.Add(1, wrote.seq.value(), wrote.type);
    digest.Add(wrote.body.view());
  }
  void operator()(const Synced& synced) const { digest.Add(2, synced.seq.value()); }
  void operator()(const Heard<Protocol>& heard) const {
    if (!std::holds_alternative<paxos::Promise>(heard.message)) return;
    digest.Add(3, heard.from.value());
    digest.Add(Encode(heard.message));
  }
  void operator()(const Fired<Protocol>&) const {}
  void operator()(const Asked<Protocol>& asked) const {
    if (std::holds_alternative<paxos::ReadIndex>(asked.request)) digest.Add(4, asked.call.value());
  }
  // Pre-votes and requests bind nobody (SpecifiedSteps).
  void operator()(const Told<Protocol>& told) const {
    if (IsPreVote(told.message) || std::holds_alternative<paxos::CatchUp>(told.message)) return;
    digest.Add(5, told.to.value());
    digest.Add(Encode(told.message));
  }
  void operator()(const Answered<Protocol>& answered) const {
    const auto* ready = std::get_if<paxos::ReadReady>(&answered.response);
    digest.Add(6, answered.call.value(), answered.response.index(),
               ready != nullptr ? ready->slot.value() : 0);
  }
  void operator()(const Noted<Protocol>& noted) const {
    digest.Add(7, noted.note.index());
    digest.Add(Encode(noted.note));
  }
  void operator()(const Ended<PaxosLook>& ended) const {
    const PaxosLook& look = ended.look;
    digest.Add(8, look.ballot.round, look.ballot.node.value(), look.chosen.value(), look.applied.size());
    digest.Add(look.candidate.has_value(), look.votes.has_value());
    if (look.candidate) {
      digest.Add(look.candidate->ballot.round, look.candidate->watermark.value());
      for (const auto& [slot, entry] : look.candidate->highest) {
        digest.Add(slot.value(), entry.ballot.round, entry.ballot.node.value());
      }
    }
    if (look.votes) {
      digest.Add(look.votes->first.value());
      for (const NodeId voter : look.votes->second.nodes()) digest.Add(voter.value());
    }
  }

  RollingDigest& digest;
};

}  // namespace

PaxosSubject::PaxosSubject(const PaxosScope& scope) : scope_(scope), calls_(2) {
  for (uint32_t node = 1; node <= scope.replicas; ++node) members_.push_back(NodeId(node));
  config_.members = members_;
  // Nothing is sent again for having gone unanswered, as if no time had passed; losses have a budget.
  config_.retry = Seconds(365LL * 24 * 3600);
  for (uint32_t i = 0; i < scope.commands; ++i) {
    calls_[kCommand].push_back(paxos::Propose{Slice::Own(std::string(1, static_cast<char>('a' + i)))});
  }
  for (uint32_t i = 0; i < scope.reads; ++i) calls_[kRead].push_back(paxos::ReadIndex{});
  const uint32_t peers = std::max(scope.replicas, 2u) - 1;
  for (uint64_t seed = 0; seeds_.size() < peers; ++seed) {
    if (Rng(seed).Below(peers) == seeds_.size()) seeds_.push_back(seed);
  }
}

std::unique_ptr<paxos::Replica> PaxosSubject::Make(NodeId self,
                                                   const std::vector<JournalRecord>& records) const {
  paxos::Config config = config_;
  config.self = self;
  return std::make_unique<paxos::Replica>(std::move(config), paxos::FindSnapshot(records));
}

PaxosLook PaxosSubject::After(paxos::Replica& replica, const Input<Protocol>& input) const {
  PaxosLook look{.ballot = replica.ballot(), .chosen = replica.chosen()};
  for (const paxos::Decided& decided : replica.TakeDecided()) look.applied.push_back(decided.slot);
  if (replica.candidate() != nullptr) look.candidate = *replica.candidate();
  if (const auto* accepted = MessageIn<paxos::Accepted>(input)) {
    SpecifiedSteps::Held held;
    HoldVotes(replica, accepted->slot, held);
    if (held.votes != nullptr) look.votes.emplace(held.slot, *held.votes);
  }
  return look;
}

uint64_t PaxosSubject::Digest(const PaxosSight& sight) const {
  RollingDigest digest;
  for (const auto& event : sight) std::visit(Adder{digest}, event);
  return digest.value();
}

uint32_t PaxosSubject::Fires(Timer timer) const {
  switch (timer) {
    case Timer::kElection:
      return scope_.ballots;
    case Timer::kHeartbeat:
      return scope_.beats;
    case Timer::kCatchUp:
      return scope_.catch_ups;
    case Timer::kSnapshot:
    case Timer::kCount:
      break;
  }
  return 0;
}

bool PaxosSubject::MayFire(Timer timer, uint32_t number, NodeId node) const {
  if (timer != Timer::kElection || scope_.candidates.empty()) return true;
  return number < scope_.candidates.size() && scope_.candidates[number] == node.value();
}

// An election time-out draws how long the next one is, which decides nothing here; catch-up whom it asks.
uint32_t PaxosSubject::Draws(Timer timer) const {
  return timer == Timer::kCatchUp ? static_cast<uint32_t>(seeds_.size()) : 1;
}

Duration PaxosSubject::Passes(const paxos::Replica& replica, const Input<Protocol>& input) const {
  const auto* fired = std::get_if<TimerFired<Protocol>>(&input);
  const bool election = fired != nullptr && fired->timer == Timer::kElection;
  const bool asked = MessageIn<paxos::PreVote>(input) != nullptr && !replica.is_leader();
  return election || asked ? config_.election_max * 2 : Duration{};
}

Way PaxosSubject::WayOf(const paxos::Message& message) const {
  if (IsPreVote(message) && scope_.pre_votes_at_once) return Way::kAtOnce;
  const bool beat = std::holds_alternative<paxos::Heartbeat>(message) ||
                    std::holds_alternative<paxos::HeartbeatReply>(message);
  return beat && !scope_.heartbeats ? Way::kNever : Way::kLink;
}

// --- the judge ---

std::optional<std::string> PaxosJudge::See(NodeId node, const PaxosSight& sight) {
  for (const auto& event : sight) {
    std::visit([&](const auto& seen) { See(node, seen); }, event);
    if (steps_.refusal()) return steps_.refusal();
    if (wrong_) return wrong_;
  }
  return std::nullopt;
}

uint64_t PaxosJudge::Digest() const {
  RollingDigest digest;
  digest.Add(steps_.paxos().Digest(), acknowledged_.value(), reads_.size());
  for (const auto& [call, floor] : reads_) digest.Add(call.value(), floor.value());
  return digest.value();
}

void PaxosJudge::See(NodeId node, const Began& began) { steps_.OnStart(node, began.durable); }

void PaxosJudge::See(NodeId node, const Heard<Protocol>& heard) {
  if (const auto* promise = std::get_if<paxos::Promise>(&heard.message)) {
    steps_.OnPromise(node, heard.from, *promise);
  }
}

void PaxosJudge::See(NodeId, const Asked<Protocol>& asked) {
  if (std::holds_alternative<paxos::ReadIndex>(asked.request)) reads_.emplace_back(asked.call, acknowledged_);
}

// A read sees every command whose proposer had an answer before the read was asked for.
void PaxosJudge::See(NodeId node, const Answered<Protocol>& answered) {
  const auto read = std::find_if(reads_.begin(), reads_.end(),
                                 [&](const auto& known) { return known.first == answered.call; });
  if (read == reads_.end()) return;
  const auto* ready = std::get_if<paxos::ReadReady>(&answered.response);
  if (ready != nullptr && ready->slot < read->second) {
    wrong_ = absl::StrFormat(
        "reads: node %d answers a read at slot %d, and slot %d had been acknowledged before it was asked",
        node.value(), ready->slot.value(), read->second.value());
  }
  reads_.erase(read);
}

void PaxosJudge::See(NodeId node, const Noted<Protocol>& noted) {
  steps_.OnNote(node, noted.note);
  if (const auto* chosen = std::get_if<paxos::Chosen>(&noted.note)) {
    acknowledged_ = std::max(acknowledged_, chosen->slot);
  } else if (const auto* diverged = std::get_if<paxos::Diverged>(&noted.note)) {
    wrong_ = absl::StrFormat("divergence: node %d finds another value than its own at node %d in slot %d",
                             node.value(), diverged->peer.value(), diverged->slot.value());
  } else if (std::holds_alternative<paxos::Forgot>(noted.note)) {
    wrong_ = absl::StrFormat("durability: node %d has forgotten what it told its leader", node.value());
  }
}

void PaxosJudge::See(NodeId node, const Ended<PaxosLook>& ended) {
  const PaxosLook& look = ended.look;
  for (const Slot slot : look.applied) steps_.OnApplied(node, slot);
  SpecifiedSteps::Held held{.ballot = look.ballot, .chosen = look.chosen};
  if (look.candidate) held.candidate = &*look.candidate;
  if (look.votes) {
    held.slot = look.votes->first;
    held.votes = &look.votes->second;
  }
  steps_.OnStep(node, held);
}

}  // namespace bt::sim::explore
