#include "core/paxos/snapshot.h"

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
    // A copy: the record shares its memory with the whole segment.
    begun.parts.push_back(Slice::Copy(part->bytes.view()));
    if (part->last) whole = std::exchange(begun, {});
  }
  CHECK_MSG(records.empty() || records.front().seq == WriteSeq(1) || !whole.empty(),
            "the journal's first records were forgotten, and no whole snapshot is there in their place");
  return whole;
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
