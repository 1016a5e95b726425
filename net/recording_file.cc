#include "net/recording_file.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>
#include <utility>

#include "core/base/check.h"
#include "net/loop.h"
#include "net/socket.h"

namespace bt::net {

absl::StatusOr<std::unique_ptr<RecordingFile>> RecordingFile::Create(const std::string& path,
                                                                     uint64_t limit) {
  const std::string old = absl::StrCat(path, ".old");
  if (::rename(path.c_str(), old.c_str()) != 0 && errno != ENOENT) {
    return absl::UnavailableError(absl::StrCat(path, ": cannot be renamed to ", old, ": ", ErrnoText(errno)));
  }
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return absl::UnavailableError(absl::StrCat(path, ": ", ErrnoText(errno)));
  return std::unique_ptr<RecordingFile>(new RecordingFile(std::move(fd), limit));
}

RecordingFile::RecordingFile(Fd fd, uint64_t limit)
    : fd_(std::move(fd)), limit_(limit), thread_([this] { Run(); }) {}

RecordingFile::~RecordingFile() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

absl::Status RecordingFile::Keep(std::string block) {
  if (bytes_ + block.size() + kLastBlockBytesMax > limit_) {
    return absl::ResourceExhaustedError("the recording has as many bytes as it may");
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!failure_.ok()) return failure_;
    if (!queue_.empty() && queued_bytes_ - queue_.front().size() + block.size() > kQueuedBytesMax) {
      return absl::ResourceExhaustedError("the disk does not take the recording as fast as it grows");
    }
  }
  Queue(std::move(block));
  return absl::OkStatus();
}

void RecordingFile::KeepLast(std::string block) {
  CHECK(block.size() <= kLastBlockBytesMax);
  Queue(std::move(block));
}

void RecordingFile::Queue(std::string block) {
  bytes_ += block.size();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    queued_bytes_ += block.size();
    queue_.push_back(std::move(block));
  }
  work_.notify_one();
}

absl::Status RecordingFile::WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return absl::UnavailableError(absl::StrCat("its file: ", ErrnoText(errno)));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

void RecordingFile::Run() {
  BlockAllSignalsInThisThread();
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const std::vector<std::string> batch = std::exchange(queue_, {});
    queued_bytes_ = 0;
    absl::Status written = failure_;
    lock.unlock();
    for (const std::string& block : batch) {
      if (written.ok()) written = WriteAll(fd_.get(), block);
    }
    lock.lock();
    failure_ = written;
  }
}

}  // namespace bt::net
