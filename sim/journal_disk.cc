#include "sim/journal_disk.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <utility>

#include "core/base/check.h"
#include "core/base/digest.h"

namespace bt::sim {

JournalDisk::JournalDisk(World& world, uint64_t node, wal::Identity identity, DiskFaults faults)
    : world_(world),
      rng_(world.Stream("journal disk", node)),
      faults_(faults),
      options_(DrawOptions(identity)) {
  BeginRecovery();
  CHECK(RunRecovery(UINT64_MAX) && files_->failure().ok());
  options_.create_if_absent = false;
}

wal::JournalFilesOptions JournalDisk::DrawOptions(wal::Identity identity) {
  const uint64_t granule_bits = rng_.Between(7, 12);
  return {.identity = identity,
          .path = "journal",
          .segment_bytes = uint64_t{1} << rng_.Between(9, 16),
          .granule_bits = static_cast<uint8_t>(granule_bits)};
}

void JournalDisk::Queue(JournalWrite write) {
  CHECK(write.seq.value() == written_.size() + 1);
  written_.push_back(HashBytes(write.body.view(), write.type));
  queue_.push_back(std::move(write));
}

Duration JournalDisk::BeginSync() {
  CHECK(idle() && pending());
  if (!files_->busy()) files_->Commit(queue_);
  while (!directory_.syncing()) files_->Done(directory_.Finish());
  syncing_ = true;
  return SyncTime(world_, rng_, faults_);
}

std::optional<WriteSeq> JournalDisk::FinishSync() {
  CHECK(syncing_);
  syncing_ = false;
  files_->Done(directory_.Finish());
  if (files_->durable() == durable_) return std::nullopt;
  durable_ = files_->durable();
  return durable_;
}

void JournalDisk::Crash() {
  queue_.clear();
  syncing_ = false;
  RandomStream rng = rng_.Fork("crash", ++crashes_);
  if (rng.Chance(faults_.process_only_percent, 100)) {
    world_.Count(Fault::kKeptPageCache);
    directory_.CrashProcess();
  } else {
    directory_.Crash(world_, rng, faults_);
  }
}

void JournalDisk::BeginRecovery() {
  files_.emplace(options_, directory_);
  files_->Recover();
}

bool JournalDisk::RunRecovery(uint64_t operations) {
  for (; files_->busy(); --operations) {
    if (operations == 0) return false;
    files_->Done(directory_.Finish());
  }
  return true;
}

absl::StatusOr<wal::JournalRecovery> JournalDisk::Recover() {
  BeginRecovery();
  while (rng_.Chance(faults_.interrupt_recovery_percent, 100) && !RunRecovery(rng_.Between(1, 20))) {
    world_.Count(Fault::kCrashWhileRecovering);
    Crash();
    BeginRecovery();
  }
  RunRecovery(UINT64_MAX);
  if (!files_->failure().ok()) return files_->failure();
  wal::JournalRecovery recovery = files_->TakeRecovery();
  if (const absl::Status status = Judge(recovery); !status.ok()) return status;
  return recovery;
}

// Whatever recovery has given to the machine counts as durable from here on.
absl::Status JournalDisk::Judge(const wal::JournalRecovery& recovery) {
  if (recovery.last < durable_) {
    return absl::DataLossError(absl::StrCat(
        "record ", durable_.value(), " had been durable, the journal ends at ", recovery.last.value()));
  }
  for (const JournalRecord& record : recovery.records) {
    if (record.seq.value() > written_.size()) {
      return absl::DataLossError(
          absl::StrCat("record ", record.seq.value(), " had been cut off and is back"));
    }
    if (HashBytes(record.body.view(), record.type) != written_[record.seq.value() - 1]) {
      return absl::DataLossError(
          absl::StrCat("record ", record.seq.value(), " is another one than was written"));
    }
  }
  durable_ = recovery.last;
  written_.resize(durable_.value());
  return absl::OkStatus();
}

}  // namespace bt::sim
