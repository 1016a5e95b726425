// How a replica comes to lead: ask for pre-votes, stand (phase 1), catch up, take over.

#include <algorithm>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/base/fields.h"
#include "core/paxos/replica.h"

namespace bt::paxos {

// Above every round this replica has promised, so that no ballot of its own comes twice; and above every
// round it was refused for, because a candidate below what a quorum has promised could not get that quorum.
uint64_t Replica::NextRound() const { return std::max(acceptor_.promised().round, highest_round_) + 1; }

// Two candidates that time out together can depose each other for ever. The timeout is therefore random, and
// its range grows with each election that failed (DrawElectionTimeout).
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
  stands_next_ = false;
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
  if (!acceptor_.configurations().Votes(config_.self, chosen())) {
    BecomeFollower(std::nullopt, context);
    // As far as it knows. It may be a voter that has forgotten how far the log is chosen, and those who know
    // better may vote no more and therefore say nothing.
    return catch_up_.Probe(chosen(), context);
  }
  if (std::exchange(stands_next_, false)) {
    StandForElection(context);
    return ArmElection(context);
  }
  // A candidate that is still being told of chosen slots has not failed.
  const bool progress = candidate_chosen_ < chosen();
  candidate_chosen_ = chosen();
  if (std::holds_alternative<Candidate>(role_) && progress) return ArmElection(context);
  AskForPreVotes(context);
}

// A leader whose process has ended need not be waited for. Its followers forget it, each when its own
// connection closes, so that they no longer refuse each other, and ask for pre-votes after a short random
// time, so that one of them is done before the others begin. If the leader lives, nobody is unseated: it and
// every follower that still hears it refuse, and its next heartbeat is followed as before.
void Replica::OnPeerClosed(NodeId peer, Ctx& context) {
  Follower* follower = std::get_if<Follower>(&role_);
  if (stopped_ || follower == nullptr || follower->leader != peer) return;
  follower->leader = std::nullopt;
  election_timeout_ = context.rng.Between(config_.closed_wait_min, config_.closed_wait_max);
  ArmElection(context);
}

void Replica::AskForPreVotes(Ctx& context) {
  const Configurations& configurations = acceptor_.configurations();
  if (configurations.VotesAlone(config_.self, chosen())) return StandForElection(context);
  ++failed_elections_;
  const Ballot ballot{NextRound(), config_.self};
  PreCandidate& candidate = role_.emplace<PreCandidate>(PreCandidate{ballot, VoteSet()});
  candidate.votes.Add(config_.self);
  DrawElectionTimeout(context);
  ArmElection(context);
  for (const NodeId voter : configurations.OtherVoters(config_.self, chosen())) {
    context.out.Send(voter, PreVote{ballot, chosen()});
  }
}

// A ballot decides a slot only with the promises of a quorum of that slot's voters, and phase 1 asked those
// of the configurations known at its time. So whoever leads or stands when the log tells of a new one stands
// anew, and asks the quorums of both. Until then a leader proposes no slot that the new voters decide: none
// is further than kMembershipDelay above what it knows as chosen, and the change is in force no earlier.
void Replica::FollowConfigurations(Ctx& context) {
  const uint64_t version = std::exchange(version_, members().membership.version);
  if (version == version_ || stopped_ || std::holds_alternative<Follower>(role_)) return;
  const bool begun = !std::holds_alternative<PreCandidate>(role_);
  BecomeFollower(std::nullopt, context);
  if (!begun) return;
  // In a step of its own: this one may have spoken as the old ballot's leader.
  stands_next_ = true;
  context.out.Arm(Protocol::Timer::kElection, context.now);
}

// The leader's followers need not be asked first whether they hear it: it has stopped proposing.
void Replica::On(NodeId from, const StandNow& message, Ctx& context) {
  const Follower* follower = std::get_if<Follower>(&role_);
  const bool led = follower != nullptr && follower->leader == from && message.ballot == acceptor_.promised();
  if (led && acceptor_.configurations().Votes(config_.self, chosen())) StandForElection(context);
}

// The ballot of who has stepped down is nobody's: its long messages may go on for seconds, and must not keep
// anybody waiting for it.
Presence Replica::presence() const {
  const bool stands = is_leader() || std::holds_alternative<Candidate>(role_);
  const bool follows = std::holds_alternative<Follower>(role_) && acceptor_.promised().node != config_.self;
  return {stands || follows ? acceptor_.promised() : Ballot{}};
}

// Heartbeats overtake long messages and would do for a leader and its followers. A candidate hears nothing
// but promises, and the values in them may take longer to come than its election timeout.
void Replica::On(NodeId from, const Presence& message, Ctx& context) {
  fetch_.OnPresence(from);
  if (message.ballot.round == 0 || message.ballot != acceptor_.promised()) return;
  if (Leader* leader = std::get_if<Leader>(&role_)) return leader->OnPresence(from, context.now);
  if (Follower* follower = std::get_if<Follower>(&role_)) {
    if (follower->leader != from || message.ballot.node != from) return;
    follower->heard = context.now;
  } else if (!std::holds_alternative<Candidate>(role_)) {
    return;
  }
  ArmElection(context);
}

// A follower that has heard from its leader within election_min, the shortest time after which anybody
// stands, takes whoever asks for pre-votes for one that alone has lost sight of the leader (Ongaro, 4.2.3).
bool Replica::HearsLeader(Instant now) const {
  if (is_leader()) return true;
  const Follower* follower = std::get_if<Follower>(&role_);
  return follower != nullptr && follower->leader && now - follower->heard < config_.election_min;
}

// A pre-vote promises nothing and is not written: it says how this replica would answer a Prepare now. It
// keeps a replica that was cut off from raising everybody's ballot when it comes back and so from unseating a
// leader whom the others hear (Ongaro, "Consensus: Bridging Theory and Practice", 9.6). Safety never rests on
// it, so a wrong answer costs an election at most. A candidate that is far behind is refused, because it
// would have to be told of all those slots before it could propose anything, while one that is nearer
// could serve callers at once.
void Replica::On(NodeId from, const PreVote& message, Ctx& context) {
  const bool far_behind = message.chosen + config_.candidate_lag_slots_max < chosen();
  // Who knows as much of the log as the candidate does knows whether it votes still.
  const bool retired = message.chosen <= chosen() && !acceptor_.configurations().Votes(from, chosen());
  const bool granted =
      message.ballot > acceptor_.promised() && !HearsLeader(context.now) && !far_behind && !retired;
  context.out.Send(from, PreVoteReply{message.ballot, acceptor_.promised(), granted, chosen()});
  catch_up_.Want(message.chosen, from, chosen(), /*at_once=*/false, context);
}

void Replica::On(NodeId from, const PreVoteReply& message, Ctx& context) {
  highest_round_ = std::max(highest_round_, message.promised.round);
  // Who reaches a majority must come to lead also where nobody else can ("Omni-Paxos", EuroSys 2023). If it
  // is refused for being far behind, nobody but those who refuse can tell it what is chosen: it learns that
  // from them, and asks again when its timeout ends.
  if (!message.granted) catch_up_.Want(message.chosen, from, chosen(), /*at_once=*/true, context);
  PreCandidate* candidate = std::get_if<PreCandidate>(&role_);
  if (candidate == nullptr || candidate->ballot != message.ballot || !message.granted) return;
  if (!acceptor_.configurations().Votes(from, chosen())) return;
  candidate->votes.Add(from);
  if (acceptor_.configurations().IsQuorum(candidate->votes, chosen())) StandForElection(context);
}

// Phase 1a. Two elections under one ballot could choose two values. The ballot is therefore promised by this
// replica itself first, and goes out when that is durable: a later life of this node recovers the promise,
// and NextRound is above it.
void Replica::StandForElection(Ctx& context) {
  const Ballot ballot{NextRound(), config_.self};
  const WriteSeq own_promise = acceptor_.RaisePromise(ballot, context.out);
  const Slot from = chosen().next();
  Candidate& candidate = role_.emplace<Candidate>(Candidate{
      .ballot = ballot, .own_promise = own_promise, .watermark = chosen(), .watermark_holder = config_.self});
  candidate_chosen_ = chosen();
  for (const NodeId voter : acceptor_.configurations().OtherVoters(config_.self, chosen())) {
    candidate.expected[voter] = from;
    context.out.SendAfter(voter, Prepare{ballot, from}, own_promise);
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

void Replica::On(NodeId from, const Promise& message, Ctx& context) {
  Candidate* candidate = std::get_if<Candidate>(&role_);
  if (candidate == nullptr || candidate->ballot != message.ballot) return;
  const auto expected = candidate->expected.find(from);
  if (expected == candidate->expected.end()) return;  // not asked
  if (message.from != expected->second) return;       // a part that was counted already
  for (const AcceptedEntry& entry : message.entries) {
    if (!CanReport(message, entry)) return;
  }
  if (message.chosen > candidate->watermark) {
    candidate->watermark = message.chosen;
    candidate->watermark_holder = from;
    // What a peer knows to be chosen is learned, never taken from a report.
    candidate->highest.erase(candidate->highest.begin(), candidate->highest.upper_bound(message.chosen));
  }
  for (const AcceptedEntry& entry : message.entries) {
    if (entry.slot <= candidate->watermark) continue;
    AcceptedEntry& highest = candidate->highest[entry.slot];
    // "Paxos Made Simple", P2c: of what a quorum has accepted, the value of the highest ballot is the only
    // one that can have been chosen.
    if (entry.ballot > highest.ballot) highest = entry;
  }
  if (message.next > message.from) {
    expected->second = message.next;
    context.out.SendAfter(from, Prepare{candidate->ballot, message.next}, candidate->own_promise);
    return ArmElection(context);
  }
  candidate->promises.Add(from);
  TakeOverIfReady(context);
}

void Replica::TakeOverIfReady(Ctx& context) {
  Candidate* candidate = std::get_if<Candidate>(&role_);
  if (candidate == nullptr || !acceptor_.configurations().IsQuorum(candidate->promises, chosen())) return;
  if (candidate->watermark > chosen()) {
    // A peer does not report what it knows to be chosen (Acceptor::Report). To this candidate such a slot
    // looks as if nobody had accepted anything, and a no-op there could be a second value: it is learned
    // instead.
    return catch_up_.Want(candidate->watermark, candidate->watermark_holder, chosen(), /*at_once=*/true,
                          context);
  }
  // By value: the candidate ends here.
  TakeOver(Candidate(std::move(*candidate)), context);
}

// Every slot above the watermark gets a value: the one of the highest ballot that a quorum reports (this
// replica's own log is one of the reports), or a no-op where the whole quorum has accepted nothing. There
// nothing can have been chosen, for a choice would have needed one of these acceptors; and a hole would keep
// everything above it from being applied.
void Replica::TakeOver(Candidate candidate, Ctx& context) {
  Slot last = acceptor_.log().last();
  if (!candidate.highest.empty()) last = std::max(last, candidate.highest.rbegin()->first);
  std::vector<Slice> inherited;
  Instant log_time = acceptor_.prefix().stamp();
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
  role_.emplace<Leader>(config_, acceptor_, candidate.promises, std::move(inherited), log_time, context);
}

}  // namespace bt::paxos
