#include "sim/check/bulk.h"

#include <absl/strings/str_format.h>

#include <algorithm>

namespace bt::sim {
namespace {

// A sender waits for this long, or for four times as long as chunks usually take.
constexpr Duration kPatience = Seconds(2);
// The node has noticed what is overdue by then: its timers have fired.
constexpr Duration kNoticed = Seconds(1);
// A node that runs steps more often; after a pause it has to catch up with its timers first.
constexpr Duration kSilence = Milliseconds(600);

}  // namespace

void BulkJudge::OnStart(Instant now) {
  peers_.clear();
  last_step_ = now;
  lost_ = 0;
}

void BulkJudge::OnSent(NodeId to, uint64_t message, uint64_t offset, Instant now) {
  Peer& peer = peers_[to];
  const auto [part, is_new] = peer.under_way.try_emplace({message, offset});
  part->second.sent = now;
  part->second.repeated = !is_new;
  part->second.excused = false;  // its message was not given up
  peer.sends_on = peer.sends_on || (is_new && peer.overdue && now - *peer.overdue >= kNoticed);
}

void BulkJudge::OnAcknowledged(NodeId from, uint64_t message, uint64_t offset, uint64_t assembly,
                               Instant now) {
  Peer& peer = peers_[from];
  const auto part = peer.under_way.find({message, offset});
  if (part == peer.under_way.end()) return;  // a repetition, or to an earlier life
  Assembly& known = peer.assemblies[message];
  if (known.forgotten != 0 && assembly == known.forgotten) return;  // on its way since before
  if (!part->second.repeated) peer.longest = std::max(peer.longest, now - part->second.sent);
  const bool excused = part->second.excused;  // the message was given up, and with it what is forgotten now
  peer.under_way.erase(part);
  if (known.number != 0 && known.number != assembly) {
    for (const uint64_t gone : known.acknowledged) peer.under_way[{message, gone}] = {now, true, excused};
    known.acknowledged.clear();
    known.forgotten = known.number;
  }
  known.number = assembly;
  known.acknowledged.insert(offset);
}

void BulkJudge::Excuse() {
  for (auto& [node, peer] : peers_) {
    for (auto& [place, part] : peer.under_way) part.excused = true;
  }
}

void BulkJudge::OnStep(uint64_t lost, Instant now) {
  if (lost != lost_) Excuse();
  lost_ = lost;
  for (auto& [node, peer] : peers_) {
    if (now - last_step_ > kSilence) peer.overdue.reset();
    JudgePeer(node, peer, now);
    peer.sends_on = false;
  }
  last_step_ = now;
}

void BulkJudge::JudgePeer(NodeId to, Peer& peer, Instant now) {
  std::optional<Instant> oldest;
  Instant newest{INT64_MIN};
  for (const auto& [place, part] : peer.under_way) {
    if (part.excused) continue;
    oldest = std::min(oldest.value_or(part.sent), part.sent);
    newest = std::max(newest, part.sent);
  }
  const Duration patience = std::max(peer.longest * 4, kPatience);
  if (!oldest || now - *oldest <= patience) return peer.overdue.reset();
  if (!peer.overdue) peer.overdue = now;
  const bool silent = now - newest > patience + kNoticed && now - *peer.overdue >= kNoticed;
  if (!peer.sends_on && !silent) return;
  world_.Fail(absl::StrFormat(
      "bulk: %s has waited for node %d to acknowledge a chunk since %s of its clock, and %s", node_,
      to.value(), TimeText(*oldest), silent ? "does not send it again" : "sends others that are new"));
}

}  // namespace bt::sim
