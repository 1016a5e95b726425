#include "sim/journal_disk.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "core/base/check.h"
#include "core/base/digest.h"

namespace bt::sim {
namespace {

constexpr Duration kSlowSync = Milliseconds(5);

}  // namespace

JournalDisk::JournalDisk(World& world, uint64_t node, wal::Identity identity, DiskFaults faults,
                         wal::NeededAfter needed_after)
    : world_(world),
      node_(node),
      rng_(world.Stream("journal disk", node)),
      faults_(faults),
      options_(DrawOptions(identity, std::move(needed_after))) {
  BeginRecovery();
  while (files_->busy()) files_->Done(directory_.Finish());
  CHECK(files_->failure().ok());
  options_.create_if_absent = false;
}

wal::JournalFilesOptions JournalDisk::DrawOptions(wal::Identity identity, wal::NeededAfter needed_after) {
  const uint64_t granule_bits = rng_.Between(7, 12);
  // A disk that syncs slowly and is made to sync after every few records never catches up with its node.
  const uint64_t segment_bits =
      std::max<uint64_t>(rng_.Between(9, 16), faults_.sync_max > kSlowSync ? 12 : 0);
  return {.identity = identity,
          .path = "journal",
          .segment_bytes = uint64_t{1} << segment_bits,
          .granule_bits = static_cast<uint8_t>(granule_bits),
          .needed_after = std::move(needed_after)};
}

// --- a life ---

void JournalDisk::Queue(JournalWrite write) {
  CHECK(write.seq.value() == written_.size() + 1);
  written_.push_back(
      {HashBytes(write.body.view(), write.type), wal::kRecordHeaderBytes + write.body.size(), WriteSeq(0)});
  queue_.push_back(std::move(write));
}

void JournalDisk::Forget(WriteSeq needed) {
  CHECK(needed <= durable_.next());
  needed_ = std::max(needed_, needed);
  files_->Forget(needed);
}

Duration JournalDisk::BeginSync() {
  CHECK(idle() && pending());
  if (!files_->busy()) {
    for (const JournalWrite& write : queue_) written_[write.seq.value() - 1].vouches = files_->durable();
    files_->Commit(queue_);
  }
  while (files_->busy() && !directory_.syncing()) files_->Done(Carry());
  syncing_ = true;
  if (!files_->busy()) return faults_.sync_min;  // a write has failed
  const auto* file = std::get_if<wal::SyncFile>(&*directory_.operation());
  return SyncTime(world_, rng_, faults_, file == nullptr ? 0 : directory_.unsynced_bytes(file->name));
}

std::optional<WriteSeq> JournalDisk::FinishSync() {
  CHECK(syncing_);
  syncing_ = false;
  if (files_->busy()) files_->Done(Carry());
  if (files_->durable() == durable_) return std::nullopt;
  durable_ = files_->durable();
  return durable_;
}

wal::Completion JournalDisk::Carry() {
  const auto* read = std::get_if<wal::ReadFile>(&*directory_.operation());
  if (read == nullptr) return directory_.Finish(world_, rng_, faults_);
  const std::string name = read->name;
  wal::Completion done = directory_.Finish(world_, rng_, faults_);
  if (done.status.ok()) done.bytes = MaybeStale(name, std::move(done.bytes));
  return done;
}

void JournalDisk::CrashProcess() {
  queue_.clear();
  syncing_ = false;
  directory_.CrashProcess();
}

void JournalDisk::Crash() {
  RandomStream rng = rng_.Fork("crash", ++crashes_);
  if (rng.Chance(faults_.process_only_percent, 100)) {
    world_.Count(Fault::kKeptPageCache);
    return CrashProcess();
  }
  queue_.clear();
  syncing_ = false;
  directory_.Crash(world_, rng, faults_);
}

// --- recovery ---

void JournalDisk::BeginRecovery() {
  misread_ = false;
  files_.emplace(options_, directory_);
  files_->Recover();
}

bool JournalDisk::RunRecovery(uint64_t operations) {
  for (; files_->busy(); --operations) {
    if (operations == 0) return false;
    files_->Done(Carry());
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
  if (!failure().ok()) {
    if (!MayRefuse(failure())) {
      world_.Fail(absl::StrCat(
          "journal: that of node ", node_,
          " is refused although the disk only lost unsynced writes: ", std::string(failure().message())));
    }
    return failure();
  }
  wal::JournalRecovery recovery = files_->TakeRecovery();
  Judge(recovery);
  return recovery;
}

// What a disk that answers with an error makes of a recovery passes; damage does not.
bool JournalDisk::MayRefuse(const absl::Status& status) const {
  if (absl::IsUnavailable(status) || absl::IsResourceExhausted(status)) return true;
  return absl::IsDataLoss(status) ? damaged_ || misread_ : absl::IsNotFound(status) && damaged_;
}

// Whatever recovery has given to the machine counts as durable from here on.
void JournalDisk::Judge(const wal::JournalRecovery& recovery) {
  const auto fail = [&](std::string what) {
    world_.Fail(absl::StrCat("journal: node ", node_, " recovers: ", what));
  };
  if (recovery.last < durable_) {
    return fail(absl::StrCat("record ", durable_.value(), " had been durable, the journal ends at ",
                             recovery.last.value()));
  }
  const WriteSeq first = recovery.last.next() - recovery.records.size();
  // What a whole snapshot has made needless the recovery finds by itself, before the machine has said so:
  // that it passes over too much of it is for the judges of what the machine then knows.
  const WriteSeq needed = options_.needed_after ? std::max(needed_, recovery.needed) : needed_;
  if (first > needed) {
    return fail(absl::StrCat("the records from ", needed.value(), " on are needed, the journal begins at ",
                             first.value()));
  }
  for (const JournalRecord& record : recovery.records) {
    if (record.seq.value() > written_.size()) {
      return fail(absl::StrCat("record ", record.seq.value(), " had been cut off and is back"));
    }
    if (HashBytes(record.body.view(), record.type) != written_[record.seq.value() - 1].hash) {
      return fail(absl::StrCat("record ", record.seq.value(), " is another one than was written"));
    }
  }
  durable_ = recovery.last;
  written_.resize(durable_.value());
}

// --- damage ---

std::vector<std::string> JournalDisk::Segments() const {
  std::vector<std::string> names = directory_.FileNames();
  std::erase_if(names, [](const std::string& name) { return !wal::ParseSegmentFileName(name).has_value(); });
  return names;
}

// How many bytes at the front of a segment are proven to have been durable by what is behind them: a later
// segment, or the last durable record. The last group of writes vouches for itself alone: damage to it looks
// like a crash before its sync, and only other nodes could tell (core/wal/README.md).
uint64_t JournalDisk::ProvenBytes(const std::string& segment) {
  const std::vector<std::string> segments = Segments();
  const auto next = std::next(std::find(segments.begin(), segments.end(), segment));
  const uint64_t first = wal::ParseSegmentFileName(segment)->value();
  uint64_t end = 1;  // behind the last proven record
  if (next != segments.end()) {
    end = wal::ParseSegmentFileName(*next)->value();
  } else if (durable_ > WriteSeq(0)) {
    end = written_[durable_.value() - 1].vouches.next().value();
  }
  uint64_t bytes = wal::kSegmentHeaderBytes;
  for (uint64_t record = first; record < end; ++record) bytes += written_[record - 1].bytes;
  if (next != segments.end()) bytes += wal::kSealBytes;
  // Where a segment behind this one was removed, its records do not count for this one.
  return std::min(bytes, directory_.AtRest(segment).size());
}

void JournalDisk::RotABit(const std::string& segment) {
  directory_.AtRest(segment).Alter(rng_.Below(ProvenBytes(segment)));
}

void JournalDisk::MisdirectAWrite(const std::string& segment) {
  const uint64_t sectors = ProvenBytes(segment) / kSectorBytes;
  if (sectors < 2) return RotABit(segment);
  const uint64_t to = rng_.Below(sectors);
  const uint64_t from = (to + rng_.Between(1, sectors - 1)) % sectors;
  directory_.AtRest(segment).Misdirect(to * kSectorBytes, from * kSectorBytes);
}

void JournalDisk::Damage() {
  constexpr Fault kKinds[] = {Fault::kBitRot,        Fault::kMisdirectedWrite, Fault::kLostEntry,
                              Fault::kLostDirectory, Fault::kSwappedFiles,     Fault::kOlderFile,
                              Fault::kTruncatedFile};
  Damage(kKinds[rng_.Below(std::size(kKinds))]);
}

void JournalDisk::Damage(Fault kind) {
  directory_.Crash(world_, rng_, faults_);
  damaged_ = true;
  world_.Count(kind);
  const std::vector<std::string> segments = Segments();
  if (!segments.empty()) DamageOneOf(segments, kind);
}

void JournalDisk::DamageOneOf(const std::vector<std::string>& segments, Fault kind) {
  const size_t draw = rng_.Below(segments.size());
  const std::string& segment = segments[draw];
  if (directory_.AtRest(segment).size() == 0) return;  // an earlier damage that nobody has to look at
  switch (kind) {
    case Fault::kMisdirectedWrite:
      return MisdirectAWrite(segment);
    case Fault::kLostEntry:
      return directory_.LoseEntry(segment);
    case Fault::kSwappedFiles:
      if (segments.size() == 1) return RotABit(segment);
      return directory_.Swap(segment,
                             segments[(draw + rng_.Between(1, segments.size() - 1)) % segments.size()]);
    case Fault::kOlderFile:
      // Nothing vouches for what the last one holds behind its last proven record: only other nodes do.
      if (segments.size() == 1) return RotABit(segment);
      return GoBack(segments[rng_.Below(segments.size() - 1)]);
    case Fault::kTruncatedFile:
      return Truncate(segment, /*last=*/draw + 1 == segments.size());
    case Fault::kLostDirectory:
      for (const std::string& name : directory_.FileNames()) directory_.LoseEntry(name);
      return;
    default:
      return RotABit(segment);
  }
}

// What is left of the last one vouches for its length up to the granule that it ends in; a cut further behind
// takes the records with it that said more.
void JournalDisk::Truncate(const std::string& segment, bool last) {
  const uint64_t proven = ProvenBytes(segment);
  const uint64_t granule = uint64_t{1} << options_.granule_bits;
  directory_.AtRest(segment).Resize(rng_.Below(last ? std::min(proven, granule) : proven));
}

// To before some record of it was written.
void JournalDisk::GoBack(const std::string& segment) {
  const uint64_t first = wal::ParseSegmentFileName(segment)->value();
  const std::vector<std::string> segments = Segments();
  const auto next = std::next(std::find(segments.begin(), segments.end(), segment));
  uint64_t bytes = wal::kSegmentHeaderBytes;
  const uint64_t end = wal::ParseSegmentFileName(*next)->value();
  for (uint64_t left = rng_.Below(end - first), record = first; left > 0; --left, ++record) {
    bytes += written_[record - 1].bytes;
  }
  directory_.AtRest(segment).Blank(std::min(bytes, directory_.AtRest(segment).size()));
}

// The sector's older version, of a file that only grows, is zeros.
Slice JournalDisk::MaybeStale(const std::string& name, Slice bytes) {
  if (faults_.stale_read_ppm == 0 || !rng_.Chance(faults_.stale_read_ppm, 1'000'000)) return bytes;
  if (!wal::ParseSegmentFileName(name).has_value()) return bytes;
  const uint64_t proven = std::min<uint64_t>(ProvenBytes(name), bytes.size());
  if (proven == 0) return bytes;  // there was nothing there before
  // One at a time, and not on a damaged disk: a seal that is read as zeros hides that the segment behind it
  // is gone, and a header that is, that the segment before it was cut short. What two faults hide from each
  // other no journal can tell; that a node may come back with less than it has acknowledged is for its peers.
  if (misread_ || damaged_) return bytes;
  world_.Count(Fault::kStaleRead);
  misread_ = true;
  const uint64_t from = rng_.Below(proven) / kSectorBytes * kSectorBytes;
  std::string stale(bytes.view());
  std::fill_n(stale.begin() + static_cast<ptrdiff_t>(from), std::min(kSectorBytes, proven - from), '\0');
  return Slice::Own(std::move(stale));
}

}  // namespace bt::sim
