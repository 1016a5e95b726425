#pragma once

// RecordingFile: keeps the blocks of a recording (core/machine/recording.h) in a file of limited length. A
// thread of its own writes them: a disk that is slow, full or gone ends the recording and disturbs nothing
// else.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/machine/step_recorder.h"
#include "net/fd.h"

namespace bt::net {

class RecordingFile final : public RecordingSink {
 public:
  static constexpr size_t kQueuedBytesMax = size_t{64} << 20;  // behind the first block that waits
  static constexpr size_t kLastBlockBytesMax = 4096;

  // Makes the file, readable by its owner alone; one that is there is kept as PATH.old, in place of an
  // earlier one. `limit`: bytes it may have. The status names the file.
  static absl::StatusOr<std::unique_ptr<RecordingFile>> Create(const std::string& path, uint64_t limit);
  // Writes what is queued, then ends the thread.
  ~RecordingFile() override;

  // Loop's thread, as KeepLast.
  absl::Status Keep(std::string block) override;
  void KeepLast(std::string block) override;

 private:
  RecordingFile(Fd fd, uint64_t limit);
  void Run();
  void Queue(std::string block);
  static absl::Status WriteAll(int fd, std::string_view bytes);

  const Fd fd_;
  const uint64_t limit_;
  uint64_t bytes_ = 0;  // handed over; loop's thread alone

  std::mutex mutex_;
  std::condition_variable work_;
  // All guarded by mutex_.
  std::vector<std::string> queue_;  // without what is being written; at most kQueuedBytesMax
  size_t queued_bytes_ = 0;
  absl::Status failure_;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace bt::net
