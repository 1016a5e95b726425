#include "core/paxos/leader.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "core/base/check.h"
#include "core/base/digest.h"
#include "core/base/fields.h"

namespace bt::paxos {

Leader::Leader(const Config& config, Acceptor& acceptor, const VoteSet& promises,
               std::vector<Slice> inherited, Instant log_time, Context<Protocol>& context)
    : config_(config),
      ballot_(acceptor.promised()),
      first_(acceptor.chosen().next()),
      version_(acceptor.configurations().latest().membership.version),
      inherited_(std::make_move_iterator(inherited.begin()), std::make_move_iterator(inherited.end())),
      own_no_op_(first_ + inherited_.size()),
      next_(first_),
      log_time_(log_time),
      log_time_read_(context.now) {
  for (const NodeId other : acceptor.configurations().Others(config_.self, acceptor.chosen())) {
    peers_[other] = {.heard = context.now, .progress = context.now, .next = first_};
  }
  for (const NodeId node : promises.nodes()) {
    if (const auto peer = peers_.find(node); peer != peers_.end()) peer->second.promised = true;
  }
  ProposePending(acceptor, context);
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

void Leader::ProposePending(Acceptor& acceptor, Context<Protocol>& context) {
  while (MayPropose(acceptor)) {
    std::optional<Slice> value = NextValue(acceptor, context);
    if (!value) break;
    ProposeValue(*std::move(value), acceptor, context);
  }
  HandOver(acceptor, context);
}

// Who decides a slot is known when everything kMembershipDelay below it is; and this ballot has the promises
// of the voters that phase 1 knew (Replica::FollowConfigurations).
bool Leader::MayPropose(const Acceptor& acceptor) const {
  return next_ <= acceptor.chosen() + kMembershipDelay &&
         acceptor.configurations().latest().membership.version == version_;
}

// What was inherited comes first, in its slots. Then, while the window has room, a command gets a slot at
// once; what comes while it has none shares the next. A change of the members is brought into force by no-ops
// if there are no commands: the next change, and the cluster's peace, need not wait for traffic.
std::optional<Slice> Leader::NextValue(const Acceptor& acceptor, Context<Protocol>& context) {
  if (!inherited_.empty()) {
    Slice value = std::move(inherited_.front());
    inherited_.pop_front();
    return value;
  }
  if (next_ == own_no_op_) return OwnValue(std::nullopt, context.now);
  if (open_.size() >= config_.window_slots || handing_over_) return std::nullopt;
  if (change_) {
    changed_ = next_;
    return OwnValue(std::exchange(change_, std::nullopt), context.now);
  }
  if (!pending_.empty()) return CutBatch(next_, context);
  if (next_ < acceptor.configurations().latest().from) return OwnValue(std::nullopt, context.now);
  return std::nullopt;
}

Slice Leader::OwnValue(std::optional<Membership> change, Instant now) {
  return Slice::Own(Encode(Batch{.stamp = LogTime(now), .change = std::move(change)}));
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
  value.reserve(bytes + (batch.commands.size() + 5) * kFramingBytesPerCommand);
  Encoder(value).Put(batch);
  return Slice::Own(std::move(value));
}

// Log time goes on from where the chosen prefix left it, at this node's pace while it leads.
Instant Leader::LogTime(Instant now) {
  log_time_ = log_time_ + (now - log_time_read_);
  log_time_read_ = now;
  return log_time_;
}

// The messages leave beside this replica's own write and not after it. An Accept asks, and claims nothing of
// this disk; this replica's vote is counted by OnDurable alone. So a crash before the write is durable is the
// crash of an acceptor that has not accepted ("Paxos Made Simple", section 2.2: an acceptor remembers what it
// has answered).
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

// A follower takes what it accepted under this ballot up to the watermark for chosen (Acceptor::Advance). It
// is not told of slots that it was not sent: what it holds there may be another ballot's.
Slot Leader::WatermarkFor(const Peer& peer, const Acceptor& acceptor) const {
  return std::min(acceptor.chosen(), peer.next - 1);
}

void Leader::OnAccepted(NodeId from, const Accepted& message, Acceptor& acceptor,
                        Context<Protocol>& context) {
  if (message.slot < first_ || message.slot >= next_) return;  // never proposed under this ballot
  const auto found = peers_.find(from);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
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
  HandOver(acceptor, context);
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

// A value is chosen when a quorum of the slot's own voters has accepted it under one ballot, in whatever
// order the votes come; it is told of and applied in the order of slots, so a slot waits for those below it.
// For(slot) is looked up anew for each slot: choosing one may bring other voters into force for a later one.
void Leader::ChooseReady(Acceptor& acceptor, Context<Protocol>& context) {
  bool advanced = false;
  const Configurations& configurations = acceptor.configurations();
  while (!open_.empty() && configurations.For(acceptor.chosen().next()).IsQuorum(open_.front().votes)) {
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
// steps down, so that those who ask it go elsewhere and its followers stop believing in it (Ongaro,
// "Consensus: Bridging Theory and Practice", 6.2).
bool Leader::OnTick(Acceptor& acceptor, Context<Protocol>& context) {
  VoteSet heard;
  heard.Add(config_.self);
  for (const auto& [node, peer] : peers_) {
    if (Hears(node, context.now)) heard.Add(node);
  }
  if (!acceptor.configurations().IsQuorum(heard, acceptor.chosen())) return false;
  TendMembers(acceptor, context);
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
    // What was acknowledged rests on the peer's disk, as the promise does (Protocol, kRestsOnJournal).
    const bool promised = peer.promised || peer.acknowledged > Slot(0);
    context.out.Send(
        node, Heartbeat{ballot_, beat_, WatermarkFor(peer, acceptor), prefix, peer.acknowledged, promised});
  }
}

void Leader::OnReadIndex(CallId call, const Acceptor& acceptor, Context<Protocol>& context) {
  if (reads_.size() >= config_.pending_reads_max) return context.out.Reply(call, Busy{});
  reads_.Add(call);
  AnswerReads(acceptor, context);
}

// One heartbeat at a time for reads: those that come while it is under way wait for the next one together.
void Leader::AnswerReads(const Acceptor& acceptor, Context<Protocol>& context) {
  ReleaseReads(acceptor, context);
  if (!reads_.waiting() || reads_.asked() || acceptor.chosen() < own_no_op_) return;
  Beat(acceptor, context);
  ReleaseReads(acceptor, context);  // a cluster of one has its majority at once
}

// A quorum has answered this ballot's heartbeat after the read came: so no higher ballot can have had a value
// chosen before the read came, for its leader would have needed a promise of one of those who answered, and
// who has promised a higher ballot answers this one no more (Ongaro, 6.4). While two memberships decide the
// slots above the prefix a quorum of each is counted, because a successor has to win both.
void Leader::ReleaseReads(const Acceptor& acceptor, Context<Protocol>& context) {
  if (!reads_.asked()) return;
  absl::btree_map<NodeId, uint64_t> answered{{config_.self, beat_}};
  for (const auto& [node, peer] : peers_) answered[node] = peer.beat;
  for (const Reads::Ready& ready :
       reads_.Confirm(acceptor.configurations().ReachedByQuorum(answered, acceptor.chosen()))) {
    context.out.Reply(ready.call, ReadReady{ready.slot});
  }
}

void Leader::OnHeartbeatReply(NodeId from, const HeartbeatReply& message, const Acceptor& acceptor,
                              Context<Protocol>& context) {
  const auto found = peers_.find(from);
  if (message.beat > beat_ || found == peers_.end()) return;
  Peer& peer = found->second;
  peer.heard = context.now;
  peer.beat = std::max(peer.beat, message.beat);
  peer.chosen = message.chosen;
  Resend(from, peer, acceptor, context);
  AnswerReads(acceptor, context);
}

void Leader::OnPresence(NodeId from, Instant now) {
  if (const auto found = peers_.find(from); found != peers_.end()) found->second.heard = now;
}

// The peer answers heartbeats, so what it has not answered for long was lost on the way.
void Leader::Resend(NodeId node, Peer& peer, const Acceptor& acceptor, Context<Protocol>& context) {
  const Instant long_ago = context.now - config_.retry;
  PassOverCut(peer, acceptor.log());
  // What was cut is answered by nobody, and may have been all that was awaited.
  if (peer.sent.empty()) return Feed(node, peer, acceptor, context);
  if (peer.sent.front().when > long_ago) return;
  const bool stuck = peer.progress <= long_ago;
  if (stuck && peer.acknowledged < peer.sent.front().slot) {
    // Nothing gets through: begin again after what both know to be chosen. What only the peer knows is sent
    // again, too: this leader still needs the peer's answer there, and may have nobody else to get it from.
    const Slot known = std::min(peer.chosen, acceptor.chosen());
    peer.next = std::min(peer.next, std::max(first_, known.next()));
    peer.sent.clear();
    peer.sent_bytes = 0;
    peer.progress = context.now;
    return Feed(node, peer, acceptor, context);
  }
  // Later slots have got through. One below them was lost, or is so long that it is still on its way; what
  // the peer has answered meanwhile must not take that one's room on the link again.
  if (stuck) peer.progress = context.now;
  for (Sent& sent : peer.sent) {
    if (sent.when > long_ago || (sent.slot > peer.acknowledged && !stuck)) continue;
    sent.when = context.now;
    SendAccept(node, peer, sent.slot, acceptor, context);
  }
}

void Leader::OnSendAgain(const SendAgain& request, const Acceptor& acceptor, Context<Protocol>& context) {
  const auto found = peers_.find(request.to);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  PassOverCut(peer, acceptor.log());
  for (Sent& sent : peer.sent) {
    if (sent.slot != request.slot) continue;
    sent.when = context.now;
    return SendAccept(request.to, peer, request.slot, acceptor, context);
  }
}

void Leader::Dismiss(Context<Protocol>& context) {
  for (const Pending& pending : pending_) context.out.Reply(pending.call, NotLeader{});
  for (const CallId call : reads_.TakeAll()) context.out.Reply(call, NotLeader{});
  pending_.clear();
  pending_bytes_ = 0;
}

std::optional<Slot> Leader::watermark_of(NodeId node) const {
  const auto peer = peers_.find(node);
  return peer == peers_.end() ? std::nullopt : std::optional(peer->second.chosen);
}

const VoteSet* Leader::votes(Slot slot) const {
  const Slot first = next_ - open_.size();
  return slot >= first && slot < next_ ? &open_[slot - first].votes : nullptr;
}

void Leader::CheckInvariants(const Acceptor& acceptor) const {
  CHECK(acceptor.promised() == ballot_);
  CHECK(ballot_.node == config_.self);
  CHECK(acceptor.chosen() + open_.size() + 1 == next_);
  CHECK(acceptor.log().last() >= next_ - 1 && next_ <= acceptor.chosen() + kMembershipDelay + 1);
  CHECK(pending_.empty() || open_.size() >= config_.window_slots || next_ <= own_no_op_ || handing_over_);
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
  digest.Add(inherited_.size());
  digest.Add(changed_.value());
  digest.Add(handing_over_ ? handing_over_->to.value() : 0);
  for (const auto& [node, peer] : peers_) {
    digest.Add(peer.next.value());
    digest.Add(peer.sent.size());
    digest.Add(peer.beat);
  }
  return digest.value();
}

}  // namespace bt::paxos
