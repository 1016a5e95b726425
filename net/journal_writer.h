#pragma once

// JournalWriter: the journal's thread. Whatever is queued when it comes round goes into one commit. It also
// looks at the room on the disk: at its start, and then each kMeasurePause, but never while the disk hangs.

#include <absl/status/status.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/base/highest.h"
#include "core/base/ids.h"
#include "core/machine/outbox.h"
#include "core/wal/journal_files.h"
#include "net/posix_directory.h"

namespace bt::net {

class JournalWriter {
 public:
  static constexpr std::chrono::milliseconds kMeasurePause{250};

  struct Progress {
    WriteSeq durable;
    uint64_t commits = 0;
    uint64_t bytes = 0;  // of the segments
    size_t segments = 0;
    std::optional<uint64_t> free_bytes;  // on their file system; nullopt: not known
    uint64_t queued_bytes = 0;           // not durable yet
    Highest most_queued_bytes;
    LatencyHistogram syncs;
    absl::Status failure;  // once not OK, nothing more is written
  };

  // `notify` is called on the thread whenever progress() has changed.
  JournalWriter(std::unique_ptr<PosixDirectory> directory, std::unique_ptr<wal::JournalFiles> files,
                uint64_t queued_bytes_max, std::function<void()> notify);
  // Commits what is queued, then ends the thread.
  ~JournalWriter();

  // Takes all of `writes` and leaves it empty (with memory to fill again).
  void Queue(std::vector<JournalWrite>& writes);

  // Takes effect with the next commit.
  void Forget(WriteSeq needed);

  Progress progress() const;
  uint64_t queued_bytes_max() const { return queued_bytes_max_; }

 private:
  void Run();
  void Measure();

  const std::unique_ptr<PosixDirectory> directory_;
  const std::unique_ptr<wal::JournalFiles> files_;
  const uint64_t queued_bytes_max_;
  const std::function<void()> notify_;

  mutable std::mutex mutex_;
  std::condition_variable work_;
  // All guarded by mutex_.
  std::vector<JournalWrite> queue_;  // at most queued_bytes_max_
  WriteSeq needed_;
  Progress progress_;
  bool stopping_ = false;

  std::chrono::steady_clock::time_point measured_;  // of the thread alone
  std::thread thread_;
};

}  // namespace bt::net
