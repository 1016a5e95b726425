#pragma once

// JournalDisk: a node's journal, as core/wal bytes in segments on a faulty disk, with group commit: what
// is queued while a sync runs goes out together with the next one. Recovery is the production scan.

#include <absl/status/statusor.h>

#include <cstdint>
#include <vector>

#include "core/machine/input.h"
#include "core/machine/outbox.h"
#include "core/wal/format.h"
#include "sim/disk.h"
#include "sim/world.h"

namespace bt::sim {

class JournalDisk {
 public:
  JournalDisk(World& world, uint64_t node, wal::Identity identity, DiskFaults faults);

  // A write the machine asked for: in the memory of the process.
  void Queue(JournalWrite write) { queue_.push_back(std::move(write)); }
  bool idle() const { return !syncing_; }
  bool pending() const { return syncing_ || !queue_.empty(); }
  // Hands everything queued to the disk as one write. idle() and something queued. Returns how long its
  // sync takes.
  Duration BeginSync();
  // The sync is over: the sequence now durable.
  WriteSeq FinishSync();
  void Crash();
  // What the production scan finds; a torn tail is cut. An error when it refuses the journal.
  absl::StatusOr<std::vector<JournalRecord>> Recover();
  void StopSlowing() { faults_.slow_ppm = 0; }

  uint64_t bytes() const;

 private:
  World& world_;
  Rng rng_;
  wal::Identity identity_;
  DiskFaults faults_;
  uint64_t segment_limit_;
  std::vector<FaultyFile> segments_;
  std::vector<JournalWrite> queue_;
  bool syncing_ = false;
  WriteSeq in_sync_;
  WriteSeq durable_;
};

}  // namespace bt::sim
