#pragma once

// Recovery: reads the segments of a journal back. A torn tail is cut, corruption is never taken for
// absence. Pure; called by whoever opens a journal (journal_files.h, tools), before anything else.
//
// What the scan can know. Bytes that are no record are *corrupt* when a later segment exists, when a later
// record of the same segment says they had been durable (AppendRecord, `durable`), or when the file is
// shorter than it was when a record in it was durable (segments never shrink): acknowledged records are gone.
// They are *torn* when nothing says so: the last group of writes never finished. A segment that ends in a
// seal was followed by another: if there is none, that one is gone. What it cannot know: damage to the very
// last group after its fsync looks exactly like a tear, because nothing was written after it.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/machine/input.h"
#include "core/wal/format.h"

namespace bt::wal {

enum class Verdict : uint8_t {
  kClean,    // records, and zeros behind them
  kTorn,     // fill segments[segment] from `offset` to its end with zeros, sync, and go on
  kCorrupt,  // refuse: acknowledged records are damaged or missing
  kForeign,  // refuse: another node's or cluster's journal, or another format version
};

struct ScanResult {
  // In order, sequence numbers contiguous; bodies share the segments' bytes. With kCorrupt, what precedes
  // the damage: for inspection, not to run on.
  std::vector<JournalRecord> records;
  Verdict verdict = Verdict::kClean;
  size_t segment = 0;                          // index into `segments`; the last one when clean
  uint64_t offset = 0;                         // the first byte that is not part of a good record
  uint8_t granule_bits = kGranuleBitsDefault;  // of that segment
  // In that segment: where the last record ends that a later one says was durable. From here to `offset` the
  // records may be in memory alone.
  uint64_t durable_end = 0;
  // The last segment holds no record yet, so the seal of the one before it may be in memory alone, torn or
  // missing: before a record is written it must be, at this offset of that segment.
  std::optional<uint64_t> seal;
  std::string why;     // one sentence, empty when clean
  WriteSeq last;       // the last good record's sequence; what precedes the first segment if there is none
  WriteSeq needed{1};  // the highest any header names: no record below it is needed
};

// `segments`: the whole files in order of their names. None at all is clean and empty: whether that is a new
// node or a lost disk is the caller's question. Segments whose records are all below the needed sequence are
// passed over, whatever is left of them: a crash may bring back some of those that were removed. The journal
// then begins at or below the needed sequence; one that begins above it has lost its front and is corrupt.
// `names`: with which record each file's name says that it begins; one that begins with another is corrupt.
// None: not compared.
ScanResult Scan(std::span<const Slice> segments, const Identity& identity,
                std::span<const WriteSeq> names = {});

}  // namespace bt::wal
