#include "nodes/content/block_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "core/base/digest.h"
#include "core/torrent/sha1.h"
#include "tests/nodes/content/block_store_fixture.h"

namespace bt::nodes::test {
namespace {

using swarm::BlockStored;
using swarm::BlockToken;
using swarm::Checkpoint;
using swarm::Checkpointed;
using swarm::FileChanged;
using swarm::FileFinished;
using swarm::FileMode;
using swarm::FileOpened;
using swarm::FinishFile;
using swarm::HashRange;
using swarm::RangeHash;
using swarm::RangeHashed;
using swarm::StoreBlock;

TEST_F(BlockStoreTest, ADownloadIsAPartFileUntilItIsFinishedAndThenHasItsName) {
  const std::string bytes = net::RandomBytes(40 * kBlock + 100, 1);
  ASSERT_TRUE(Open(FileMode::kDownload, "film", bytes.size()).status.ok());
  StoreAll(bytes);
  EXPECT_TRUE(Exists("film.part"));
  EXPECT_FALSE(Exists("film"));
  EXPECT_LT(store_->counters().writes, 41u) << "neighbouring blocks share a system call";
  store_->Execute(Checkpoint{kFile, Slice::Static("half")});
  EXPECT_TRUE(Next<Checkpointed>().status.ok());
  EXPECT_TRUE(Exists("film.part.state"));
  store_->Execute(FinishFile{kFile});
  const FileFinished finished = Next<FileFinished>();
  EXPECT_TRUE(finished.status.ok()) << finished.status;
  EXPECT_EQ(net::ReadFile(directory_ / "film"), bytes);
  EXPECT_FALSE(Exists("film.part"));
  EXPECT_FALSE(Exists("film.part.state"));
  // Finished for good: nothing writes to it any more, but it can be read and offered on.
  store_->Execute(StoreBlock{BlockToken(9), kFile, 0, Slice::Static("late")});
  EXPECT_FALSE(Next<BlockStored>().status.ok());
  EXPECT_NE(store_->Find(kFile, 0).file, nullptr);
}

TEST_F(BlockStoreTest, BlocksOfOneIterationInAnyOrderWithGapsLandInTheirPlaces) {
  std::string bytes = net::RandomBytes(40 * kBlock, 6);
  ASSERT_TRUE(Open(FileMode::kDownload, "film", bytes.size()).status.ok());
  size_t stored = 0;
  for (size_t i = 40; i-- > 0;) {
    if (i % 5 == 3) {
      bytes.replace(i * kBlock, kBlock, std::string(kBlock, '\0'));
    } else {
      store_->Execute(
          StoreBlock{BlockToken(i), kFile, i * kBlock, Slice::Copy(bytes.substr(i * kBlock, kBlock))});
      ++stored;
    }
  }
  ASSERT_TRUE(net::RunUntil(loop_, [&] { return inputs_.size() == stored; }));
  EXPECT_TRUE(net::ReadFile(directory_ / "film.part") == bytes);
}

TEST_F(BlockStoreTest, RangesAreHashedAsLeavesAndAsSha1) {
  const std::string bytes = net::RandomBytes(70 * kBlock + 5, 2);
  net::WriteFile(directory_ / "data", bytes);
  ASSERT_TRUE(Open(FileMode::kRead, "data", bytes.size()).status.ok());
  store_->Execute(HashRange{BlockToken(1), kFile, kBlock, bytes.size() - kBlock, RangeHash::kLeaves});
  const RangeHashed leaves = Next<RangeHashed>();
  ASSERT_TRUE(leaves.status.ok());
  ASSERT_EQ(leaves.leaves.size(), 70u);
  for (size_t i = 0; i < 70; ++i) {
    EXPECT_EQ(leaves.leaves[i], Sha256(std::string_view(bytes).substr((i + 1) * kBlock, kBlock)));
  }
  store_->Execute(HashRange{BlockToken(2), kFile, 3, bytes.size() - 3, RangeHash::kSha1});
  EXPECT_EQ(Next<RangeHashed>().sha1, Sha1(std::string_view(bytes).substr(3)));
  store_->Execute(HashRange{BlockToken(3), kFile, 3, bytes.size(), RangeHash::kSha1});
  EXPECT_FALSE(Next<RangeHashed>().status.ok()) << "outside of the file";
}

TEST_F(BlockStoreTest, ACheckpointComesBackOnlyWithTheFileItBelongsTo) {
  const std::string bytes = net::RandomBytes(4 * kBlock, 3);
  EXPECT_TRUE(Open(FileMode::kDownload, "film", bytes.size()).resume.empty());
  StoreAll(bytes);
  store_->Execute(Checkpoint{kFile, Slice::Static("pieces 0-3")});
  ASSERT_TRUE(Next<Checkpointed>().status.ok());
  // Blocks written after the checkpoint do not spoil it.
  store_->Execute(StoreBlock{BlockToken(1), kFile, 0, Slice::Static("later")});
  ASSERT_TRUE(Next<BlockStored>().status.ok());

  Restart();
  EXPECT_EQ(Open(FileMode::kDownload, "film", bytes.size()).resume.view(), "pieces 0-3");

  Restart();
  std::string state = net::ReadFile(directory_ / "film.part.state");
  std::string damaged = state;
  damaged.back() ^= 1;
  net::WriteFile(directory_ / "film.part.state", damaged);
  const FileOpened with_damaged_state = Open(FileMode::kDownload, "film", bytes.size());
  EXPECT_TRUE(with_damaged_state.status.ok());
  EXPECT_TRUE(with_damaged_state.resume.empty());

  Restart();
  net::WriteFile(directory_ / "film.part.state", state);
  std::filesystem::rename(directory_ / "film.part", directory_ / "other");
  net::WriteFile(directory_ / "film.part", std::string(bytes.size(), 'x'));
  EXPECT_TRUE(Open(FileMode::kDownload, "film", bytes.size()).resume.empty()) << "another file of that name";
}

TEST_F(BlockStoreTest, UnusablePlacesAreRefusedWithAReason) {
  std::filesystem::create_directory(directory_ / "folder");
  net::WriteFile(directory_ / "taken", "x");
  // As long as the download would be: only what they are speaks against them.
  net::WriteFile(directory_ / "victim", std::string(100, 'v'));
  net::WriteFile(directory_ / "twin", std::string(100, 't'));
  std::filesystem::create_symlink(directory_ / "victim", directory_ / "link.part");
  std::filesystem::create_hard_link(directory_ / "twin", directory_ / "hard.part");
  net::WriteFile(directory_ / "longer.part", std::string(50, 'x'));
  ASSERT_EQ(mkfifo((directory_ / "pipe").c_str(), 0600), 0);
  const struct {
    FileMode mode;
    const char* name;
    absl::StatusCode code;
  } cases[] = {
      {FileMode::kDownload, "folder", absl::StatusCode::kFailedPrecondition},
      {FileMode::kDownload, "taken", absl::StatusCode::kAlreadyExists},
      {FileMode::kDownload, "link", absl::StatusCode::kFailedPrecondition},
      {FileMode::kDownload, "hard", absl::StatusCode::kFailedPrecondition},
      {FileMode::kDownload, "longer", absl::StatusCode::kFailedPrecondition},
      {FileMode::kDownload, "missing/film", absl::StatusCode::kNotFound},
      {FileMode::kRead, "missing", absl::StatusCode::kNotFound},
      {FileMode::kRead, "folder", absl::StatusCode::kFailedPrecondition},
      {FileMode::kRead, "pipe", absl::StatusCode::kFailedPrecondition},
      {FileMode::kRead, "taken", absl::StatusCode::kFailedPrecondition},
  };
  for (const auto& one : cases) {
    const FileOpened opened = Open(one.mode, one.name, 100);
    EXPECT_EQ(opened.status.code(), one.code) << one.name << ": " << opened.status;
    EXPECT_NE(std::string(opened.status.message()).find(one.name), std::string::npos) << opened.status;
    EXPECT_EQ(store_->Find(kFile, 0).file, nullptr);
  }
  EXPECT_EQ(net::ReadFile(directory_ / "victim"), std::string(100, 'v'));
  EXPECT_EQ(net::ReadFile(directory_ / "twin"), std::string(100, 't'));
}

TEST_F(BlockStoreTest, ATargetThatAppearsDuringTheDownloadIsNotOverwritten) {
  ASSERT_TRUE(Open(FileMode::kDownload, "film", kBlock).status.ok());
  StoreAll(std::string(kBlock, 'n'));
  net::WriteFile(directory_ / "film", "somebody else's");
  store_->Execute(FinishFile{kFile});
  const FileFinished finished = Next<FileFinished>();
  EXPECT_EQ(finished.status.code(), absl::StatusCode::kAlreadyExists) << finished.status;
  EXPECT_EQ(net::ReadFile(directory_ / "film"), "somebody else's");
  EXPECT_EQ(net::ReadFile(directory_ / "film.part"), std::string(kBlock, 'n'));
  overwrite_ = true;
  Restart();
  ASSERT_TRUE(Open(FileMode::kDownload, "film", kBlock).status.ok());
  store_->Execute(FinishFile{kFile});
  EXPECT_TRUE(Next<FileFinished>().status.ok());
  EXPECT_EQ(net::ReadFile(directory_ / "film"), std::string(kBlock, 'n'));
}

TEST_F(BlockStoreTest, AnOfferedFileThatIsWrittenReplacedOrGoneIsSaidAndReadAnew) {
  Restart({.watch_period = Milliseconds(5)});
  net::WriteFile(directory_ / "film", std::string(kBlock, 'a'));
  ASSERT_TRUE(Open(FileMode::kRead, "film", kBlock).status.ok());
  const auto leaf = [&] {
    store_->Execute(HashRange{BlockToken(3), kFile, 0, kBlock, RangeHash::kLeaves});
    const RangeHashed hashed = Next<RangeHashed>();
    return hashed.leaves.empty() ? Sha256Digest{} : hashed.leaves[0];
  };
  EXPECT_EQ(leaf(), Sha256(std::string(kBlock, 'a')));
  ASSERT_EQ(truncate((directory_ / "film").c_str(), 5), 0);
  EXPECT_TRUE(Next<FileChanged>().status.ok());
  EXPECT_EQ(leaf(), Sha256Digest{}) << "there are no such bytes any more";
  net::WriteFile(directory_ / "fresh", std::string(kBlock, 'c'));
  ASSERT_EQ(rename((directory_ / "fresh").c_str(), (directory_ / "film").c_str()), 0);
  EXPECT_TRUE(Next<FileChanged>().status.ok());
  EXPECT_EQ(leaf(), Sha256(std::string(kBlock, 'c')));
  unlink((directory_ / "film").c_str());
  EXPECT_EQ(Next<FileChanged>().status.code(), absl::StatusCode::kNotFound);
  net::WriteFile(directory_ / "fresh", std::string(kBlock, 'd'));
  ASSERT_EQ(rename((directory_ / "fresh").c_str(), (directory_ / "film").c_str()), 0);
  EXPECT_TRUE(Next<FileChanged>().status.ok());
  EXPECT_EQ(leaf(), Sha256(std::string(kBlock, 'd')));
}

// Names of up to 255 bytes are names of torrents, and of files.
TEST_F(BlockStoreTest, ADownloadOfTheLongestNameHasAPartFileWithAShorterOne) {
  const std::string name(255, 'n');
  ASSERT_TRUE(Open(FileMode::kDownload, name, kBlock).status.ok());
  StoreAll(std::string(kBlock, 'x'));
  store_->Execute(Checkpoint{kFile, Slice::Static("half")});
  EXPECT_TRUE(Next<Checkpointed>().status.ok());
  Restart();
  EXPECT_EQ(Open(FileMode::kDownload, name, kBlock).resume.view(), "half");
  store_->Execute(FinishFile{kFile});
  EXPECT_TRUE(Next<FileFinished>().status.ok());
  EXPECT_TRUE(Exists(name));
}

// After a failed sync Linux calls the dropped pages clean, and the next one says that all is well.
TEST(ContentFile, AFileWhoseSyncFailedOnceNeverGetsItsName) {
  const net::TemporaryDirectory directory;
  const std::string part = directory / "a.bin.part";
  ContentFile file;
  file.path = part;
  file.target = directory / "a.bin";
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const net::Fd other_end(ends[1]);
  file.fd = net::Fd(ends[0]);  // what cannot be synced
  EXPECT_FALSE(WriteCheckpoint(file, Slice()).ok());
  file.fd = net::Fd(open(part.c_str(), O_RDWR | O_CREAT, 0600));
  const absl::Status finished = FinishDownload(file);
  EXPECT_NE(finished.message().find("earlier sync"), std::string::npos) << finished;
  EXPECT_NE(access(file.target.c_str(), F_OK), 0);
}

TEST_F(BlockStoreTest, TwoDownloadsOfOneFileDoNotMeetInOnePartFile) {
  ASSERT_TRUE(Open(FileMode::kDownload, "film", kBlock).status.ok());
  const auto first = std::move(store_);
  Restart();
  EXPECT_EQ(Open(FileMode::kDownload, "film", kBlock).status.code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(BlockStoreTest, APartFileNothingWasStoredInIsTakenAwayOneWithBlocksStays) {
  ASSERT_TRUE(Open(FileMode::kDownload, "film", 2 * kBlock).status.ok());
  EXPECT_TRUE(Exists("film.part"));
  Restart();
  EXPECT_FALSE(Exists("film.part"));

  ASSERT_TRUE(Open(FileMode::kDownload, "film", 2 * kBlock).status.ok());
  store_->Execute(StoreBlock{BlockToken(1), kFile, 0, Slice::Own(std::string(kBlock, 'a'))});
  EXPECT_TRUE(Next<BlockStored>().status.ok());
  Restart();
  EXPECT_TRUE(Exists("film.part"));
  EXPECT_TRUE(Open(FileMode::kDownload, "film", 2 * kBlock).existing);
  Restart();
  EXPECT_TRUE(Exists("film.part"));
}

TEST_F(BlockStoreTest, ADiskTooSmallIsKnownAtOnceAndLeavesNothingBehind) {
  struct sigaction old_action {};
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGXFSZ, &ignore, &old_action);
  rlimit old_limit{};
  getrlimit(RLIMIT_FSIZE, &old_limit);
  const rlimit limit{.rlim_cur = 1024 * 1024, .rlim_max = old_limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  const FileOpened opened = Open(FileMode::kDownload, "film", 4 * 1024 * 1024);
  setrlimit(RLIMIT_FSIZE, &old_limit);
  sigaction(SIGXFSZ, &old_action, nullptr);
  EXPECT_EQ(opened.status.code(), absl::StatusCode::kResourceExhausted) << opened.status;
  EXPECT_FALSE(Exists("film.part"));
}

TEST_F(BlockStoreTest, TooMuchQueuedIsCongestionUntilTheWorkersHaveCaughtUp) {
  Restart(
      {.queued_bytes_high = 10 * kBlock, .queued_bytes_low = 2 * kBlock, .queued_bytes_max = 40 * kBlock});
  ASSERT_TRUE(Open(FileMode::kDownload, "film", 100 * kBlock).status.ok());
  for (uint64_t i = 0; i < 50; ++i) {
    store_->Execute(StoreBlock{BlockToken(i), kFile, i * kBlock, Slice::Own(std::string(kBlock, 'x'))});
  }
  EXPECT_TRUE(store_->congested());
  ASSERT_TRUE(net::RunUntil(loop_, [&] { return inputs_.size() == 50; }));
  EXPECT_FALSE(store_->congested());
  EXPECT_EQ(store_->queued_bytes(), 0u);
  EXPECT_EQ(congestion_, (std::vector<bool>{true, false}));
  int refused = 0;
  for (const swarm::FileDone& input : inputs_) {
    refused += std::get<BlockStored>(input).status.code() == absl::StatusCode::kResourceExhausted ? 1 : 0;
  }
  EXPECT_EQ(refused, 10) << "past the stated limit";
}

TEST_F(BlockStoreTest, BlocksOutsideOfTheFileOrWithoutAFileAreRefusedNotWritten) {
  store_->Execute(StoreBlock{BlockToken(1), kFile, 0, Slice::Static("x")});
  EXPECT_FALSE(Next<BlockStored>().status.ok());
  ASSERT_TRUE(Open(FileMode::kDownload, "film", kBlock).status.ok());
  store_->Execute(StoreBlock{BlockToken(2), kFile, kBlock, Slice::Static("x")});
  EXPECT_FALSE(Next<BlockStored>().status.ok());
  store_->Execute(StoreBlock{BlockToken(3), kFile, UINT64_MAX, Slice::Static("x")});
  EXPECT_FALSE(Next<BlockStored>().status.ok());
  EXPECT_EQ(std::filesystem::file_size(directory_ / "film.part"), kBlock);
}

TEST_F(BlockStoreTest, SeveralHashingThreadsGiveTheSameFile) {
  Restart({.hash_threads = 3});
  const std::string bytes = net::RandomBytes(300 * kBlock, 4);
  ASSERT_TRUE(Open(FileMode::kDownload, "film", bytes.size()).status.ok());
  StoreAll(bytes);
  store_->Execute(FinishFile{kFile});
  ASSERT_TRUE(Next<FileFinished>().status.ok());
  EXPECT_EQ(net::ReadFile(directory_ / "film"), bytes);
}

}  // namespace
}  // namespace bt::nodes::test
