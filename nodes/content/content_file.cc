#include "nodes/content/content_file.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/digest.h"
#include "core/base/fields.h"
#include "net/socket.h"
#include "nodes/content/rename.h"
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
  StoreLittle(text.data(), HashBytes(bytes), 8);
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

// How a part file is known again.
struct Identity {
  uint64_t inode = 0;
  uint64_t length = 0;
  int64_t modified_ns = 0;
};

absl::StatusOr<Identity> IdentityOf(const ContentFile& file) {
  struct stat info {};
  const int fd = file.tree != nullptr ? file.tree->directory() : file.fd.get();
  if (fstat(fd, &info) != 0) return FileError("look at", file.path, errno);
  if (file.tree != nullptr) return Identity{info.st_ino, file.length, file.tree->ModifiedNs()};
  return Identity{info.st_ino, static_cast<uint64_t>(info.st_size), ModifiedNs(info)};
}

// The state saved for exactly this file, or empty: a state that is damaged, of another file or older than a
// file put back from a copy is as good as none.
Slice ReadState(const std::string& path, const Identity& part) {
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
  if (!saved.ok() || saved->version != SavedState::kVersion || saved->inode != part.inode ||
      saved->length != part.length || saved->modified_ns > part.modified_ns) {
    return {};
  }
  return saved->state;
}

// TARGET.part, with room behind it for .state.new.
std::string PartPath(const std::string& target) {
  const size_t slash = target.rfind('/');
  const std::string directory = slash == std::string::npos ? "" : target.substr(0, slash + 1);
  return directory +
         NameThatFits(target.substr(directory.size()), ".part", std::string_view(".state.new").size());
}

// A download never goes where something else already is; files that were selected go beside it.
absl::Status CheckTarget(const FilePlace& place, bool tree, bool selection) {
  struct stat info {};
  if (place.path.empty() || place.path.back() == '/') {
    return absl::InvalidArgumentError(absl::StrCat("'", place.path, "' does not name a file"));
  }
  if (lstat(place.path.c_str(), &info) != 0) {
    return errno == ENOENT ? absl::OkStatus() : FileError("look at", place.path, errno);
  }
  if (S_ISDIR(info.st_mode) && !tree) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot download to ", place.path, ": it is a directory; name a file in it"));
  }
  if (selection && S_ISDIR(info.st_mode)) return absl::OkStatus();
  if (!place.overwrite || tree) {
    const bool takes_more = tree && !selection && S_ISDIR(info.st_mode);
    return absl::AlreadyExistsError(absl::StrCat(
        "cannot download to ", place.path, ": it exists already; remove it or choose another path",
        takes_more ? ", or have what it lacks put into it with --select '*'" : ""));
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

absl::Status SyncContent(const ContentFile& file) {
  if (file.sync_failed) {
    return absl::UnavailableError(absl::StrCat("an earlier sync of ", file.path,
                                               " failed, and the disk may have dropped what was written"));
  }
  absl::Status status = absl::OkStatus();
  if (file.tree != nullptr) {
    status = file.tree->Sync();
  } else if (fdatasync(file.fd.get()) != 0) {
    status = FileError("sync", file.path, errno);
  }
  if (!status.ok()) file.sync_failed = true;
  return status;
}

absl::StatusOr<std::shared_ptr<ContentFile>> OpenFileForReading(const FilePlace& place,
                                                                const swarm::OpenFile& effect) {
  const uint64_t length = effect.length;
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

absl::StatusOr<std::shared_ptr<ContentFile>> OpenTreeForReading(const FilePlace& place,
                                                                const swarm::OpenFile& effect) {
  auto file = std::make_shared<ContentFile>();
  net::Fd directory(open(place.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid() && errno == ENOTDIR) {
    return absl::FailedPreconditionError(
        absl::StrCat(place.path, " is a file, and the torrent's content a directory of files"));
  }
  if (!directory.valid()) return FileError("open", place.path, errno);
  file->path = file->target = place.path;
  file->length = effect.length;
  file->tree = std::make_unique<TreeFiles>(std::move(directory), place.path, effect.parts, false);
  if (absl::Status status = file->tree->CheckAll(); !status.ok()) return status;
  return file;
}

// The directory into which a selection's files go, if it is there; never by a link.
absl::Status UseTarget(ContentFile& file) {
  net::Fd target(open(file.target.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!target.valid()) return errno == ENOENT ? absl::OkStatus() : FileError("open", file.target, errno);
  file.tree->UseTarget(std::move(target), file.target);
  return absl::OkStatus();
}

// TARGET.part is a directory, and the lock on it.
absl::Status OpenTreeForDownload(ContentFile& file, const swarm::OpenFile& effect, Resumed& resumed) {
  const bool fresh = mkdir(file.path.c_str(), 0777) == 0;
  if (!fresh && errno != EEXIST) return FileError("create", file.path, errno);
  net::Fd directory(open(file.path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory.valid()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot download to ", file.path, ": ", net::ErrnoText(errno), "; remove it or choose another path"));
  }
  if (flock(directory.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot download to ", file.path, ": another process is downloading to it"));
  }
  file.tree = std::make_unique<TreeFiles>(std::move(directory), file.path, effect.parts, true);
  // Before files are made, whose times are those of no checkpoint.
  const absl::StatusOr<Identity> identity = IdentityOf(file);
  if (!identity.ok()) return identity.status();
  absl::Status status = effect.selection ? UseTarget(file) : absl::OkStatus();
  if (status.ok()) status = file.tree->MakeAll(resumed.parts);
  if (!status.ok()) {
    if (fresh) file.tree->RemoveAll();
    return status;
  }
  file.untouched = fresh;
  if (!fresh) resumed.state = ReadState(file.path + ".state", *identity);
  return absl::OkStatus();
}

// What was selected gets its names. What an earlier selection has begun stays, with the state that says what
// of it is there.
absl::Status FinishSelection(ContentFile& file) {
  const std::string state_path = file.path + ".state";
  const absl::StatusOr<Identity> identity = IdentityOf(file);
  if (!identity.ok()) return identity.status();
  const Slice state = ReadState(state_path, *identity);
  if (file.tree->final_directory() == file.tree->directory()) {
    if (mkdir(file.target.c_str(), 0777) != 0 && errno != EEXIST) {
      return FileError("create", file.target, errno);
    }
    if (absl::Status status = UseTarget(file); !status.ok()) return status;
  }
  if (absl::Status status = file.tree->MoveSelected(); !status.ok()) return status;
  file.finished = true;
  file.watch = std::make_unique<ContentWatch>(file.target, file.length, file.opened_as.parts);
  if (rmdir(file.path.c_str()) == 0) {
    unlink(state_path.c_str());
  } else if (!state.empty()) {
    if (absl::Status status = WriteCheckpoint(file, state); !status.ok()) return status;
  }
  return SyncDirectory(DirectoryOf(file.target));
}

}  // namespace

ContentFile::~ContentFile() {
  if (!untouched || finished) return;
  if (tree != nullptr) {
    tree->RemoveAll();
  } else {
    unlink(path.c_str());
  }
}

absl::StatusOr<TreeFiles::Extent> ContentFile::Locate(const std::shared_ptr<const ContentFile>& self,
                                                      uint64_t offset) const {
  if (tree != nullptr) return tree->Locate(offset);
  if (offset >= length) return absl::OutOfRangeError(absl::StrCat(path, " has no byte ", offset));
  return TreeFiles::Extent{self, offset, length - offset};
}

absl::StatusOr<std::shared_ptr<ContentFile>> OpenForReading(const FilePlace& place,
                                                            const swarm::OpenFile& effect) {
  absl::StatusOr<std::shared_ptr<ContentFile>> file =
      effect.parts.empty() ? OpenFileForReading(place, effect) : OpenTreeForReading(place, effect);
  if (!file.ok()) return file;
  (*file)->opened_as = effect;
  (*file)->watch = std::make_unique<ContentWatch>(place.path, effect.length, effect.parts);
  return file;
}

std::optional<swarm::FileChanged> LookAgain(const ContentFile& file, std::shared_ptr<ContentFile>& opened) {
  const std::optional<ContentWatch::Change> change = file.watch->Look();
  if (!change) return std::nullopt;
  swarm::FileChanged changed{file.opened_as.file, change->offset, change->length, absl::OkStatus()};
  // Files of a tree are found by their paths, but those that are open just now.
  if (file.tree != nullptr) file.tree->CloseAll();
  struct stat here {};
  struct stat there {};
  const int fd = file.tree != nullptr ? file.tree->final_directory() : file.fd.get();
  const bool same = fstat(fd, &here) == 0 && stat(file.target.c_str(), &there) == 0 &&
                    here.st_dev == there.st_dev && here.st_ino == there.st_ino;
  if (same) return changed;
  swarm::OpenFile again = file.opened_as;
  again.mode = swarm::FileMode::kRead;
  absl::StatusOr<std::shared_ptr<ContentFile>> reopened = OpenForReading({file.target, false}, again);
  changed.status = reopened.status();
  changed.offset = 0;
  changed.length = file.length;
  if (reopened.ok()) opened = *std::move(reopened);
  return changed;
}

absl::StatusOr<std::shared_ptr<ContentFile>> OpenForDownload(const FilePlace& place,
                                                             const swarm::OpenFile& effect,
                                                             Resumed& resumed) {
  const uint64_t length = effect.length;
  absl::Status status = CheckTarget(place, !effect.parts.empty(), effect.selection);
  if (!status.ok()) return status;
  auto file = std::make_shared<ContentFile>();
  file->target = place.path;
  file->path = PartPath(place.path);
  file->overwrite = place.overwrite;
  file->mode = swarm::FileMode::kDownload;
  file->opened_as = effect;
  file->length = length;
  if (!effect.parts.empty()) {
    status = OpenTreeForDownload(*file, effect, resumed);
    if (!status.ok()) return status;
    return file;
  }
  file->fd =
      net::Fd(open(file->path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, kFileMode));
  if (!file->fd.valid()) return FileError("create", file->path, errno);
  struct stat info {};
  status = CheckPart(file->fd, file->path, length, info);
  if (status.ok() && info.st_size == 0) status = Allocate(file->fd, file->path, length);
  if (!status.ok()) return status;
  if (info.st_size != 0) {
    resumed.state = ReadState(file->path + ".state",
                              {info.st_ino, static_cast<uint64_t>(info.st_size), ModifiedNs(info)});
  } else {
    file->untouched = true;
  }
  return file;
}

absl::Status WriteCheckpoint(const ContentFile& file, const Slice& state) {
  if (absl::Status status = SyncContent(file); !status.ok()) return status;
  const absl::StatusOr<Identity> identity = IdentityOf(file);
  if (!identity.ok()) return identity.status();
  const std::string body = Encode(SavedState{.inode = identity->inode,
                                             .length = identity->length,
                                             .modified_ns = identity->modified_ns,
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
  if (file.opened_as.selection) return FinishSelection(file);
  const int error = !file.overwrite ? RenameWithoutReplacing(AT_FDCWD, file.path, AT_FDCWD, file.target)
                    : rename(file.path.c_str(), file.target.c_str()) == 0 ? 0
                                                                          : errno;
  if (error == EEXIST) {
    return absl::AlreadyExistsError(absl::StrCat("cannot finish the download: ", file.target,
                                                 " has appeared meanwhile; the verified file is ",
                                                 file.path));
  }
  if (error != 0) return FileError("rename the finished", file.path, error);
  file.finished = true;
  file.watch = std::make_unique<ContentWatch>(file.target, file.length, file.opened_as.parts);
  unlink((file.path + ".state").c_str());
  return SyncDirectory(DirectoryOf(file.target));
}

}  // namespace bt::nodes
