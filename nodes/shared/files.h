#pragma once

// Files of the programs: read whole within a limit, written so that a crash leaves the old bytes or the new
// ones. Every error names the path, the reason and what to do. Blocking; never from a running loop.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "net/fd.h"

namespace bt::nodes {

// "cannot VERB PATH: reason; what to do", with the status code that fits errno `error`.
absl::Status FileError(const char* verb, const std::string& path, int error);

// `path` as it is from anywhere, without . and ..; an empty one stays empty.
std::string AbsolutePath(const std::string& path);

// An open regular file.
class InputFile {
 public:
  // kNotFound, kPermissionDenied, kFailedPrecondition (a directory, a device), kUnavailable. Never waits on a
  // pipe.
  static absl::StatusOr<InputFile> Open(const std::string& path);

  const std::string& path() const { return path_; }  // as given to Open
  int descriptor() const { return descriptor_.get(); }
  uint64_t size() const { return size_; }  // when opened
  // All its bytes. kFailedPrecondition when it has more than `limit`; `meant` says what it should be instead.
  absl::StatusOr<std::string> ReadAll(size_t limit, const char* meant) const;
  // kAborted if the file no longer has the size and modification time it was opened with.
  absl::Status CheckUnchanged() const;
  // True if `path` leads to this very file.
  bool IsSameFile(const std::string& path) const;

 private:
  InputFile(std::string path, net::Fd descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  std::string path_;
  net::Fd descriptor_;
  uint64_t size_ = 0;
  int64_t modified_ns_ = 0;
};

// The whole of a file of a few lines: a secret, a node's state. As Open, and kFailedPrecondition when it has
// more than kSmallFileBytesMax.
inline constexpr size_t kSmallFileBytesMax = 4096;
absl::StatusOr<std::string> ReadSmallFile(const std::string& path);

// Makes `bytes` the durable content of the open file, whatever it held. `path` is for the error.
absl::Status OverwriteFile(int descriptor, std::string_view bytes, const std::string& path);

// Writes a file beside `path`, syncs it, renames it to `path` and syncs the directory. On an error `path`
// is as it was and nothing is left beside it.
// `mode`: who may read it.
absl::Status WriteFileAtomically(const std::string& path, std::string_view bytes, unsigned mode = 0666);

// Creates a file that only this user can read, with `bytes`, durably. kAlreadyExists: it is left as it was.
// After any other error there is no such file.
absl::Status CreateSecretFile(const std::string& path, std::string_view bytes);

// NAME with `suffix`, such that `room` more bytes have their place behind it in a file's name; of a name that
// is too long for that the beginning, ~ and a checksum of it.
std::string NameThatFits(const std::string& name, const std::string& suffix, size_t room = 0);

// Makes the creation, renaming and removal of files in `directory` durable.
absl::Status SyncDirectory(const std::string& directory);
// The directory that `path` is in.
std::string DirectoryOf(const std::string& path);

}  // namespace bt::nodes
