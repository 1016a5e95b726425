#include "core/paxos/chosen_prefix.h"

#include <absl/status/statusor.h>

#include <algorithm>

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
  decided_.push_back({prefix_.slot, std::move(batch)});
  out.Note(Chosen{prefix_.slot, entry.digest, prefix_.chain});
}

void ChosenPrefix::Begin(const Beginning& beginning) {
  CHECK(beginning.prefix.slot > prefix_.slot && decided_.empty());
  prefix_ = beginning.prefix;
  stamp_ = std::max(stamp_, beginning.stamp);
}

void ChosenPrefix::CheckInvariants() const {
  CHECK(decided_.empty() || decided_.back().slot == prefix_.slot);
}

}  // namespace bt::paxos
