#pragma once

// FaultyFile: the bytes of one file, as readers see them and as they are on the disk. A write is visible at
// once and durable only after Sync; a crash loses, tears (keeps some whole sectors of) or keeps each unsynced
// write, as drawn. A sync that fails leaves each write on the disk or not, and nothing that a later sync
// would still write: the pages count as clean. FaultyDirectory and ContentDisk are made of these.

#include <absl/status/status.h>

#include <cstdint>
#include <vector>

#include "core/base/slice.h"
#include "sim/paged_bytes.h"
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
  uint32_t gray_ppm = 0;  // syncs of a disk that is about to fail and says nothing: each takes `gray`
  Duration gray = Seconds(4);
  uint64_t bytes_per_second = 0;  // of a throttled disk; 0: it is not
  // Operations that fail. A node whose journal fails stops, and may be started again; one whose content file
  // fails says so.
  uint32_t read_error_ppm = 0;
  uint32_t write_error_ppm = 0;
  uint32_t no_space_ppm = 0;
  uint32_t sync_error_ppm = 0;
  uint32_t stale_read_ppm = 0;  // a sector as it was before it was last written

  // From here on no sync of the disk ends while anybody waits for it.
  void Hang() {
    hang_ppm = 1'000'000;
    slow_max = hang_max = Seconds(100'000);
    gray_ppm = 0;
  }
  // From here on the disk answers in time and without errors, and recoveries run through.
  void StopFaults() {
    slow_ppm = hang_ppm = gray_ppm = interrupt_recovery_percent = 0;
    bytes_per_second = 0;
    read_error_ppm = write_error_ppm = no_space_ppm = sync_error_ppm = stale_read_ppm = 0;
  }
};

class FaultyFile {
 public:
  uint64_t size() const { return bytes_.size(); }
  // As PagedBytes.
  Slice Read(uint64_t offset, uint64_t length) const { return bytes_.Read(offset, length); }
  Slice All() const { return bytes_.All(); }
  const PagedBytes& bytes() const { return bytes_; }
  size_t unsynced() const { return unsynced_.size(); }
  uint64_t unsynced_bytes() const;

  // Grows the file with zeros as needed.
  void WriteAt(uint64_t offset, Slice bytes);
  void Append(Slice bytes) { WriteAt(size(), std::move(bytes)); }
  void Resize(uint64_t size);  // durable at once: recovery syncs what it cuts, opening what it grows
  // The first `count` unsynced writes become durable (all of them by default).
  void Sync(size_t count = SIZE_MAX);
  void FailSync(RandomStream& rng);
  void Crash(World& world, RandomStream& rng, const DiskFaults& faults);
  // One byte is another one from now on: somebody else writes to the file, or the disk rots.
  void Alter(uint64_t offset);
  // The sector at `offset` gets the bytes of the one at `from`, which gets zeros: a write that went astray.
  void Misdirect(uint64_t offset, uint64_t from);
  // Zeros from `offset` on: what an append-only file of that length looked like earlier.
  void Blank(uint64_t offset);

 private:
  struct Write {
    uint64_t offset;
    Slice bytes;
    uint64_t end() const { return offset + bytes.size(); }
  };
  // What a crash leaves of one write.
  void Leave(World& world, RandomStream& rng, const DiskFaults& faults, const Write& write);
  void Put(const Write& write, uint64_t from, uint64_t to, uint64_t file_size);

  PagedBytes bytes_;
  PagedBytes disk_;
  std::vector<Write> unsynced_;
};

// Whether the next operation of this kind fails, and what it is told then. A disk is asked only for the kinds
// of failure that it has a rate of.
enum class DiskOperation : uint8_t { kRead, kWrite, kSync };
absl::Status DrawFailure(World& world, RandomStream& rng, const DiskFaults& faults, DiskOperation operation);

// How long the next sync takes, of so many bytes.
Duration SyncTime(World& world, RandomStream& rng, const DiskFaults& faults, uint64_t bytes);

}  // namespace bt::sim
