// The file logic of a journal over a disk that forgets: every crash point of commits that roll, and the order
// of operations that makes them safe.

#include "core/wal/journal_files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sim/faulty_directory.h"
#include "sim/world.h"

namespace bt::wal {
namespace {

using sim::DiskFaults;
using sim::FaultyDirectory;

const Identity kMine{0xc105, NodeId(7)};

JournalFilesOptions Options(uint64_t segment_bytes = 400, uint8_t granule_bits = 7) {
  return {.identity = kMine, .path = "data", .segment_bytes = segment_bytes, .granule_bits = granule_bits};
}

std::string Name(const Operation& operation) {
  struct Namer {
    std::string operator()(const ListFiles&) { return "list"; }
    std::string operator()(const ReadFile& read) { return "read " + Short(read.name); }
    std::string operator()(const CreateFile& create) { return "create " + Short(create.name); }
    std::string operator()(const WriteFile& write) {
      return "write " + Short(write.name) + " at " + std::to_string(write.offset);
    }
    std::string operator()(const SyncFile& sync) { return "sync " + Short(sync.name); }
    std::string operator()(const RenameFile& rename) {
      return "rename " + Short(rename.from) + " to " + Short(rename.to);
    }
    std::string operator()(const RemoveFile& remove) { return "remove " + Short(remove.name); }
    std::string operator()(const SyncDirectory&) { return "sync directory"; }
    // "journal-00000000000000000007.wal.new" is "7.new".
    static std::string Short(std::string name) {
      name.erase(0, name.find_first_not_of("journal-0"));
      name.erase(name.find(".wal"), 4);
      return name;
    }
  };
  return std::visit(Namer{}, operation);
}

// A FaultyDirectory that writes down what it is asked for.
class Recorder final : public Directory {
 public:
  void Begin(Operation operation) override {
    asked.push_back(Name(operation));
    disk.Begin(std::move(operation));
  }
  void Run(JournalFiles& files) {
    while (files.busy()) files.Done(disk.Finish());
  }

  FaultyDirectory disk;
  std::vector<std::string> asked;
};

std::vector<JournalWrite> Writes(uint64_t first, uint64_t last, size_t size = 50) {
  std::vector<JournalWrite> writes;
  for (uint64_t seq = first; seq <= last; ++seq) {
    writes.push_back({WriteSeq(seq), 1, Slice::Own(std::string(size, static_cast<char>('a' + seq % 26)))});
  }
  return writes;
}

using Texts = std::vector<std::string>;

TEST(JournalFiles, ACommitIsOneWriteAndOneSync) {
  Recorder recorder;
  JournalFiles files(Options(4000, 12), recorder);
  files.Recover();
  recorder.Run(files);
  recorder.asked.clear();
  std::vector<JournalWrite> writes = Writes(1, 5);
  files.Commit(writes);
  recorder.Run(files);
  EXPECT_EQ(recorder.asked, (Texts{"write 1 at 48", "sync 1"}));
  EXPECT_EQ(files.durable(), WriteSeq(5));
  EXPECT_TRUE(writes.empty());
}

TEST(JournalFiles, ASegmentIsSyncedBeforeTheNextIsMadeAndNamedAndItsNameSyncedBeforeItIsUsed) {
  Recorder recorder;
  JournalFiles files(Options(200), recorder);
  files.Recover();
  recorder.Run(files);
  recorder.asked.clear();
  std::vector<JournalWrite> writes = Writes(1, 3);
  files.Commit(writes);
  recorder.Run(files);
  EXPECT_EQ(recorder.asked,
            (Texts{"write 1 at 48", "write 1 at 212", "sync 1", "create 3.new", "write 3.new at 0",
                   "write 3.new at 48", "sync 3.new", "rename 3.new to 3", "sync directory", "write 1 at 212",
                   "sync 1", "write 3 at 48", "write 3 at 130", "sync 3"}));
}

// A crash may come between the name of a segment and the seal of the one before it.
TEST(JournalFiles, RecoverySealsTheSegmentBeforeABlankOneBeforeThereIsARecordInThat) {
  Recorder recorder;
  {
    JournalFiles files(Options(200), recorder);
    files.Recover();
    recorder.Run(files);
    std::vector<JournalWrite> writes = Writes(1, 3);
    files.Commit(writes);
    while (recorder.asked.back() != "write 1 at 212" || recorder.asked.size() < 15) {
      files.Done(recorder.disk.Finish());
    }
    recorder.disk.CrashProcess();
  }
  for (int life = 0; life < 2; ++life) {
    recorder.asked.clear();
    JournalFiles files(Options(200), recorder);
    files.Recover();
    recorder.Run(files);
    EXPECT_EQ(recorder.asked, (Texts{"list", "read 1", "read 3", "read 1", "write 3 at 48", "sync 3",
                                     "sync directory", "write 1 at 212", "sync 1"}));
    EXPECT_EQ(files.durable(), WriteSeq(2));
  }
  recorder.disk.LoseEntry(SegmentFileName(WriteSeq(3)));
  JournalFiles files(Options(200), recorder);
  files.Recover();
  recorder.Run(files);
  EXPECT_TRUE(absl::IsDataLoss(files.failure())) << files.failure();
}

TEST(JournalFiles, SegmentsThatAreNotNeededAreRemovedWhenADurableHeaderSaysSo) {
  Recorder recorder;
  JournalFiles files(Options(200), recorder);
  files.Recover();
  recorder.Run(files);
  std::vector<JournalWrite> writes = Writes(1, 5);
  files.Commit(writes);
  recorder.Run(files);
  files.Forget(WriteSeq(4));
  recorder.asked.clear();
  writes = Writes(6, 7);
  files.Commit(writes);
  recorder.Run(files);
  EXPECT_EQ(recorder.asked,
            (Texts{"write 5 at 130", "sync 5", "create 7.new", "write 7.new at 0", "write 7.new at 48",
                   "sync 7.new", "rename 7.new to 7", "sync directory", "write 5 at 212", "sync 5",
                   "remove 1", "write 7 at 48", "write 7 at 130", "sync 7"}))
      << "record 4 is in the segment that begins with 3";
  recorder.asked.clear();
  JournalFiles again(Options(200), recorder);
  again.Recover();
  recorder.Run(again);
  const JournalRecovery recovery = again.TakeRecovery();
  EXPECT_EQ(recovery.records.front().seq, WriteSeq(3));
  EXPECT_EQ(recovery.last, WriteSeq(7));
  EXPECT_EQ(recovery.needed, WriteSeq(4));
}

TEST(JournalFiles, RecoveryMakesWhatItReadDurableAndRemovesASegmentThatWasNeverNamed) {
  Recorder recorder;
  {
    JournalFiles files(Options(200), recorder);
    files.Recover();
    recorder.Run(files);
    std::vector<JournalWrite> writes = Writes(1, 3);
    files.Commit(writes);
    // Up to the creation of the second segment's file.
    while (recorder.asked.back() != "sync 3.new") files.Done(recorder.disk.Finish());
    recorder.disk.CrashProcess();
  }
  recorder.asked.clear();
  JournalFiles files(Options(200), recorder);
  files.Recover();
  recorder.Run(files);
  EXPECT_EQ(recorder.asked, (Texts{"list", "read 1", "remove 3.new", "write 1 at 48", "write 1 at 212",
                                   "sync 1", "sync directory"}));
  EXPECT_EQ(files.durable(), WriteSeq(2));
}

TEST(JournalFiles, WhatRecoveryReadInThePageCacheAloneOutlivesTheMachine) {
  sim::World world(1);
  sim::RandomStream rng = world.Stream("test");
  const DiskFaults lose_all{.lose_percent = 100};
  FaultyDirectory disk;
  const auto run = [&](JournalFiles& files) {
    while (files.busy()) files.Done(disk.Finish());
  };
  {
    JournalFiles files(Options(), disk);
    files.Recover();
    run(files);
    std::vector<JournalWrite> writes = Writes(1, 1);
    files.Commit(writes);
    while (!disk.syncing()) files.Done(disk.Finish());
    disk.CrashProcess();
  }
  for (int life = 0; life < 2; ++life) {
    JournalFiles files(Options(), disk);
    files.Recover();
    run(files);
    EXPECT_EQ(files.durable(), WriteSeq(1)) << "life " << life;
    disk.Crash(world, rng, lose_all);
  }
}

// The kernel takes the pages of a failed sync for clean: they stay in memory, and no later sync writes them.
TEST(JournalFiles, WhatASyncFailedToWriteAndRecoveryReadsAllTheSameOutlivesTheMachine) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    sim::World world(seed);
    sim::RandomStream rng = world.Stream("test");
    FaultyDirectory disk;
    const auto run = [&](JournalFiles& files) {
      while (files.busy()) files.Done(disk.Finish());
    };
    {
      JournalFiles files(Options(), disk);
      files.Recover();
      run(files);
      std::vector<JournalWrite> writes = Writes(1, 3);
      files.Commit(writes);
      while (!disk.syncing()) files.Done(disk.Finish());
      files.Done(disk.Finish(world, rng, {.sync_error_ppm = 1'000'000}));
      ASSERT_FALSE(files.failure().ok());
      disk.CrashProcess();
    }
    WriteSeq acted_on;
    for (int life = 0; life < 2; ++life) {
      JournalFiles files(Options(), disk);
      files.Recover();
      run(files);
      ASSERT_TRUE(files.failure().ok()) << files.failure() << ", seed " << seed;
      ASSERT_GE(files.durable(), acted_on) << "seed " << seed;
      std::vector<JournalWrite> writes = Writes(files.durable().next().value(), files.durable().value() + 1);
      files.Commit(writes);
      run(files);
      acted_on = files.durable();
      disk.Crash(world, rng, {.lose_percent = 100});
    }
  }
}

// Ten commits of which several roll, or spill over two segments; the machine goes down after every possible
// number of operations, in every way drawn; then recovery, itself interrupted, finds all that was durable.
TEST(JournalFiles, NothingDurableIsLostWhereverACrashComes) {
  uint64_t crashes = 0;
  uint64_t begins_later = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    for (uint64_t operations = 0;; ++operations) {
      sim::World world(seed);
      sim::RandomStream rng = world.Stream("test", operations);
      const DiskFaults faults{.lose_percent = static_cast<uint32_t>(rng.Below(101)),
                              .tear_percent = static_cast<uint32_t>(rng.Below(40))};
      FaultyDirectory disk;
      WriteSeq durable;
      WriteSeq needed{1};
      const bool forgetful = rng.Chance(1, 2);
      bool crashed = false;
      {
        JournalFiles files(Options(200 << rng.Below(3)), disk);
        files.Recover();
        while (files.busy()) files.Done(disk.Finish());
        uint64_t left = operations;
        uint64_t next = 1;
        for (int commit = 0; commit < 10 && !crashed; ++commit) {
          const uint64_t last = next + rng.Below(6);
          std::vector<JournalWrite> writes = Writes(next, last, rng.Below(150));
          next = last + 1;
          files.Commit(writes);
          for (; files.busy() && !crashed; crashed = left-- == 0) files.Done(disk.Finish());
          if (forgetful && rng.Chance(1, 2)) {
            needed = WriteSeq(rng.Between(needed.value(), files.durable().next().value()));
            files.Forget(needed);
          }
        }
        ASSERT_TRUE(files.failure().ok());
        durable = files.durable();
      }
      if (!crashed) break;
      ++crashes;
      disk.Crash(world, rng, faults);
      for (int attempt = 0;; ++attempt) {
        JournalFiles files(Options(), disk);
        files.Recover();
        uint64_t left = attempt < 3 ? rng.Below(8) : UINT64_MAX;
        while (files.busy() && left-- > 0) files.Done(disk.Finish());
        if (files.busy()) {
          disk.Crash(world, rng, faults);
          continue;
        }
        ASSERT_TRUE(files.failure().ok()) << files.failure() << " seed " << seed << " after " << operations;
        ASSERT_GE(files.durable(), durable) << "seed " << seed << " after " << operations << " operations";
        const JournalRecovery recovery = files.TakeRecovery();
        const WriteSeq first = recovery.last.next() - recovery.records.size();
        ASSERT_LE(first, needed) << "seed " << seed << " after " << operations << " operations";
        begins_later += first > WriteSeq(1);
        break;
      }
    }
  }
  EXPECT_GT(crashes, 1000u);
  EXPECT_GT(begins_later, 100u);
}

// A FaultyDirectory that counts what is still held of the bytes it has given.
class Counter final : public Directory {
 public:
  void Begin(Operation operation) override { disk.Begin(std::move(operation)); }
  Completion Finish() {
    Completion done = disk.Finish();
    if (done.bytes.empty()) return done;
    const Slice bytes = done.bytes;
    held += bytes.size();
    held_max = std::max(held_max, held);
    const std::shared_ptr<const void> owner(bytes.data(),
                                            [this, bytes](const void*) { held -= bytes.size(); });
    done.bytes = Slice::Wrap(owner, bytes.data(), bytes.size());
    return done;
  }

  FaultyDirectory disk;
  size_t held = 0;
  size_t held_max = 0;
};

// Every tenth record says that only the last three up to it are needed, as the last part of a snapshot does.
WriteSeq NeededAfterTenth(const JournalRecord& record) {
  return record.seq.value() % 10 == 0 ? record.seq - 2 : WriteSeq(1);
}

TEST(JournalFiles, RecoveryOfNineSegmentsHoldsTwoAtMostAndNoMoreRecordsThanAreNeeded) {
  Counter counter;
  JournalFilesOptions options = Options(2000);
  JournalFiles files(options, counter);
  const auto finish = [&](JournalFiles& of) {
    while (of.busy()) of.Done(counter.Finish());
  };
  files.Recover();
  finish(files);
  std::vector<JournalWrite> writes = Writes(1, 205);
  files.Commit(writes);
  finish(files);

  options.needed_after = NeededAfterTenth;
  JournalFiles again(options, counter);
  again.Recover();
  const size_t segment_max = 2048 + 128;
  counter.held_max = 0;
  uint32_t percent = 0;
  while (again.busy()) {
    again.Done(counter.Finish());
    ASSERT_LE(again.held_bytes(), segment_max + 13 * 50) << "records 8 to 19, and the 20th as it comes";
    ASSERT_GE(again.percent_read(), percent);
    percent = again.percent_read();
  }
  EXPECT_LE(counter.held_max, 2 * segment_max + 9 * kSegmentHeaderBytes);
  EXPECT_GT(counter.held_max, segment_max) << "nothing was counted";
  EXPECT_EQ(counter.held, 0u) << "a record has memory of its own";
  EXPECT_EQ(percent, 100u);
  const JournalRecovery recovery = again.TakeRecovery();
  EXPECT_EQ(recovery.last, WriteSeq(205));
  EXPECT_EQ(recovery.needed, WriteSeq(198));
  ASSERT_EQ(recovery.records.size(), 8u);
  const std::vector<JournalWrite> written = Writes(198, 205);
  for (size_t i = 0; i < recovery.records.size(); ++i) {
    EXPECT_EQ(recovery.records[i].seq, written[i].seq);
    EXPECT_TRUE(recovery.records[i].body == written[i].body);
  }
}

TEST(JournalFiles, AfterAFailureNothingIsWrittenAndNothingBecomesDurable) {
  Recorder recorder;
  JournalFiles files(Options(), recorder);
  files.Recover();
  recorder.Run(files);
  std::vector<JournalWrite> writes = Writes(1, 2);
  files.Commit(writes);
  recorder.disk.CrashProcess();
  files.Done({.status = absl::UnavailableError("the disk is gone")});
  EXPECT_FALSE(files.busy());
  EXPECT_EQ(files.failure().message(), "the disk is gone");
  EXPECT_EQ(files.durable(), WriteSeq(0));
}

}  // namespace
}  // namespace bt::wal
