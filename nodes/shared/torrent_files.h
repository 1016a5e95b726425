#pragma once

// .torrent files on disk: reading with clear errors, writing so that a file is either whole or not there.
// Every error names the path, the reason and what to do. Blocking; for the commands, not for a loop.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "core/torrent/metainfo.h"

namespace bt::nodes {

// kNotFound, kPermissionDenied, kFailedPrecondition (a directory, a device, not a usable torrent, too
// large), kUnavailable (reading failed).
absl::StatusOr<TorrentFile> ReadTorrentFile(const std::string& path);

// Writes a file beside `path`, syncs it, renames it to `path` and syncs the directory. On an error `path`
// is as it was and nothing is left beside it.
absl::Status WriteFileAtomically(const std::string& path, std::string_view bytes);

// An open descriptor of a regular file, closed with the object.
class InputFile {
 public:
  // Refuses what is not a regular file; never waits on a pipe. Errors as ReadTorrentFile.
  static absl::StatusOr<InputFile> Open(const std::string& path);
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;

  int descriptor() const { return descriptor_; }
  uint64_t size() const { return size_; }  // when opened
  // kAborted if the file no longer has the size and modification time it was opened with.
  absl::Status CheckUnchanged() const;
  // True if `path` leads to this very file.
  bool IsSameFile(const std::string& path) const;

 private:
  InputFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  std::string path_;
  int descriptor_;
  uint64_t size_ = 0;
  int64_t modified_ns_ = 0;
};

}  // namespace bt::nodes
