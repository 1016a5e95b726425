#include "sim/disk.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "sim/faulty_directory.h"
#include "sim/journal_disk.h"
#include "sim/scenarios/content_disk.h"
#include "sim/world.h"

namespace bt::sim {
namespace {

using swarm::BlockStored;
using swarm::BlockToken;
using swarm::FileMode;
using swarm::FileOpened;
using swarm::FinishFile;
using swarm::HashRange;
using swarm::OpenFile;
using swarm::RangeHash;
using swarm::RangeHashed;
using swarm::StoreBlock;

std::string Bytes(size_t size, char fill) { return std::string(size, fill); }

DiskFaults Faults(uint32_t lose, uint32_t tear) {
  DiskFaults faults;
  faults.lose_percent = lose;
  faults.tear_percent = tear;
  return faults;
}

TEST(FaultyFile, KeepsWhatWasSyncedWhateverTheCrashDoes) {
  World world(1);
  RandomStream rng = world.Stream("test");
  FaultyFile file;
  file.Append(Slice::Copy(Bytes(1000, 'a')));
  file.Sync();
  file.Append(Slice::Copy(Bytes(1000, 'b')));
  file.WriteAt(0, Slice::Copy(Bytes(10, 'c')));
  file.Crash(world, rng, Faults(100, 0));
  EXPECT_EQ(file.All().view(), Bytes(1000, 'a'));
  EXPECT_EQ(world.faults().count(Fault::kLostWrite), 2u);
}

TEST(FaultyFile, TearsAtSectorsOfTheDisk) {
  World world(1);
  RandomStream rng = world.Stream("test");
  bool torn = false;
  for (int i = 0; i < 100; ++i) {
    FaultyFile file;
    file.Append(Slice::Copy(Bytes(700, 'a')));
    file.Sync();
    file.Append(Slice::Copy(Bytes(3000, 'b')));
    file.Crash(world, rng, Faults(0, 100));
    ASSERT_LE(file.size(), 3700u);
    EXPECT_EQ(file.All().view().substr(0, 700), Bytes(700, 'a'));
    for (size_t at = 1024; at < file.size(); at += kSectorBytes) {
      const std::string sector(file.All().view().substr(at, kSectorBytes));
      EXPECT_TRUE(sector == std::string(sector.size(), 'b') || sector == std::string(sector.size(), '\0'));
    }
    torn |= file.All().view() != Bytes(700, 'a') + Bytes(3000, 'b');
  }
  EXPECT_TRUE(torn);
}

TEST(FaultyFile, KeepsAnUnsyncedWriteWhenSoDrawn) {
  World world(1);
  RandomStream rng = world.Stream("test");
  FaultyFile file;
  file.WriteAt(100, Slice::Copy(Bytes(50, 'x')));
  file.Crash(world, rng, Faults(0, 0));
  EXPECT_EQ(file.size(), 150u);
  EXPECT_EQ(world.faults().count(Fault::kKeptWrite), 1u);
}

// A name that a sync has made durable, and the changes of one after it.
class FaultyDirectoryTest : public testing::Test {
 protected:
  FaultyDirectoryTest() {
    Do(wal::CreateFile{"old"});
    Do(wal::WriteFile{"old", 0, Slice::Copy("old bytes")});
    Do(wal::SyncFile{"old"});
    Do(wal::SyncDirectory{});
  }

  void Do(wal::Operation operation) {
    directory_.Begin(std::move(operation));
    EXPECT_TRUE(directory_.Finish().status.ok());
  }

  World world_{1};
  RandomStream rng_ = world_.Stream("test");
  FaultyDirectory directory_;
};

TEST_F(FaultyDirectoryTest, ACrashForgetsTheNameOfASyncedFileUntilTheDirectoryIsSynced) {
  Do(wal::CreateFile{"new"});
  Do(wal::WriteFile{"new", 0, Slice::Copy("new bytes")});
  Do(wal::SyncFile{"new"});
  directory_.Crash(world_, rng_, Faults(100, 0));
  EXPECT_EQ(directory_.Look("new"), std::nullopt);
  EXPECT_EQ(directory_.Look("old"), "old bytes");
  EXPECT_EQ(world_.faults().count(Fault::kForgottenEntry), 1u);
}

TEST_F(FaultyDirectoryTest, ACrashForgetsARemovalAndARename) {
  Do(wal::RemoveFile{"old"});
  EXPECT_EQ(directory_.Look("old"), std::nullopt);
  directory_.Crash(world_, rng_, Faults(100, 0));
  EXPECT_EQ(directory_.Look("old"), "old bytes");
  Do(wal::RenameFile{"old", "young"});
  EXPECT_EQ(directory_.Look("young"), "old bytes");
  directory_.Crash(world_, rng_, Faults(100, 0));
  EXPECT_EQ(directory_.Look("old"), "old bytes");
  EXPECT_EQ(directory_.Look("young"), std::nullopt);
  EXPECT_EQ(world_.faults().count(Fault::kForgottenEntry), 2u);
}

TEST_F(FaultyDirectoryTest, ACrashMayKeepAChangeThatWasNotSynced) {
  Do(wal::RenameFile{"old", "young"});
  directory_.Crash(world_, rng_, Faults(0, 0));
  EXPECT_EQ(directory_.Look("old"), std::nullopt);
  EXPECT_EQ(directory_.Look("young"), "old bytes");
  EXPECT_EQ(world_.faults().count(Fault::kKeptEntry), 1u);
}

TEST_F(FaultyDirectoryTest, WhatTheDirectoryHasSyncedNoCrashForgets) {
  Do(wal::RenameFile{"old", "young"});
  Do(wal::SyncDirectory{});
  directory_.Crash(world_, rng_, Faults(100, 0));
  EXPECT_EQ(directory_.Look("young"), "old bytes");
}

TEST_F(FaultyDirectoryTest, AProcessThatDiesAloneLeavesEverythingInThePageCacheAndNothingMoreDurable) {
  Do(wal::WriteFile{"old", 0, Slice::Copy("new")});
  Do(wal::CreateFile{"new"});
  directory_.CrashProcess();
  EXPECT_EQ(directory_.Look("old"), "new bytes");
  EXPECT_EQ(directory_.Look("new"), "");
  directory_.Crash(world_, rng_, Faults(100, 0));
  EXPECT_EQ(directory_.Look("old"), "old bytes");
  EXPECT_EQ(directory_.Look("new"), std::nullopt);
}

constexpr wal::Identity kIdentity{.cluster = 7, .node = NodeId(1)};

WriteSeq WriteThrough(JournalDisk& journal, uint64_t seq) {
  journal.Queue({WriteSeq(seq), 1, Slice::Copy(Bytes(100, 'x'))});
  while (journal.pending()) {
    journal.BeginSync();
    journal.FinishSync();
  }
  return WriteSeq(seq);
}

TEST(JournalDisk, RollsItsSegmentsOftenAndGivesBackWhatWasDurable) {
  World world(1);
  JournalDisk journal(world, 0, kIdentity, Faults(100, 0));
  ASSERT_TRUE(journal.Recover().ok());
  for (uint64_t seq = 1; seq <= 2000; ++seq) WriteThrough(journal, seq);
  journal.Queue({WriteSeq(2001), 1, Slice::Copy("lost")});
  journal.BeginSync();
  journal.Crash();
  const auto recovery = journal.Recover();
  ASSERT_TRUE(recovery.ok()) << recovery.status();
  EXPECT_EQ(recovery->last, WriteSeq(2000));
  EXPECT_EQ(recovery->records.size(), 2000u);
  EXPECT_GT(journal.segments(), 1u);
}

TEST(JournalDisk, ARecoveryThatACrashInterruptsIsCountedAndEndsWell) {
  World world(1);
  DiskFaults faults = Faults(50, 30);
  faults.interrupt_recovery_percent = 90;
  faults.process_only_percent = 50;
  JournalDisk journal(world, 0, kIdentity, faults);
  ASSERT_TRUE(journal.Recover().ok());
  WriteSeq last;
  for (int life = 0; life < 50; ++life) {
    last = WriteThrough(journal, last.value() + 1);
    journal.Queue({last.next(), 1, Slice::Copy(Bytes(2000, 'y'))});
    journal.BeginSync();
    journal.Crash();
    const auto recovery = journal.Recover();
    ASSERT_TRUE(recovery.ok()) << recovery.status();
    last = recovery->last;
  }
  EXPECT_GT(world.faults().count(Fault::kCrashWhileRecovering), 10u);
  EXPECT_GT(world.faults().count(Fault::kKeptPageCache), 10u);
}

TEST(JournalDisk, ADiskMayHangUntilItIsHealed) {
  World world(1);
  DiskFaults faults;
  faults.hang_ppm = 1'000'000;
  JournalDisk journal(world, 0, kIdentity, faults);
  ASSERT_TRUE(journal.Recover().ok());
  journal.Queue({WriteSeq(1), 1, Slice::Copy("x")});
  EXPECT_GE(journal.BeginSync(), faults.slow_max);
  EXPECT_EQ(world.faults().count(Fault::kHungDisk), 1u);
  journal.FinishSync();
  journal.StopFaults();
  journal.Queue({WriteSeq(2), 1, Slice::Copy("x")});
  EXPECT_LE(journal.BeginSync(), faults.sync_max);
}

constexpr FileId kFile{0};

struct Download {
  explicit Download(World& world, DiskFaults faults) : disk(world, 0, faults) { Open(); }

  FileOpened Open() {
    auto pending = disk.Execute(OpenFile{kFile, FileMode::kDownload, "f", 40'000});
    return std::get<FileOpened>(pending->completion);
  }
  BlockStored Store(uint64_t offset, char fill) {
    auto pending = disk.Execute(StoreBlock{BlockToken(1), kFile, offset, Slice::Copy(Bytes(16'384, fill))});
    return std::get<BlockStored>(pending->completion);
  }
  uint64_t Checkpoint(const std::string& state) {
    return disk.Execute(swarm::Checkpoint{kFile, Slice::Copy(state)})->ticket;
  }

  ContentDisk disk;
};

TEST(ContentDisk, ResumesFromTheLastCheckpointThatWasDurable) {
  World world(1);
  Download download(world, Faults(100, 0));
  EXPECT_EQ(download.Store(0, 'a').leaf, Sha256(Bytes(16'384, 'a')));
  download.disk.Commit(download.Checkpoint("one"));
  download.Store(16'384, 'b');
  download.disk.Crash();
  EXPECT_EQ(download.Open().resume.view(), "one");
  EXPECT_EQ(download.disk.Read(kFile, 0, 16'384)->view(), Bytes(16'384, 'a'));
  EXPECT_EQ(download.disk.Read(kFile, 16'384, 16'384)->view(), Bytes(16'384, '\0'));
}

TEST(ContentDisk, ACheckpointUnderWayAtACrashIsThereWithItsDataOrNotAtAll) {
  bool there = false;
  bool gone = false;
  for (uint64_t seed = 1; seed < 40; ++seed) {
    World world(seed);
    Download download(world, Faults(100, 0));
    download.Store(0, 'a');
    download.Checkpoint("one");
    download.disk.Crash();
    const bool state = download.Open().resume.view() == "one";
    const bool data = download.disk.Read(kFile, 0, 1)->view() == "a";
    if (state) {
      EXPECT_TRUE(data);
    }
    there |= state;
    gone |= !state;
  }
  EXPECT_TRUE(there && gone);
}

// Two files of a leaf each.
struct SelectedFiles {
  explicit SelectedFiles(World& world) : disk(world, 0, Faults(0, 0)) {}

  std::vector<swarm::PartFound> Open(bool first, bool second) {
    OpenFile open{kFile, FileMode::kDownload, "f", 32'768, {{"a", 0, 16'384}, {"b", 16'384, 16'384}}, true};
    open.parts[0].selected = first;
    open.parts[1].selected = second;
    return std::get<FileOpened>(disk.Execute(open)->completion).parts;
  }
  void Store(uint64_t offset) {
    disk.Execute(StoreBlock{BlockToken(1), kFile, offset, Slice::Copy(Bytes(16'384, 'x'))});
  }
  uint64_t Finish() { return disk.Execute(swarm::FinishFile{kFile})->ticket; }

  ContentDisk disk;
};

TEST(ContentDisk, SelectedFilesGetTheirNamesOneByOneAndAreFoundThere) {
  using swarm::PartFound;
  World world(1);
  SelectedFiles files(world);
  EXPECT_EQ(files.Open(true, false), (std::vector<PartFound>{PartFound::kNew, PartFound::kNew}));
  files.Store(0);
  files.disk.Commit(files.Finish());
  EXPECT_EQ(files.disk.Placed("f"), absl::btree_set<size_t>{0});
  files.disk.Crash();
  EXPECT_EQ(files.Open(true, true), (std::vector<PartFound>{PartFound::kInPlace, PartFound::kNew}));
  EXPECT_EQ(files.Open(false, true), (std::vector<PartFound>{PartFound::kNew, PartFound::kStarted}));
  EXPECT_FALSE(world.failed());
  files.Store(0);
  EXPECT_TRUE(world.failed()) << "it has its name";
}

TEST(ContentDisk, AFileThatIsNotSelectedIsNotWrittenTo) {
  World world(1);
  SelectedFiles files(world);
  files.Open(true, false);
  files.Store(0);
  EXPECT_FALSE(world.failed());
  files.Store(16'384);
  EXPECT_TRUE(world.failed());
}

TEST(ContentDisk, BlocksWaitForASlowSyncAndTheDiskIsCongestedUntilMostAreWritten) {
  World world(1);
  DiskFaults faults;
  faults.gray_ppm = 1'000'000;
  Download download(world, faults);
  const auto store = [&] {
    return *download.disk.Execute(StoreBlock{BlockToken(1), kFile, 0, Slice::Copy(Bytes(16'384, 'a'))});
  };
  EXPECT_LT(store().delay, Milliseconds(1));
  download.Checkpoint("one");
  std::vector<uint64_t> tickets;
  while (!download.disk.congested()) {
    const auto pending = store();
    EXPECT_GE(pending.delay, faults.gray);
    tickets.push_back(pending.ticket);
  }
  EXPECT_EQ(tickets.size(), ContentDisk::kQueuedHigh / 16'384) << "and the one before the sync";
  for (size_t i = 0; i < tickets.size() / 2; ++i) {
    EXPECT_TRUE(download.disk.congested());
    download.disk.Commit(tickets[i]);
  }
  download.disk.Commit(tickets[tickets.size() / 2]);
  EXPECT_TRUE(download.disk.congested());
  download.disk.Commit(tickets[tickets.size() / 2 + 1]);
  EXPECT_FALSE(download.disk.congested());
}

TEST(ContentDisk, AnAlteredPartFileDiffersOnlyWhereItSaysSo) {
  World world(1);
  DiskFaults faults;
  faults.alter_percent = 100;
  Download download(world, faults);
  download.Store(0, 'a');
  download.disk.Crash();
  EXPECT_TRUE(download.disk.TakeAltered("f.part").empty())
      << "nobody vouches for a file without a checkpoint";
  download.Open();
  download.disk.Commit(download.Checkpoint("one"));
  const std::string before(download.disk.Look("f.part")->All().view());
  download.disk.Crash();
  const std::vector<uint64_t> altered = download.disk.TakeAltered("f.part");
  ASSERT_FALSE(altered.empty());
  EXPECT_TRUE(download.disk.TakeAltered("f.part").empty());
  EXPECT_EQ(world.faults().count(Fault::kAlteredFile), 1u);
  const std::string after(download.disk.Look("f.part")->All().view());
  EXPECT_NE(after, before);
  for (size_t at = 0; at < before.size(); ++at) {
    if (before[at] == after[at]) continue;
    EXPECT_NE(std::find(altered.begin(), altered.end(), at), altered.end()) << at;
  }
}

constexpr uint32_t kAlways = 1'000'000;

// A part file from before, opened on a disk that fails.
struct FailingDownload {
  FailingDownload(World& world, DiskFaults faults) : disk(world, 0, faults) {
    disk.ProvidePart("f", Bytes(40'000, 'a'), Slice::Copy("before"));
    opened = Do<FileOpened>(OpenFile{kFile, FileMode::kDownload, "f", 40'000});
  }
  template <class Done>
  Done Do(swarm::FileEffect effect) {
    auto pending = disk.Execute(effect);
    disk.Commit(pending->ticket);
    return std::get<Done>(pending->completion);
  }

  ContentDisk disk;
  FileOpened opened;
};

TEST(ContentDisk, AStoreThatFailsSaysSoAndLeavesItsBlockInPart) {
  for (const bool full : {false, true}) {
    World world(1);
    DiskFaults faults;
    (full ? faults.no_space_ppm : faults.write_error_ppm) = kAlways;
    FailingDownload download(world, faults);
    EXPECT_EQ(download.disk.write_failed(), Instant::Never());
    const auto stored =
        download.Do<BlockStored>(StoreBlock{BlockToken(1), kFile, 0, Slice::Copy(Bytes(16'384, 'b'))});
    EXPECT_EQ(stored.status.code(),
              full ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kUnavailable);
    EXPECT_EQ(download.disk.Peek(kFile, 16'383, 1)->view(), "a");
    EXPECT_EQ(download.disk.write_failed(), world.now());
    EXPECT_EQ(world.faults().count(full ? Fault::kNoSpace : Fault::kWriteError), 1u);
    EXPECT_TRUE(download.disk.Explains("it could not: " + std::string(stored.status.message())));
    EXPECT_FALSE(download.disk.Explains("it would not"));
    download.disk.Crash();
    EXPECT_EQ(download.disk.write_failed(), Instant::Never());
    EXPECT_FALSE(download.disk.Explains(std::string(stored.status.message())));
  }
}

TEST(ContentDisk, ADownloadThatFindsNoRoomForItsFileIsNotOpened) {
  World world(1);
  ContentDisk disk(world, 0, {.no_space_ppm = kAlways});
  const auto opened =
      std::get<FileOpened>(disk.Execute(OpenFile{kFile, FileMode::kDownload, "f", 40'000})->completion);
  EXPECT_EQ(opened.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(disk.Look("f.part").has_value());
}

TEST(ContentDisk, AReadThatFailsGivesNeitherBytesNorHashesAndTheJudgesStillSeeTheBytes) {
  World world(1);
  FailingDownload download(world, {.read_error_ppm = kAlways});
  EXPECT_FALSE(download.disk.Read(kFile, 0, 1).ok());
  const auto hashed = download.Do<RangeHashed>(HashRange{BlockToken(1), kFile, 0, 1, RangeHash::kLeaves});
  EXPECT_TRUE(absl::IsUnavailable(hashed.status) && hashed.leaves.empty());
  EXPECT_EQ(download.disk.Peek(kFile, 0, 1)->view(), "a");
  EXPECT_EQ(world.faults().count(Fault::kReadError), 2u);
  EXPECT_EQ(download.disk.write_failed(), Instant::Never());
}

TEST(ContentDisk, ASyncThatFailsSavesNoWordAndRenamesNothing) {
  World world(1);
  FailingDownload download(world, {.sync_error_ppm = kAlways});
  EXPECT_EQ(download.opened.resume.view(), "before");
  const auto saved = download.Do<swarm::Checkpointed>(swarm::Checkpoint{kFile, Slice::Copy("after")});
  EXPECT_TRUE(absl::IsUnavailable(saved.status));
  EXPECT_TRUE(absl::IsUnavailable(download.Do<swarm::FileFinished>(FinishFile{kFile}).status));
  EXPECT_FALSE(download.disk.Look("f").has_value());
  download.disk.Crash();
  EXPECT_EQ(download.Do<FileOpened>(OpenFile{kFile, FileMode::kDownload, "f", 40'000}).resume.view(),
            "before");
}

TEST(ContentDisk, ADiskThatMayFailFailsToCompleteOneFileOfMany) {
  uint32_t failed = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    World world(seed);
    Download download(world, {.sync_error_ppm = 1});
    auto pending = *download.disk.Execute(FinishFile{kFile});
    download.disk.Commit(pending.ticket);
    const absl::Status status = std::get<swarm::FileFinished>(pending.completion).status;
    failed += status.ok() ? 0 : 1;
    EXPECT_EQ(download.disk.Look("f").has_value(), status.ok());
    EXPECT_EQ(download.disk.Explains(std::string(status.message())), !status.ok());
  }
  EXPECT_TRUE(failed > 0 && failed < 50) << failed;
}

TEST(ContentDisk, AFinishedFileHasItsFinalNameAndADownloadOfItIsRefused) {
  World world(1);
  Download download(world, Faults(100, 0));
  download.Store(0, 'a');
  const uint64_t ticket = download.disk.Execute(FinishFile{kFile})->ticket;
  EXPECT_FALSE(download.disk.Look("f").has_value());
  download.disk.Commit(ticket);
  ASSERT_TRUE(download.disk.Look("f").has_value());
  EXPECT_FALSE(download.disk.Look("f.part").has_value());
  download.disk.Crash();
  EXPECT_EQ(download.disk.Look("f")->All().view().substr(0, 16'384), Bytes(16'384, 'a'));
  EXPECT_EQ(download.Open().status.code(), absl::StatusCode::kAlreadyExists);
}

TEST(ContentDisk, AFileThatIsCutShortCannotBeReadBeyondItsEnd) {
  World world(1);
  ContentDisk disk(world, 0, {});
  disk.Provide("g", Slice::Copy("12345"));
  disk.Execute(OpenFile{kFile, FileMode::kRead, "g", 5});
  disk.Cut("g", 3);
  EXPECT_EQ(disk.Read(kFile, 0, 3)->view(), "123");
  EXPECT_FALSE(disk.Read(kFile, 2, 2).ok());
  disk.Cut("g", 0);
  EXPECT_FALSE(disk.Read(kFile, 0, 1).ok());
}

TEST(ContentDisk, APartFileFromBeforeIsOpenedWithItsWord) {
  World world(1);
  ContentDisk disk(world, 0, {});
  disk.ProvidePart("g", "12345", Slice::Copy("a word"));
  disk.Crash();
  const auto opened =
      std::get<FileOpened>(disk.Execute(OpenFile{kFile, FileMode::kDownload, "g", 5})->completion);
  EXPECT_TRUE(opened.status.ok() && opened.existing);
  EXPECT_EQ(opened.resume.view(), "a word");
  EXPECT_EQ(disk.Read(kFile, 0, 5)->view(), "12345");
}

TEST(ContentDisk, RefusesToOfferAFileOfAnotherLength) {
  World world(1);
  ContentDisk disk(world, 0, {});
  disk.Provide("g", Slice::Copy("12345"));
  const auto open = [&](uint64_t length, std::string name) {
    return std::get<FileOpened>(disk.Execute(OpenFile{kFile, FileMode::kRead, name, length})->completion)
        .status;
  };
  EXPECT_EQ(open(4, "g").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(open(5, "h").code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(open(5, "g").ok());
  const auto hashed = std::get<RangeHashed>(
      disk.Execute(HashRange{BlockToken(3), kFile, 1, 3, RangeHash::kLeaves})->completion);
  ASSERT_EQ(hashed.leaves.size(), 1u);
  EXPECT_EQ(hashed.leaves[0], Sha256("234"));
}

}  // namespace
}  // namespace bt::sim
