#include "core/paxos/snapshot.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/base/fields.h"
#include "core/paxos/journal.h"

namespace bt::paxos {

uint64_t Snapshot::bytes() const {
  uint64_t sum = 0;
  for (const Slice& part : parts) sum += part.size();
  return sum;
}

// A crash may have come between two parts of a snapshot, and another one was begun in a later life. So only
// parts that follow on each other from the first to the last make one, and the last whole one counts: the
// records that an earlier one made needless may be gone.
Snapshot FindSnapshot(const std::vector<JournalRecord>& records) {
  Snapshot whole;
  Snapshot begun;
  for (const JournalRecord& record : records) {
    if (record.type != static_cast<uint8_t>(RecordType::kSnapshotPart)) continue;
    absl::StatusOr<SnapshotPartRecord> part = Decode<SnapshotPartRecord>(record.body);
    CHECK_MSG(part.ok(), "a part of a snapshot in the journal is not one this program writes");
    if (part->part == 0) begun = {part->prefix, part->stamp, part->epochs, {}};
    // The rest of one whose first parts were forgotten.
    if (part->prefix != begun.prefix || part->part != begun.parts.size()) continue;
    begun.parts.push_back(part->bytes);
    if (part->last) whole = std::exchange(begun, {});
  }
  CHECK_MSG(records.empty() || records.front().seq == WriteSeq(1) || !whole.empty(),
            "the journal's first records were forgotten, and no whole snapshot is there in their place");
  return whole;
}

WriteSeq NeededRecords::operator()(const JournalRecord& record) {
  if (record.type == static_cast<uint8_t>(RecordType::kSnapshotPart)) {
    OnPart(record);
  } else if (record.type == static_cast<uint8_t>(RecordType::kAccepted)) {
    if (const auto accepted = Decode<AcceptedRecord>(record.body); accepted.ok()) {
      values_[accepted->slot] = record.seq;
    }
  } else if (record.type == static_cast<uint8_t>(RecordType::kLearned)) {
    if (const auto learned = Decode<LearnedRecord>(record.body); learned.ok()) {
      values_[learned->slot] = record.seq;
    }
  }
  return needed_;
}

// The parts are counted as FindSnapshot counts them, and what is needed beside them as SnapshotKeeper does.
void NeededRecords::OnPart(const JournalRecord& record) {
  const absl::StatusOr<SnapshotPartRecord> part = Decode<SnapshotPartRecord>(record.body);
  if (!part.ok()) return;  // whoever acts on the record says so
  if (part->part == 0) {
    begun_ = part->prefix;
    parts_ = 0;
    begun_needed_ = record.seq;
    for (auto value = values_.upper_bound(begun_.slot); value != values_.end(); ++value) {
      begun_needed_ = std::min(begun_needed_, value->second);
    }
  }
  if (part->prefix != begun_ || part->part != parts_ || begun_needed_ == WriteSeq(0)) return;
  ++parts_;
  if (!part->last) return;
  needed_ = std::max(needed_, begun_needed_);
  values_.erase(values_.begin(), values_.upper_bound(begun_.slot));
  begun_needed_ = WriteSeq(0);
}

std::vector<Slice> RecordsOf(const Snapshot& snapshot) {
  std::vector<Slice> records;
  for (const Slice& part : snapshot.parts) {
    const uint32_t number = static_cast<uint32_t>(records.size());
    records.push_back(Slice::Own(Encode(SnapshotPartRecord{.prefix = snapshot.prefix,
                                                           .stamp = snapshot.stamp,
                                                           .epochs = snapshot.epochs,
                                                           .part = number,
                                                           .last = number + 1 == snapshot.parts.size(),
                                                           .bytes = part})));
  }
  return records;
}

}  // namespace bt::paxos
