#include "sim/check/multi_paxos.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "core/base/check.h"
#include "core/base/digest.h"

namespace bt::sim {
namespace {

std::string Text(paxos::Ballot ballot) {
  return absl::StrFormat("(%d,%d)", ballot.round, ballot.node.value());
}

}  // namespace

MultiPaxos::Value MultiPaxos::ValueOf(const Slice& bytes) { return HashBytes(bytes.view()); }

MultiPaxos::MultiPaxos(std::vector<NodeId> nodes, size_t voters)
    : nodes_(std::move(nodes)), acceptors_(nodes_.size()) {
  CHECK(nodes_.size() <= 16);
  voters = std::min(voters, nodes_.size());
  const auto end = nodes_.begin() + static_cast<std::ptrdiff_t>(voters);
  configurations_.push_back(
      {Slot(1), static_cast<Nodes>((1u << voters) - 1), paxos::FirstMembership({nodes_.begin(), end})});
}

size_t MultiPaxos::IndexOf(NodeId node) const {
  const auto found = std::find(nodes_.begin(), nodes_.end(), node);
  CHECK(found != nodes_.end());
  return static_cast<size_t>(found - nodes_.begin());
}

MultiPaxos::Nodes MultiPaxos::VotersOf(Slot slot) const {
  const auto in_force = std::find_if(configurations_.rbegin(), configurations_.rend(),
                                     [&](const VotersFrom& voters) { return voters.from <= slot; });
  return in_force->voters;
}

bool MultiPaxos::Majority(Nodes nodes, Slot slot) const {
  const Nodes voters = VotersOf(slot);
  return std::popcount(static_cast<Nodes>(nodes & voters)) * 2 > std::popcount(voters);
}

void MultiPaxos::FollowChange(Value value) {
  const auto change = changes_.find(value);
  if (change == changes_.end() || chosen_ < in_force_from()) return;
  if (!paxos::MayFollow(membership(), change->second)) return;
  Nodes voters = 0;
  for (const NodeId voter : change->second.voters()) voters |= BitOf(voter);
  configurations_.push_back({chosen_ + paxos::kMembershipDelay, voters, change->second});
}

MultiPaxos::Refusal MultiPaxos::TellMembers(NodeId, Slot from, const paxos::Membership& membership) const {
  for (const VotersFrom& known : configurations_) {
    if (known.from == from && known.membership == membership) return std::nullopt;
  }
  return absl::StrFormat("takes version %d of the members for in force from slot %d, and no log says so",
                         membership.version, from.value());
}

const MultiPaxos::Proposal* MultiPaxos::Find(Slot slot, Ballot ballot) const {
  if (slot == Slot(0) || slot.value() > slots_.size()) return nullptr;
  for (const Proposal& proposal : slots_[slot.value() - 1].proposals) {
    if (proposal.ballot == ballot) return &proposal;
  }
  return nullptr;
}

MultiPaxos::Proposal* MultiPaxos::Find(Slot slot, Ballot ballot) {
  return const_cast<Proposal*>(std::as_const(*this).Find(slot, ballot));
}

const MultiPaxos::Proposal* MultiPaxos::LastVote(NodeId node, Slot slot, Ballot ballot) const {
  const Proposal* last = nullptr;
  if (slot.value() > slots_.size()) return nullptr;
  for (const Proposal& proposal : slots_[slot.value() - 1].proposals) {
    const bool counts = (proposal.voted & BitOf(node)) != 0 && proposal.ballot < ballot;
    if (counts && (last == nullptr || proposal.ballot > last->ballot)) last = &proposal;
  }
  return last;
}

std::optional<MultiPaxos::Value> MultiPaxos::chosen(Slot slot) const {
  if (slot == Slot(0) || slot.value() > slots_.size()) return std::nullopt;
  return slots_[slot.value() - 1].chosen;
}

// --- state ---

MultiPaxos::Refusal MultiPaxos::Promise(NodeId node, Ballot ballot, WriteSeq write) {
  Acceptor& acceptor = Of(node);
  if (ballot <= acceptor.promised) {
    return absl::StrFormat("promised ballot %s, which is not above its promise %s", Text(ballot),
                           Text(acceptor.promised));
  }
  const bool prepared = prepared_.contains(ballot);
  if (ballot.node == node) {
    if (prepared) return "began ballot " + Text(ballot) + " for the second time";
    acceptor.candidacy = {.ballot = ballot};
  } else if (!prepared) {
    return "promised ballot " + Text(ballot) + ", which nobody had prepared";
  }
  acceptor.promised = ballot;
  acceptor.writes.push_back({write, ballot, Slot(0)});
  return std::nullopt;
}

MultiPaxos::Refusal MultiPaxos::Accept(NodeId node, Ballot ballot, Slot slot, Value value, WriteSeq write) {
  Acceptor& acceptor = Of(node);
  if (ballot < acceptor.promised) {
    return absl::StrFormat("accepted slot %d at ballot %s below its promise %s", slot.value(), Text(ballot),
                           Text(acceptor.promised));
  }
  if (ballot.node == node) {
    if (Refusal refusal = Propose(node, ballot, slot, value)) return refusal;
  }
  Proposal* proposal = Find(slot, ballot);
  if (proposal == nullptr || proposal->value != value) {
    return absl::StrFormat("accepted in slot %d at ballot %s what was not proposed there", slot.value(),
                           Text(ballot));
  }
  proposal->voted |= BitOf(node);
  acceptor.promised = ballot;
  acceptor.writes.push_back({write, ballot, slot});
  return std::nullopt;
}

// "Paxos Made Simple", P2c: the proposer has the promises of a majority that speak of this slot (an acceptor
// that says "chosen up to here" says nothing of the slots below), and proposes the value of the highest
// ballot reported, or any if none is. Its own promise and votes count like the others'.
MultiPaxos::Refusal MultiPaxos::Propose(NodeId node, Ballot ballot, Slot slot, Value value) {
  Candidacy& candidacy = Of(node).candidacy;
  if (candidacy.ballot != ballot) {
    return "proposed at ballot " + Text(ballot) + ", for which it did not stand in this life";
  }
  if (const Proposal* known = Find(slot, ballot)) {
    if (known->value == value) return std::nullopt;
    return absl::StrFormat("proposed two values in slot %d at ballot %s", slot.value(), Text(ballot));
  }
  if (slot > chosen_ + paxos::kMembershipDelay) {
    return absl::StrFormat("proposed in slot %d, where nobody can know who votes: slots up to %d are chosen",
                           slot.value(), chosen_.value());
  }
  Nodes promises = Of(node).durable_promise >= ballot ? BitOf(node) : 0;
  for (const Reported& part : candidacy.reported) {
    if (part.from <= slot && slot < part.to) promises |= BitOf(part.node);
  }
  if (!Majority(promises, slot)) {
    return absl::StrFormat("proposed in slot %d at ballot %s with the promises of %d of %d acceptors",
                           slot.value(), Text(ballot),
                           std::popcount(static_cast<Nodes>(promises & VotersOf(slot))),
                           std::popcount(VotersOf(slot)));
  }
  const Proposal* highest = LastVote(node, slot, ballot);
  const auto reported = candidacy.highest.find(slot);
  if (reported != candidacy.highest.end() &&
      (highest == nullptr || reported->second.ballot > highest->ballot)) {
    highest = Find(slot, reported->second.ballot);
  }
  if (highest != nullptr && highest->value != value) {
    return absl::StrFormat(
        "proposed in slot %d at ballot %s another value than the reported one of ballot %s", slot.value(),
        Text(ballot), Text(highest->ballot));
  }
  candidacy.leads = true;
  prepared_.insert(ballot);  // one that votes alone asks nobody, and is followed by those who do not vote
  if (slot.value() > slots_.size()) slots_.resize(slot.value());
  slots_[slot.value() - 1].proposals.push_back({.ballot = ballot, .value = value});
  return std::nullopt;
}

MultiPaxos::Refusal MultiPaxos::Learn(NodeId node, Slot slot, Value value) {
  Slot& known = Of(node).known;
  if (slot != known.next()) {
    return absl::StrFormat("learned slot %d where slot %d comes next", slot.value(), known.next().value());
  }
  if (Refusal refusal = TellChosen(slot, value)) return refusal;
  known = slot;
  return std::nullopt;
}

MultiPaxos::Refusal MultiPaxos::Apply(NodeId node, Slot slot) {
  Acceptor& acceptor = Of(node);
  if (slot != acceptor.applied.next() || slot > acceptor.known) {
    return absl::StrFormat("applied slot %d after slot %d, knowing slots up to %d as chosen", slot.value(),
                           acceptor.applied.value(), acceptor.known.value());
  }
  acceptor.applied = slot;
  return std::nullopt;
}

MultiPaxos::Refusal MultiPaxos::Restore(NodeId node, Slot slot) {
  Acceptor& acceptor = Of(node);
  if (slot <= acceptor.known) {
    return absl::StrFormat("took up a snapshot of slots up to %d, and knew %d already", slot.value(),
                           acceptor.known.value());
  }
  if (Refusal refusal = TellChosenUpTo(slot)) return refusal;
  acceptor.known = slot;
  acceptor.applied = slot - 1;
  return std::nullopt;
}

MultiPaxos::Refusal MultiPaxos::Sync(NodeId node, WriteSeq durable) {
  Acceptor& acceptor = Of(node);
  acceptor.durable = durable;
  Refusal refusal;
  while (!acceptor.writes.empty() && acceptor.writes.front().seq <= durable) {
    const Write write = acceptor.writes.front();
    acceptor.writes.pop_front();
    acceptor.durable_promise = std::max(acceptor.durable_promise, write.ballot);
    if (write.slot == Slot(0)) continue;
    if (Refusal two = Count(write.slot, write.ballot, BitOf(node)); two && !refusal) refusal = std::move(two);
  }
  return refusal;
}

MultiPaxos::Refusal MultiPaxos::Count(Slot slot, Ballot ballot, Nodes bit) {
  Proposal& proposal = *Find(slot, ballot);
  proposal.durable |= bit;
  if (!Majority(proposal.durable, slot)) return std::nullopt;
  std::optional<Value>& chosen_value = slots_[slot.value() - 1].chosen;
  if (chosen_value.has_value() && *chosen_value != proposal.value) {
    return absl::StrFormat("gave the vote by which a second value is chosen in slot %d, at ballot %s",
                           slot.value(), Text(ballot));
  }
  chosen_value = proposal.value;
  while (const std::optional<Value> next = chosen(chosen_.next())) {
    ++chosen_;
    FollowChange(*next);
  }
  return std::nullopt;
}

MultiPaxos::Refusal MultiPaxos::Restart(NodeId node, WriteSeq last) {
  Acceptor& acceptor = Of(node);
  while (!acceptor.writes.empty() && acceptor.writes.back().seq > last) {
    const Write& lost = acceptor.writes.back();
    if (lost.slot != Slot(0)) Find(lost.slot, lost.ballot)->voted &= static_cast<Nodes>(~BitOf(node));
    acceptor.writes.pop_back();
  }
  Refusal refusal = Sync(node, last);
  acceptor.promised = acceptor.durable_promise;
  acceptor.known = acceptor.applied = Slot(0);
  acceptor.candidacy = {};
  return refusal;
}

// --- messages ---

MultiPaxos::Refusal MultiPaxos::Prepare(NodeId node, Ballot ballot) {
  if (ballot.node != node) return "prepared ballot " + Text(ballot) + ", which is another's";
  if (Of(node).durable_promise < ballot) {
    return "prepared ballot " + Text(ballot) + " before its own promise of it was durable";
  }
  prepared_.insert(ballot);
  return std::nullopt;
}

MultiPaxos::Refusal MultiPaxos::CheckReported(NodeId node, Ballot ballot,
                                              const paxos::AcceptedEntry& entry) const {
  const Proposal* vote = Find(entry.slot, entry.ballot);
  if (vote == nullptr || (vote->durable & BitOf(node)) == 0 || vote->value != ValueOf(entry.value)) {
    return absl::StrFormat("reported a vote in slot %d at ballot %s that its disk does not hold",
                           entry.slot.value(), Text(entry.ballot));
  }
  const Proposal* last = LastVote(node, entry.slot, ballot);
  if (entry.ballot > ballot || (last != nullptr && entry.ballot < last->ballot)) {
    return absl::StrFormat("promised ballot %s and reported slot %d at ballot %s, not its last vote there",
                           Text(ballot), entry.slot.value(), Text(entry.ballot));
  }
  return std::nullopt;
}

MultiPaxos::Refusal MultiPaxos::TellPromise(NodeId node, const paxos::Promise& report) {
  if (Of(node).durable_promise < report.ballot) {
    return "told its promise of ballot " + Text(report.ballot) + " before that was durable";
  }
  if (Refusal refusal = TellChosenUpTo(report.chosen)) return refusal;
  auto entry = report.entries.begin();
  const Slot last(slots_.size());  // no higher slot has a vote
  const Slot end = report.next == Slot(0) ? last.next() : std::min(report.next, last.next());
  for (Slot slot = std::max(report.from, report.chosen.next()); slot < end; ++slot) {
    if (entry != report.entries.end() && entry->slot == slot) {
      if (Refusal refusal = CheckReported(node, report.ballot, *entry)) return refusal;
      ++entry;
    } else if (const Proposal* hidden = LastVote(node, slot, report.ballot)) {
      return absl::StrFormat("promised ballot %s without its vote in slot %d at ballot %s",
                             Text(report.ballot), slot.value(), Text(hidden->ballot));
    }
  }
  if (entry == report.entries.end()) return std::nullopt;
  return absl::StrFormat("reported slot %d, which is none of those it reports about", entry->slot.value());
}

void MultiPaxos::HearPromise(NodeId node, NodeId from, const paxos::Promise& report) {
  Candidacy& candidacy = Of(node).candidacy;
  if (candidacy.leads || candidacy.ballot != report.ballot) return;
  const auto before = std::find_if(candidacy.reported.rbegin(), candidacy.reported.rend(),
                                   [&](const Reported& part) { return part.node == from; });
  if (before != candidacy.reported.rend() && before->to != report.from) return;
  candidacy.reported.push_back({from, std::max(report.from, report.chosen.next()),
                                report.next == Slot(0) ? Slot::Max() : report.next});
  for (const paxos::AcceptedEntry& entry : report.entries) {
    paxos::AcceptedEntry& highest = candidacy.highest[entry.slot];
    if (entry.ballot > highest.ballot) highest = {.slot = entry.slot, .ballot = entry.ballot};
  }
}

MultiPaxos::Refusal MultiPaxos::TellProposal(NodeId node, Ballot ballot, Slot slot, Value value) {
  const Proposal* proposal = Find(slot, ballot);
  if (ballot.node == node && proposal != nullptr && proposal->value == value) return std::nullopt;
  return absl::StrFormat("asked for a vote in slot %d at ballot %s on what it had not proposed", slot.value(),
                         Text(ballot));
}

// One who knows the slot as chosen may answer without a vote, also when it no longer knows the value: a
// leader gets a majority of such answers for the chosen value alone (core/paxos/acceptor.cc argues it, and
// HoldsVotes holds leaders to it).
MultiPaxos::Refusal MultiPaxos::TellAccepted(NodeId node, Ballot ballot, Slot slot) {
  Proposal* proposal = Find(slot, ballot);
  if (proposal != nullptr) {
    if ((proposal->durable & BitOf(node)) != 0) return std::nullopt;
    if (slot <= Of(node).known) {
      proposal->answered |= BitOf(node);
      return std::nullopt;
    }
  }
  return absl::StrFormat("told its vote in slot %d at ballot %s, which its disk does not hold", slot.value(),
                         Text(ballot));
}

MultiPaxos::Refusal MultiPaxos::TellRejected(NodeId node, Ballot ballot, Ballot promised) const {
  if (promised == Of(node).promised && ballot < promised) return std::nullopt;
  return absl::StrFormat("rejected ballot %s for a promise of %s, and has promised %s", Text(ballot),
                         Text(promised), Text(Of(node).promised));
}

MultiPaxos::Refusal MultiPaxos::TellLeads(NodeId node, Ballot ballot) const {
  const Acceptor& acceptor = Of(node);
  if (acceptor.candidacy.leads && acceptor.candidacy.ballot == ballot && acceptor.promised == ballot) {
    return std::nullopt;
  }
  return absl::StrFormat("spoke as the leader of ballot %s, which it is not; its promise is %s", Text(ballot),
                         Text(acceptor.promised));
}

MultiPaxos::Refusal MultiPaxos::TellHeir(NodeId node, NodeId heir, Ballot ballot) const {
  if (Refusal refusal = TellLeads(node, ballot)) return refusal;
  for (Slot slot = chosen_.next(); slot.value() <= slots_.size(); ++slot) {
    const Proposal* proposal = Find(slot, ballot);
    if (proposal == nullptr || (proposal->durable & BitOf(heir)) != 0) continue;
    return absl::StrFormat("lets node %d stand, which has not voted for its proposal in slot %d",
                           heir.value(), slot.value());
  }
  return std::nullopt;
}

MultiPaxos::Refusal MultiPaxos::TellFollows(NodeId node, Ballot ballot) const {
  if (Of(node).promised == ballot) return std::nullopt;
  return absl::StrFormat("confirmed the leader of ballot %s, and has promised %s", Text(ballot),
                         Text(Of(node).promised));
}

MultiPaxos::Refusal MultiPaxos::TellChosen(Slot slot, Value value) const {
  const std::optional<Value> known = chosen(slot);
  if (known == value) return std::nullopt;
  return absl::StrFormat("takes a value of slot %d for chosen, and %s is", slot.value(),
                         known.has_value() ? "another" : "none");
}

MultiPaxos::Refusal MultiPaxos::TellChosenUpTo(Slot slot) const {
  if (slot <= chosen_) return std::nullopt;
  return absl::StrFormat("says that slots up to %d are chosen, and slot %d is not", slot.value(),
                         chosen_.next().value());
}

MultiPaxos::Refusal MultiPaxos::Holds(NodeId node, Ballot promised, Slot known) const {
  const Acceptor& acceptor = Of(node);
  if (promised == acceptor.promised && known == acceptor.known) return std::nullopt;
  return absl::StrFormat("holds promise %s and slots up to %d as chosen, and wrote %s and learned %d",
                         Text(promised), known.value(), Text(acceptor.promised), acceptor.known.value());
}

MultiPaxos::Refusal MultiPaxos::HoldsPromise(NodeId node, Ballot promised) const {
  if (promised == Of(node).promised) return std::nullopt;
  return absl::StrFormat("writes down its promise of %s, and has promised %s", Text(promised),
                         Text(Of(node).promised));
}

MultiPaxos::Refusal MultiPaxos::HoldsReports(NodeId node, const paxos::Candidate& candidate) const {
  const Candidacy& candidacy = Of(node).candidacy;
  for (const auto& [slot, reported] : candidacy.highest) {
    if (slot <= candidate.watermark) continue;
    const auto held = candidate.highest.find(slot);
    if (held != candidate.highest.end() && held->second.ballot == reported.ballot) continue;
    return absl::StrFormat("stands with ballot %s and does not hold the report of slot %d at ballot %s",
                           Text(candidate.ballot), slot.value(), Text(reported.ballot));
  }
  return std::nullopt;
}

// A vote counts when its giver's disk holds it, or, as TellAccepted says, when its giver knew the slot as
// chosen.
MultiPaxos::Refusal MultiPaxos::HoldsVotes(Ballot ballot, Slot slot, const paxos::VoteSet& votes) const {
  const Proposal* proposal = Find(slot, ballot);
  if (proposal != nullptr && chosen(slot) == proposal->value) return std::nullopt;
  Nodes counted = 0;
  for (const NodeId voter : votes.nodes()) {
    counted |= BitOf(voter);
    if (proposal != nullptr && ((proposal->durable | proposal->answered) & BitOf(voter)) != 0) continue;
    return absl::StrFormat("counts a vote of tracker-%d in slot %d at ballot %s that was not given",
                           voter.value(), slot.value(), Text(ballot));
  }
  if (!Majority(counted, slot)) return std::nullopt;
  return absl::StrFormat("has a majority for its value in slot %d at ballot %s, which is not chosen",
                         slot.value(), Text(ballot));
}

// Acceptors' shares of it, of which the order in which reports came and proposals were made is none.
uint64_t MultiPaxos::Digest() const {
  RollingDigest digest;
  const auto add = [&](Ballot ballot) { digest.Add(ballot.round, ballot.node.value()); };
  for (const Acceptor& acceptor : acceptors_) {
    add(acceptor.promised);
    add(acceptor.durable_promise);
    digest.Add(acceptor.durable.value(), acceptor.known.value(), acceptor.applied.value());
    digest.Add(acceptor.writes.size());
    for (const Write& write : acceptor.writes) {
      add(write.ballot);
      digest.Add(write.seq.value(), write.slot.value());
    }
    const Candidacy& candidacy = acceptor.candidacy;
    add(candidacy.ballot);
    digest.Add(candidacy.leads, candidacy.reported.size(), candidacy.highest.size());
    uint64_t reported = 0;
    for (const Reported& part : candidacy.reported) {
      RollingDigest one;
      one.Add(part.node.value(), part.from.value(), part.to.value());
      reported += one.value();
    }
    digest.Add(reported);
    for (const auto& [slot, entry] : candidacy.highest) {
      digest.Add(slot.value());
      add(entry.ballot);
    }
  }
  digest.Add(slots_.size());
  for (const Decision& decision : slots_) {
    digest.Add(decision.chosen.has_value(), decision.chosen.value_or(0), decision.proposals.size());
    uint64_t proposals = 0;
    for (const Proposal& proposal : decision.proposals) {
      RollingDigest one;
      one.Add(proposal.ballot.round, proposal.ballot.node.value(), proposal.value, proposal.voted,
              proposal.durable, proposal.answered);
      proposals += one.value();
    }
    digest.Add(proposals);
  }
  for (const Ballot& ballot : prepared_) add(ballot);
  digest.Add(chosen_.value(), configurations_.size());
  for (const auto& [value, membership] : changes_) digest.Add(value, membership.version);
  return digest.value();
}

}  // namespace bt::sim
