#include "nodes/shared/state_files.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "net/fd.h"
#include "net/socket.h"

namespace bt::nodes {

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
    default:
      return absl::UnavailableError(absl::StrCat(text, "; check that disk and try again"));
  }
}

absl::StatusOr<std::string> ReadStateFile(const std::string& path) {
  // O_NONBLOCK: opening a pipe that nobody writes to must not wait.
  const net::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!fd.valid() || fstat(fd.get(), &info) != 0) return FileError("read", path, errno);
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot read ", path, ": it is not a regular file; name a file"));
  }
  std::string bytes(kStateFileBytesMax + 1, '\0');
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = read(fd.get(), bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError("read", path, errno);
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  if (have > kStateFileBytesMax) {
    return absl::FailedPreconditionError(absl::StrCat("cannot use ", path, ": it is longer than ",
                                                      kStateFileBytesMax, " bytes; is it another file?"));
  }
  bytes.resize(have);
  return bytes;
}

absl::Status WriteStateFile(int descriptor, std::string_view bytes, const std::string& path) {
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

absl::Status CreateSecretFile(const std::string& path, std::string_view bytes) {
  const net::Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return FileError("create", path, errno);
  absl::Status status = WriteStateFile(fd.get(), bytes, path);
  if (status.ok()) status = SyncDirectory(DirectoryOf(path));
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
