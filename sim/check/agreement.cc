#include "sim/check/agreement.h"

#include <absl/strings/str_format.h>

#include "core/base/fields.h"

namespace bt::sim {
namespace {

std::string BallotText(paxos::Ballot ballot) {
  return absl::StrFormat("%d.%d", ballot.round, ballot.node.value());
}

}  // namespace

void AgreementJudge::OnNote(NodeId node, const paxos::Note& note) {
  if (const auto* proposing = std::get_if<paxos::Proposing>(&note)) {
    OnProposing(node, *proposing);
  } else if (const auto* chosen = std::get_if<paxos::Chosen>(&note)) {
    OnChosen(node, *chosen);
  } else if (const auto* restored = std::get_if<paxos::Restored>(&note)) {
    OnRestored(node, restored->prefix);
  } else if (const auto* leader = std::get_if<paxos::BecameLeader>(&note)) {
    OnLeader(node, leader->ballot);
  } else if (const auto* diverged = std::get_if<paxos::Diverged>(&note)) {
    world_.Fail(absl::StrFormat(
        "divergence: node %d stops, for slot %d is chosen as %016x here and as %016x "
        "at node %d",
        node.value(), diverged->slot.value(), diverged->here, diverged->there, diverged->peer.value()));
  }
}

void AgreementJudge::OnProposing(NodeId node, const paxos::Proposing& note) {
  if (note.ballot.node != node) {
    return world_.Fail(absl::StrFormat("agreement: node %d proposes with node %d's ballot %s", node.value(),
                                       note.ballot.node.value(), BallotText(note.ballot)));
  }
  const auto [known, inserted] = proposed_.try_emplace({note.ballot, note.slot}, note.value);
  if (!inserted && known->second != note.value) {
    world_.Fail(absl::StrFormat("agreement: two values were proposed in slot %d under ballot %s",
                                note.slot.value(), BallotText(note.ballot)));
  }
}

void AgreementJudge::OnChosen(NodeId node, const paxos::Chosen& note) {
  Slot& next = next_.try_emplace(node, Slot(1)).first->second;
  if (note.slot != next) {
    return world_.Fail(absl::StrFormat("agreement: node %d learns slot %d as chosen where slot %d comes next",
                                       node.value(), note.slot.value(), next.value()));
  }
  ++next;
  const size_t index = note.slot.value() - 1;
  if (index < decided_.size()) {
    const auto& [value, chain] = decided_[index];
    if (value != note.value) {
      world_.Fail(absl::StrFormat("agreement: slot %d was chosen with value %016x, and node %d says %016x",
                                  note.slot.value(), value, node.value(), note.value));
    } else if (chain != note.chain) {
      world_.Fail(absl::StrFormat("agreement: the hash chains of two nodes differ at slot %d (node %d)",
                                  note.slot.value(), node.value()));
    }
    return;
  }
  decided_.emplace_back(note.value, note.chain);
}

// A snapshot goes on where others have been: what it stands for was chosen, and each slot told before.
void AgreementJudge::OnRestored(NodeId node, const paxos::Prefix& prefix) {
  Slot& next = next_.try_emplace(node, Slot(1)).first->second;
  const size_t index = prefix.slot.value() - 1;
  if (prefix.slot < next || index >= decided_.size() || decided_[index].second != prefix.chain) {
    return world_.Fail(absl::StrFormat(
        "agreement: node %d takes up a snapshot of slots up to %d, which are not those that were chosen",
        node.value(), prefix.slot.value()));
  }
  next = prefix.slot.next();
}

void AgreementJudge::OnLeader(NodeId node, paxos::Ballot ballot) {
  if (ballot.node != node || !elected_.insert(ballot).second) {
    world_.Fail(absl::StrFormat("agreement: node %d leads with ballot %s, which was used before",
                                node.value(), BallotText(ballot)));
  }
}

void AgreementJudge::OnAcknowledged(NodeId node, paxos::Ballot ballot) {
  paxos::Ballot& highest = acknowledged_[node];
  if (ballot < highest) {
    return world_.Fail(
        absl::StrFormat("never goes back: node %d acknowledges ballot %s after it had acknowledged ballot %s",
                        node.value(), BallotText(ballot), BallotText(highest)));
  }
  highest = ballot;
}

void AgreementJudge::OnTransmit(NodeId node, const Slice& message) {
  constexpr auto kIndexOf = []<class T>(std::type_identity<T>) { return paxos::Message(T{}).index(); };
  static const size_t kPromise = kIndexOf(std::type_identity<paxos::Promise>());
  static const size_t kAccepted = kIndexOf(std::type_identity<paxos::Accepted>());
  // Both begin with the ballot.
  Decoder decoder(message);
  uint64_t index = 0;
  decoder.Get("alternative", index);
  if (index != kPromise && index != kAccepted) return;
  paxos::Ballot ballot;
  decoder.Get("ballot", ballot);
  if (decoder.ok()) OnAcknowledged(node, ballot);
}

void AgreementJudge::OnApplied(NodeId node, Slot slot, uint64_t digest) {
  const auto [known, inserted] = applied_.try_emplace(slot.value(), digest);
  if (!inserted && known->second != digest) {
    world_.Fail(absl::StrFormat("convergence: node %d has another registry than others after slot %d",
                                node.value(), slot.value()));
  }
}

}  // namespace bt::sim
