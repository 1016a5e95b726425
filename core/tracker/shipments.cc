#include "core/tracker/shipments.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "core/base/check.h"
#include "core/base/digest.h"
#include "core/base/fields.h"
#include "core/tracker/held_values.h"

namespace bt::tracker {
namespace {

// What surrounds a command in an Accept, and more.
constexpr size_t kFramingBytes = 64;

}  // namespace

bool Shipments::Fits(NodeId node, size_t bytes) const {
  return bytes + kFramingBytes <= bulk_.chunk_bytes(node);
}

// A majority of those who would vote now has it, or can be sent it in one chunk: a voter that it was not
// shipped to. Whose votes decide the slot Paxos knows; this is only about time.
bool Shipments::Suffices(const Shipment& shipment, const paxos::Replica& replica, Instant now) const {
  const std::vector<NodeId> voters = replica.members().membership.voters();
  const auto has = [&](NodeId node) {
    if (node == config_.replica.self || shipment.holders.contains(node)) return true;
    return Fits(node, shipment.command.size()) && !bulk_.Knows(node, ShipValue{shipment.number, {}}, now);
  };
  return static_cast<size_t>(std::count_if(voters.begin(), voters.end(), has)) * 2 > voters.size();
}

bool Shipments::Takes(uint64_t key, const Slice& command, const paxos::Replica& replica, Instant now) {
  if (command.size() + kFramingBytes <= config_.chunk_bytes_min) return false;
  const auto found = std::find_if(shipped_.begin(), shipped_.end(),
                                  [&](const Shipment& shipment) { return shipment.key == key; });
  if (found != shipped_.end()) return !found->ready;
  if (Suffices({.command = command}, replica, now)) return false;
  waiting_.push_back({key, command});
  return true;
}

void Shipments::OnProposed(uint64_t key, Slot slot, uint32_t index) {
  for (Shipment& shipment : shipped_) {
    if (shipment.key != key || !shipment.ready) continue;
    shipment.slot = slot;
    shipment.index = index;
  }
}

std::optional<Slot> Shipments::OnHeld(NodeId from, const ValueHeld& said) {
  const auto found = std::find_if(shipped_.begin(), shipped_.end(),
                                  [&](const Shipment& shipment) { return shipment.number == said.number; });
  if (found == shipped_.end()) return std::nullopt;
  if (!said.held) {
    found->holders.erase(from);
    return std::nullopt;
  }
  return found->holders.insert(from).second ? found->slot : std::nullopt;
}

void Shipments::Clear() {
  waiting_.clear();
  shipped_.clear();
  ready_.clear();
  bytes_ = not_ready_ = 0;
}

void Shipments::MakeReady(Shipment& shipment) {
  shipment.ready = true;
  bytes_ -= shipment.command.size();
  --not_ready_;
  shipment.command = Slice();
  ready_.push_back(shipment.key);
}

void Shipments::Begin(Waiting waiting, Instant now) {
  bytes_ += waiting.command.size();
  most_bytes_.Note(bytes_);
  most_.Note(++not_ready_);
  Shipment& shipment = shipped_.emplace_back();
  shipment.number = next_number_++;
  shipment.key = waiting.key;
  shipment.digest = HashBytes(waiting.command.view());
  shipment.until = GivenUpBy(config_, waiting.command.size(), now);
  shipment.command = std::move(waiting.command);
}

// Of a value that nobody waits for any more nothing is left; one of this node's own claims, which have no
// deadline, goes as a whole. Those that have been proposed are known until then, and make room for others.
void Shipments::MakeRoom(const std::function<bool(uint64_t)>& wanted, Instant now) {
  std::erase_if(waiting_, [&](const Waiting& waiting) { return !wanted(waiting.key); });
  for (Shipment& shipment : shipped_) {
    if (!shipment.ready && shipment.until <= now && wanted(shipment.key)) MakeReady(shipment);
  }
  std::erase_if(shipped_, [&](const Shipment& shipment) {
    if (shipment.ready) return shipment.until <= now;
    if (wanted(shipment.key)) return false;
    bytes_ -= shipment.command.size();
    --not_ready_;
    return true;
  });
}

void Shipments::Ship(Shipment& shipment, const paxos::Replica& replica, Context<Protocol>& context) const {
  shipment.sent = context.now;
  for (const NodeId node : replica.members().membership.voters()) {
    if (node == config_.replica.self || shipment.holders.contains(node)) continue;
    if (Fits(node, shipment.command.size())) continue;
    if (bulk_.Knows(node, ShipValue{shipment.number, {}}, context.now)) continue;
    context.out.Send(node, ShipValue{shipment.number, shipment.command});
  }
}

void Shipments::Poll(const paxos::Replica& replica, const std::function<bool(uint64_t)>& wanted,
                     Context<Protocol>& context) {
  if (shipped_.empty() && waiting_.empty()) return;
  const bool look = next_look_ <= context.now;
  if (look) MakeRoom(wanted, context.now);
  for (Shipment& shipment : shipped_) {
    if (shipment.ready) continue;
    if (Suffices(shipment, replica, context.now)) {
      MakeReady(shipment);
    } else if (look && shipment.sent + config_.retry <= context.now) {
      Ship(shipment, replica, context);
    }
  }
  BeginNext(replica, wanted, context);
  if (look) next_look_ = context.now + config_.retry;
}

void Shipments::BeginNext(const paxos::Replica& replica, const std::function<bool(uint64_t)>& wanted,
                          Context<Protocol>& context) {
  const size_t count_max = std::max<size_t>(config_.bulk_messages_max / 2, 1);
  while (!waiting_.empty()) {
    const size_t bytes = waiting_.front().command.size();
    if (not_ready_ > 0 && (not_ready_ >= count_max || bytes_ + bytes > config_.shipped_bytes_max)) return;
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    if (!wanted(next.key)) continue;
    if (shipped_.size() >= std::max<size_t>(config_.bulk_messages_max, 2)) {
      const auto oldest = std::find_if(shipped_.begin(), shipped_.end(),
                                       [](const Shipment& shipment) { return shipment.ready; });
      CHECK(oldest != shipped_.end());
      shipped_.erase(oldest);
    }
    Begin(std::move(next), context.now);
    Ship(shipped_.back(), replica, context);
  }
}

std::vector<uint64_t> Shipments::TakeReady() { return std::exchange(ready_, {}); }

// False: the message is to wait for a value that is on its way to the peer. Taking it out is as if the
// network had lost it, which Paxos bears, and it is repeated: an Accept by the leader (Leader::Resend), a
// piece of catch-up by who asked for it.
bool Shipments::AbridgeOne(NodeId to, Protocol::Message& message, Instant now) const {
  const auto* whole = std::get_if<paxos::Message>(&message);
  if (whole == nullptr) return true;
  const auto* accept = std::get_if<paxos::Accept>(whole);
  const auto* reply = std::get_if<paxos::CatchUpReply>(whole);
  if (accept == nullptr && reply == nullptr) return true;
  const Slot first = accept != nullptr ? accept->slot : reply->from;
  const size_t count = accept != nullptr ? 1 : reply->values.size();
  std::vector<ValuePlace> places;
  for (uint32_t value = 0; value < count; ++value) {
    for (const Shipment& shipment : shipped_) {
      if (shipment.slot != first + value) continue;
      if (shipment.holders.contains(to)) {
        places.push_back({value, shipment.index, shipment.number, shipment.digest});
      } else if (bulk_.Knows(to, ShipValue{shipment.number, {}}, now)) {
        return false;
      }
    }
  }
  if (places.empty()) return true;
  Abridged abridged{*whole, std::move(places)};
  const std::vector<Slice*> values = ValuesIn(abridged.message);
  for (const ValuePlace& place : abridged.places) {
    Slice& value = *values[place.value];
    absl::StatusOr<paxos::Batch> batch = Decode<paxos::Batch>(value);
    CHECK(batch.ok() && place.command < batch->commands.size());
    batch->commands[place.command] = Slice();
    value = Slice::Own(Encode(*batch));
  }
  message = std::move(abridged);
  return true;
}

void Shipments::Abridge(Context<Protocol>& context) const {
  if (shipped_.empty()) return;
  std::erase_if(context.out.sends, [&](Outbox<Protocol>::Outgoing& outgoing) {
    return !AbridgeOne(outgoing.to, outgoing.message, context.now);
  });
}

void Shipments::CheckInvariants() const {
  CHECK(bytes_ <= config_.shipped_bytes_max || not_ready_ == 1);
  CHECK(shipped_.size() <= std::max<size_t>(config_.bulk_messages_max, 2));
  CHECK(not_ready_ > 0 || bytes_ == 0);
}

uint64_t Shipments::Digest() const {
  RollingDigest digest;
  digest.Add(waiting_.size(), shipped_.size(), bytes_, ready_.size());
  for (const Shipment& shipment : shipped_) {
    digest.Add(shipment.holders.size());
    digest.Add(shipment.slot.value_or(Slot(0)).value());
  }
  return digest.value();
}

}  // namespace bt::tracker
