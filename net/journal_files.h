#pragma once

// JournalFiles: the segment files of a journal, synchronously: lock, recover, commit a batch. No thread of
// its own; one caller at a time. See journal.h for the part the machine's host uses.
//
// The file ahead of the last record is filled with zeros and synced in advance, so that a commit changes
// data alone and fdatasync need not write the file system's own journal. Recovery takes a zero tail for
// the end.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/machine/outbox.h"
#include "core/wal/format.h"
#include "net/fd.h"

namespace bt::net {

struct JournalRecovery;

class JournalFiles {
 public:
  struct Options {
    std::string directory;
    wal::Identity identity;
    uint64_t segment_bytes = wal::kSegmentBytesTarget;
    bool create_if_absent = true;
  };
  // See Journal::Open.
  static absl::StatusOr<std::unique_ptr<JournalFiles>> Open(Options options, JournalRecovery& recovery);

  // Writes the records and makes them durable: one write, one fdatasync (more only where a segment ends).
  // After an error nothing may be committed any more.
  absl::Status Commit(std::span<const JournalWrite> writes);

  WriteSeq durable() const { return durable_; }

 private:
  explicit JournalFiles(Options options) : options_(std::move(options)) {}

  absl::Status LockDirectory();
  absl::Status Recover(JournalRecovery& recovery);
  absl::StatusOr<std::vector<std::string>> SegmentNames() const;
  absl::Status Cut(const std::string& name, uint64_t offset);
  absl::Status OpenSegment(const std::string& name, uint64_t offset);
  absl::Status CreateSegment(WriteSeq first);
  absl::Status CloseSegment();
  absl::Status WriteOut(std::string_view bytes);
  absl::Status Sync();
  absl::Status SyncDirectory();
  absl::Status Absent() const;
  std::string PathOf(const std::string& name) const;
  absl::Status Failed(const char* what, const std::string& path, int error) const;

  Options options_;
  Fd directory_;
  Fd lock_;
  Fd segment_;
  std::string segment_path_;
  uint64_t end_ = 0;     // of the last record in the segment
  uint64_t zeroed_ = 0;  // the segment is written, with zeros behind end_, up to here
  WriteSeq durable_;
  std::string buffer_;
};

}  // namespace bt::net
