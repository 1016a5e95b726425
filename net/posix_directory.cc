#include "net/posix_directory.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>
#include <variant>

#include "core/base/check.h"
#include "core/base/overloaded.h"
#include "net/loop.h"
#include "net/socket.h"

namespace bt::net {
namespace {

constexpr const char* kLockName = "lock";

absl::Status Failed(const char* what, const std::string& path, int error) {
  const std::string text = absl::StrCat("the journal cannot ", what, " ", path, ": ", ErrnoText(error));
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    return absl::ResourceExhaustedError(absl::StrCat(
        text, "; make room on that disk and start the node again, nothing acknowledged is lost"));
  }
  if (error == EACCES || error == EPERM || error == EROFS) {
    return absl::PermissionDeniedError(
        absl::StrCat(text, "; choose a data directory that this user can write"));
  }
  return absl::UnavailableError(absl::StrCat(text, "; check that disk before starting the node again"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<PosixDirectory>> PosixDirectory::Open(std::string path, bool create) {
  std::unique_ptr<PosixDirectory> directory(new PosixDirectory(std::move(path)));
  std::error_code error;
  if (create) {
    std::filesystem::create_directories(directory->path_, error);
    if (error) return Failed("make the directory", directory->path_, error.value());
  } else if (!std::filesystem::exists(directory->path_, error)) {
    return absl::NotFoundError(absl::StrCat("there is no data directory ", directory->path_));
  }
  const absl::Status status = directory->Lock();
  if (!status.ok()) return status;
  return directory;
}

absl::Status PosixDirectory::Lock() {
  directory_ = Fd(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory_.valid()) return Failed("open the directory", path_, errno);
  const std::string path = PathOf(kLockName);
  lock_ = Fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!lock_.valid()) return Failed("open", path, errno);
  if (flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
  if (errno != EWOULDBLOCK) return Failed("lock", path, errno);
  return absl::AlreadyExistsError(
      absl::StrCat("the data directory ", path_,
                   " is in use by another running node; stop that one or choose another directory"));
}

std::string PosixDirectory::PathOf(const std::string& name) const { return absl::StrCat(path_, "/", name); }

void PosixDirectory::Begin(wal::Operation operation) {
  CHECK(!operation_.has_value());
  operation_ = std::move(operation);
}

wal::Completion PosixDirectory::Finish() {
  CHECK(operation_.has_value());
  const wal::Operation operation = *std::exchange(operation_, std::nullopt);
  const auto only = [](absl::Status status) { return wal::Completion{.status = std::move(status)}; };
  return std::visit(
      Overloaded{
          [&](const wal::ListFiles&) { return List(); },
          [&](const wal::ReadFile& read) { return Read(read); },
          [&](const wal::CreateFile& create) { return only(Use(create.name, O_CREAT | O_TRUNC)); },
          [&](const wal::WriteFile& write) { return only(Write(write)); },
          [&](const wal::SyncFile& sync) {
            const absl::Status status = Use(sync.name, 0);
            return only(status.ok() ? Sync(file_.get(), PathOf(sync.name)) : status);
          },
          [&](const wal::RenameFile& rename) { return only(Rename(rename)); },
          [&](const wal::RemoveFile& remove) {
            sizes_.erase(remove.name);
            if (unlink(PathOf(remove.name).c_str()) == 0) return only(absl::OkStatus());
            return only(Failed("remove", PathOf(remove.name), errno));
          },
          [&](const wal::SyncDirectory&) {
            if (fsync(directory_.get()) == 0) return only(absl::OkStatus());
            return only(Failed("sync", path_, errno));
          },
      },
      operation);
}

wal::Completion PosixDirectory::List() const {
  wal::Completion done;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path_, error), end; !error && entry != end;
       entry.increment(error)) {
    done.names.push_back(entry->path().filename().string());
  }
  if (error) done.status = Failed("list", path_, error.value());
  return done;
}

absl::Status PosixDirectory::Sync(int fd, const std::string& path) {
  const Instant began = Loop::ReadClock();
  if (fdatasync(fd) != 0) return Failed("sync", path, errno);
  syncs_.Add(Loop::ReadClock() - began);
  return absl::OkStatus();
}

uint64_t PosixDirectory::bytes() const {
  uint64_t sum = 0;
  for (const auto& [name, size] : sizes_) sum += size;
  return sum;
}

std::optional<uint64_t> PosixDirectory::FreeBytes() const {
  struct statvfs info {};
  if (fstatvfs(directory_.get(), &info) != 0) return std::nullopt;
  return uint64_t{info.f_bavail} * info.f_frsize;
}

wal::Completion PosixDirectory::Read(const wal::ReadFile& read) {
  const std::string path = PathOf(read.name);
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat info {};
  if (!fd.valid() || fstat(fd.get(), &info) != 0) return {.status = Failed("read", path, errno)};
  const uint64_t size = static_cast<uint64_t>(info.st_size);
  std::string bytes(std::min(size, read.bytes_max), '\0');
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = pread(fd.get(), bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return {.status = Failed("read", path, errno)};
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  bytes.resize(have);
  sizes_[read.name] = size;
  return {.bytes = Slice::Own(std::move(bytes))};
}

absl::Status PosixDirectory::Use(const std::string& name, int flags) {
  if (flags == 0 && file_.valid() && file_name_ == name) return absl::OkStatus();
  const std::string path = PathOf(name);
  file_ = Fd(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0644));
  file_name_ = name;
  if (!file_.valid()) return Failed(flags == 0 ? "open" : "create", path, errno);
  return absl::OkStatus();
}

// A short write is carried on; one that writes nothing is an error like any other.
absl::Status PosixDirectory::Write(const wal::WriteFile& write) {
  if (const absl::Status status = Use(write.name, 0); !status.ok()) return status;
  std::string_view bytes = write.bytes.view();
  uint64_t at = write.offset;
  while (!bytes.empty()) {
    const ssize_t written = pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return Failed("write to", PathOf(write.name), written == 0 ? EIO : errno);
    bytes.remove_prefix(static_cast<size_t>(written));
    at += static_cast<uint64_t>(written);
  }
  sizes_[write.name] = std::max(sizes_[write.name], at);
  return absl::OkStatus();
}

absl::Status PosixDirectory::Rename(const wal::RenameFile& rename) {
  if (::rename(PathOf(rename.from).c_str(), PathOf(rename.to).c_str()) != 0) {
    return Failed("name", PathOf(rename.to), errno);
  }
  if (file_name_ == rename.from) file_name_ = rename.to;
  sizes_[rename.to] = sizes_[rename.from];
  sizes_.erase(rename.from);
  return absl::OkStatus();
}

}  // namespace bt::net
