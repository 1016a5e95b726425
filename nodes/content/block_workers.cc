#include "nodes/content/block_workers.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <tuple>
#include <utility>

#include "core/base/digest.h"
#include "core/torrent/content_id.h"
#include "core/torrent/sha1.h"
#include "net/loop.h"
#include "nodes/shared/files.h"

namespace bt::nodes {
namespace {

constexpr size_t kBlocksPerRun = 32;
constexpr size_t kReadBytes = 64 * kBlockSize;

// Whether the block is the first of a file of a tree: what is written with one system call is of one file.
bool BeginsAnother(const BlockWorkers::StoreJob& job) {
  if (job.file->tree == nullptr) return false;
  const absl::StatusOr<TreeFiles::Extent> extent = job.file->Locate(job.file, job.block.offset);
  return !extent.ok() || extent->offset == 0;
}

}  // namespace

BlockWorkers::BlockWorkers(int hash_threads, uint64_t write_back_bytes, std::function<void()> notify)
    : write_back_bytes_(write_back_bytes), notify_(std::move(notify)) {
  for (int i = 0; i < hash_threads; ++i) threads_.emplace_back([this] { RunHashing(); });
  threads_.emplace_back([this] { RunSlow(); });
}

BlockWorkers::~BlockWorkers() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  slow_work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void BlockWorkers::Queue(std::vector<Job>& jobs) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::move(jobs.begin(), jobs.end(), std::back_inserter(jobs_));
  }
  jobs.clear();
  work_.notify_all();
}

void BlockWorkers::QueueSlow(SlowJob job) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    slow_jobs_.push_back(std::move(job));
  }
  slow_work_.notify_one();
}

BlockWorkers::Done BlockWorkers::TakeDone() {
  const std::lock_guard<std::mutex> lock(done_mutex_);
  return std::exchange(done_, Done{});
}

void BlockWorkers::Report(Done& done) {
  bool first = false;
  {
    const std::lock_guard<std::mutex> lock(done_mutex_);
    first = done_.completions.empty();
    std::move(done.completions.begin(), done.completions.end(), std::back_inserter(done_.completions));
    done_.stored_bytes += done.stored_bytes;
    done_.writes += done.writes;
    done_.hashed_bytes += done.hashed_bytes;
  }
  done.completions.clear();
  done.stored_bytes = done.writes = done.hashed_bytes = 0;
  if (first) notify_();
}

void BlockWorkers::RunHashing() {
  net::BlockAllSignalsInThisThread();
  std::vector<StoreJob> run;
  std::vector<char> buffer;
  Done done;
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    if (auto* hash = std::get_if<HashJob>(&jobs_.front())) {
      const HashJob job = std::move(*hash);
      jobs_.pop_front();
      lock.unlock();
      Hash(job, buffer, done);
    } else {
      run.clear();
      while (!jobs_.empty() && run.size() < kBlocksPerRun &&
             std::holds_alternative<StoreJob>(jobs_.front())) {
        run.push_back(std::move(std::get<StoreJob>(jobs_.front())));
        jobs_.pop_front();
      }
      lock.unlock();
      StoreRun(run, done);
      run.clear();  // lets go of the received bytes before the completion is told
    }
    Report(done);
    lock.lock();
  }
}

void BlockWorkers::RunSlow() {
  net::BlockAllSignalsInThisThread();
  Done done;
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    slow_work_.wait(lock, [this] { return stopping_ || !slow_jobs_.empty(); });
    if (slow_jobs_.empty()) return;
    const SlowJob job = std::move(slow_jobs_.front());
    slow_jobs_.pop_front();
    lock.unlock();
    std::optional<Completion> completion = job();
    if (completion) done.completions.push_back(*std::move(completion));
    Report(done);
    lock.lock();
  }
}

void BlockWorkers::StoreRun(std::vector<StoreJob>& jobs, Done& done) {
  std::stable_sort(jobs.begin(), jobs.end(), [](const StoreJob& a, const StoreJob& b) {
    return std::make_tuple(a.block.file, a.block.offset) < std::make_tuple(b.block.file, b.block.offset);
  });
  for (size_t i = 0; i < jobs.size();) {
    size_t end = i + 1;
    while (end < jobs.size() && jobs[end].file == jobs[i].file &&
           jobs[end].block.offset == jobs[end - 1].block.offset + jobs[end - 1].block.bytes.size() &&
           !BeginsAnother(jobs[end])) {
      ++end;
    }
    const std::span<StoreJob> neighbours(jobs.data() + i, end - i);
    std::array<Sha256Digest, kBlocksPerRun> leaves;
    for (size_t n = 0; n < neighbours.size(); ++n) leaves[n] = Sha256(neighbours[n].block.bytes.view());
    const absl::Status status = WriteNeighbours(neighbours, done);
    for (size_t n = 0; n < neighbours.size(); ++n) {
      done.stored_bytes += neighbours[n].block.bytes.size();
      done.completions.push_back({swarm::BlockStored{neighbours[n].block.token, status, leaves[n]}, nullptr});
    }
    i = end;
  }
}

absl::Status BlockWorkers::WriteNeighbours(std::span<StoreJob> jobs, Done& done) const {
  const ContentFile& file = *jobs.front().file;
  std::array<iovec, kBlocksPerRun> vectors;
  uint64_t total = 0;
  for (size_t i = 0; i < jobs.size(); ++i) {
    const Slice& bytes = jobs[i].block.bytes;
    vectors[i] = {const_cast<char*>(bytes.data()), bytes.size()};
    total += bytes.size();
  }
  file.untouched = false;
  const absl::StatusOr<TreeFiles::Extent> extent = file.Locate(jobs.front().file, jobs.front().block.offset);
  if (!extent.ok()) return extent.status();
  if (extent->file == nullptr || extent->length < total) {
    return absl::OutOfRangeError(absl::StrCat("no place for ", total, " bytes in ", file.path));
  }
  uint64_t at = extent->offset;
  size_t next = 0;
  while (next < jobs.size()) {
    const ssize_t written = pwritev(extent->file->fd.get(), vectors.data() + next,
                                    static_cast<int>(jobs.size() - next), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return FileError("write", extent->file->path, written < 0 ? errno : EIO);
    ++done.writes;
    at += static_cast<uint64_t>(written);
    size_t left = static_cast<size_t>(written);
    while (next < jobs.size() && left >= vectors[next].iov_len) left -= vectors[next++].iov_len;
    if (left > 0) {
      vectors[next] = {static_cast<char*>(vectors[next].iov_base) + left, vectors[next].iov_len - left};
    }
  }
  if (file.tree != nullptr) file.tree->Written(jobs.front().block.offset);
  // The disk starts now, so that the sync at the end finds little left to do.
  if (write_back_bytes_ > 0 && file.unwritten_bytes.fetch_add(total) + total >= write_back_bytes_) {
    file.unwritten_bytes = 0;
    sync_file_range(extent->file->fd.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
  }
  return absl::OkStatus();
}

namespace {

// Fills `buffer` with the content's bytes from `offset` on.
absl::Status ReadAt(const std::shared_ptr<const ContentFile>& file, uint64_t offset, std::span<char> buffer) {
  while (!buffer.empty()) {
    const absl::StatusOr<TreeFiles::Extent> extent = file->Locate(file, offset);
    if (!extent.ok()) return extent.status();
    size_t step = std::min<uint64_t>(buffer.size(), extent->length);
    if (extent->file == nullptr) {
      std::fill_n(buffer.begin(), step, '\0');
    } else {
      const ssize_t got =
          pread(extent->file->fd.get(), buffer.data(), step, static_cast<off_t>(extent->offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return FileError("read", extent->file->path, errno);
      if (got == 0) {
        return absl::DataLossError(absl::StrCat("cannot read ", extent->file->path, " at ", extent->offset,
                                                ": the file has become shorter"));
      }
      step = static_cast<size_t>(got);
    }
    buffer = buffer.subspan(step);
    offset += step;
  }
  return absl::OkStatus();
}

}  // namespace

void BlockWorkers::Hash(const HashJob& job, std::vector<char>& buffer, Done& done) const {
  buffer.resize(kReadBytes);
  swarm::RangeHashed result{.token = job.range.token, .status = absl::OkStatus(), .leaves = {}, .sha1 = {}};
  const bool leaves = job.range.kind == swarm::RangeHash::kLeaves;
  if (leaves) result.leaves.reserve((job.range.length + kBlockSize - 1) / kBlockSize);
  Sha1Stream sha1;
  uint64_t offset = job.range.offset;
  uint64_t left = job.range.length;
  while (left > 0 && result.status.ok()) {
    const size_t want = std::min<uint64_t>(left, kReadBytes);
    result.status = ReadAt(job.file, offset, std::span(buffer).first(want));
    if (!result.status.ok()) break;
    const std::string_view bytes(buffer.data(), want);
    if (!leaves) sha1.Update(bytes);
    for (size_t at = 0; leaves && at < want; at += kBlockSize) {
      result.leaves.push_back(Sha256(bytes.substr(at, kBlockSize)));
    }
    offset += want;
    left -= want;
    done.hashed_bytes += want;
  }
  if (!result.status.ok()) result.leaves.clear();
  if (!leaves && result.status.ok()) result.sha1 = sha1.Finish();
  done.completions.push_back({std::move(result), nullptr});
}

}  // namespace bt::nodes
