#include "nodes/shared/files.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "core/base/digest.h"
#include "net/socket.h"

namespace bt::nodes {

namespace {

int64_t ModifiedNs(const struct stat& info) {
  return int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
}

// A new file with `bytes`, durable once its directory is synced. After an error there is none.
absl::Status CreateFile(const std::string& path, mode_t mode, std::string_view bytes) {
  const net::Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd.valid()) return FileError("create", path, errno);
  absl::Status status = OverwriteFile(fd.get(), bytes, path);
  if (!status.ok()) unlink(path.c_str());
  return status;
}

}  // namespace

std::string NameThatFits(const std::string& name, const std::string& suffix, size_t room) {
  if (name.size() + suffix.size() + room <= NAME_MAX) return absl::StrCat(name, suffix);
  const std::string checksum = absl::StrCat("~", absl::Hex(HashBytes(name), absl::kZeroPad16), suffix);
  size_t kept = NAME_MAX - room - checksum.size();
  while (kept > 0 && (static_cast<uint8_t>(name[kept]) & 0xc0) == 0x80) --kept;  // whole UTF-8 sequences
  return name.substr(0, kept) + checksum;
}

std::string AbsolutePath(const std::string& path) {
  std::error_code ignored;
  return path.empty() ? path : std::filesystem::absolute(path, ignored).lexically_normal().string();
}

absl::Status FileError(const char* verb, const std::string& path, int error) {
  const std::string text = absl::StrCat("cannot ", verb, " ", path, ": ", net::ErrnoText(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(absl::StrCat(text, "; check the path"));
    case EEXIST:
      return absl::AlreadyExistsError(absl::StrCat(text, "; it is left as it was, choose another path"));
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(
          absl::StrCat(text, "; give this user access, or choose another path"));
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(absl::StrCat(text, "; make room on that disk and try again"));
    case EFBIG:
      return absl::ResourceExhaustedError(
          absl::StrCat(text, "; too long for this file system or this user's limit, choose another disk"));
    case ELOOP:
      return absl::FailedPreconditionError(
          absl::StrCat(text, "; it is a symbolic link, remove it or choose another path"));
    case EISDIR:
      return absl::FailedPreconditionError(absl::StrCat(text, "; it is a directory, name a file"));
    default:
      return absl::UnavailableError(absl::StrCat(text, "; check that disk and try again"));
  }
}

absl::StatusOr<InputFile> InputFile::Open(const std::string& path) {
  // O_NONBLOCK: opening a pipe that nobody writes to must not wait.
  InputFile file(path, net::Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)));
  struct stat info {};
  if (!file.descriptor_.valid() || fstat(file.descriptor(), &info) != 0) {
    return FileError("read", path, errno);
  }
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

absl::StatusOr<std::string> InputFile::ReadAll(size_t limit, const char* meant) const {
  if (size_ > limit) {
    return absl::FailedPreconditionError(absl::StrCat("cannot use ", path_, ": it has ", size_, " bytes and ",
                                                      meant, " at most ", limit, "; is it another file?"));
  }
  std::string bytes(size_, '\0');
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got =
        pread(descriptor(), bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError("read", path_, errno);
    if (got == 0) break;  // it has become shorter
    have += static_cast<size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

absl::Status InputFile::CheckUnchanged() const {
  struct stat info {};
  if (fstat(descriptor(), &info) != 0) return FileError("read", path_, errno);
  if (static_cast<uint64_t>(info.st_size) == size_ && ModifiedNs(info) == modified_ns_) {
    return absl::OkStatus();
  }
  return absl::AbortedError(
      absl::StrCat(path_, " changed while it was being read; try again when nothing writes to it"));
}

bool InputFile::IsSameFile(const std::string& path) const {
  struct stat mine {};
  struct stat other {};
  return fstat(descriptor(), &mine) == 0 && stat(path.c_str(), &other) == 0 && mine.st_dev == other.st_dev &&
         mine.st_ino == other.st_ino;
}

absl::StatusOr<std::string> ReadSmallFile(const std::string& path) {
  const absl::StatusOr<InputFile> file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  return file->ReadAll(kSmallFileBytesMax, "what should be there");
}

absl::Status OverwriteFile(int descriptor, std::string_view bytes, const std::string& path) {
  if (ftruncate(descriptor, 0) != 0) return FileError("write", path, errno);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t written =
        pwrite(descriptor, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return FileError("write", path, written < 0 ? errno : EIO);
    done += static_cast<size_t>(written);
  }
  return fsync(descriptor) == 0 ? absl::OkStatus() : FileError("sync", path, errno);
}

absl::Status WriteFileAtomically(const std::string& path, std::string_view bytes, unsigned mode) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot write ", path, ": it is a directory; name a file"));
  }
  const std::filesystem::path whole(path);
  const std::string name = NameThatFits(whole.filename().string(), absl::StrCat(".tmp.", getpid()));
  const std::string beside = (whole.parent_path() / name).string();
  if (absl::Status status = CreateFile(beside, mode, bytes); !status.ok()) return status;
  if (std::rename(beside.c_str(), path.c_str()) != 0) {
    const int error = errno;
    unlink(beside.c_str());
    return FileError("write", path, error);
  }
  return SyncDirectory(DirectoryOf(path));
}

absl::Status CreateSecretFile(const std::string& path, std::string_view bytes) {
  absl::Status status = CreateFile(path, 0600, bytes);
  if (!status.ok()) return status;
  status = SyncDirectory(DirectoryOf(path));
  if (!status.ok()) unlink(path.c_str());
  return status;
}

absl::Status SyncDirectory(const std::string& directory) {
  const net::Fd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return FileError("open", directory, errno);
  return fsync(fd.get()) == 0 ? absl::OkStatus() : FileError("sync", directory, errno);
}

std::string DirectoryOf(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  return directory.empty() ? "." : directory;
}

}  // namespace bt::nodes
