#include "nodes/content/tree_files.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "nodes/content/rename.h"
#include "nodes/shared/files.h"

namespace bt::nodes {
namespace {

constexpr mode_t kFileMode = 0666;  // the umask decides
constexpr mode_t kDirectoryMode = 0777;

}  // namespace

TreeFiles::TreeFiles(net::Fd directory, std::string path, std::vector<swarm::FilePart> parts, bool writable)
    : made_{std::move(directory), std::move(path)}, parts_(std::move(parts)), writable_(writable) {
  for (size_t i = 0; i < parts_.size(); ++i) {
    if (parts_[i].length > 0) not_empty_.push_back(i);
    places_.push_back(parts_[i].selected ? Place::kMade : Place::kNowhere);
  }
}

void TreeFiles::UseTarget(net::Fd directory, std::string path) {
  target_ = {std::move(directory), std::move(path)};
}

net::Fd TreeFiles::Walk(const Root& root, const std::string& path, int flags, unsigned mode) {
  net::Fd at;
  std::string_view left = path;
  while (true) {
    const int from = at.valid() ? at.get() : root.directory.get();
    const size_t cut = left.find('/');
    const std::string part(left.substr(0, cut));
    const bool last = cut == std::string_view::npos;
    const int how = last ? flags : O_PATH | O_DIRECTORY;
    net::Fd next(openat(from, part.c_str(), how | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, mode));
    if (!next.valid() || last) return next;
    at = std::move(next);
    left.remove_prefix(cut + 1);
  }
}

TreeFiles::Entry TreeFiles::EntryOf(const Root& root, const std::string& path) {
  const size_t cut = path.rfind('/');
  if (cut == std::string::npos) return {net::Fd(), root.directory.get(), path};
  net::Fd parent = Walk(root, path.substr(0, cut), O_PATH | O_DIRECTORY, 0);
  const int at = parent.get();
  return {std::move(parent), at, path.substr(cut + 1)};
}

std::vector<std::string> TreeFiles::Directories() const {
  absl::btree_set<std::string> directories;
  for (const swarm::FilePart& part : parts_) {
    if (!part.selected) continue;
    for (size_t cut = part.path.find('/'); cut != std::string::npos; cut = part.path.find('/', cut + 1)) {
      directories.insert(part.path.substr(0, cut));
    }
  }
  return {directories.begin(), directories.end()};  // a directory is a prefix of what is in it
}

absl::Status TreeFiles::CheckAll() const {
  for (size_t i = 0; i < parts_.size(); ++i) {
    if (!parts_[i].selected) continue;
    const net::Fd fd = Walk(made_, parts_[i].path, O_RDONLY, 0);
    if (!fd.valid()) return FileError("open", PathOf(i), errno);
    struct stat info {};
    if (fstat(fd.get(), &info) != 0) return FileError("look at", PathOf(i), errno);
    if (!S_ISREG(info.st_mode)) {
      return absl::FailedPreconditionError(absl::StrCat(PathOf(i), " is not a regular file"));
    }
    if (static_cast<uint64_t>(info.st_size) != parts_[i].length) {
      return absl::FailedPreconditionError(
          absl::StrCat(PathOf(i), " has ", info.st_size, " bytes, the torrent says ", parts_[i].length,
                       "; it is not the torrent's file, or has been changed"));
    }
  }
  return absl::OkStatus();
}

absl::Status TreeFiles::MakeDirectories(const Root& root) const {
  for (const std::string& directory : Directories()) {
    const Entry entry = EntryOf(root, directory);
    if (entry.at < 0) return FileError("open", Join(root, directory), errno);
    if (mkdirat(entry.at, entry.name.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
      return FileError("create", Join(root, directory), errno);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> TreeFiles::InTarget(size_t part) const {
  if (!target_.directory.valid() || !parts_[part].selected) return false;
  const std::string path = Join(target_, parts_[part].path);
  const net::Fd fd = Walk(target_, parts_[part].path, O_PATH, 0);
  if (!fd.valid()) {
    if (errno == ENOENT) return false;
    return FileError("look at", path, errno);
  }
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return FileError("look at", path, errno);
  if (S_ISREG(info.st_mode) && static_cast<uint64_t>(info.st_size) == parts_[part].length) return true;
  return absl::AlreadyExistsError(
      absl::StrCat("cannot download to ", path,
                   ": it exists already, and is not the torrent's; remove it or choose another path"));
}

absl::Status TreeFiles::Make(size_t i, swarm::PartFound& found) const {
  const swarm::FilePart& part = parts_[i];
  const net::Fd fd = Walk(made_, part.path, O_RDWR | O_CREAT, part.executable ? kDirectoryMode : kFileMode);
  if (!fd.valid()) return FileError("create", PathOf(i), errno);
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return FileError("look at", PathOf(i), errno);
  if (!S_ISREG(info.st_mode) || info.st_nlink != 1 ||
      (info.st_size != 0 && static_cast<uint64_t>(info.st_size) != part.length)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot download to ", PathOf(i),
        ": it is not a file of this download (another length, a device, or linked elsewhere); remove it"));
  }
  if (info.st_size != 0) found = swarm::PartFound::kStarted;
  if (static_cast<uint64_t>(info.st_size) == part.length) return absl::OkStatus();
  if (fallocate(fd.get(), 0, 0, static_cast<off_t>(part.length)) == 0) return absl::OkStatus();
  if (errno == EOPNOTSUPP || errno == ENOSYS) {
    if (ftruncate(fd.get(), static_cast<off_t>(part.length)) == 0) return absl::OkStatus();
  }
  return FileError(absl::StrCat("reserve ", part.length, " bytes for").c_str(), PathOf(i), errno);
}

// Of a file that is not selected: whether an earlier selection has left it here.
bool TreeFiles::Started(size_t part) const {
  const net::Fd fd = Walk(made_, parts_[part].path, O_PATH, 0);
  struct stat info {};
  return fd.valid() && fstat(fd.get(), &info) == 0 && S_ISREG(info.st_mode) && info.st_nlink == 1 &&
         static_cast<uint64_t>(info.st_size) == parts_[part].length;
}

absl::Status TreeFiles::MakeAll(std::vector<swarm::PartFound>& found) {
  found.assign(parts_.size(), swarm::PartFound::kNew);
  if (absl::Status status = MakeDirectories(made_); !status.ok()) return status;
  for (size_t i = 0; i < parts_.size(); ++i) {
    const absl::StatusOr<bool> in_target = InTarget(i);
    if (!in_target.ok()) return in_target.status();
    if (*in_target) {
      places_[i] = Place::kTarget;
      found[i] = swarm::PartFound::kInPlace;
    } else if (parts_[i].selected) {
      if (absl::Status status = Make(i, found[i]); !status.ok()) return status;
    } else if (Started(i)) {
      places_[i] = Place::kMade;
      found[i] = swarm::PartFound::kStarted;
    }
  }
  return absl::OkStatus();
}

void TreeFiles::RemoveAll() {
  const auto remove = [&](const std::string& path, int flags) {
    const Entry entry = EntryOf(made_, path);
    if (entry.at >= 0) unlinkat(entry.at, entry.name.c_str(), flags);
  };
  for (const swarm::FilePart& part : parts_) {
    if (part.selected) remove(part.path, 0);
  }
  std::vector<std::string> directories = Directories();
  for (auto one = directories.rbegin(); one != directories.rend(); ++one) remove(*one, AT_REMOVEDIR);
  rmdir(made_.path.c_str());
}

absl::Status TreeFiles::Move(size_t part) const {
  const std::string path = Join(target_, parts_[part].path);
  const Entry from = EntryOf(made_, parts_[part].path);
  if (from.at < 0) return FileError("open", PathOf(part), errno);
  const Entry to = EntryOf(target_, parts_[part].path);
  if (to.at < 0) return FileError("open", path, errno);
  const int error = RenameWithoutReplacing(from.at, from.name, to.at, to.name);
  if (error == EEXIST) {
    return absl::AlreadyExistsError(absl::StrCat("cannot finish the download: ", path,
                                                 " has appeared meanwhile; the verified file is ",
                                                 PathOf(part)));
  }
  return error == 0 ? absl::OkStatus() : FileError("rename the finished", PathOf(part), error);
}

absl::Status TreeFiles::MoveSelected() {
  if (absl::Status status = MakeDirectories(target_); !status.ok()) return status;
  for (size_t i = 0; i < parts_.size(); ++i) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!parts_[i].selected || places_[i] == Place::kTarget) continue;
    if (absl::Status status = Move(i); !status.ok()) return status;
    places_[i] = Place::kTarget;
  }
  CloseAll();
  if (absl::Status status = SyncDirectories(target_); !status.ok()) return status;
  const std::vector<std::string> directories = Directories();
  for (auto one = directories.rbegin(); one != directories.rend(); ++one) {
    const Entry entry = EntryOf(made_, *one);
    if (entry.at >= 0) unlinkat(entry.at, entry.name.c_str(), AT_REMOVEDIR);
  }
  return absl::OkStatus();
}

size_t TreeFiles::PartAt(uint64_t offset) const {
  const auto after = std::upper_bound(not_empty_.begin(), not_empty_.end(), offset,
                                      [&](uint64_t at, size_t part) { return at < parts_[part].offset; });
  return *std::prev(after);  // the first begins at 0
}

absl::StatusOr<TreeFiles::Extent> TreeFiles::Locate(uint64_t offset) const {
  const size_t part = PartAt(offset);
  const uint64_t end = parts_[part].offset + parts_[part].length;
  if (offset >= end) {
    const bool last = part == not_empty_.back();
    const uint64_t next =
        last ? UINT64_MAX : parts_[*std::upper_bound(not_empty_.begin(), not_empty_.end(), part)].offset;
    return Extent{nullptr, 0, next - offset};
  }
  absl::StatusOr<std::shared_ptr<const net::ReadableFile>> file = Open(part);
  if (!file.ok()) return file.status();
  return Extent{*std::move(file), offset - parts_[part].offset, end - offset};
}

absl::StatusOr<std::shared_ptr<const net::ReadableFile>> TreeFiles::Open(size_t part) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (const auto found = open_.find(part); found != open_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second);
    return recent_.front().second;
  }
  if (places_[part] == Place::kNowhere) {
    return absl::NotFoundError(absl::StrCat(PathOf(part), " was not selected"));
  }
  const bool made = places_[part] == Place::kMade;
  const Root& root = made ? made_ : target_;
  auto file = std::make_shared<net::ReadableFile>();
  file->path = Join(root, parts_[part].path);
  file->fd = Walk(root, parts_[part].path, writable_ && made ? O_RDWR : O_RDONLY, 0);
  if (!file->fd.valid()) return FileError("open", file->path, errno);
  if (recent_.size() == kOpenFiles) {
    open_.erase(recent_.back().first);
    recent_.pop_back();
  }
  recent_.emplace_front(part, file);
  open_[part] = recent_.begin();
  return file;
}

void TreeFiles::Written(uint64_t offset) const {
  const size_t part = PartAt(offset);
  const std::lock_guard<std::mutex> lock(mutex_);
  unsynced_.insert(part);
}

absl::Status TreeFiles::Sync() const {
  absl::btree_set<size_t> unsynced;
  bool directories = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    unsynced.swap(unsynced_);
    std::swap(directories, directories_unsynced_);
  }
  for (const size_t part : unsynced) {
    const absl::StatusOr<std::shared_ptr<const net::ReadableFile>> file = Open(part);
    if (!file.ok()) return file.status();
    if (fdatasync((*file)->fd.get()) != 0) return FileError("sync", (*file)->path, errno);
  }
  return directories ? SyncDirectories(made_) : absl::OkStatus();
}

absl::Status TreeFiles::SyncDirectories(const Root& root) const {
  for (const std::string& directory : Directories()) {
    const net::Fd fd = Walk(root, directory, O_RDONLY | O_DIRECTORY, 0);
    if (!fd.valid() || fsync(fd.get()) != 0) return FileError("sync", Join(root, directory), errno);
  }
  if (fsync(root.directory.get()) != 0) return FileError("sync", root.path, errno);
  return absl::OkStatus();
}

void TreeFiles::CloseAll() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  open_.clear();
  recent_.clear();
}

int64_t TreeFiles::ModifiedNs() const {
  int64_t latest = 0;
  for (const swarm::FilePart& part : parts_) {
    const net::Fd fd = Walk(made_, part.path, O_PATH, 0);
    struct stat info {};
    if (!fd.valid() || fstat(fd.get(), &info) != 0) continue;
    latest = std::max(latest, int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec);
  }
  return latest;
}

}  // namespace bt::nodes
