#pragma once

// ContentDisk: the content files of one client, as the swarm's file effects mean them. Bytes are real,
// hashes are computed over them, and what a crash leaves follows sim/disk.h. Effects take place in the
// page cache at once; Commit, called when the effect completes, makes durable what it promises. Reads, writes
// and syncs fail as drawn; what they were told is kept for the judges until the process ends.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/slice.h"
#include "core/swarm/file_effects.h"
#include "sim/disk.h"
#include "sim/world.h"

namespace bt::sim {

class ContentDisk {
 public:
  // Much less than a real client's, as contents are smaller.
  static constexpr uint64_t kQueuedHigh = 128 * 1024;
  static constexpr uint64_t kQueuedLow = 64 * 1024;

  ContentDisk(World& world, uint64_t node, DiskFaults faults)
      : world_(world),
        rng_(world.Stream("content disk", node)),
        failures_(world.Stream("content disk failures", node)),
        finishes_(world.Stream("finishes that fail", node)),
        faults_(faults) {}

  // What completes, when, and the ticket for Commit. nullopt: the effect completes with nothing.
  struct Pending {
    swarm::FileDone completion;
    Duration delay;
    uint64_t ticket = 0;
  };
  std::optional<Pending> Execute(const swarm::FileEffect& effect);
  void Commit(uint64_t ticket);
  // As nodes::BlockStore: blocks that are not written yet are more than kQueuedHigh bytes, or were, and have
  // not been fewer than kQueuedLow since.
  bool congested() const { return congested_; }
  void Crash();
  void StopFaults() { faults_.StopFaults(); }

  // [offset, offset + length) of an open file; the status says why not.
  absl::StatusOr<Slice> Read(FileId file, uint64_t offset, uint64_t length);

  // For scenarios: put a file there before the node starts, or look at one.
  void Provide(std::string name, Slice content);
  // A part file with the word of some checkpoint, durable, of an earlier program.
  void ProvidePart(const std::string& name, std::string bytes, Slice state);
  // One byte of the file, which was provided, is another from now on; the same again puts it back.
  void Edit(const std::string& name, uint64_t offset);
  // The file, which was provided, ends here from now on.
  void Cut(const std::string& name, uint64_t length);
  std::optional<PagedBytes> Look(std::string_view name) const;
  // Its length.
  std::optional<uint64_t> LengthOf(std::string_view name) const;
  // The files of a tree, by their numbers, that selections have given their final names. Their bytes are in
  // the part file for ever.
  absl::btree_set<size_t> Placed(std::string_view name) const;
  // As Read without faults.
  absl::StatusOr<Slice> Peek(FileId file, uint64_t offset, uint64_t length) const;
  // In this life an operation failed, and `text` repeats what it was told.
  bool Explains(std::string_view text) const;
  // When a write or sync of this life failed first, after which nothing that follows is to be trusted.
  Instant write_failed() const { return write_failed_; }
  // Where DiskFaults::alter_percent has changed the file since this was last asked.
  std::vector<uint64_t> TakeAltered(std::string_view name);

 private:
  struct File {
    FaultyFile bytes;
    Slice state;  // of the last durable checkpoint
    std::vector<uint64_t> altered;
    // Files of a tree: those that are there (all, where no selection has made it), and those of them that
    // have their final names.
    bool whole = true;
    absl::btree_set<size_t> started;
    absl::btree_set<size_t> placed;
  };
  // A checkpoint or finish under way: the writes before it are durable once it completes.
  struct Sync {
    uint64_t ticket;
    std::string name;
    size_t writes;
    std::optional<Slice> state;
    bool rename;
    std::vector<size_t> places;  // files of a selection, instead of the whole
    bool fails;
  };
  struct Open {
    std::string name;  // as it is on the disk, with .part for a download
    std::string final_name;
    Slice whole;       // of a provided file
    uint64_t end = 0;  // where the content ends
    std::vector<swarm::FilePart> selection = {};
  };
  // A range that reaches past the end of the content, with the zeros there.
  absl::StatusOr<Slice> ReadPadded(const swarm::HashRange& range);
  swarm::FileOpened DoOpen(const swarm::OpenFile& effect);
  // The files of a tree that were selected, or are there from an earlier selection.
  static std::vector<swarm::PartFound> MakeSelected(const swarm::OpenFile& effect, File& file, bool existing);
  void CheckSelected(const Open& open, uint64_t offset);
  swarm::BlockStored DoStore(const swarm::StoreBlock& effect);
  swarm::RangeHashed DoHash(const swarm::HashRange& effect);
  absl::Status Fails(DiskOperation operation);
  void Alter(File& file);
  void Apply(const Sync& sync);
  template <class Done>
  Pending AddSync(FileId file, std::optional<Slice> state, bool rename);
  Duration WorkTime(uint64_t bytes);
  Pending AddStore(const swarm::StoreBlock& effect);

  World& world_;
  RandomStream rng_;
  RandomStream failures_;
  RandomStream finishes_;
  DiskFaults faults_;
  absl::btree_set<std::string> sync_failed_;  // files, in this life
  absl::btree_set<std::string> told_;         // by operations that failed in this life
  Instant write_failed_ = Instant::Never();
  absl::btree_map<std::string, File> files_;
  absl::btree_map<std::string, Slice> provided_;
  absl::btree_map<FileId, Open> open_;
  std::vector<Sync> syncs_;
  absl::btree_map<uint64_t, uint64_t> stores_;  // under way: ticket and bytes
  uint64_t queued_ = 0;                         // the sum of their bytes
  bool congested_ = false;
  Instant busy_until_{0};  // with a sync that takes long
  uint64_t next_ticket_ = 0;
};

}  // namespace bt::sim
