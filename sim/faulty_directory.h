#pragma once

// FaultyDirectory: wal::Directory over a simulated disk. What an operation does is visible at once, and
// durable only after the sync that is meant for it: SyncFile for the bytes of a file, SyncDirectory for the
// names. A crash loses, tears or keeps unsynced writes (FaultyFile) and forgets or keeps unsynced creations,
// renames and removals, each as drawn. An operation may fail, with what the page cache and the disk then hold
// left open; while the machine is down, what had been durable may be damaged.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/wal/directory.h"
#include "sim/disk.h"
#include "sim/random_stream.h"
#include "sim/world.h"

namespace bt::sim {

class FaultyDirectory final : public wal::Directory {
 public:
  void Begin(wal::Operation operation) override;
  // An operation has been begun, and it is a sync: it takes its time, all others are done at once.
  bool syncing() const;
  // Carries out what has been begun.
  wal::Completion Finish();
  // The same, or what a failure as drawn leaves of it.
  wal::Completion Finish(World& world, RandomStream& rng, const DiskFaults& faults);
  // Bytes that are visible and that the file's next sync would write.
  uint64_t unsynced_bytes(const std::string& name) const;
  // The machine goes down; an operation under way is dropped.
  void Crash(World& world, RandomStream& rng, const DiskFaults& faults);
  // The process alone does: what it wrote stays in the page cache, synced or not.
  void CrashProcess() { operation_.reset(); }

  size_t files() const { return names_.size(); }
  uint64_t bytes() const;
  // As a reader sees it now.
  std::optional<std::string> Look(const std::string& name) const;
  std::vector<std::string> FileNames() const;
  const std::optional<wal::Operation>& operation() const { return operation_; }

  // While nothing is unsynced: damage to what is at rest.
  FaultyFile& AtRest(const std::string& name) { return File(name); }
  void LoseEntry(const std::string& name);
  void Swap(const std::string& one, const std::string& other);

 private:
  using FileNumber = uint64_t;
  using Names = absl::btree_map<std::string, FileNumber>;
  // A change of the names. Creation: from "" to a name; removal: from a name to "".
  struct Change {
    FileNumber file;
    std::string from;
    std::string to;
  };
  static void Apply(const Change& change, Names& names);
  void Make(Change change);
  wal::Completion Create(const std::string& name);
  FaultyFile& File(const std::string& name);
  wal::Completion Fail(RandomStream& rng, absl::Status failure);

  Names names_;          // as seen
  Names durable_names_;  // as a crash leaves them at least
  std::vector<Change> unsynced_;
  absl::btree_map<FileNumber, FaultyFile> files_;
  FileNumber next_file_ = 0;
  std::optional<wal::Operation> operation_;
};

}  // namespace bt::sim
