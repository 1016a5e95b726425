#include "core/tracker/held_values.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "core/base/check.h"
#include "core/base/digest.h"
#include "core/base/fields.h"

namespace bt::tracker {
namespace {

// A leader that has no answer yet repeats itself.
constexpr Duration kKeptAfterUse = Seconds(1);

}  // namespace

std::vector<Slice*> ValuesIn(paxos::Message& message) {
  std::vector<Slice*> values;
  if (auto* accept = std::get_if<paxos::Accept>(&message)) {
    values.push_back(&accept->value);
  } else if (auto* reply = std::get_if<paxos::CatchUpReply>(&message)) {
    for (Slice& value : reply->values) values.push_back(&value);
  }
  return values;
}

// As Mutations gives up who waits (OnRetryTimer).
Instant GivenUpBy(const Config& config, size_t bytes, Instant now) {
  return now + config.deadline + LongestCrossing(bytes);
}

HeldValues::Held* HeldValues::Find(NodeId from, uint64_t number) {
  const auto found = std::find_if(held_.begin(), held_.end(), [&](const Held& held) {
    return held.number == number && held.from == from;
  });
  return found == held_.end() ? nullptr : &*found;
}

void HeldValues::Take(NodeId from, const ShipValue& shipped, Context<Protocol>& context) {
  const size_t bytes = shipped.command.size();
  if (bytes == 0 || bytes > paxos::kCommandBytesMax)
    return context.out.Send(from, ValueHeld{shipped.number, false});
  if (Find(from, shipped.number) == nullptr) {
    MakeRoom(bytes);
    held_.push_back({.from = from,
                     .number = shipped.number,
                     .command = shipped.command,
                     .digest = HashBytes(shipped.command.view()),
                     .until = GivenUpBy(config_, bytes, context.now)});
    bytes_ += bytes;
    most_.Note(held_.size());
    most_bytes_.Note(bytes_);
  }
  context.out.Send(from, ValueHeld{shipped.number, true});
}

// Forgetting one costs its way over the links once more, and nothing else: no vote was given for it.
void HeldValues::MakeRoom(size_t bytes) {
  while (!held_.empty() &&
         (held_.size() >= config_.bulk_messages_max || bytes_ + bytes > config_.held_values_bytes_max)) {
    // Used ones end soonest.
    const auto first = std::min_element(held_.begin(), held_.end(),
                                        [](const Held& a, const Held& b) { return a.until < b.until; });
    bytes_ -= first->command.size();
    held_.erase(first);
  }
}

// The message that comes out must be the one that the leader would have sent whole, for the acceptor writes
// it and votes for it. A number alone does not prove that: so each held command is compared with the digest
// that the message itself carries, and one missing or other command means no message at all. That is a lost
// message, which Paxos bears; the leader is told, and sends the value again.
std::optional<paxos::Message> HeldValues::Complete(NodeId from, const Abridged& abridged,
                                                   Context<Protocol>& context) {
  bool missing = false;
  for (const ValuePlace& place : abridged.places) {
    const Held* held = Find(from, place.number);
    if (held != nullptr && held->digest == place.digest) continue;
    missing = true;
    context.out.Send(from, ValueHeld{place.number, false});
  }
  if (missing) return std::nullopt;
  paxos::Message message = abridged.message;
  const std::vector<Slice*> values = ValuesIn(message);
  for (const ValuePlace& place : abridged.places) {
    if (place.value >= values.size()) return std::nullopt;
    absl::StatusOr<paxos::Batch> batch = Decode<paxos::Batch>(*values[place.value]);
    if (!batch.ok() || place.command >= batch->commands.size()) return std::nullopt;
    Held& held = *Find(from, place.number);
    held.until = context.now + kKeptAfterUse;
    batch->commands[place.command] = held.command;
    *values[place.value] = Slice::Own(Encode(*batch));
  }
  return message;
}

void HeldValues::Clear() {
  held_.clear();
  bytes_ = 0;
}

void HeldValues::OnTimer(Instant now) {
  std::erase_if(held_, [&](const Held& held) {
    if (held.until > now) return false;
    bytes_ -= held.command.size();
    return true;
  });
}

Instant HeldValues::next_timer() const {
  Instant next = Instant::Never();
  for (const Held& held : held_) next = std::min(next, held.until);
  return next;
}

void HeldValues::CheckInvariants() const {
  CHECK(held_.size() <= std::max<size_t>(config_.bulk_messages_max, 1));
  CHECK(bytes_ <= config_.held_values_bytes_max || held_.size() == 1);
  CHECK(!held_.empty() || bytes_ == 0);
}

}  // namespace bt::tracker
