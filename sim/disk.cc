#include "sim/disk.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace bt::sim {

void FaultyFile::WriteAt(uint64_t offset, Slice bytes) {
  if (bytes.empty()) return;
  const uint64_t before = bytes_.size();
  const uint64_t end = offset + bytes.size();
  const uint64_t overlap = offset < before ? std::min(end, before) - offset : 0;
  std::string overwritten = overlap > 0 ? bytes_.substr(offset, overlap) : std::string();
  if (end > before) bytes_.resize(end);
  bytes.view().copy(bytes_.data() + offset, bytes.size());
  unsynced_.push_back({offset, before, std::move(overwritten), std::move(bytes)});
}

void FaultyFile::Resize(uint64_t size) {
  CHECK(unsynced_.empty());
  bytes_.resize(size);
}

void FaultyFile::Sync(size_t count) {
  count = std::min(count, unsynced_.size());
  unsynced_.erase(unsynced_.begin(), unsynced_.begin() + static_cast<ptrdiff_t>(count));
}

void FaultyFile::Crash(World& world, RandomStream& rng, const DiskFaults& faults) {
  std::vector<Write> writes = std::move(unsynced_);
  unsynced_.clear();
  for (size_t i = writes.size(); i > 0; --i) {
    const Write& write = writes[i - 1];
    bytes_.replace(write.offset, write.overwritten.size(), write.overwritten);
    bytes_.resize(write.size_before);
  }
  for (const Write& write : writes) Leave(world, rng, faults, write);
}

void FaultyFile::Alter(uint64_t offset) {
  CHECK(unsynced_.empty() && offset < bytes_.size());
  bytes_[offset] = static_cast<char>(~bytes_[offset]);
}

void FaultyFile::Leave(World& world, RandomStream& rng, const DiskFaults& faults, const Write& write) {
  const uint64_t size = write.bytes.size();
  const uint64_t draw = rng.Below(100);  // the simplest: kept
  if (draw >= 100 - faults.lose_percent) return world.Count(Fault::kLostWrite);
  if (draw < 100 - faults.lose_percent - faults.tear_percent) {
    world.Count(Fault::kKeptWrite);
    return Put(write, 0, size, write.offset + size);
  }
  world.Count(Fault::kTornWrite);
  // Whole sectors reach the disk: usually the first few; sometimes any of them, in any order. The file's
  // length may have got there although the data did not: then the rest reads as zeros.
  const uint64_t first_sector = write.offset / kSectorBytes;
  const uint64_t last_sector = (write.offset + size - 1) / kSectorBytes;
  const bool any = rng.Chance(1, 3);
  const uint64_t prefix = rng.Between(first_sector, last_sector);
  const bool grow = any || rng.Chance(1, 2);
  for (uint64_t sector = first_sector; sector <= last_sector; ++sector) {
    if (any ? rng.Chance(1, 2) : sector >= prefix) continue;
    const uint64_t from = std::max(sector * kSectorBytes, write.offset) - write.offset;
    const uint64_t to = std::min((sector + 1) * kSectorBytes, write.offset + size) - write.offset;
    Put(write, from, to, grow ? write.offset + size : write.offset + to);
  }
  if (grow && bytes_.size() < write.offset + size) bytes_.resize(write.offset + size);
}

void FaultyFile::Put(const Write& write, uint64_t from, uint64_t to, uint64_t file_size) {
  if (bytes_.size() < file_size) bytes_.resize(file_size);
  write.bytes.view().substr(from, to - from).copy(bytes_.data() + write.offset + from, to - from);
}

Duration SyncTime(World& world, RandomStream& rng, const DiskFaults& faults) {
  if (faults.hang_ppm > 0 && rng.Chance(faults.hang_ppm, 1'000'000)) {
    world.Count(Fault::kHungDisk);
    return rng.Between(faults.slow_max, faults.hang_max);
  }
  if (faults.slow_ppm > 0 && rng.Chance(faults.slow_ppm, 1'000'000)) {
    world.Count(Fault::kSlowDisk);
    return rng.Between(faults.sync_max, faults.slow_max);
  }
  return rng.Between(faults.sync_min, faults.sync_max);
}

}  // namespace bt::sim
