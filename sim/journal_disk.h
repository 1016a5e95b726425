#pragma once

// JournalDisk: a node's journal on a faulty disk: the production's wal::JournalFiles over a FaultyDirectory,
// with group commit as net/journal_writer does it: what is queued while a commit runs goes out together with
// the next one. Segments and granules are small and drawn, so that segments roll often.
//
// It is also the journal's judge: it keeps a hash of each record, and fails the world when a recovery lacks a
// record it had called durable, brings one that was not written under that number, or refuses a journal that
// is whole.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
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
  // `needed_after`: see wal::JournalFilesOptions.
  JournalDisk(World& world, uint64_t node, wal::Identity identity, DiskFaults faults,
              wal::NeededAfter needed_after = nullptr);

  // A write the machine asked for: in the memory of the process.
  void Queue(JournalWrite write);
  // The machine needs no record below `needed` any more.
  void Forget(WriteSeq needed);
  // No sync is under way.
  bool idle() const { return !syncing_; }
  // Something is not yet durable, and may become so.
  bool pending() const { return failure().ok() && (files_->busy() || !queue_.empty()); }
  // Every record up to it is on the disk, for good.
  WriteSeq durable() const { return durable_; }
  // Goes on with the commit under way, or begins one of everything queued, up to its next sync. Only when
  // idle() and pending(). Returns how long that sync takes.
  Duration BeginSync();
  // The sync is over: the sequence now durable, if that has changed. A commit that begins a segment takes
  // several syncs: pending() says so.
  std::optional<WriteSeq> FinishSync();
  // Not OK: an operation has failed, nothing becomes durable any more, and the process has to stop.
  const absl::Status& failure() const { return files_->failure(); }

  // The process ends, and the machine with it, or as drawn the process alone.
  void Crash();
  // The process ends alone: what it wrote stays in the page cache.
  void CrashProcess();
  // What the production's recovery finds, after interruptions as drawn. An error when it cannot read the
  // journal, or refuses a damaged one.
  absl::StatusOr<wal::JournalRecovery> Recover();
  void StopFaults() { faults_.StopFaults(); }
  void Hang() { faults_.Hang(); }

  // While the process is down: the machine is switched off, and something that had been durable, and of which
  // the journal itself can tell that it had been, is damaged.
  void Damage();
  void Damage(Fault kind);
  bool damaged() const { return damaged_; }

  size_t segments() const { return directory_.files(); }
  // Of its files, as a reader sees them.
  uint64_t bytes() const { return directory_.bytes(); }

 private:
  // The judge's view of a record.
  struct Written {
    uint64_t hash = 0;
    uint64_t bytes = 0;  // in its segment
    WriteSeq vouches;    // the record says of those up to this one that they are durable
  };

  wal::JournalFilesOptions DrawOptions(wal::Identity identity, wal::NeededAfter needed_after);
  void BeginRecovery();
  // Carries out at most `operations`; false when that was not enough.
  bool RunRecovery(uint64_t operations);
  wal::Completion Carry();
  Slice MaybeStale(const std::string& name, Slice bytes);
  void Judge(const wal::JournalRecovery& recovery);
  bool MayRefuse(const absl::Status& status) const;
  std::vector<std::string> Segments() const;
  uint64_t ProvenBytes(const std::string& segment);
  void RotABit(const std::string& segment);
  void MisdirectAWrite(const std::string& segment);
  void DamageOneOf(const std::vector<std::string>& segments, Fault kind);
  void GoBack(const std::string& segment);
  void Truncate(const std::string& segment, bool last);

  World& world_;
  const uint64_t node_;
  RandomStream rng_;
  DiskFaults faults_;
  wal::JournalFilesOptions options_;
  FaultyDirectory directory_;
  std::optional<wal::JournalFiles> files_;  // a new one for each life
  std::vector<JournalWrite> queue_;
  bool syncing_ = false;
  uint64_t crashes_ = 0;
  bool damaged_ = false;
  bool misread_ = false;  // this recovery has been given stale bytes
  // The judge's: record i + 1, how many of them have been called durable, and from which on they are needed.
  std::vector<Written> written_;
  WriteSeq durable_;
  WriteSeq needed_{1};  // the highest that the machine has named
};

}  // namespace bt::sim
