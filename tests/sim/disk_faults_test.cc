// A disk that fails, lies and loses, and what stands on it.

#include <gtest/gtest.h>

#include <string>

#include "sim/disk.h"
#include "sim/faulty_directory.h"
#include "sim/journal_disk.h"
#include "sim/world.h"
#include "tests/sim/toy.h"

namespace bt::sim {
namespace {

constexpr uint32_t kAlways = 1'000'000;
constexpr wal::Identity kIdentity{.cluster = 7, .node = NodeId(1)};

TEST(FaultyFile, AFailedSyncLeavesAWriteOnTheDiskOrNotAndNothingForTheNextSync) {
  bool kept = false;
  bool lost = false;
  bool forgotten_at_once = false;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    World world(seed);
    RandomStream rng = world.Stream("test");
    FaultyFile file;
    file.Append(Slice::Copy("old"));
    file.Sync();
    file.WriteAt(0, Slice::Copy("new"));
    file.FailSync(rng);
    forgotten_at_once |= file.All().view() == "old";
    EXPECT_EQ(file.unsynced(), 0u);
    file.Sync();
    file.Crash(world, rng, {});
    kept |= file.All().view() == "new";
    lost |= file.All().view() == "old";
  }
  EXPECT_TRUE(kept && lost && forgotten_at_once);
}

TEST(FaultyFile, AMisdirectedWriteIsWhereItShouldNotBeAndNotWhereItShould) {
  FaultyFile file;
  file.Append(Slice::Copy(std::string(kSectorBytes, 'a') + std::string(kSectorBytes, 'b')));
  file.Sync();
  file.Misdirect(0, kSectorBytes);
  EXPECT_EQ(file.All().view(), std::string(kSectorBytes, 'b') + std::string(kSectorBytes, '\0'));
}

TEST(SyncTime, AGrayDiskTakesItsFourSecondsAndAThrottledOneItsRate) {
  World world(1);
  RandomStream rng = world.Stream("test");
  EXPECT_EQ(SyncTime(world, rng, {.gray_ppm = kAlways}, 0), Seconds(4));
  EXPECT_EQ(world.faults().count(Fault::kGrayDisk), 1u);
  EXPECT_EQ(SyncTime(world, rng, {.bytes_per_second = 1000}, 500), Milliseconds(500));
  EXPECT_EQ(world.faults().count(Fault::kThrottledDisk), 1u);
  DiskFaults healed{.slow_ppm = kAlways, .hang_ppm = kAlways, .gray_ppm = kAlways, .bytes_per_second = 1};
  healed.StopFaults();
  EXPECT_LE(SyncTime(world, rng, healed, 500), healed.sync_max);
}

class FaultyOperation : public testing::Test {
 protected:
  FaultyOperation() {
    Do(wal::CreateFile{"f"}, {});
    Do(wal::WriteFile{"f", 0, Slice::Copy("old bytes")}, {});
    Do(wal::SyncFile{"f"}, {});
    Do(wal::SyncDirectory{}, {});
  }
  wal::Completion Do(wal::Operation operation, const DiskFaults& faults) {
    directory_.Begin(std::move(operation));
    return directory_.Finish(world_, rng_, faults);
  }

  World world_{1};
  RandomStream rng_ = world_.Stream("test");
  FaultyDirectory directory_;
};

TEST_F(FaultyOperation, AReadFailsAndGivesNothing) {
  const wal::Completion done = Do(wal::ReadFile{"f"}, {.read_error_ppm = kAlways});
  EXPECT_TRUE(absl::IsUnavailable(done.status));
  EXPECT_TRUE(done.bytes.empty());
  EXPECT_EQ(world_.faults().count(Fault::kReadError), 1u);
}

TEST_F(FaultyOperation, AWriteFailsOrFindsNoRoomAndIsThereInPart) {
  const wal::WriteFile write{"f", 0, Slice::Copy("NEW BYTES")};
  EXPECT_TRUE(absl::IsUnavailable(Do(write, {.write_error_ppm = kAlways}).status));
  EXPECT_NE(directory_.Look("f"), "NEW BYTES");
  EXPECT_TRUE(absl::IsResourceExhausted(Do(write, {.no_space_ppm = kAlways}).status));
  EXPECT_NE(directory_.Look("f"), "NEW BYTES");
  EXPECT_EQ(world_.faults().count(Fault::kWriteError), 1u);
  EXPECT_EQ(world_.faults().count(Fault::kNoSpace), 1u);
}

TEST_F(FaultyOperation, ANameWhoseSyncFailedIsDurableAfterTheNextOne) {
  Do(wal::RenameFile{"f", "g"}, {});
  EXPECT_FALSE(Do(wal::SyncDirectory{}, {.sync_error_ppm = kAlways}).status.ok());
  EXPECT_EQ(world_.faults().count(Fault::kSyncError), 1u);
  EXPECT_TRUE(Do(wal::SyncDirectory{}, {}).status.ok());
  directory_.Crash(world_, rng_, {.lose_percent = 100});
  EXPECT_EQ(directory_.Look("g"), "old bytes");
}

void WriteThrough(JournalDisk& journal, uint64_t first, uint64_t last) {
  for (uint64_t seq = first; seq <= last; ++seq) {
    journal.Queue({WriteSeq(seq), 1, Slice::Copy(std::string(100, static_cast<char>('a' + seq % 26)))});
    while (journal.pending()) {
      journal.BeginSync();
      journal.FinishSync();
    }
  }
}

TEST(JournalDisk, DamageOfEachKindIsRefusedAndNeverTakenForAnEmptyOrShorterJournal) {
  for (const Fault kind : {Fault::kBitRot, Fault::kMisdirectedWrite, Fault::kLostEntry, Fault::kLostDirectory,
                           Fault::kSwappedFiles, Fault::kOlderFile, Fault::kTruncatedFile}) {
    for (uint64_t seed = 1; seed <= 100; ++seed) {
      World world(seed);
      JournalDisk journal(world, 0, kIdentity, {});
      ASSERT_TRUE(journal.Recover().ok());
      WriteThrough(journal, 1, seed);
      journal.Crash();
      journal.Damage(kind);
      const absl::Status status = journal.Recover().status();
      EXPECT_TRUE(absl::IsDataLoss(status) || absl::IsNotFound(status))
          << FaultName(kind) << ", seed " << seed << ": " << status;
      EXPECT_FALSE(world.failed()) << *world.failure();
      EXPECT_EQ(world.faults().count(kind), 1u);
    }
  }
}

TEST(JournalDisk, AStaleReadIsRefusedAndALaterRecoveryIsRight) {
  uint64_t refused = 0;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    World world(seed);
    DiskFaults faults;
    faults.stale_read_ppm = 300'000;
    JournalDisk journal(world, 0, kIdentity, faults);
    while (!journal.Recover().ok()) continue;
    WriteThrough(journal, 1, 60);
    journal.Crash();
    absl::StatusOr<wal::JournalRecovery> recovery = journal.Recover();
    refused += absl::IsDataLoss(recovery.status());
    journal.StopFaults();
    recovery = journal.Recover();
    ASSERT_TRUE(recovery.ok()) << recovery.status();
    EXPECT_EQ(recovery->last, WriteSeq(60));
    EXPECT_FALSE(world.failed()) << *world.failure();
  }
  EXPECT_GT(refused, 10u);
}

TEST(JournalDisk, AFailedSyncConfirmsNothingEndsTheJournalAndLosesNothingConfirmed) {
  uint64_t failures = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    World world(seed);
    DiskFaults faults;
    faults.lose_percent = 100;
    faults.sync_error_ppm = 200'000;
    faults.process_only_percent = 50;
    JournalDisk journal(world, 0, kIdentity, faults);
    uint64_t last = 0;
    for (int life = 0; life < 10; ++life) {
      const auto recovery = journal.Recover();
      if (!recovery.ok()) continue;
      last = recovery->last.value();
      for (int commits = 0; commits < 5 && journal.failure().ok(); ++commits) {
        journal.Queue({WriteSeq(++last), 1, Slice::Copy(std::string(100, 'x'))});
        while (journal.pending()) {
          journal.BeginSync();
          const std::optional<WriteSeq> durable = journal.FinishSync();
          EXPECT_TRUE(journal.failure().ok() || !durable.has_value());
        }
      }
      failures += !journal.failure().ok();
      EXPECT_TRUE(journal.failure().ok() || !journal.pending());
      if (journal.failure().ok()) {
        journal.Crash();
      } else {
        journal.CrashProcess();
      }
    }
    EXPECT_FALSE(world.failed()) << "seed " << seed << ": " << *world.failure();
  }
  EXPECT_GT(failures, 100u);
}

TEST(Host, DoesNotStartWhileItsDiskFailsAndDoesWhenItIsMended) {
  World world(1);
  DiskFaults faults;
  faults.write_error_ppm = kAlways;
  ToyPair pair(world, faults);
  ASSERT_FALSE(pair.a().alive()) << "recovery writes, too";
  for (auto& host : pair.hosts) host->StopFaults();
  for (auto& host : pair.hosts) host->Start();
  EXPECT_TRUE(pair.a().alive());
}

TEST(Host, ADiskErrorEndsTheProcessAndNothingThatRestedOnTheWriteIsSaid) {
  World world(1);
  DiskFaults faults;
  faults.sync_error_ppm = 300'000;
  ToyPair pair(world, faults);
  uint64_t stops = 0;
  for (uint64_t number = 1; number <= 60; ++number) {
    for (auto& host : pair.hosts) {
      if (!host->alive()) host->Start();
    }
    if (!pair.a().alive() || !pair.b().alive()) continue;
    const size_t heard = pair.b().machine()->heard().size();
    const WriteSeq durable = pair.a().machine()->durable();
    Add(pair.a(), number);
    world.RunFor(Milliseconds(20));
    if (pair.a().alive() || !pair.b().alive()) continue;
    ++stops;
    EXPECT_EQ(pair.b().machine()->heard().size(), heard);
    pair.a().Start();
    if (!pair.a().alive()) continue;
    EXPECT_GE(pair.a().machine()->kept().size(), durable.value());
  }
  EXPECT_GT(stops, 3u);
  EXPECT_FALSE(world.failed()) << *world.failure();
}

TEST(Host, AProcessThatStallsWhileItsDiskFailsStopsWhenItGoesOn) {
  uint64_t stops = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    World world(seed);
    DiskFaults faults;
    faults.sync_error_ppm = 300'000;
    ToyPair pair(world, faults);
    if (!pair.a().alive()) continue;
    Add(pair.a(), 1);
    pair.a().Stall();
    world.RunFor(Seconds(1));
    EXPECT_TRUE(pair.a().alive());
    pair.a().Resume();
    stops += !pair.a().alive();
  }
  EXPECT_GT(stops, 3u);
}

TEST(Host, StaysDownWithADamagedDisk) {
  World world(1);
  ToyPair pair(world);
  for (uint64_t i = 1; i <= 20; ++i) Add(pair.a(), i);
  world.RunFor(Milliseconds(100));
  pair.a().Crash();
  pair.a().DamageDisk();
  EXPECT_TRUE(pair.a().damaged());
  pair.a().Start();
  EXPECT_FALSE(pair.a().alive());
  EXPECT_FALSE(world.failed());
}

}  // namespace
}  // namespace bt::sim
