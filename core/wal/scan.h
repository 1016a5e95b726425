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
#include <string_view>
#include <utility>
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

// The scan, a segment at a time, so that whoever reads a long journal need not hold all of it at once.
class Scanner {
 public:
  // `headers`: the first kSegmentHeaderBytes of each segment in order of their names, or what there is of
  // them; `last`: all of the last one, which says whether the one before it needs a seal. `names` as for
  // Scan.
  Scanner(const Identity& identity, std::vector<Slice> headers, Slice last,
          std::span<const WriteSeq> names = {});

  // Nothing more is to be read: the verdict is found.
  bool done() const { return done_; }
  // The segment that is to be read next, an index into the headers. Only when not done.
  size_t next() const { return next_; }
  // All of next(). Its records join those of the result and share its bytes.
  void Read(const Slice& segment);

  // The records that were read since the last call: taken out of the result.
  std::vector<JournalRecord> TakeRecords() { return std::exchange(result_.records, {}); }
  // When done, and once.
  ScanResult TakeResult() { return std::move(result_); }

 private:
  bool last_segment() const { return result_.segment + 1 == headers_.size(); }
  bool NextIsBlank() const;
  void FindBeginning(std::span<const WriteSeq> names);
  bool Stop(Verdict verdict, std::string why);
  bool ReadHeader(std::string_view bytes);
  bool ReadRecords(const Slice& segment);
  bool HasItsLength(std::string_view bytes);
  bool ReadBehindSeal(std::string_view bytes, uint64_t end);
  bool ReadTail(std::string_view bytes);

  const Identity identity_;
  const uint64_t seed_;
  const std::vector<Slice> headers_;
  const Slice last_;
  ScanResult result_;
  bool done_ = false;
  size_t next_ = 0;
  size_t beginning_ = 0;  // the first segment that is read
  // lint: allow(limit): the records of one segment, whose length is bounded
  std::vector<uint64_t> ends_;  // of the records of the segment being read
};

// All of it at once. `segments`: the whole files in order of their names. None at all is clean and empty:
// whether that is a new node or a lost disk is the caller's question. Segments whose records are all below
// the needed sequence are passed over, whatever is left of them: a crash may bring back some of those that
// were removed. The journal then begins at or below the needed sequence; one that begins above it has lost
// its front and is corrupt. `names`: with which record each file's name says that it begins; one that begins
// with another is corrupt. None: not compared.
ScanResult Scan(std::span<const Slice> segments, const Identity& identity,
                std::span<const WriteSeq> names = {});

}  // namespace bt::wal
