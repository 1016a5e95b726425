#include "core/tracker/bulk.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "core/base/digest.h"
#include "core/base/fields.h"
#include "core/base/overloaded.h"

namespace bt::tracker {
namespace {

// About as long as its encoding, and never much longer; without encoding it.
size_t LengthOf(const std::vector<Slice>& slices) {
  size_t bytes = 0;
  for (const Slice& slice : slices) bytes += slice.size();
  return bytes;
}

size_t LengthOf(const paxos::Message& message) {
  return std::visit(Overloaded{[](const paxos::Accept& accept) { return accept.value.size(); },
                               [](const paxos::CatchUpReply& reply) { return LengthOf(reply.values); },
                               [](const paxos::SnapshotPart& part) { return part.bytes.size(); },
                               [](const paxos::Promise& promise) {
                                 size_t bytes = 0;
                                 for (const auto& entry : promise.entries) bytes += entry.value.size();
                                 return bytes;
                               },
                               [](const auto&) { return size_t{0}; }},
                    message);
}

size_t LengthOf(const Protocol::Message& message) {
  constexpr size_t kReply = 64;
  return std::visit(Overloaded{[](const paxos::Message& replica) { return LengthOf(replica); },
                               [](const ForwardCommands& forward) { return LengthOf(forward.commands); },
                               [](const ForwardReplies& forward) { return forward.replies.size() * kReply; },
                               [](const ShipValue& shipped) { return shipped.command.size(); },
                               [](const Abridged& abridged) { return LengthOf(abridged.message); },
                               [](const auto&) { return size_t{0}; }},
                    message);
}

// Equal for messages of which the peer needs one: its other members only tell how things stood.
uint64_t KeyOf(const Protocol::Message& message) {
  RollingDigest key;
  key.Add(message.index());
  const auto add_all = [&](const auto&... numbers) { (key.Add(numbers), ...); };
  const auto whole = [&](const auto& other) { key.Add(std::string_view(Encode(other))); };
  const auto of_replica =
      Overloaded{[&](const paxos::Accept& accept) {
                   add_all(accept.ballot.round, accept.ballot.node.value(), accept.slot.value());
                 },
                 [&](const paxos::CatchUpReply& reply) { add_all(reply.from.value()); },
                 [&](const paxos::SnapshotPart& part) {
                   add_all(part.prefix.slot.value(), part.prefix.chain, part.part);
                 },
                 [&](const paxos::Promise& promise) {
                   add_all(promise.ballot.round, promise.ballot.node.value(), promise.from.value());
                 },
                 whole};
  std::visit(Overloaded{[&](const paxos::Message& replica) {
                          key.Add(replica.index());
                          std::visit(of_replica, replica);
                        },
                        [&](const ForwardCommands& forward) {
                          for (const Slice& command : forward.commands) key.Add(command.view());
                        },
                        [&](const ShipValue& shipped) { key.Add(shipped.number); }, whole},
             message);
  return key.value();
}

paxos::Ballot PromiseIn(const Protocol::Message& message) {
  const auto* replica = std::get_if<paxos::Message>(&message);
  const auto* promise = replica == nullptr ? nullptr : std::get_if<paxos::Promise>(replica);
  return promise == nullptr ? paxos::Ballot{} : promise->ballot;
}

}  // namespace

void Bulk::Start(uint64_t seed, WriteSeq durable) {
  seed_ = seed;
  durable_ = durable;
}

// Who is forgotten and comes again must not meet numbers of messages that it knows: they go on elsewhere.
Bulk::Peer& Bulk::Of(NodeId node) {
  const auto found = peers_.find(node);
  if (found != peers_.end()) return found->second;
  if (peers_.size() >= kPeersMax) ForgetOne();
  const uint64_t first = seed_ + (forgotten_ << 40);
  return peers_.emplace(node, Peer{BulkSender(config_, first), BulkReceiver(config_, first | 1), {}})
      .first->second;
}

// One that nothing is under way to or from: of members that have been replaced nothing is for long.
void Bulk::ForgetOne() {
  auto least = std::find_if(peers_.begin(), peers_.end(), [](const auto& entry) {
    const Peer& peer = entry.second;
    return peer.sender.idle() && peer.receiver.held() == 0 && peer.acks.empty();
  });
  if (least == peers_.end()) least = peers_.begin();
  lost_ += least->second.sender.dropped() + least->second.receiver.refused();
  peers_.erase(least);
  ++forgotten_;
}

std::optional<Protocol::Message> Bulk::OnChunk(NodeId from, const Chunk& chunk, Context<Protocol>& context) {
  Peer& peer = Of(from);
  BulkReceiver::Taken taken = peer.receiver.Take(chunk, context.now);
  if (taken.ack) {
    progress_ = context.now;
    peer.acks.push_back(*taken.ack);
  }
  if (!taken.message) return std::nullopt;
  absl::StatusOr<Protocol::Message> message = Decode<Protocol::Message>(*taken.message);
  if (message.ok() && !std::holds_alternative<Chunk>(*message) &&
      !std::holds_alternative<ChunkAck>(*message)) {
    return *std::move(message);
  }
  ++lost_;
  return std::nullopt;
}

void Bulk::OnAcknowledged(NodeId from, const ChunkAck& ack, Instant now) {
  if (Of(from).sender.OnAcknowledged(ack, now)) progress_ = now;
}

void Bulk::Queue(NodeId to, uint64_t key, Slice message, Context<Protocol>& context) {
  if (!Of(to).sender.Queue(key, message, context.now)) return;
  context.out.Note(Carries{to, std::move(message)});
}

void Bulk::OnDurable(WriteSeq durable, paxos::Ballot promised, Context<Protocol>& context) {
  durable_ = durable;
  for (Held& held : held_) {
    const bool wanted = held.promise.round == 0 || held.promise == promised;
    if (wanted && held.after <= durable_) Queue(held.to, held.key, std::move(held.message), context);
  }
  std::erase_if(held_, [&](const Held& held) { return held.after <= durable_; });
}

void Bulk::OnTimer(Instant now) {
  for (auto& [node, peer] : peers_) peer.sender.OnTimer(now);
}

void Bulk::Divert(Context<Protocol>& context) {
  std::erase_if(context.out.sends, [&](const Outbox<Protocol>::Outgoing& outgoing) {
    const size_t length = LengthOf(outgoing.message);
    if (length <= config_.chunk_bytes_min) return false;
    BulkSender& sender = Of(outgoing.to).sender;
    if (length <= sender.chunk_bytes()) return false;
    const uint64_t key = KeyOf(outgoing.message);
    if (sender.Knows(key, context.now)) return true;
    Slice message = Slice::Own(Encode(outgoing.message));
    if (outgoing.after <= durable_) {
      Queue(outgoing.to, key, std::move(message), context);
    } else if (held_.size() < config_.bulk_messages_max) {
      held_.push_back({outgoing.to, key, std::move(message), outgoing.after, PromiseIn(outgoing.message)});
    } else {
      ++lost_;
    }
    return true;
  });
}

void Bulk::Flush(const paxos::Replica& replica, Context<Protocol>& context) {
  Divert(context);
  for (auto& [node, peer] : peers_) {
    for (ChunkAck& ack : peer.acks) {
      ack.presence = replica.presence();
      context.out.Send(node, std::move(ack));
    }
    peer.acks.clear();
    for (Chunk chunk; peer.sender.Next(context.now, chunk);) {
      chunk.presence = replica.presence();
      context.out.Send(node, chunk);
    }
  }
}

size_t Bulk::chunk_bytes(NodeId to) const {
  const auto found = peers_.find(to);
  return found == peers_.end() ? config_.chunk_bytes_min : found->second.sender.chunk_bytes();
}

bool Bulk::Knows(NodeId to, const Protocol::Message& message, Instant now) const {
  const auto found = peers_.find(to);
  return found != peers_.end() && found->second.sender.Knows(KeyOf(message), now);
}

Instant Bulk::next_timer() const {
  Instant next = Instant::Never();
  for (const auto& [node, peer] : peers_) next = std::min(next, peer.sender.next_timer());
  return next;
}

Bulk::OfOneNode Bulk::now() const {
  OfOneNode now;
  for (const auto& [node, peer] : peers_) {
    now.messages = std::max<uint64_t>({now.messages, peer.sender.queued(), peer.receiver.held()});
    now.bytes = std::max<uint64_t>({now.bytes, peer.sender.queued_bytes(), peer.receiver.held_bytes()});
  }
  return now;
}

Bulk::OfOneNode Bulk::most() const {
  OfOneNode most;
  for (const auto& [node, peer] : peers_) {
    most.messages =
        std::max({most.messages, peer.sender.most_queued().value(), peer.receiver.most_held().value()});
    most.bytes = std::max(
        {most.bytes, peer.sender.most_queued_bytes().value(), peer.receiver.most_held_bytes().value()});
  }
  return most;
}

uint64_t Bulk::lost() const {
  uint64_t lost = lost_;
  for (const auto& [node, peer] : peers_) lost += peer.sender.dropped() + peer.receiver.refused();
  return lost;
}

std::optional<Slice> Bulk::Completes(NodeId from, const Chunk& chunk) const {
  const auto found = peers_.find(from);
  if (found != peers_.end()) return found->second.receiver.Completes(chunk);
  return BulkReceiver(config_, 1).Completes(chunk);
}

void Bulk::CheckInvariants() const {
  for (const auto& [node, peer] : peers_) {
    peer.sender.CheckInvariants();
    peer.receiver.CheckInvariants();
  }
}

uint64_t Bulk::Digest() const {
  RollingDigest digest;
  digest.Add(held_.size());
  for (const auto& [node, peer] : peers_) {
    digest.Add(node.value());
    digest.Add(peer.sender.queued_bytes());
    digest.Add(peer.sender.under_way());
    digest.Add(peer.sender.window());
    digest.Add(peer.receiver.held_bytes());
  }
  return digest.value();
}

}  // namespace bt::tracker
