#pragma once

// ContentFile: an open content file, shared by the block store's workers and the links that send from it;
// closed when the last of them lets go. The functions block on the disk and are for worker threads.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "core/base/slice.h"
#include "core/swarm/file_effects.h"
#include "net/fd.h"

namespace bt::nodes {

// Where a file the machine names is to be found or made.
struct FilePlace {
  std::string path;
  bool overwrite = false;  // a download may replace an existing file
};

// `path` is the file as opened: TARGET.part for a download.
struct ContentFile : net::ReadableFile {
  ContentFile() = default;
  // A part file this process made and wrote nothing to is taken away again.
  ~ContentFile();
  ContentFile(const ContentFile&) = delete;
  ContentFile& operator=(const ContentFile&) = delete;

  std::string target;  // the final name
  bool overwrite = false;
  swarm::FileMode mode = swarm::FileMode::kRead;
  uint64_t length = 0;

  mutable std::atomic<uint64_t> unwritten_bytes{0};  // stored since write-back was last asked for
  mutable std::atomic<bool> untouched{false};        // a part file made just now, nothing stored in it
  std::atomic<bool> finished{false};
  // Linux drops what it could not write and lets the next sync succeed: after one that failed nothing of this
  // file can be called durable by this process.
  mutable std::atomic<bool> sync_failed{false};
};

// An existing regular file of exactly `length` bytes, for reading.
absl::StatusOr<std::shared_ptr<ContentFile>> OpenForReading(const FilePlace& place, uint64_t length);

// TARGET.part, made with all its space allocated or taken up again, and locked against a second process.
// `resume` is the last checkpoint's state if it is this very file's, else empty. Never follows a link.
absl::StatusOr<std::shared_ptr<ContentFile>> OpenForDownload(const FilePlace& place, uint64_t length,
                                                             Slice& resume);

// Syncs the data, then replaces TARGET.part.state atomically and durably.
absl::Status WriteCheckpoint(const ContentFile& file, const Slice& state);

// Syncs the data, gives the file its final name, removes the state, syncs the directory.
absl::Status FinishDownload(ContentFile& file);

}  // namespace bt::nodes
