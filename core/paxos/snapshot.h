#pragma once

// Snapshot: what the state above the log is after a chosen prefix, in parts that the state alone can read. It
// takes the place of the log up to there: at a restart, and at a replica that lacks what others have cut from
// their logs. Parts are kept in the journal among the other records (journal.h), so one rule says what of
// both a crash leaves; and in memory, from where they are served.

#include <absl/container/btree_map.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/slice.h"
#include "core/base/time.h"
#include "core/machine/input.h"
#include "core/paxos/config.h"
#include "core/paxos/protocol.h"

namespace bt::paxos {

// A snapshot that is longer is none.
inline constexpr uint32_t kSnapshotPartsMax = 65'536;
inline constexpr uint64_t kSnapshotBytesMax = uint64_t{4} << 30;
// As a command, so that it fits a record and a message.
inline constexpr size_t kSnapshotPartBytesMax = kCommandBytesMax;

struct Snapshot {
  Prefix prefix;
  Instant stamp;              // log time at its last slot
  std::vector<Epoch> epochs;  // who decides the slots above it; not empty where there are parts
  std::vector<Slice> parts;

  bool empty() const { return parts.empty(); }
  uint64_t bytes() const;
};

// The last snapshot of which all parts are among `records`; an empty one when there is none. CHECKs that
// records which do not begin at the first have one.
Snapshot FindSnapshot(const std::vector<JournalRecord>& records);

// Which of the records a journal's recovery may pass over, told of each in order as it is read: those before
// a whole snapshot but for what was accepted above it, as SnapshotKeeper forgets them when that snapshot is
// durable. It sees the last part of one, and what a crash left of a longer journal is then needed no more.
class NeededRecords {
 public:
  // After this record, none below the result is needed. It never goes back.
  WriteSeq operator()(const JournalRecord& record);

 private:
  void OnPart(const JournalRecord& record);

  // One for each of entries_.
  absl::btree_map<Slot, WriteSeq> values_;  // the last record of each slot above the last whole snapshot
  Prefix begun_;                            // of the snapshot whose parts are coming
  uint32_t parts_ = 0;                      // of it, so far
  WriteSeq begun_needed_;
  WriteSeq needed_{1};
};

// The bodies of the records (kSnapshotPart) that hold it, in order, of a replica that has promised nothing.
std::vector<Slice> RecordsOf(const Snapshot& snapshot);

}  // namespace bt::paxos
