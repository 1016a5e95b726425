// How a replica comes to lead: canvass (pre-vote), stand (phase 1), catch up, take over.

#include <algorithm>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/base/fields.h"
#include "core/paxos/replica.h"

namespace bt::paxos {

uint64_t Replica::NextRound() const { return std::max(acceptor_.promised().round, highest_round_) + 1; }

// The randomness is what ends duels: it grows while elections fail.
void Replica::ArmElection(Ctx& context) {
  context.out.Arm(Protocol::Timer::kElection, context.now + election_timeout_);
}

void Replica::BecomeFollower(std::optional<NodeId> leader, Ctx& context) {
  if (Leader* leading = std::get_if<Leader>(&role_)) {
    leading->Dismiss(context);
    context.out.Note(SteppedDown{leading->ballot()});
    context.out.Disarm(Protocol::Timer::kHeartbeat);
  }
  role_.emplace<Follower>(Follower{leader, context.now});
  if (leader) failed_elections_ = 0;
  DrawElectionTimeout(context);
  ArmElection(context);
}

void Replica::DrawElectionTimeout(Ctx& context) {
  constexpr uint32_t kBackoffStepsMax = 4;
  const Duration spread = config_.election_max - config_.election_min;
  const Duration longest = config_.election_max + spread * std::min(failed_elections_, kBackoffStepsMax);
  election_timeout_ = context.rng.Between(config_.election_min, longest);
}

void Replica::OnElectionTimer(Ctx& context) {
  if (is_leader()) return;
  // A candidate that is still being told of chosen slots has not failed.
  const bool progress = candidate_chosen_ < chosen();
  candidate_chosen_ = chosen();
  if (std::holds_alternative<Candidate>(role_) && progress) return ArmElection(context);
  Canvass(context);
}

void Replica::Canvass(Ctx& context) {
  if (members_.size() == 1) return StandForElection(context);
  ++failed_elections_;
  const Ballot ballot{NextRound(), config_.self};
  Canvasser& canvasser = role_.emplace<Canvasser>(Canvasser{ballot, VoteSet()});
  canvasser.votes.Add(members_.self());
  DrawElectionTimeout(context);
  ArmElection(context);
  for (size_t peer = 0; peer < members_.size(); ++peer) {
    if (peer != members_.self()) context.out.Send(members_.node(peer), PreVote{ballot, chosen()});
  }
}

bool Replica::HearsLeader(Instant now) const {
  if (is_leader()) return true;
  const Follower* follower = std::get_if<Follower>(&role_);
  return follower != nullptr && follower->leader && now - follower->heard < config_.election_min;
}

void Replica::On(size_t from, const PreVote& message, Ctx& context) {
  const bool far_behind = message.chosen + config_.candidate_lag_slots_max < chosen();
  const bool granted = message.ballot > acceptor_.promised() && !HearsLeader(context.now) && !far_behind;
  context.out.Send(members_.node(from), PreVoteReply{message.ballot, acceptor_.promised(), granted});
}

void Replica::On(size_t from, const PreVoteReply& message, Ctx& context) {
  highest_round_ = std::max(highest_round_, message.promised.round);
  Canvasser* canvasser = std::get_if<Canvasser>(&role_);
  if (canvasser == nullptr || canvasser->ballot != message.ballot || !message.granted) return;
  canvasser->votes.Add(from);
  if (members_.IsQuorum(canvasser->votes)) StandForElection(context);
}

// Phase 1a. The ballot is promised by this replica itself first, and goes out when that is durable: no
// later life of this node can use it again.
void Replica::StandForElection(Ctx& context) {
  const Ballot ballot{NextRound(), config_.self};
  const WriteSeq own_promise = acceptor_.RaisePromise(ballot, context.out);
  const Slot from = chosen().next();
  role_.emplace<Candidate>(Candidate{.ballot = ballot,
                                     .own_promise = own_promise,
                                     .expected = std::vector<Slot>(members_.size(), from),
                                     .floor = chosen(),
                                     .floor_holder = config_.self});
  candidate_chosen_ = chosen();
  for (size_t peer = 0; peer < members_.size(); ++peer) {
    if (peer != members_.self()) {
      context.out.SendAfter(members_.node(peer), Prepare{ballot, from}, own_promise);
    }
  }
}

// An acceptor reports values above its watermark, from the slot it was asked about on, as far as it stores
// them, accepted under ballots below the one it now promises. A message with anything else was not sent by
// one, and the whole of it is dropped: a promise without one of its entries would lose what was accepted.
bool Replica::CanReport(const Promise& promise, const AcceptedEntry& entry) const {
  // Twice: a leader itself stores what it inherits, and its own no-op above that.
  const Slot last = promise.chosen + 2 * uint64_t{config_.gap_slots_max};
  return entry.slot >= promise.from && entry.slot > promise.chosen && entry.slot <= last &&
         entry.ballot.round > 0 && entry.ballot < promise.ballot && IsValue(entry.value);
}

void Replica::On(size_t from, const Promise& message, Ctx& context) {
  Candidate* candidate = std::get_if<Candidate>(&role_);
  if (candidate == nullptr || candidate->ballot != message.ballot) return;
  if (message.from != candidate->expected[from]) return;  // a repetition
  for (const AcceptedEntry& entry : message.entries) {
    if (!CanReport(message, entry)) return;
  }
  if (message.chosen > candidate->floor) {
    candidate->floor = message.chosen;
    candidate->floor_holder = members_.node(from);
    // What a peer knows to be chosen is learned, never taken from a report.
    candidate->highest.erase(candidate->highest.begin(), candidate->highest.upper_bound(message.chosen));
  }
  for (const AcceptedEntry& entry : message.entries) {
    if (entry.slot <= candidate->floor) continue;
    AcceptedEntry& highest = candidate->highest[entry.slot];
    // Paxos Made Simple, P2c: the value of the highest-numbered ballot accepted.
    if (entry.ballot > highest.ballot) highest = entry;
  }
  if (message.next > message.from) {
    candidate->expected[from] = message.next;
    context.out.SendAfter(members_.node(from), Prepare{candidate->ballot, message.next},
                          candidate->own_promise);
    return ArmElection(context);
  }
  candidate->promises.Add(from);
  TakeOverIfReady(context);
}

void Replica::TakeOverIfReady(Ctx& context) {
  Candidate* candidate = std::get_if<Candidate>(&role_);
  if (candidate == nullptr || !members_.IsQuorum(candidate->promises)) return;
  if (candidate->floor > chosen()) {
    // What a peer knows to be chosen it does not report; it is learned, never guessed or filled.
    return catch_up_.Want(candidate->floor, candidate->floor_holder, chosen(), /*at_once=*/true, context);
  }
  // By value: the candidate ends here.
  TakeOver(Candidate(std::move(*candidate)), context);
}

void Replica::TakeOver(Candidate candidate, Ctx& context) {
  Slot last = acceptor_.log().last();
  if (!candidate.highest.empty()) last = std::max(last, candidate.highest.rbegin()->first);
  std::vector<Slice> inherited;
  Instant log_time = acceptor_.stamp();
  for (Slot slot = chosen().next(); slot <= last; ++slot) {
    const auto reported = candidate.highest.find(slot);
    const LogEntry* own = acceptor_.log().Find(slot);
    const bool has_report = reported != candidate.highest.end();
    Slice value;
    if (own != nullptr && (!has_report || own->ballot > reported->second.ballot)) {
      value = own->value;
    } else if (has_report) {
      value = reported->second.value;
    } else {
      value = Slice::Own(Encode(Batch{.stamp = log_time}));  // nobody in a quorum accepted anything
    }
    log_time = std::max(log_time, DecodeBatch(value).stamp);
    inherited.push_back(std::move(value));
  }
  failed_elections_ = 0;
  context.out.Disarm(Protocol::Timer::kElection);
  context.out.Note(BecameLeader{candidate.ballot});
  role_.emplace<Leader>(config_, members_, acceptor_, inherited, log_time, context);
}

}  // namespace bt::paxos
