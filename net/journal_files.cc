#include "net/journal_files.h"

#include <absl/strings/str_cat.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/base/check.h"
#include "core/wal/scan.h"
#include "net/journal.h"
#include "net/socket.h"

namespace bt::net {
namespace {

constexpr const char* kLockName = "lock";
constexpr uint64_t kZeroAheadBytes = 1024 * 1024;
// One write of a commit; a longer queue takes several, still under one fdatasync.
constexpr size_t kBufferBytesMax = 8 * 1024 * 1024;

absl::StatusOr<Slice> ReadWhole(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat info {};
  if (!fd.valid() || fstat(fd.get(), &info) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
  }
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = pread(fd.get(), bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  bytes.resize(have);
  return Slice::Own(std::move(bytes));
}

bool AllZero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char byte) { return byte == 0; });
}

}  // namespace

absl::StatusOr<std::unique_ptr<JournalFiles>> JournalFiles::Open(Options options, JournalRecovery& recovery) {
  std::unique_ptr<JournalFiles> files(new JournalFiles(std::move(options)));
  absl::Status status = files->LockDirectory();
  if (status.ok()) status = files->Recover(recovery);
  if (!status.ok()) return status;
  return files;
}

std::string JournalFiles::PathOf(const std::string& name) const {
  return absl::StrCat(options_.directory, "/", name);
}

absl::Status JournalFiles::Failed(const char* what, const std::string& path, int error) const {
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

absl::Status JournalFiles::Absent() const {
  return absl::NotFoundError(absl::StrCat("the data directory ", options_.directory, " holds no journal"));
}

absl::Status JournalFiles::LockDirectory() {
  std::error_code error;
  if (!options_.create_if_absent && !std::filesystem::exists(options_.directory, error)) return Absent();
  std::filesystem::create_directories(options_.directory, error);
  if (error) return Failed("make the directory", options_.directory, error.value());
  directory_ = Fd(open(options_.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory_.valid()) return Failed("open the directory", options_.directory, errno);
  const std::string path = PathOf(kLockName);
  lock_ = Fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!lock_.valid()) return Failed("open", path, errno);
  if (flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
  if (errno != EWOULDBLOCK) return Failed("lock", path, errno);
  return absl::AlreadyExistsError(
      absl::StrCat("the data directory ", options_.directory,
                   " is in use by another running node; stop that one or choose another directory"));
}

absl::StatusOr<std::vector<std::string>> JournalFiles::SegmentNames() const {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(options_.directory, error), end; !error && entry != end;
       entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (wal::ParseSegmentFileName(name)) names.push_back(std::move(name));
  }
  if (error) return Failed("list", options_.directory, error.value());
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status JournalFiles::Recover(JournalRecovery& recovery) {
  absl::StatusOr<std::vector<std::string>> names = SegmentNames();
  if (!names.ok()) return names.status();
  std::vector<Slice> segments;
  if (names->empty() && !options_.create_if_absent) return Absent();
  for (const std::string& name : *names) {
    absl::StatusOr<Slice> bytes = ReadWhole(PathOf(name));
    if (!bytes.ok()) return bytes.status();
    segments.push_back(*std::move(bytes));
  }
  wal::ScanResult scan = wal::Scan(segments, options_.identity);
  const std::string where = names->empty() ? options_.directory : PathOf((*names)[scan.segment]);
  if (scan.verdict == wal::Verdict::kForeign) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot use the data directory ", options_.directory, ": ", scan.why,
                     "; check the node's id and members, or choose another directory"));
  }
  if (scan.verdict == wal::Verdict::kCorrupt) {
    return absl::DataLossError(
        absl::StrCat("the journal ", where, " is corrupt at byte ", scan.offset, ": ", scan.why,
                     "; acknowledged records are damaged. Restore the directory from a copy, or let the ",
                     "cluster go on without this node; do not delete it and start again under the same id"));
  }
  recovery.found = names->empty()         ? JournalFound::kNoJournal
                   : scan.records.empty() ? JournalFound::kEmptyJournal
                                          : JournalFound::kRecords;
  recovery.last = scan.last;
  recovery.records = std::move(scan.records);
  durable_ = scan.last;
  if (names->empty()) return CreateSegment(scan.last.next());
  if (scan.verdict == wal::Verdict::kTorn) {
    const std::string_view tail = segments.back().view().substr(scan.offset);
    if (scan.offset == 0 || !AllZero(tail)) {
      recovery.cut_bytes = tail.size();
      recovery.cut_why = absl::StrCat(where, ": ", scan.why);
    }
    const absl::Status status = Cut(names->back(), scan.offset);
    if (!status.ok()) return status;
    if (scan.offset == 0) return CreateSegment(scan.last.next());
  }
  return OpenSegment(names->back(), scan.offset);
}

// The cut is durable before anything is appended: what was cut must not come back behind new records.
absl::Status JournalFiles::Cut(const std::string& name, uint64_t offset) {
  const std::string path = PathOf(name);
  if (offset == 0) {
    if (unlink(path.c_str()) != 0) return Failed("remove", path, errno);
    return SyncDirectory();
  }
  const Fd fd(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return Failed("open", path, errno);
  if (ftruncate(fd.get(), static_cast<off_t>(offset)) != 0) return Failed("cut", path, errno);
  if (fsync(fd.get()) != 0) return Failed("sync", path, errno);
  return absl::OkStatus();
}

absl::Status JournalFiles::OpenSegment(const std::string& name, uint64_t offset) {
  segment_path_ = PathOf(name);
  segment_ = Fd(open(segment_path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!segment_.valid()) return Failed("open", segment_path_, errno);
  end_ = zeroed_ = offset;
  return absl::OkStatus();
}

// The segment gets its name when its header is durable: a process that dies in between leaves a file that
// recovery does not look at, never a segment that looks damaged.
absl::Status JournalFiles::CreateSegment(WriteSeq first) {
  const std::string path = PathOf(wal::SegmentFileName(first));
  segment_path_ = absl::StrCat(path, ".new");
  segment_ = Fd(open(segment_path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!segment_.valid()) return Failed("create", segment_path_, errno);
  end_ = zeroed_ = 0;
  absl::Status status = WriteOut(wal::EncodeSegmentHeader(options_.identity, first));
  if (status.ok()) status = Sync();
  if (!status.ok()) return status;
  if (rename(segment_path_.c_str(), path.c_str()) != 0) return Failed("name", path, errno);
  segment_path_ = path;
  return SyncDirectory();
}

// Everything in a segment is durable, and nothing behind it, before the next one is created: that is what
// lets the scan call any damage before a later segment corruption.
absl::Status JournalFiles::CloseSegment() {
  if (ftruncate(segment_.get(), static_cast<off_t>(end_)) != 0) return Failed("cut", segment_path_, errno);
  if (fsync(segment_.get()) != 0) return Failed("sync", segment_path_, errno);
  return absl::OkStatus();
}

absl::Status JournalFiles::Commit(std::span<const JournalWrite> writes) {
  for (size_t i = 0; i < writes.size();) {
    if (end_ >= options_.segment_bytes) {
      // What this commit wrote before is synced by CloseSegment, so it is durable for what follows.
      absl::Status status = CloseSegment();
      if (status.ok()) durable_ = writes[i].seq - 1;
      if (status.ok()) status = CreateSegment(writes[i].seq);
      if (!status.ok()) return status;
    }
    buffer_.clear();
    const uint64_t room = options_.segment_bytes - std::min(options_.segment_bytes, end_);
    while (i < writes.size() &&
           buffer_.size() < std::min<uint64_t>(std::max<uint64_t>(room, 1), kBufferBytesMax)) {
      const JournalWrite& write = writes[i++];
      wal::AppendRecord(buffer_, options_.identity, write.seq, durable_, write.type, write.body.view());
    }
    const absl::Status status = WriteOut(buffer_);
    if (!status.ok()) return status;
  }
  if (buffer_.capacity() > 2 * kBufferBytesMax) buffer_ = std::string();
  const absl::Status status = Sync();
  if (status.ok() && !writes.empty()) durable_ = writes.back().seq;
  return status;
}

// Appends to the segment; a short write is an error like any other.
absl::Status JournalFiles::WriteOut(std::string_view bytes) {
  const uint64_t new_end = end_ + bytes.size();
  std::string zeros;
  if (new_end > zeroed_) zeros.assign(kZeroAheadBytes, '\0');
  for (std::string_view part : {bytes, std::string_view(zeros)}) {
    uint64_t at = part.data() == bytes.data() ? end_ : new_end;
    while (!part.empty()) {
      const ssize_t written = pwrite(segment_.get(), part.data(), part.size(), static_cast<off_t>(at));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Failed("write to", segment_path_, errno);
      if (written == 0) return Failed("write to", segment_path_, EIO);
      part.remove_prefix(static_cast<size_t>(written));
      at += static_cast<uint64_t>(written);
    }
  }
  end_ = new_end;
  if (!zeros.empty()) zeroed_ = new_end + kZeroAheadBytes;
  return absl::OkStatus();
}

absl::Status JournalFiles::Sync() {
  if (fdatasync(segment_.get()) != 0) return Failed("sync", segment_path_, errno);
  return absl::OkStatus();
}

absl::Status JournalFiles::SyncDirectory() {
  if (fsync(directory_.get()) != 0) return Failed("sync", options_.directory, errno);
  return absl::OkStatus();
}

}  // namespace bt::net
