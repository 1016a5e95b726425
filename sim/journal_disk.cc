#include "sim/journal_disk.h"

#include <absl/status/status.h>

#include <string>
#include <utility>

#include "core/base/check.h"
#include "core/wal/scan.h"

namespace bt::sim {

JournalDisk::JournalDisk(World& world, uint64_t node, wal::Identity identity, DiskFaults faults)
    : world_(world),
      rng_(world.Stream("journal disk", node)),
      identity_(identity),
      faults_(faults),
      segment_limit_(uint64_t{1} << rng_.Between(13, 20)) {
  // As the operator leaves it before the node starts for the first time: made, durable and empty.
  segments_.emplace_back();
  segments_.back().Append(Slice::Own(wal::EncodeSegmentHeader(identity_, WriteSeq(1))));
  segments_.back().Sync();
}

Duration JournalDisk::BeginSync() {
  CHECK(!syncing_ && !queue_.empty());
  std::string bytes;
  if (segments_.back().size() >= segment_limit_) {
    segments_.emplace_back();
    bytes = wal::EncodeSegmentHeader(identity_, queue_.front().seq);
  }
  for (const JournalWrite& write : queue_) {
    wal::AppendRecord(bytes, identity_, write.seq, durable_, write.type, write.body.view());
  }
  in_sync_ = queue_.back().seq;
  queue_.clear();
  segments_.back().Append(Slice::Own(std::move(bytes)));
  syncing_ = true;
  return SyncTime(world_, rng_, faults_);
}

WriteSeq JournalDisk::FinishSync() {
  CHECK(syncing_);
  syncing_ = false;
  segments_.back().Sync();
  durable_ = in_sync_;
  return durable_;
}

void JournalDisk::Crash() {
  queue_.clear();
  syncing_ = false;
  segments_.back().Crash(world_, rng_, faults_);
}

absl::StatusOr<std::vector<JournalRecord>> JournalDisk::Recover() {
  std::vector<Slice> segments;
  // A segment the crash left without a byte has a name and no content.
  for (const FaultyFile& segment : segments_) segments.push_back(Slice::Copy(segment.view()));
  wal::ScanResult scan = wal::Scan(segments, identity_);
  if (scan.verdict == wal::Verdict::kCorrupt || scan.verdict == wal::Verdict::kForeign) {
    return absl::DataLossError(scan.why);
  }
  if (scan.verdict == wal::Verdict::kTorn) {
    CHECK(scan.segment < segments_.size());
    segments_.resize(scan.segment + 1);
    if (scan.offset == 0) {
      segments_.pop_back();
    } else {
      segments_.back().Resize(scan.offset);
    }
  }
  durable_ = scan.last;
  return std::move(scan.records);
}

uint64_t JournalDisk::bytes() const {
  uint64_t total = 0;
  for (const FaultyFile& segment : segments_) total += segment.size();
  return total;
}

}  // namespace bt::sim
