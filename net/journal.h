#pragma once

// Journal: the write-ahead log of one node on real files, in core/wal's format. Open locks the directory,
// checks whose it is, recovers what is durable and cuts a torn tail. Append is for the loop's thread; a
// thread of the journal's own writes everything queued in one write and one fdatasync and tells the loop.
//
// A failed write or fsync is never retried: the journal stops for good, tells why, and confirms nothing
// any more. Data directory: journal-<first sequence>.wal segments and a lock file, nothing else.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/base/ids.h"
#include "core/machine/input.h"
#include "core/machine/outbox.h"
#include "core/wal/format.h"
#include "core/wal/journal_files.h"
#include "net/latency_histogram.h"
#include "net/loop.h"

namespace bt::net {

struct JournalOptions {
  std::string directory;  // made if it is not there
  wal::Identity identity;
  uint64_t segment_bytes = wal::kSegmentBytesTarget;
  // Without it a directory that holds no journal is kNotFound, and nothing is made or changed.
  bool create_if_absent = true;
  // Queued and not yet durable; past it the disk has failed to keep up and the journal stops.
  uint64_t queued_bytes_max = uint64_t{256} << 20;
  // See wal::JournalFilesOptions.
  wal::NeededAfter needed_after;
};

using wal::JournalFound;
using wal::JournalRecovery;

class JournalOpening;
class JournalWriter;

class Journal {
 public:
  struct Counters {  // loop's thread
    uint64_t records = 0;
    uint64_t commits = 0;
    uint64_t bytes = 0;  // of the segments on the disk
    size_t segments = 0;
    std::optional<uint64_t> free_bytes;  // on their file system, as last looked at
    LatencyHistogram syncs;              // of segments
  };

  // kAlreadyExists: another process has the directory; kFailedPrecondition: it is another node's or
  // cluster's; kDataLoss: corrupt, or its first segment is gone; kNotFound: see create_if_absent. All
  // messages name the file and say what to do.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(Loop& loop, JournalOptions options,
                                                       JournalRecovery& recovery);
  // Writes what was appended, then stops the thread and gives up the lock.
  ~Journal();

  // Before the first Append. `durable(seq)`: everything up to seq is durable; `failed` is called once.
  void Connect(std::function<void(WriteSeq)> durable, std::function<void(absl::Status)> failed);

  // `room(free_bytes)`: of the file system, whenever another number was found. Before the first Append.
  void TellRoom(std::function<void(uint64_t)> room);

  // The next sequence in order.
  void Append(JournalWrite write);
  // See wal::JournalFiles::Forget.
  void Forget(WriteSeq needed);

  const Counters& counters() const { return counters_; }
  // Bytes that were appended before this iteration of the loop and are not durable yet, and the most that
  // there were; past queued_bytes_max the journal stops.
  struct Queued {
    uint64_t now = 0;
    uint64_t most = 0;
  };
  Queued queued() const;
  uint64_t queued_bytes_max() const;

 private:
  friend JournalOpening;
  struct Files;

  // `percent`: of the journal that has been read.
  static absl::StatusOr<Files> Recover(const JournalOptions& options, std::atomic<uint32_t>& percent);
  static std::unique_ptr<Journal> Begin(Loop& loop, const JournalOptions& options, Files files);

  Journal(Loop& loop, WriteSeq last);
  void Flush();
  void OnProgress();

  std::unique_ptr<JournalWriter> writer_;
  std::function<void(WriteSeq)> durable_;
  std::function<void(absl::Status)> failed_;
  std::function<void(uint64_t)> room_;
  WriteSeq appended_;
  WriteSeq confirmed_;
  bool failure_told_ = false;
  std::vector<JournalWrite> pending_;  // of one iteration: at most queued_bytes_max
  Deferred flush_;
  Later later_;  // what the writer posts may come after the journal
  Counters counters_;
};

// One Journal::Open beside the loop: a long journal takes long to read, and the loop has others to answer
// meanwhile. Loop thread only.
class JournalOpening {
 public:
  using Done = std::function<void(absl::StatusOr<std::unique_ptr<Journal>>, JournalRecovery)>;

  // `done` is called once, not from within here.
  JournalOpening(Loop& loop, JournalOptions options, Done done);
  // Waits for the disk, and then tells nothing.
  ~JournalOpening();

  // How much of the journal has been read.
  uint32_t percent() const { return *percent_; }

 private:
  Later later_;
  const std::shared_ptr<std::atomic<uint32_t>> percent_ = std::make_shared<std::atomic<uint32_t>>(0);
  std::thread thread_;
};

}  // namespace bt::net
