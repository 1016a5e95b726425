#include "sim/disk.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <string>
#include <utility>

#include "core/base/check.h"

namespace bt::sim {

void FaultyFile::WriteAt(uint64_t offset, Slice bytes) {
  if (bytes.empty()) return;
  bytes_.Write(offset, bytes);
  unsynced_.push_back({offset, std::move(bytes)});
}

uint64_t FaultyFile::unsynced_bytes() const {
  uint64_t bytes = 0;
  for (const Write& write : unsynced_) bytes += write.bytes.size();
  return bytes;
}

void FaultyFile::Resize(uint64_t size) {
  CHECK(unsynced_.empty());
  bytes_.Resize(size);
  disk_.Resize(size);
}

void FaultyFile::Sync(size_t count) {
  count = std::min(count, unsynced_.size());
  for (size_t i = 0; i < count; ++i) Put(unsynced_[i], 0, unsynced_[i].bytes.size(), unsynced_[i].end());
  unsynced_.erase(unsynced_.begin(), unsynced_.begin() + static_cast<ptrdiff_t>(count));
}

void FaultyFile::Crash(World& world, RandomStream& rng, const DiskFaults& faults) {
  for (const Write& write : unsynced_) Leave(world, rng, faults, write);
  unsynced_.clear();
  bytes_ = disk_;
}

void FaultyFile::FailSync(RandomStream& rng) {
  for (const Write& write : unsynced_) {
    if (rng.Chance(1, 2)) Put(write, 0, write.bytes.size(), write.end());
  }
  unsynced_.clear();
  // The kernel is free to forget clean pages: then readers see what the disk has.
  if (rng.Chance(1, 3)) bytes_ = disk_;
}

void FaultyFile::Alter(uint64_t offset) {
  CHECK(unsynced_.empty() && offset < bytes_.size());
  const Slice altered = Slice::Own(std::string(1, static_cast<char>(~bytes_.Read(offset, 1).view()[0])));
  bytes_.Write(offset, altered);
  disk_.Write(offset, altered);
}

void FaultyFile::Misdirect(uint64_t offset, uint64_t from) {
  CHECK(unsynced_.empty() && std::max(offset, from) + kSectorBytes <= disk_.size());
  disk_.Write(offset, disk_.Read(from, kSectorBytes));
  disk_.Write(from, Slice::Own(std::string(kSectorBytes, '\0')));
  bytes_ = disk_;
}

void FaultyFile::Blank(uint64_t offset) {
  CHECK(unsynced_.empty() && offset <= disk_.size());
  const uint64_t size = disk_.size();
  disk_.Resize(offset);
  disk_.Resize(size);
  bytes_ = disk_;
}

void FaultyFile::Leave(World& world, RandomStream& rng, const DiskFaults& faults, const Write& write) {
  const uint64_t size = write.bytes.size();
  const uint64_t draw = rng.Below(100);  // the simplest: kept
  if (draw >= 100 - faults.lose_percent) return world.Count(Fault::kLostWrite);
  if (draw < 100 - faults.lose_percent - faults.tear_percent) {
    world.Count(Fault::kKeptWrite);
    return Put(write, 0, size, write.end());
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
    Put(write, from, to, grow ? write.end() : write.offset + to);
  }
  if (grow && disk_.size() < write.end()) disk_.Resize(write.end());
}

void FaultyFile::Put(const Write& write, uint64_t from, uint64_t to, uint64_t file_size) {
  if (disk_.size() < file_size) disk_.Resize(file_size);
  disk_.Write(write.offset + from, write.bytes.Sub(from, to - from));
}

absl::Status DrawFailure(World& world, RandomStream& rng, const DiskFaults& faults, DiskOperation operation) {
  const auto fails = [&](uint32_t ppm, Fault fault) {
    if (ppm == 0 || !rng.Chance(ppm, 1'000'000)) return false;
    world.Count(fault);
    return true;
  };
  const auto failure = [](Fault fault) {
    return absl::UnavailableError(absl::StrCat("the disk fails: ", FaultName(fault)));
  };
  switch (operation) {
    case DiskOperation::kRead:
      if (fails(faults.read_error_ppm, Fault::kReadError)) return failure(Fault::kReadError);
      break;
    case DiskOperation::kWrite:
      if (fails(faults.write_error_ppm, Fault::kWriteError)) return failure(Fault::kWriteError);
      if (fails(faults.no_space_ppm, Fault::kNoSpace))
        return absl::ResourceExhaustedError("the disk is full");
      break;
    case DiskOperation::kSync:
      if (fails(faults.sync_error_ppm, Fault::kSyncError)) return failure(Fault::kSyncError);
      break;
  }
  return absl::OkStatus();
}

Duration SyncTime(World& world, RandomStream& rng, const DiskFaults& faults, uint64_t bytes) {
  if (faults.gray_ppm > 0 && rng.Chance(faults.gray_ppm, 1'000'000)) {
    world.Count(Fault::kGrayDisk);
    return faults.gray;
  }
  if (faults.hang_ppm > 0 && rng.Chance(faults.hang_ppm, 1'000'000)) {
    world.Count(Fault::kHungDisk);
    return rng.Between(faults.slow_max, faults.hang_max);
  }
  if (faults.slow_ppm > 0 && rng.Chance(faults.slow_ppm, 1'000'000)) {
    world.Count(Fault::kSlowDisk);
    return rng.Between(faults.sync_max, faults.slow_max);
  }
  const Duration usual = rng.Between(faults.sync_min, faults.sync_max);
  if (faults.bytes_per_second == 0) return usual;
  const Duration throttled =
      Nanoseconds(static_cast<int64_t>(bytes * 1'000'000'000 / faults.bytes_per_second));
  if (throttled > usual) world.Count(Fault::kThrottledDisk);
  return std::max(usual, throttled);
}

}  // namespace bt::sim
