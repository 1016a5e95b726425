#include "net/journal_writer.h"

#include <absl/strings/str_cat.h>

#include <iterator>
#include <utility>

#include "net/loop.h"

namespace bt::net {

JournalWriter::JournalWriter(std::unique_ptr<PosixDirectory> directory,
                             std::unique_ptr<wal::JournalFiles> files, uint64_t queued_bytes_max,
                             std::function<void()> notify)
    : directory_(std::move(directory)),
      files_(std::move(files)),
      queued_bytes_max_(queued_bytes_max),
      notify_(std::move(notify)) {
  progress_.durable = files_->durable();
  progress_.bytes = directory_->bytes();
  progress_.segments = directory_->files();
  thread_ = std::thread([this] { Run(); });
}

JournalWriter::~JournalWriter() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void JournalWriter::Queue(std::vector<JournalWrite>& writes) {
  bool overflow = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const JournalWrite& write : writes)
      progress_.queued_bytes += write.body.size() + wal::kRecordHeaderBytes;
    progress_.most_queued_bytes.Note(progress_.queued_bytes);
    overflow = progress_.queued_bytes > queued_bytes_max_ && progress_.failure.ok();
    if (overflow) {
      progress_.failure = absl::ResourceExhaustedError(absl::StrCat(
          "the journal's disk does not keep up: ", progress_.queued_bytes, " bytes wait to be written"));
    }
    if (queue_.empty()) {
      queue_.swap(writes);
    } else {
      std::move(writes.begin(), writes.end(), std::back_inserter(queue_));
    }
  }
  writes.clear();
  work_.notify_one();
  if (overflow) notify_();
}

void JournalWriter::Forget(WriteSeq needed) {
  const std::lock_guard<std::mutex> lock(mutex_);
  needed_ = needed;
}

JournalWriter::Progress JournalWriter::progress() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return progress_;
}

// Without the lock: the file system may take its time.
void JournalWriter::Measure() {
  measured_ = std::chrono::steady_clock::now();
  const std::optional<uint64_t> free_bytes = directory_->FreeBytes();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (progress_.free_bytes == free_bytes) return;
    progress_.free_bytes = free_bytes;
  }
  notify_();
}

void JournalWriter::Run() {
  BlockAllSignalsInThisThread();
  std::vector<JournalWrite> batch;
  Measure();
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    const bool work =
        work_.wait_until(lock, measured_ + kMeasurePause, [this] { return stopping_ || !queue_.empty(); });
    if (!stopping_ && std::chrono::steady_clock::now() >= measured_ + kMeasurePause) {
      lock.unlock();
      Measure();
      lock.lock();
    }
    if (!work) continue;
    if (queue_.empty() || !progress_.failure.ok()) {
      if (stopping_) return;
      queue_.clear();  // after a failure nothing is written any more
      continue;
    }
    batch.swap(queue_);
    const uint64_t batch_bytes = progress_.queued_bytes;
    files_->Forget(needed_);
    lock.unlock();
    files_->Commit(batch);
    directory_->Run(*files_);
    lock.lock();
    progress_.queued_bytes -= batch_bytes;
    ++progress_.commits;
    progress_.bytes = directory_->bytes();
    progress_.segments = directory_->files();
    progress_.syncs = directory_->syncs();
    progress_.durable = files_->durable();
    if (!files_->failure().ok() && progress_.failure.ok()) progress_.failure = files_->failure();
    lock.unlock();
    notify_();
    lock.lock();
  }
}

}  // namespace bt::net
