#include "core/paxos/chosen_prefix.h"

#include <absl/status/statusor.h>

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/base/digest.h"
#include "core/base/fields.h"

namespace bt::paxos {

Batch DecodeBatch(const Slice& value) {
  absl::StatusOr<Batch> batch = Decode<Batch>(value);
  return batch.ok() ? *std::move(batch) : Batch{};
}

void ChosenPrefix::Extend(const LogEntry& entry, Outbox<Protocol>& out) {
  ++prefix_.slot;
  RollingDigest chain;
  chain.Add(prefix_.chain);
  chain.Add(entry.digest);
  prefix_.chain = chain.value();
  Batch batch = DecodeBatch(entry.value);
  // Two leaders' clocks are never compared, so a new leader's stamp may be lower than an old one's. The
  // maximum, taken in slot order, is the same on every replica and never goes back.
  stamp_ = std::max(stamp_, batch.stamp);
  batch.stamp = stamp_;
  out.Note(Chosen{prefix_.slot, entry.digest, prefix_.chain});
  if (batch.change) {
    configurations_.Choose(prefix_.slot, *batch.change);
    const Epoch& latest = configurations_.latest();
    if (latest.chosen == prefix_.slot) out.Note(MembersChanged{latest.from, latest.membership});
  }
  decided_.push_back({prefix_.slot, std::move(batch)});
}

void ChosenPrefix::Begin(const Beginning& beginning, Outbox<Protocol>& out) {
  CHECK(beginning.prefix.slot > prefix_.slot && decided_.empty());
  const Configurations before = std::exchange(configurations_, Configurations(beginning.epochs));
  const Epoch& latest = configurations_.latest();
  if (latest.membership != before.latest().membership) {
    out.Note(MembersChanged{latest.from, latest.membership});
  }
  prefix_ = beginning.prefix;
  stamp_ = std::max(stamp_, beginning.stamp);
}

void ChosenPrefix::CheckInvariants() const {
  CHECK(decided_.empty() || decided_.back().slot == prefix_.slot);
}

}  // namespace bt::paxos
