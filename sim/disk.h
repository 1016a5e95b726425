#pragma once

// FaultyFile: the bytes of one file as a crash would leave them. A write is visible at once and durable
// only after Sync; a crash loses, tears (keeps some whole sectors of) or keeps each unsynced write,
// as drawn. FaultyDirectory and ContentDisk are made of these.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/slice.h"
#include "sim/random_stream.h"
#include "sim/world.h"

namespace bt::sim {

inline constexpr uint64_t kSectorBytes = 512;

struct DiskFaults {
  // Chances out of a hundred for one unsynced write at a crash; the rest is kept whole. A change of a
  // directory is lost as a write is; it cannot be torn.
  uint32_t lose_percent = 0;
  uint32_t tear_percent = 0;
  // Crashes out of a hundred that end the process and not the machine: the journal's page cache outlives
  // them.
  uint32_t process_only_percent = 0;
  // Recoveries of the journal out of a hundred that a crash interrupts.
  uint32_t interrupt_recovery_percent = 0;
  Duration sync_min = Microseconds(100);
  Duration sync_max = Milliseconds(2);
  uint32_t slow_ppm = 0;  // syncs that take up to `slow_max` instead
  Duration slow_max = Milliseconds(300);
  uint32_t alter_percent = 0;  // a content file that others change while its node is down
  uint32_t hang_ppm = 0;       // syncs that hang, up to `hang_max`
  Duration hang_max = Seconds(10);

  // From here on the disk answers in time and recoveries run through.
  void StopDelaying() { slow_ppm = hang_ppm = interrupt_recovery_percent = 0; }
};

class FaultyFile {
 public:
  uint64_t size() const { return bytes_.size(); }
  std::string_view view() const { return bytes_; }
  size_t unsynced() const { return unsynced_.size(); }

  // Grows the file with zeros as needed.
  void WriteAt(uint64_t offset, Slice bytes);
  void Append(Slice bytes) { WriteAt(size(), std::move(bytes)); }
  void Resize(uint64_t size);  // durable at once: recovery syncs what it cuts, opening what it grows
  // The first `count` unsynced writes become durable (all of them by default).
  void Sync(size_t count = SIZE_MAX);
  void Crash(World& world, RandomStream& rng, const DiskFaults& faults);
  // Somebody else writes to the file: one byte is another one from now on.
  void Alter(uint64_t offset);

 private:
  struct Write {
    uint64_t offset;
    uint64_t size_before;
    std::string overwritten;
    Slice bytes;
  };
  // What a crash leaves of one write.
  void Leave(World& world, RandomStream& rng, const DiskFaults& faults, const Write& write);
  void Put(const Write& write, uint64_t from, uint64_t to, uint64_t file_size);

  std::string bytes_;
  std::vector<Write> unsynced_;
};

// How long the next sync takes.
Duration SyncTime(World& world, RandomStream& rng, const DiskFaults& faults);

}  // namespace bt::sim
