#pragma once

// JournalFiles: the segment files of one node's journal over a Directory: recovery, group commit, the roll to
// the next segment. A pure state machine: Recover and Commit begin work, Done takes what the directory has
// completed, and the work is over when busy() is false. One owner; Recover comes first and once.
//
// Invariant: durable() never names a record that a crash at this moment could lose. A failure is final:
// nothing more is written and nothing more becomes durable.

#include <absl/status/status.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/machine/input.h"
#include "core/machine/outbox.h"
#include "core/wal/directory.h"
#include "core/wal/format.h"
#include "core/wal/scan.h"

namespace bt::wal {

// What the owner needs of a journal, asked with each record as it is read back, in order: after this one, no
// record below the result is needed any more, as if Forget had been called with it. Copied for each recovery.
using NeededAfter = std::function<WriteSeq(const JournalRecord&)>;

struct JournalFilesOptions {
  Identity identity;
  std::string path;  // of the directory, for sentences
  uint64_t segment_bytes = kSegmentBytesTarget;
  uint8_t granule_bits = kGranuleBitsDefault;
  // Without it a directory that holds no journal is kNotFound, and nothing is made or changed.
  bool create_if_absent = true;
  // None: recovery gives all records that are there.
  NeededAfter needed_after;
};

// What recovery met. A damaged journal is none of these: it is refused (kDataLoss).
enum class JournalFound : uint8_t {
  kNoJournal,     // no segment at all; one was made
  kEmptyJournal,  // made for this identity, without a durable record
  kRecords,
};

struct JournalRecovery {
  JournalFound found = JournalFound::kNoJournal;
  std::vector<JournalRecord> records;  // up to the last; each has memory of its own
  WriteSeq last;                       // the last durable sequence
  WriteSeq needed{1};                  // records below it are not needed, and may be gone
  // What an interrupted write left behind and was cut off: bytes, and why they did not count. 0: nothing.
  uint64_t cut_bytes = 0;
  std::string cut_why;
};

class JournalFiles {
 public:
  JournalFiles(JournalFilesOptions options, Directory& directory);

  // Reads what is there, cuts a torn tail, makes all of it durable. failure() afterwards: kFailedPrecondition
  // for another node's or cluster's journal, kDataLoss for a corrupt one, kNotFound for none
  // (create_if_absent), or the directory's error.
  void Recover();
  // When it is over, and once.
  JournalRecovery TakeRecovery() { return std::move(recovery_); }

  // Records below `needed` will not be asked for again. The segments that hold nothing else are removed when
  // the next one has been made, whose header says so. `needed` must be at most durable() + 1.
  void Forget(WriteSeq needed) { needed_ = std::max(needed_, needed); }

  // Writes the records and makes them durable: one write and one sync (more only where the granule, a segment
  // or a buffer ends). Only when not busy. Takes all of `writes` and leaves an empty vector.
  void Commit(std::vector<JournalWrite>& writes);

  void Done(Completion completion);

  // Of a recovery under way: how much of the journal has been read.
  uint32_t percent_read() const;
  // What a recovery holds in memory: the records that it is to give, and segments while they are read: at
  // most two, the one that is being read and the last one.
  uint64_t held_bytes() const { return kept_bytes_ + last_segment_.size(); }

  bool busy() const { return work_ != Work::kNone; }
  WriteSeq durable() const { return durable_; }
  const absl::Status& failure() const { return failure_; }

 private:
  enum class Work : uint8_t { kNone, kListing, kReadingHeaders, kReading, kMending, kCommitting };

  void Advance();
  void Fail(absl::Status status);
  void OnListed(std::vector<std::string> names);
  void BeginScan();
  void OnSegment(const Slice& bytes);
  void PlanReading();
  void PlanMending();
  absl::Status Refusal(const ScanResult& scan) const;
  void PlanCut(const ScanResult& scan);
  void PlanSegment(WriteSeq first);
  void PlanSeal(const std::string& name, uint64_t offset, WriteSeq next);
  void PlanRemoval();
  void PlanZeros(const std::string& name, uint64_t from, uint64_t to);
  void PlanWrite();

  const JournalFilesOptions options_;
  Directory& directory_;
  Work work_ = Work::kNone;
  // At most one for each of segments_ and group_.
  std::deque<Operation> plan_;  // what is left of the work under way; its first one has been begun
  absl::Status failure_;

  // Recovery.
  std::vector<Slice> headers_;  // of segments_, in their order; one for each of segments_
  Slice last_segment_;          // all of it; only while recovering
  std::optional<Scanner> scanner_;
  // lint: allow(limit): what the machine needs: at most the journal, some snapshots and the log above them
  std::deque<JournalRecord> kept_;  // of those read so far, what is needed
  uint64_t kept_bytes_ = 0;
  WriteSeq kept_from_{1};                // no record below it is kept
  std::vector<std::string> unfinished_;  // one for each of segments_
  JournalRecovery recovery_;

  // Commit.
  // lint: allow(limit): the machine cuts the journal with each snapshot
  std::deque<std::string> segments_;  // names, in order
  WriteSeq needed_{1};
  std::vector<JournalWrite> group_;             // at most queued_bytes_max
  size_t planned_ = 0;                          // records of group_ in plan_ or already written
  std::string segment_;                         // the last of segments_; at most one name
  uint64_t end_ = 0;                            // of the last record in the segment
  uint64_t length_ = 0;                         // of the segment: zeros from end_ to here
  uint8_t granule_bits_ = kGranuleBitsDefault;  // of the segment
  WriteSeq durable_;
  Slice zeros_;
};

}  // namespace bt::wal
