// The whole state of a replica as one number, for who walks every order of a small scope and must tell two
// states apart exactly when they can behave differently. Replica::Digest is shorter, for two runs that took
// the same steps. A member that is added to a class here belongs into its DigestState, unless it is a reading
// of the clock, a random draw or a count that nothing is decided by.

#include <algorithm>
#include <vector>

#include "core/base/check.h"
#include "core/base/digest.h"
#include "core/base/fields.h"
#include "core/paxos/replica.h"

namespace bt::paxos {
namespace {

void AddTo(RollingDigest& digest, Ballot ballot) { digest.Add(ballot.round, ballot.node.value()); }

// In which order votes came decides nothing.
void AddTo(RollingDigest& digest, const VoteSet& votes) {
  std::vector<NodeId> nodes(votes.nodes().begin(), votes.nodes().end());
  std::sort(nodes.begin(), nodes.end());
  digest.Add(nodes.size());
  for (const NodeId node : nodes) digest.Add(node.value());
}

void AddTo(RollingDigest& digest, const Follower& follower) {
  digest.Add(follower.leader.value_or(NodeId(0)).value());
}

void AddTo(RollingDigest& digest, const PreCandidate& candidate) {
  AddTo(digest, candidate.ballot);
  AddTo(digest, candidate.votes);
}

void AddTo(RollingDigest& digest, const Candidate& candidate) {
  AddTo(digest, candidate.ballot);
  digest.Add(candidate.own_promise.value());
  AddTo(digest, candidate.promises);
  for (const auto& [node, slot] : candidate.expected) digest.Add(node.value(), slot.value());
  digest.Add(candidate.watermark.value(), candidate.watermark_holder.value(), candidate.highest.size());
  for (const auto& [slot, entry] : candidate.highest) {
    digest.Add(slot.value());
    AddTo(digest, entry.ballot);
    digest.Add(entry.value.view());
  }
}

void AddTo(RollingDigest& digest, const Leader& leader) { leader.DigestState(digest); }

}  // namespace

void Acceptor::DigestState(RollingDigest& digest) const {
  AddTo(digest, promised_);
  digest.Add(chosen().value(), prefix_.chain(), recorded_chosen_.value());
  digest.Add(static_cast<uint64_t>(prefix_.stamp().ns));
  digest.Add(log_.base().slot.value(), log_.base().chain, log_.last().value());
  for (Slot slot = log_.first(); slot <= log_.last(); ++slot) {
    const LogEntry* entry = log_.Find(slot);
    digest.Add(entry != nullptr);
    if (entry == nullptr) continue;
    AddTo(digest, entry->ballot);
    digest.Add(entry->digest, entry->record.value(), entry->chain);
  }
  for (const Epoch& epoch : configurations().At(log_.base().slot)) digest.Add(Encode(epoch));
}

void CatchUpClient::DigestState(RollingDigest& digest) const {
  digest.Add(static_cast<uint64_t>(state_), target_.value(), peer_.value(), exhausted_);
}

void Reads::DigestState(RollingDigest& digest) const {
  digest.Add(waiting_.size(), asked_.size());
  for (const CallId call : waiting_) digest.Add(call.value());
  for (const Asked& asked : asked_) {
    digest.Add(asked.beat, asked.ready.call.value(), asked.ready.slot.value());
  }
}

void Leader::DigestState(RollingDigest& digest) const {
  AddTo(digest, ballot_);
  digest.Add(first_.value(), version_, own_no_op_.value(), next_.value(), beat_);
  digest.Add(static_cast<uint64_t>(log_time_.ns));
  digest.Add(inherited_.size(), open_.size(), peers_.size(), pending_.size(), changed_.value());
  for (const Slice& value : inherited_) digest.Add(value.view());
  for (const Open& open : open_) {
    digest.Add(open.own_write.value());
    AddTo(digest, open.votes);
  }
  for (const auto& [node, peer] : peers_) {
    digest.Add(node.value(), peer.beat, peer.next.value(), peer.acknowledged.value());
    digest.Add(peer.chosen.value(), peer.promised, peer.sent.size());
    for (const Sent& sent : peer.sent) digest.Add(sent.slot.value());
  }
  if (change_) digest.Add(Encode(*change_));
  if (handing_over_) digest.Add(handing_over_->to.value(), handing_over_->told);
  for (const Pending& pending : pending_) {
    digest.Add(pending.call.value());
    digest.Add(pending.command.view());
  }
  reads_.DigestState(digest);
}

uint64_t Replica::StateDigest() const {
  CHECK_MSG(snapshot().parts.empty() && !saving() && !fetch_.active(), "a snapshot is no part of the digest");
  RollingDigest digest;
  digest.Add(config_.self.value());
  acceptor_.DigestState(digest);
  catch_up_.DigestState(digest);
  digest.Add(role_.index());
  std::visit([&](const auto& role) { AddTo(digest, role); }, role_);
  digest.Add(highest_round_, candidate_chosen_.value(), version_, plausibility_.limit());
  digest.Add(started_, stopped_, compared_, stands_next_);
  return digest.value();
}

}  // namespace bt::paxos
