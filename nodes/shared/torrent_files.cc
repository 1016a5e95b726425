#include "nodes/shared/torrent_files.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

namespace bt::nodes {
namespace {

int64_t ModifiedNs(const struct stat& info) {
  return int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
}

absl::Status OpenError(const std::string& path, int error) {
  if (error == ENOENT || error == ENOTDIR) {
    return absl::NotFoundError(absl::StrCat("cannot open ", path, ": there is no such file; check the path"));
  }
  if (error == EACCES || error == EPERM) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot open ", path, ": permission denied; make it readable for this user"));
  }
  return absl::UnavailableError(absl::StrCat("cannot open ", path, ": ", std::strerror(error)));
}

absl::Status WriteError(const std::string& path, int error) {
  const char* advice = error == ENOENT || error == ENOTDIR  ? "; create the directory first"
                       : error == EACCES || error == EROFS  ? "; choose a directory this user may write to"
                       : error == ENOSPC || error == EDQUOT ? "; free some space and try again"
                                                            : "";
  return absl::UnavailableError(absl::StrCat("cannot write ", path, ": ", std::strerror(error), advice));
}

// 0, or the errno of what failed.
int WriteAll(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

int WriteAndSync(const std::string& path, std::string_view bytes) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor < 0) return errno;
  int error = WriteAll(descriptor, bytes);
  if (error == 0 && fsync(descriptor) != 0) error = errno;
  if (close(descriptor) != 0 && error == 0) error = errno;
  return error;
}

int SyncDirectory(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return errno;
  const int error = fsync(descriptor) == 0 ? 0 : errno;
  close(descriptor);
  return error;
}

}  // namespace

absl::StatusOr<InputFile> InputFile::Open(const std::string& path) {
  // O_NONBLOCK: opening a pipe that nobody writes to must not wait.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return OpenError(path, errno);
  InputFile file(path, descriptor);
  struct stat info;
  if (fstat(descriptor, &info) != 0) return OpenError(path, errno);
  if (S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot read ", path, ": it is a directory; name a file"));
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot read ", path, ": it is not a regular file; copy its contents into one first"));
  }
  file.size_ = static_cast<uint64_t>(info.st_size);
  file.modified_ns_ = ModifiedNs(info);
  return file;
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      modified_ns_(other.modified_ns_) {}

InputFile::~InputFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

absl::Status InputFile::CheckUnchanged() const {
  struct stat info;
  if (fstat(descriptor_, &info) != 0) return OpenError(path_, errno);
  if (static_cast<uint64_t>(info.st_size) == size_ && ModifiedNs(info) == modified_ns_) {
    return absl::OkStatus();
  }
  return absl::AbortedError(
      absl::StrCat(path_, " changed while it was being read; try again when nothing writes to it"));
}

bool InputFile::IsSameFile(const std::string& path) const {
  struct stat mine;
  struct stat other;
  return fstat(descriptor_, &mine) == 0 && stat(path.c_str(), &other) == 0 && mine.st_dev == other.st_dev &&
         mine.st_ino == other.st_ino;
}

absl::StatusOr<TorrentFile> ReadTorrentFile(const std::string& path) {
  const auto file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  if (file->size() > kTorrentFileLimit) {
    return absl::FailedPreconditionError(absl::StrCat("cannot use ", path, ": it has ", file->size(),
                                                      " bytes and a torrent at most ", kTorrentFileLimit,
                                                      "; is it the data file itself?"));
  }
  std::string bytes(file->size(), '\0');
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = read(file->descriptor(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return absl::UnavailableError(absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
    }
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  bytes.resize(filled);
  auto torrent = ParseTorrent(bytes);
  if (!torrent.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot use ", path, " as a torrent: ", torrent.status().message()));
  }
  return torrent;
}

absl::Status WriteFileAtomically(const std::string& path, std::string_view bytes) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot write ", path, ": it is a directory; name a file"));
  }
  const std::string beside = absl::StrCat(path, ".tmp.", getpid());
  int error = WriteAndSync(beside, bytes);
  if (error == 0 && std::rename(beside.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    if (error != EEXIST) unlink(beside.c_str());
    return WriteError(path, error);
  }
  const std::string directory = std::filesystem::path(path).parent_path().string();
  if (const int sync_error = SyncDirectory(directory.empty() ? "." : directory); sync_error != 0) {
    return WriteError(path, sync_error);
  }
  return absl::OkStatus();
}

}  // namespace bt::nodes
