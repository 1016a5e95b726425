#include "nodes/content/content_file.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "core/base/digest.h"
#include "core/base/fields.h"
#include "net/socket.h"
#include "nodes/shared/files.h"

namespace bt::nodes {
namespace {

constexpr size_t kStateBytesMax = 64 * 1024 * 1024;
constexpr mode_t kFileMode = 0666;  // the umask decides

// TARGET.part.state: this, encoded, behind its xxh3-64 in hexadecimal.
struct SavedState {
  static constexpr uint64_t kVersion = 1;

  uint64_t version = kVersion;
  uint64_t inode = 0;
  uint64_t length = 0;
  int64_t modified_ns = 0;
  Slice state;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("version", self.version);
    visit("inode", self.inode);
    visit("length", self.length);
    visit("modified_ns", self.modified_ns);
    visit("state", self.state);
  }
};

int64_t ModifiedNs(const struct stat& info) {
  return int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
}

std::string ChecksumText(std::string_view bytes) {
  std::string text(8, '\0');
  const uint64_t checksum = HashBytes(bytes);
  for (size_t i = 0; i < 8; ++i) text[i] = static_cast<char>(checksum >> (8 * i) & 0xff);
  return Hex(text);
}

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return FileError("write", path, written < 0 ? errno : EIO);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

// The state saved for exactly this file, or empty: a state that is damaged, of another file or older than a
// file put back from a copy is as good as none.
Slice ReadState(const std::string& path, const struct stat& part) {
  const net::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (!fd.valid() || fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  if (info.st_size < 16 || static_cast<uint64_t>(info.st_size) > kStateBytesMax) return {};
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  if (pread(fd.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return {};
  const Slice whole = Slice::Own(std::move(bytes));
  const Slice body = whole.From(16);
  if (whole.view().substr(0, 16) != ChecksumText(body.view())) return {};
  const absl::StatusOr<SavedState> saved = Decode<SavedState>(body);
  if (!saved.ok() || saved->version != SavedState::kVersion || saved->inode != part.st_ino ||
      saved->length != static_cast<uint64_t>(part.st_size) || saved->modified_ns > ModifiedNs(part)) {
    return {};
  }
  return saved->state;
}

// A download never goes where something else already is.
absl::Status CheckTarget(const FilePlace& place) {
  struct stat info {};
  if (place.path.empty() || place.path.back() == '/') {
    return absl::InvalidArgumentError(absl::StrCat("'", place.path, "' does not name a file"));
  }
  if (lstat(place.path.c_str(), &info) != 0) {
    return errno == ENOENT ? absl::OkStatus() : FileError("look at", place.path, errno);
  }
  if (S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot download to ", place.path, ": it is a directory; name a file in it"));
  }
  if (!place.overwrite) {
    return absl::AlreadyExistsError(absl::StrCat("cannot download to ", place.path,
                                                 ": it exists already; remove it or choose another path"));
  }
  if (!S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot download to ", place.path, ": it is not a regular file"));
  }
  return absl::OkStatus();
}

absl::Status CheckPart(const net::Fd& fd, const std::string& path, uint64_t length, struct stat& info) {
  if (fstat(fd.get(), &info) != 0) return FileError("look at", path, errno);
  if (!S_ISREG(info.st_mode) || info.st_nlink != 1) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot download to ", path,
                     ": it is not a file of its own (a device, or linked elsewhere); remove it"));
  }
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot download to ", path, ": another process is downloading to it"));
  }
  if (info.st_size != 0 && static_cast<uint64_t>(info.st_size) != length) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot download to ", path, ": it belongs to another download (", info.st_size,
                     " bytes, this one has ", length, "); remove it or choose another path"));
  }
  return absl::OkStatus();
}

// All the space at once: a disk too small is known now, and blocks land side by side.
absl::Status Allocate(const net::Fd& fd, const std::string& path, uint64_t length) {
  if (fallocate(fd.get(), 0, 0, static_cast<off_t>(length)) == 0) return absl::OkStatus();
  int error = errno;
  if (error == EOPNOTSUPP || error == ENOSYS) {
    if (ftruncate(fd.get(), static_cast<off_t>(length)) == 0) return absl::OkStatus();
    error = errno;
  }
  unlink(path.c_str());  // made just now and still empty
  return FileError(absl::StrCat("reserve ", length, " bytes for").c_str(), path, error);
}

int RenameWithoutReplacing(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // File systems without the flag: a hard link fails just so when the name is taken.
  if (link(from.c_str(), to.c_str()) != 0) return errno;
  unlink(from.c_str());
  return 0;
}

absl::Status SyncContent(const ContentFile& file) {
  if (file.sync_failed) {
    return absl::UnavailableError(absl::StrCat("an earlier sync of ", file.path,
                                               " failed, and the disk may have dropped what was written"));
  }
  if (fdatasync(file.fd.get()) == 0) return absl::OkStatus();
  file.sync_failed = true;
  return FileError("sync", file.path, errno);
}

}  // namespace

ContentFile::~ContentFile() {
  if (untouched && !finished) unlink(path.c_str());
}

absl::StatusOr<std::shared_ptr<ContentFile>> OpenForReading(const FilePlace& place, uint64_t length) {
  auto file = std::make_shared<ContentFile>();
  // O_NONBLOCK: opening a FIFO must not hang.
  file->fd = net::Fd(open(place.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file->fd.valid()) return FileError("open", place.path, errno);
  struct stat info {};
  if (fstat(file->fd.get(), &info) != 0) return FileError("look at", place.path, errno);
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(place.path, " is not a regular file"));
  }
  if (static_cast<uint64_t>(info.st_size) != length) {
    return absl::FailedPreconditionError(absl::StrCat(place.path, " has ", info.st_size,
                                                      " bytes, the torrent says ", length,
                                                      "; it is not the torrent's file, or has been changed"));
  }
  file->path = file->target = place.path;
  file->length = length;
  return file;
}

absl::StatusOr<std::shared_ptr<ContentFile>> OpenForDownload(const FilePlace& place, uint64_t length,
                                                             Slice& resume) {
  absl::Status status = CheckTarget(place);
  if (!status.ok()) return status;
  auto file = std::make_shared<ContentFile>();
  file->target = place.path;
  file->path = place.path + ".part";
  file->overwrite = place.overwrite;
  file->mode = swarm::FileMode::kDownload;
  file->length = length;
  file->fd =
      net::Fd(open(file->path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, kFileMode));
  if (!file->fd.valid()) return FileError("create", file->path, errno);
  struct stat info {};
  status = CheckPart(file->fd, file->path, length, info);
  if (status.ok() && info.st_size == 0) status = Allocate(file->fd, file->path, length);
  if (!status.ok()) return status;
  if (info.st_size != 0) {
    resume = ReadState(file->path + ".state", info);
  } else {
    file->untouched = true;
  }
  return file;
}

absl::Status WriteCheckpoint(const ContentFile& file, const Slice& state) {
  if (absl::Status status = SyncContent(file); !status.ok()) return status;
  struct stat info {};
  if (fstat(file.fd.get(), &info) != 0) return FileError("look at", file.path, errno);
  const std::string body = Encode(SavedState{.inode = info.st_ino,
                                             .length = static_cast<uint64_t>(info.st_size),
                                             .modified_ns = ModifiedNs(info),
                                             .state = state});
  const std::string path = file.path + ".state";
  const std::string fresh = path + ".new";
  const net::Fd fd(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, kFileMode));
  if (!fd.valid()) return FileError("create", fresh, errno);
  const absl::Status status = WriteAll(fd.get(), ChecksumText(body) + body, fresh);
  if (!status.ok()) {
    unlink(fresh.c_str());
    return status;
  }
  if (fsync(fd.get()) != 0) return FileError("sync", fresh, errno);
  if (rename(fresh.c_str(), path.c_str()) != 0) return FileError("rename", fresh, errno);
  return SyncDirectory(DirectoryOf(path));
}

absl::Status FinishDownload(ContentFile& file) {
  if (absl::Status status = SyncContent(file); !status.ok()) return status;
  const int error = !file.overwrite ? RenameWithoutReplacing(file.path, file.target)
                    : rename(file.path.c_str(), file.target.c_str()) == 0 ? 0
                                                                          : errno;
  if (error == EEXIST) {
    return absl::AlreadyExistsError(absl::StrCat("cannot finish the download: ", file.target,
                                                 " has appeared meanwhile; the verified file is ",
                                                 file.path));
  }
  if (error != 0) return FileError("rename the finished", file.path, error);
  file.finished = true;
  unlink((file.path + ".state").c_str());
  return SyncDirectory(DirectoryOf(file.target));
}

}  // namespace bt::nodes
