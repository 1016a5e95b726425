#pragma once

// ContentFile: an open content, one file or a tree of them, shared by the block store's workers and the links
// that send from it; closed when the last of them lets go. The functions block on the disk and are for worker
// threads.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/slice.h"
#include "core/swarm/file_effects.h"
#include "net/fd.h"
#include "nodes/content/content_watch.h"
#include "nodes/content/tree_files.h"

namespace bt::nodes {

// Where a file the machine names is to be found or made.
struct FilePlace {
  std::string path;
  bool overwrite = false;  // a download may replace an existing file
};

// `path` is the file as opened: TARGET.part for a download, a directory of that name for a tree.
struct ContentFile : net::ReadableFile {
  ContentFile() = default;
  // A part file this process made and wrote nothing to is taken away again.
  ~ContentFile();
  ContentFile(const ContentFile&) = delete;
  ContentFile& operator=(const ContentFile&) = delete;

  // Where the bytes from `offset` on lie. `self` is this, and kept open by the result.
  absl::StatusOr<TreeFiles::Extent> Locate(const std::shared_ptr<const ContentFile>& self,
                                           uint64_t offset) const;

  std::unique_ptr<TreeFiles> tree;      // instead of `fd`
  std::unique_ptr<ContentWatch> watch;  // once it is offered
  std::atomic<bool> looked_at{false};   // just now
  swarm::OpenFile opened_as;
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

// What `open` names, for reading: an existing regular file of exactly its length, or a directory in which the
// parts are.
absl::StatusOr<std::shared_ptr<ContentFile>> OpenForReading(const FilePlace& place,
                                                            const swarm::OpenFile& open);

// What a download has found from before.
struct Resumed {
  Slice state;                          // the last checkpoint's, if it is this very file's, else empty
  std::vector<swarm::PartFound> parts;  // of a tree
};

// TARGET.part, made with all its space allocated or taken up again, and locked against a second process.
// Never follows a link.
absl::StatusOr<std::shared_ptr<ContentFile>> OpenForDownload(const FilePlace& place,
                                                             const swarm::OpenFile& open, Resumed& resumed);

// What the last look at an offered file has found, nullopt if it is as it was. Another file under its name is
// opened, and put into `opened` in place of this one.
std::optional<swarm::FileChanged> LookAgain(const ContentFile& file, std::shared_ptr<ContentFile>& opened);

// Syncs the data, then replaces TARGET.part.state atomically and durably.
absl::Status WriteCheckpoint(const ContentFile& file, const Slice& state);

// Syncs the data, gives the file its final name, or each file of a selection its own, removes the state
// unless there is more that it speaks of, syncs the directory.
absl::Status FinishDownload(ContentFile& file);

}  // namespace bt::nodes
