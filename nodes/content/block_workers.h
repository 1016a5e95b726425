#pragma once

// BlockWorkers: the threads behind a BlockStore. Hashing threads take runs of blocks, hash each and write
// neighbours with one system call; one more thread does what waits for the disk. Finished work is collected
// until the loop takes it.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <variant>
#include <vector>

#include "core/swarm/file_effects.h"
#include "nodes/content/content_file.h"

namespace bt::nodes {

class BlockWorkers {
 public:
  struct StoreJob {
    std::shared_ptr<const ContentFile> file;
    swarm::StoreBlock block;
  };
  struct HashJob {
    std::shared_ptr<const ContentFile> file;
    swarm::HashRange range;
  };
  using Job = std::variant<StoreJob, HashJob>;

  struct Completion {
    swarm::FileDone input;
    std::shared_ptr<ContentFile> opened;  // by an OpenFile that succeeded, or in place of a file that is gone
  };
  using SlowJob = std::function<std::optional<Completion>()>;  // nullopt: there is nothing to tell

  struct Done {
    std::vector<Completion> completions;
    uint64_t stored_bytes = 0;  // of StoreBlocks among them, failed ones included
    uint64_t writes = 0;
    uint64_t hashed_bytes = 0;
  };

  // `notify` is called on a worker when there is something to take where there was nothing.
  BlockWorkers(int hash_threads, uint64_t write_back_bytes, std::function<void()> notify);
  // Finishes everything queued.
  ~BlockWorkers();

  // Takes all of `jobs` and leaves it empty.
  void Queue(std::vector<Job>& jobs);
  void QueueSlow(SlowJob job);

  Done TakeDone();

 private:
  void RunHashing();
  void RunSlow();
  void StoreRun(std::vector<StoreJob>& jobs, Done& done);
  absl::Status WriteNeighbours(std::span<StoreJob> jobs, Done& done) const;
  void Hash(const HashJob& job, std::vector<char>& buffer, Done& done) const;
  void Report(Done& done);

  const uint64_t write_back_bytes_;
  const std::function<void()> notify_;

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable slow_work_;
  // All guarded by mutex_.
  std::deque<Job> jobs_;
  std::deque<SlowJob> slow_jobs_;
  bool stopping_ = false;

  std::mutex done_mutex_;
  Done done_;  // guarded by done_mutex_

  std::vector<std::thread> threads_;
};

}  // namespace bt::nodes
