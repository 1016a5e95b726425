#pragma once

// JournalDisk: a node's journal on a faulty disk: the production's wal::JournalFiles over a FaultyDirectory,
// with group commit as net/journal_writer does it: what is queued while a commit runs goes out together with
// the next one. Segments and granules are small and drawn, so that segments roll often.
//
// It is also the journal's judge: it keeps a hash of each record, and a recovery that lacks a record it had
// called durable, or brings one that was not written under that number, is refused.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "core/machine/outbox.h"
#include "core/wal/format.h"
#include "core/wal/journal_files.h"
#include "sim/disk.h"
#include "sim/faulty_directory.h"
#include "sim/world.h"

namespace bt::sim {

class JournalDisk {
 public:
  // The journal is there, durable and empty, as the operator makes it before a node's first start.
  JournalDisk(World& world, uint64_t node, wal::Identity identity, DiskFaults faults);

  // A write the machine asked for: in the memory of the process.
  void Queue(JournalWrite write);
  // No sync is under way.
  bool idle() const { return !syncing_; }
  // Something is not yet durable.
  bool pending() const { return files_->busy() || !queue_.empty(); }
  // Every record up to it is on the disk, for good.
  WriteSeq durable() const { return durable_; }
  // Goes on with the commit under way, or begins one of everything queued, up to its next sync. Only when
  // idle() and pending(). Returns how long that sync takes.
  Duration BeginSync();
  // The sync is over: the sequence now durable, if that has changed. A commit that begins a segment takes
  // several syncs: pending() says so.
  std::optional<WriteSeq> FinishSync();
  void Crash();
  // What the production's recovery finds, after interruptions as drawn. An error when it refuses the journal,
  // or when the judge does.
  absl::StatusOr<wal::JournalRecovery> Recover();
  void StopSlowing() { faults_.StopDelaying(); }

  size_t segments() const { return directory_.files(); }

 private:
  wal::JournalFilesOptions DrawOptions(wal::Identity identity);
  void BeginRecovery();
  // Carries out at most `operations`; false when that was not enough.
  bool RunRecovery(uint64_t operations);
  absl::Status Judge(const wal::JournalRecovery& recovery);

  World& world_;
  RandomStream rng_;
  DiskFaults faults_;
  wal::JournalFilesOptions options_;
  FaultyDirectory directory_;
  std::optional<wal::JournalFiles> files_;  // a new one for each life
  std::vector<JournalWrite> queue_;
  bool syncing_ = false;
  uint64_t crashes_ = 0;
  // The judge's: record i + 1's hash, and how many of them have been called durable.
  std::vector<uint64_t> written_;
  WriteSeq durable_;
};

}  // namespace bt::sim
