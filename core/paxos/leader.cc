#include "core/paxos/leader.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "core/base/check.h"
#include "core/base/digest.h"
#include "core/base/fields.h"

namespace bt::paxos {

Leader::Leader(const Config& config, const Configuration& configuration, Acceptor& acceptor,
               const std::vector<Slice>& inherited, Instant log_time, Context<Protocol>& context)
    : config_(config),
      configuration_(configuration),
      ballot_(acceptor.promised()),
      first_(acceptor.chosen().next()),
      own_no_op_(first_ + inherited.size()),
      next_(first_),
      log_time_(log_time),
      log_time_read_(context.now) {
  for (const NodeId voter : configuration_.voters()) {
    if (voter != config_.self)
      peers_[voter] = {.heard = context.now, .progress = context.now, .next = first_};
  }
  for (const Slice& value : inherited) ProposeValue(value, acceptor, context);
  ProposeValue(Slice::Own(Encode(Batch{.stamp = LogTime(context.now)})), acceptor, context);
  Beat(acceptor, context);
  if (!peers_.empty()) context.out.Arm(Protocol::Timer::kHeartbeat, context.now + config_.heartbeat);
}

void Leader::OnPropose(CallId call, const Slice& command, Acceptor& acceptor, Context<Protocol>& context) {
  if (command.size() > kCommandBytesMax) return context.out.Reply(call, TooLarge{});
  if (pending_.size() >= config_.pending_commands_max ||
      pending_bytes_ + command.size() > std::max(config_.pending_bytes_max, command.size())) {
    return context.out.Reply(call, Busy{});
  }
  pending_.push_back({call, command});
  pending_bytes_ += command.size();
  ProposePending(acceptor, context);
}

// While the window has room a command gets a slot at once; what comes while it has none shares the next.
void Leader::ProposePending(Acceptor& acceptor, Context<Protocol>& context) {
  while (!pending_.empty() && open_.size() < config_.window_slots) {
    Slice value = CutBatch(next_, context);
    ProposeValue(std::move(value), acceptor, context);
  }
}

Slice Leader::CutBatch(Slot slot, Context<Protocol>& context) {
  Batch batch{.stamp = LogTime(context.now)};
  size_t bytes = 0;
  while (!pending_.empty() && batch.commands.size() < config_.batch_commands_max) {
    Pending& pending = pending_.front();
    const size_t size = pending.command.size();
    if (!batch.commands.empty() && bytes + size > config_.batch_bytes_max) break;
    bytes += size;
    context.out.Reply(pending.call, Proposed{slot, static_cast<uint32_t>(batch.commands.size())});
    batch.commands.push_back(std::move(pending.command));
    pending_.pop_front();
  }
  pending_bytes_ -= bytes;
  constexpr size_t kFramingBytesPerCommand = 4;
  std::string value;
  value.reserve(bytes + (batch.commands.size() + 4) * kFramingBytesPerCommand);
  Encoder(value).Put(batch);
  return Slice::Own(std::move(value));
}

// Log time goes on from where the chosen prefix left it, at this node's pace while it leads.
Instant Leader::LogTime(Instant now) {
  log_time_ = log_time_ + (now - log_time_read_);
  log_time_read_ = now;
  return log_time_;
}

void Leader::ProposeValue(Slice value, Acceptor& acceptor, Context<Protocol>& context) {
  const Slot slot = next_;
  const std::optional<WriteSeq> own_write = acceptor.Accept(ballot_, slot, value, context.out);
  CHECK(own_write.has_value());
  ++next_;
  open_.push_back({*own_write, VoteSet()});
  context.out.Note(Proposing{ballot_, slot, acceptor.log().Find(slot)->digest});
  for (auto& [node, peer] : peers_) Feed(node, peer, acceptor, context);
}

void Leader::PassOverCut(Peer& peer, const Log& log) {
  peer.next = std::max(peer.next, log.first());
  std::erase_if(peer.sent, [&](const Sent& sent) {
    if (sent.slot >= log.first()) return false;
    peer.sent_bytes -= sent.bytes;
    return true;
  });
}

void Leader::Feed(NodeId node, Peer& peer, const Acceptor& acceptor, Context<Protocol>& context) {
  if (peer.next < acceptor.log().first()) PassOverCut(peer, acceptor.log());
  while (peer.next < next_ && peer.sent.size() < config_.peer_slots_max) {
    const size_t bytes = acceptor.log().Find(peer.next)->value.size();
    if (!peer.sent.empty() && peer.sent_bytes + bytes > config_.peer_bytes_max) return;
    const Slot slot = peer.next;
    ++peer.next;
    peer.sent.push_back({slot, bytes, context.now});
    peer.sent_bytes += bytes;
    SendAccept(node, peer, slot, acceptor, context);
  }
}

void Leader::SendAccept(NodeId node, const Peer& peer, Slot slot, const Acceptor& acceptor,
                        Context<Protocol>& context) {
  context.out.Send(node,
                   Accept{ballot_, slot, WatermarkFor(peer, acceptor), acceptor.log().Find(slot)->value});
}

Slot Leader::WatermarkFor(const Peer& peer, const Acceptor& acceptor) const {
  return std::min(acceptor.chosen(), peer.next - 1);
}

void Leader::OnAccepted(NodeId from, const Accepted& message, Acceptor& acceptor,
                        Context<Protocol>& context) {
  if (message.slot < first_ || message.slot >= next_) return;  // never proposed under this ballot
  Peer& peer = peers_.at(from);
  peer.heard = context.now;
  peer.progress = context.now;
  peer.acknowledged = std::max(peer.acknowledged, message.slot);
  // Answers come in the order of sending but for a network that reorders.
  const auto sent = std::find_if(peer.sent.begin(), peer.sent.end(),
                                 [&](const Sent& entry) { return entry.slot == message.slot; });
  if (sent != peer.sent.end()) {
    peer.sent_bytes -= sent->bytes;
    peer.sent.erase(sent);
  }
  const Slot open_first = next_ - open_.size();
  if (message.slot >= open_first) {
    open_[message.slot - open_first].votes.Add(from);
    ChooseReady(acceptor, context);
  }
  Feed(from, peer, acceptor, context);
}

// The vote of this replica's own disk counts like any other, when it is durable. Each open slot knows the
// write of this very ballot that it waits for: the completion of an older write says nothing about it, for
// that write may hold what another ballot proposed in the slot.
void Leader::OnDurable(WriteSeq durable, Acceptor& acceptor, Context<Protocol>& context) {
  for (Open& open : open_) {
    if (open.own_write > durable) break;
    open.votes.Add(config_.self);
  }
  ChooseReady(acceptor, context);
}

void Leader::ChooseReady(Acceptor& acceptor, Context<Protocol>& context) {
  bool advanced = false;
  while (!open_.empty() && configuration_.IsQuorum(open_.front().votes)) {
    acceptor.ChooseNext(ballot_, context.out);
    open_.pop_front();
    advanced = true;
  }
  if (!advanced) return;
  ProposePending(acceptor, context);
  // With slots open the next Accept or the next choice is near; with none nobody else would tell.
  if (open_.empty()) {
    for (const auto& [node, peer] : peers_) {
      context.out.Send(node, Watermark{ballot_, WatermarkFor(peer, acceptor)});
    }
  }
  AnswerReads(acceptor, context);
}

// A leader that no quorum answers can choose nothing, and may have been deposed without hearing of it. It
// steps down, so that those who ask it go elsewhere and its followers stop believing in it.
bool Leader::OnTick(Acceptor& acceptor, Context<Protocol>& context) {
  VoteSet heard;
  heard.Add(config_.self);
  for (const auto& [node, peer] : peers_) {
    if (context.now - peer.heard <= config_.election_min) heard.Add(node);
  }
  if (!configuration_.IsQuorum(heard)) return false;
  acceptor.RecordChosen(context.out);
  Beat(acceptor, context);
  context.out.Arm(Protocol::Timer::kHeartbeat, context.now + config_.heartbeat);
  return true;
}

void Leader::Beat(const Acceptor& acceptor, Context<Protocol>& context) {
  ++beat_;
  // A read must see everything that any leader before this one had chosen. All of that stands below this
  // leader's own no-op, but until the no-op is chosen the watermark may lag behind it (Ongaro, 6.4).
  if (acceptor.chosen() >= own_no_op_) reads_.Begin(beat_, acceptor.chosen());
  for (const auto& [node, peer] : peers_) {
    // Below the log no digest is left to compare but the one where it begins.
    const Slot common = std::max(std::min(peer.chosen, acceptor.chosen()), acceptor.log().base().slot);
    const Prefix prefix{common, acceptor.ChainAt(common).value()};
    context.out.Send(node, Heartbeat{ballot_, beat_, WatermarkFor(peer, acceptor), prefix});
  }
}

void Leader::OnReadIndex(CallId call, const Acceptor& acceptor, Context<Protocol>& context) {
  if (reads_.size() >= config_.pending_reads_max) return context.out.Reply(call, Busy{});
  reads_.Add(call);
  AnswerReads(acceptor, context);
}

// One heartbeat at a time for reads: those that come while it is under way wait for the next one together.
void Leader::AnswerReads(const Acceptor& acceptor, Context<Protocol>& context) {
  ReleaseReads(context);
  if (!reads_.waiting() || reads_.asked() || acceptor.chosen() < own_no_op_) return;
  Beat(acceptor, context);
  ReleaseReads(context);  // a cluster of one has its majority at once
}

void Leader::ReleaseReads(Context<Protocol>& context) {
  if (!reads_.asked()) return;
  absl::btree_map<NodeId, uint64_t> answered{{config_.self, beat_}};
  for (const auto& [node, peer] : peers_) answered[node] = peer.beat;
  for (const Reads::Ready& ready : reads_.Confirm(configuration_.ReachedByQuorum(answered))) {
    context.out.Reply(ready.call, ReadReady{ready.slot});
  }
}

void Leader::OnHeartbeatReply(NodeId from, const HeartbeatReply& message, const Acceptor& acceptor,
                              Context<Protocol>& context) {
  if (message.beat > beat_) return;
  Peer& peer = peers_.at(from);
  peer.heard = context.now;
  peer.beat = std::max(peer.beat, message.beat);
  peer.chosen = message.chosen;
  Resend(from, peer, acceptor, context);
  AnswerReads(acceptor, context);
}

// The peer answers heartbeats, so what it has not answered for long was lost on the way.
void Leader::Resend(NodeId node, Peer& peer, const Acceptor& acceptor, Context<Protocol>& context) {
  const Instant long_ago = context.now - config_.retry;
  PassOverCut(peer, acceptor.log());
  // What was cut is answered by nobody, and may have been all that was awaited.
  if (peer.sent.empty()) return Feed(node, peer, acceptor, context);
  if (peer.sent.front().when > long_ago) return;
  if (peer.progress <= long_ago) {
    // Nothing gets through: begin again after what both know to be chosen. What only the peer knows is sent
    // again, too: this leader still needs the peer's answer there, and may have nobody else to get it from.
    const Slot known = std::min(peer.chosen, acceptor.chosen());
    peer.next = std::min(peer.next, std::max(first_, known.next()));
    peer.sent.clear();
    peer.sent_bytes = 0;
    peer.progress = context.now;
    return Feed(node, peer, acceptor, context);
  }
  for (Sent& sent : peer.sent) {
    if (sent.when > long_ago || sent.slot > peer.acknowledged) continue;
    sent.when = context.now;
    SendAccept(node, peer, sent.slot, acceptor, context);
  }
}

void Leader::Dismiss(Context<Protocol>& context) {
  for (const Pending& pending : pending_) context.out.Reply(pending.call, NotLeader{});
  for (const CallId call : reads_.TakeAll()) context.out.Reply(call, NotLeader{});
  pending_.clear();
  pending_bytes_ = 0;
}

const VoteSet* Leader::votes(Slot slot) const {
  const Slot first = next_ - open_.size();
  return slot >= first && slot < next_ ? &open_[slot - first].votes : nullptr;
}

void Leader::CheckInvariants(const Acceptor& acceptor) const {
  CHECK(acceptor.promised() == ballot_);
  CHECK(ballot_.node == config_.self);
  CHECK(acceptor.chosen() + open_.size() + 1 == next_);
  CHECK(acceptor.log().last() == next_ - 1);
  CHECK(pending_.empty() || open_.size() >= config_.window_slots);
  for (const auto& [node, peer] : peers_)
    CHECK(peer.next <= next_ && peer.sent.size() <= config_.peer_slots_max);
}

uint64_t Leader::Digest() const {
  RollingDigest digest;
  digest.Add(ballot_.round);
  digest.Add(next_.value());
  digest.Add(open_.size());
  digest.Add(pending_.size());
  digest.Add(pending_bytes_);
  digest.Add(beat_);
  digest.Add(reads_.size());
  for (const auto& [node, peer] : peers_) {
    digest.Add(peer.next.value());
    digest.Add(peer.sent.size());
    digest.Add(peer.beat);
  }
  return digest.value();
}

}  // namespace bt::paxos
