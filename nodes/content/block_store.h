#pragma once

// BlockStore: the content files of a machine. It executes file effects on worker threads and delivers file
// inputs on the loop's thread, in batches: one thread hashes and writes blocks, another does what waits for
// the disk (open, checkpoint, finish), so that an fsync does not hold up hashing.
//
// A download lives in PATH.part, beside it PATH.part.state (the machine's last checkpoint), until
// FinishFile has synced and renamed it. An existing PATH is never overwritten unless the place says so.

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/swarm/file_effects.h"
#include "net/loop.h"
#include "nodes/content/block_workers.h"
#include "nodes/content/content_file.h"

namespace bt::nodes {

struct BlockStoreOptions {
  int hash_threads = 1;  // 1 or more
  // Congested above `high`, until below `low` again (bytes of StoreBlock not yet completed).
  uint64_t queued_bytes_high = 8 * 1024 * 1024;
  uint64_t queued_bytes_low = 4 * 1024 * 1024;
  // Past this a block is refused: whoever receives did not heed the congestion.
  uint64_t queued_bytes_max = 128 * 1024 * 1024;
  // The kernel is asked to start writing back after so many new bytes; 0: never.
  uint64_t write_back_bytes = 16 * 1024 * 1024;
  Duration watch_period = Seconds(2);  // how often offered files are looked at
};

class BlockStore {
 public:
  struct Counters {
    uint64_t blocks = 0;
    uint64_t block_bytes = 0;
    uint64_t writes = 0;  // system calls for them
    uint64_t hashed_bytes = 0;
    uint64_t congestions = 0;
  };
  using Resolve = std::function<FilePlace(const swarm::OpenFile&)>;

  BlockStore(net::Loop& loop, BlockStoreOptions options, Resolve resolve);
  // Finishes what was queued; its completions are not delivered.
  ~BlockStore();

  // Before the first effect. `deliver` is never called from within Execute; `congestion` may be.
  void Connect(std::function<void(swarm::FileDone)> deliver, std::function<void(bool)> congestion);

  void Execute(swarm::FileEffect effect);

  // Where the byte at `offset` of an open file lies; nowhere when the file is not open (yet, or any more), or
  // that part of it cannot be opened.
  net::FileSpot Find(FileId file, uint64_t offset) const;

  bool congested() const { return congested_; }
  uint64_t queued_bytes() const { return queued_bytes_; }
  // Of completed work.
  const Counters& counters() const { return counters_; }

 private:
  void Start(swarm::OpenFile effect);
  void Start(swarm::StoreBlock effect);
  void Start(swarm::HashRange effect);
  void Start(swarm::Checkpoint effect);
  void Start(swarm::FinishFile effect);
  void Start(swarm::CloseFile effect);
  std::shared_ptr<ContentFile> FindOpen(FileId file) const;
  void Refuse(swarm::FileDone completion);
  void OnDone();
  void LookAtOffered();
  void SetCongested(bool congested);

  const BlockStoreOptions options_;
  Resolve resolve_;
  std::function<void(swarm::FileDone)> deliver_;
  std::function<void(bool)> congestion_;
  absl::flat_hash_map<FileId, std::shared_ptr<ContentFile>> files_;
  std::vector<BlockWorkers::Job> jobs_;  // of this iteration, for the hashing threads
  std::unique_ptr<BlockWorkers> workers_;
  net::Deferred flush_;
  std::vector<swarm::FileDone> refused_;  // completions found without a worker
  net::Deferred tell_refused_;
  net::Timer watch_timer_;
  uint64_t queued_bytes_ = 0;
  bool congested_ = false;
  std::shared_ptr<bool> alive_;  // cleared by the destructor: posted functions may come after it
  Counters counters_;
};

}  // namespace bt::nodes
