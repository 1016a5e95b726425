#pragma once

// Recovery: reads the segments of a journal back. A torn tail is cut, corruption is never taken for
// absence. Pure; called by whoever opens a journal (net/journal, sim/disk, tools), before anything else.
//
// What the scan can know. A record that fails its checksum is *corrupt* when a later segment exists or
// when a later record of the same segment says it had been durable (AppendRecord, `durable`): it was
// acknowledged and is gone. It is *torn* when nothing says so: the last group of writes never finished.
// What it cannot know: damage to the very last group after its fsync looks exactly like a tear, and a
// file cut at a record's end looks like a shorter journal. Nothing inside one file can prove those.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/machine/input.h"
#include "core/wal/format.h"

namespace bt::wal {

enum class Verdict : uint8_t {
  kClean,    // all bytes are records
  kTorn,     // cut segments[segment] to `offset` bytes (0: delete the file), sync, and go on
  kCorrupt,  // refuse: acknowledged records are damaged or missing
  kForeign,  // refuse: another node's or cluster's journal, or another format version
};

struct ScanResult {
  // In order, sequence numbers contiguous; bodies share the segments' bytes. With kCorrupt, what precedes
  // the damage: for inspection, not to run on.
  std::vector<JournalRecord> records;
  Verdict verdict = Verdict::kClean;
  size_t segment = 0;   // index into `segments`; the last one when clean
  uint64_t offset = 0;  // the first byte that is not part of a good record
  std::string why;      // one sentence, empty when clean
  WriteSeq last;        // the last good record's sequence; what precedes the first segment if there is none
};

// `segments`: the whole files in order of their names. None at all is clean and empty: whether that is a new
// node or a lost disk is the caller's question. A journal begins with record 1; one whose first segment is
// gone or has no header is corrupt, because nothing says what it held.
ScanResult Scan(std::span<const Slice> segments, const Identity& identity);

}  // namespace bt::wal
