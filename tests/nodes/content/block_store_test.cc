#include "nodes/content/block_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/digest.h"
#include "core/torrent/sha1.h"
#include "tests/net/support.h"

namespace bt::nodes {
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
using swarm::OpenFile;
using swarm::PartFound;
using swarm::RangeHash;
using swarm::RangeHashed;
using swarm::StoreBlock;

constexpr FileId kFile(0);
constexpr size_t kBlock = 16 * 1024;

class BlockStoreTest : public testing::Test {
 protected:
  BlockStoreTest() { Restart(); }

  // As a killed and restarted process would: nothing but the files remains.
  void Restart(BlockStoreOptions options = {}) {
    store_.reset();
    inputs_.clear();
    store_ = std::make_unique<BlockStore>(loop_, options, [this](const OpenFile& open) {
      return FilePlace{directory_ / open.name, overwrite_};
    });
    store_->Connect([this](swarm::FileDone input) { inputs_.push_back(std::move(input)); },
                    [this](bool congested) { congestion_.push_back(congested); });
  }

  // The next completion, which must be a T.
  template <class T>
  T Next() {
    EXPECT_TRUE(net::RunUntil(loop_, [this] { return !inputs_.empty(); }));
    if (inputs_.empty()) return T{};
    const swarm::FileDone input = std::move(inputs_.front());
    inputs_.erase(inputs_.begin());
    const T* typed = std::get_if<T>(&input);
    EXPECT_NE(typed, nullptr);
    return typed == nullptr ? T{} : *typed;
  }

  FileOpened Open(FileMode mode, const std::string& name, uint64_t length) {
    store_->Execute(OpenFile{kFile, mode, name, length, {}});
    return Next<FileOpened>();
  }

  void StoreAll(const std::string& bytes) {
    uint64_t token = 0;
    for (size_t at = 0; at < bytes.size(); at += kBlock) {
      store_->Execute(StoreBlock{BlockToken(++token), kFile, at, Slice::Copy(bytes.substr(at, kBlock))});
    }
    ASSERT_TRUE(net::RunUntil(loop_, [&] { return inputs_.size() == token; }));
    for (const swarm::FileDone& input : inputs_) {
      const auto& stored = std::get<BlockStored>(input);
      EXPECT_TRUE(stored.status.ok()) << stored.status;
      EXPECT_EQ(stored.leaf,
                Sha256(std::string_view(bytes).substr((stored.token.value() - 1) * kBlock, kBlock)));
    }
    inputs_.clear();
  }

  bool Exists(const std::string& name) { return access((directory_ / name).c_str(), F_OK) == 0; }

  net::TemporaryDirectory directory_;
  net::Loop loop_;
  bool overwrite_ = false;
  std::vector<swarm::FileDone> inputs_;
  std::vector<bool> congestion_;
  std::unique_ptr<BlockStore> store_;
};

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

// --- trees ---

constexpr uint64_t kPieceBytes = 2 * kBlock;

class TreeStoreTest : public BlockStoreTest {
 protected:
  // Its files lie at pieces 0, 2 and 3; the second is empty.
  OpenFile Tree(FileMode mode) {
    return {kFile,
            mode,
            "tree",
            3 * kPieceBytes + 9,
            {{"a", 0, kPieceBytes + 5, false},
             {"b/empty", 2 * kPieceBytes, 0, false},
             {"b/c/tool", 2 * kPieceBytes, kPieceBytes, true},
             {"z", 3 * kPieceBytes, 9, false}}};
  }
  FileOpened OpenTree(FileMode mode) {
    store_->Execute(Tree(mode));
    return Next<FileOpened>();
  }
  void Store(uint64_t offset, const std::string& bytes) {
    store_->Execute(StoreBlock{BlockToken(1), kFile, offset, Slice::Copy(bytes)});
    const BlockStored stored = Next<BlockStored>();
    EXPECT_TRUE(stored.status.ok()) << stored.status;
  }
  void StoreTree() {
    Store(0, std::string(kBlock, 'a'));
    Store(kBlock, std::string(kBlock, 'b'));
    Store(kPieceBytes, "tail.");
    Store(2 * kPieceBytes, std::string(kBlock, 'c'));
    Store(2 * kPieceBytes + kBlock, std::string(kBlock, 'd'));
    Store(3 * kPieceBytes, "zzzzzzzzz");
  }
};

TEST_F(TreeStoreTest, ADownloadIsADirectoryThatGetsItsNameWhenAllFilesAreThere) {
  ASSERT_TRUE(OpenTree(FileMode::kDownload).status.ok());
  StoreTree();
  EXPECT_TRUE(Exists("tree.part/b/c/tool"));
  EXPECT_FALSE(Exists("tree"));
  store_->Execute(FinishFile{kFile});
  const FileFinished finished = Next<FileFinished>();
  EXPECT_TRUE(finished.status.ok()) << finished.status;
  EXPECT_EQ(net::ReadFile(directory_ / "tree/a"),
            std::string(kBlock, 'a') + std::string(kBlock, 'b') + "tail.");
  EXPECT_EQ(net::ReadFile(directory_ / "tree/b/empty"), "");
  EXPECT_EQ(net::ReadFile(directory_ / "tree/b/c/tool"), std::string(kBlock, 'c') + std::string(kBlock, 'd'));
  EXPECT_EQ(net::ReadFile(directory_ / "tree/z"), "zzzzzzzzz");
  EXPECT_EQ(access((directory_ / "tree/b/c/tool").c_str(), X_OK), 0);
  EXPECT_FALSE(Exists("tree.part"));
  // What is offered on is found where it lies.
  const net::FileSpot spot = store_->Find(kFile, 2 * kPieceBytes + 7);
  ASSERT_NE(spot.file, nullptr);
  EXPECT_EQ(spot.offset, 7u);
}

TEST_F(TreeStoreTest, HashesOfVersionOneGoOnInZerosBehindAFile) {
  ASSERT_TRUE(OpenTree(FileMode::kDownload).status.ok());
  StoreTree();
  const auto sha1 = [&](uint64_t offset, uint64_t length) {
    store_->Execute(HashRange{BlockToken(2), kFile, offset, length, RangeHash::kSha1});
    const RangeHashed hashed = Next<RangeHashed>();
    EXPECT_TRUE(hashed.status.ok()) << hashed.status;
    return hashed.sha1;
  };
  std::string second = "tail.";
  second.resize(kPieceBytes, '\0');
  EXPECT_EQ(sha1(kPieceBytes, kPieceBytes), Sha1(second));
  std::string last = "zzzzzzzzz";
  EXPECT_EQ(sha1(3 * kPieceBytes, 9), Sha1(last));
  last.resize(kPieceBytes, '\0');
  EXPECT_EQ(sha1(3 * kPieceBytes, kPieceBytes), Sha1(last));
  store_->Execute(HashRange{BlockToken(3), kFile, 2 * kPieceBytes, kPieceBytes, RangeHash::kLeaves});
  EXPECT_EQ(Next<RangeHashed>().leaves,
            (std::vector<Sha256Digest>{Sha256(std::string(kBlock, 'c')), Sha256(std::string(kBlock, 'd'))}));
}

TEST_F(TreeStoreTest, ACheckpointIsFoundAgainAndWhichFilesAreGone) {
  ASSERT_TRUE(OpenTree(FileMode::kDownload).status.ok());
  StoreTree();
  store_->Execute(Checkpoint{kFile, Slice::Static("half")});
  EXPECT_TRUE(Next<Checkpointed>().status.ok());
  Restart();
  const FileOpened again = OpenTree(FileMode::kDownload);
  EXPECT_EQ(again.resume.view(), "half");
  EXPECT_TRUE(again.existing);
  // Of an empty file there is nothing to go on with.
  EXPECT_EQ(again.parts, (std::vector<PartFound>{PartFound::kStarted, PartFound::kNew, PartFound::kStarted,
                                                 PartFound::kStarted}));
  Restart();
  unlink((directory_ / "tree.part/a").c_str());
  const FileOpened without = OpenTree(FileMode::kDownload);
  EXPECT_EQ(without.resume.view(), "half");
  EXPECT_TRUE(without.existing);
  EXPECT_EQ(without.parts[0], PartFound::kNew);
  EXPECT_EQ(without.parts[3], PartFound::kStarted);
}

TEST_F(TreeStoreTest, NothingIsWrittenThroughALinkOrOverAnotherDirectory) {
  mkdir((directory_ / "elsewhere").c_str(), 0700);
  mkdir((directory_ / "tree.part").c_str(), 0700);
  ASSERT_EQ(symlink((directory_ / "elsewhere").c_str(), (directory_ / "tree.part/b").c_str()), 0);
  EXPECT_FALSE(OpenTree(FileMode::kDownload).status.ok());
  EXPECT_FALSE(Exists("elsewhere/c"));
  Restart();
  unlink((directory_ / "tree.part/b").c_str());
  mkdir((directory_ / "tree").c_str(), 0700);
  EXPECT_EQ(OpenTree(FileMode::kDownload).status.code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(TreeStoreTest, ADirectoryThatNothingWasStoredInIsTakenAway) {
  ASSERT_TRUE(OpenTree(FileMode::kDownload).status.ok());
  EXPECT_TRUE(Exists("tree.part/b/c/tool"));
  Restart();
  EXPECT_FALSE(Exists("tree.part"));
}

TEST_F(TreeStoreTest, AnOfferedTreeHasAllItsFilesInTheirLengths) {
  EXPECT_EQ(OpenTree(FileMode::kRead).status.code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(OpenTree(FileMode::kDownload).status.ok());
  StoreTree();
  store_->Execute(FinishFile{kFile});
  EXPECT_TRUE(Next<FileFinished>().status.ok());
  Restart();
  EXPECT_TRUE(OpenTree(FileMode::kRead).status.ok());
  Restart();
  ASSERT_EQ(truncate((directory_ / "tree/b/c/tool").c_str(), 5), 0);
  const absl::Status shorter = OpenTree(FileMode::kRead).status;
  EXPECT_NE(shorter.message().find("tree/b/c/tool has 5 bytes"), std::string::npos) << shorter;
}

TEST_F(TreeStoreTest, AFileOfAnOfferedTreeThatIsReplacedIsSaidByItsPlace) {
  ASSERT_TRUE(OpenTree(FileMode::kDownload).status.ok());
  StoreTree();
  store_->Execute(FinishFile{kFile});
  EXPECT_TRUE(Next<FileFinished>().status.ok());
  Restart({.watch_period = Milliseconds(5)});
  ASSERT_TRUE(OpenTree(FileMode::kRead).status.ok());
  ASSERT_NE(store_->Find(kFile, 3 * kPieceBytes).file, nullptr);  // so that it is open
  net::WriteFile(directory_ / "fresh", "123456789");
  ASSERT_EQ(rename((directory_ / "fresh").c_str(), (directory_ / "tree/z").c_str()), 0);
  const FileChanged changed = Next<FileChanged>();
  EXPECT_TRUE(changed.status.ok()) << changed.status;
  EXPECT_EQ(changed.offset, 3 * kPieceBytes);
  EXPECT_EQ(changed.length, 9u);
  store_->Execute(HashRange{BlockToken(3), kFile, 3 * kPieceBytes, 9, RangeHash::kLeaves});
  EXPECT_EQ(Next<RangeHashed>().leaves, std::vector<Sha256Digest>{Sha256("123456789")});
}

// --- files selected from a tree ---

class SelectionStoreTest : public TreeStoreTest {
 protected:
  FileOpened Select(const std::vector<std::string>& paths, FileMode mode = FileMode::kDownload) {
    OpenFile open = Tree(mode);
    open.selection = true;
    for (swarm::FilePart& part : open.parts) {
      part.selected = std::find(paths.begin(), paths.end(), part.path) != paths.end();
    }
    store_->Execute(std::move(open));
    return Next<FileOpened>();
  }
  void Keep(const std::string& state) {
    store_->Execute(Checkpoint{kFile, Slice::Copy(state)});
    EXPECT_TRUE(Next<Checkpointed>().status.ok());
  }
  absl::Status Finish() {
    store_->Execute(FinishFile{kFile});
    return Next<FileFinished>().status;
  }
  static constexpr PartFound kNew = PartFound::kNew;
  static constexpr PartFound kStarted = PartFound::kStarted;
  static constexpr PartFound kInPlace = PartFound::kInPlace;
};

TEST_F(SelectionStoreTest, OnlySelectedFilesAreMadeAndGetTheirNamesBesideWhatIsThere) {
  mkdir((directory_ / "tree").c_str(), 0700);
  net::WriteFile(directory_ / "tree/z", "the owner's own");
  const FileOpened opened = Select({"b/empty", "b/c/tool"});
  ASSERT_TRUE(opened.status.ok()) << opened.status;
  EXPECT_EQ(opened.parts, (std::vector<PartFound>{kNew, kNew, kNew, kNew}));
  EXPECT_FALSE(Exists("tree.part/a"));
  EXPECT_FALSE(Exists("tree/b"));
  Store(2 * kPieceBytes, std::string(kBlock, 'c'));
  Store(2 * kPieceBytes + kBlock, std::string(kBlock, 'd'));
  store_->Execute(StoreBlock{BlockToken(7), kFile, 0, Slice::Static("not wanted")});
  EXPECT_FALSE(Next<BlockStored>().status.ok()) << "a file that is not selected is not written to";
  ASSERT_TRUE(Finish().ok());
  EXPECT_EQ(net::ReadFile(directory_ / "tree/b/c/tool"), std::string(kBlock, 'c') + std::string(kBlock, 'd'));
  EXPECT_EQ(access((directory_ / "tree/b/c/tool").c_str(), X_OK), 0);
  EXPECT_TRUE(Exists("tree/b/empty"));
  EXPECT_FALSE(Exists("tree/a"));
  EXPECT_EQ(net::ReadFile(directory_ / "tree/z"), "the owner's own");
  EXPECT_FALSE(Exists("tree.part"));
  EXPECT_FALSE(Exists("tree.part.state"));
  const net::FileSpot spot = store_->Find(kFile, 2 * kPieceBytes + 7);
  ASSERT_NE(spot.file, nullptr) << "what has its name is served on";
  EXPECT_EQ(spot.file->path, std::string(directory_ / "tree/b/c/tool"));
}

// The state must hold for whatever is selected next, or everything would be hashed anew.
TEST_F(SelectionStoreTest, ACheckpointOfOneSelectionSpeaksForTheNext) {
  ASSERT_TRUE(Select({"a", "z"}).status.ok());
  Store(0, std::string(kBlock, 'a'));
  Store(3 * kPieceBytes, "zzzzzzzzz");
  Keep("one");
  Restart();
  const FileOpened second = Select({"a", "b/c/tool"});
  EXPECT_EQ(second.resume.view(), "one");
  EXPECT_EQ(second.parts, (std::vector<PartFound>{kStarted, kNew, kNew, kStarted}));
  EXPECT_NE(store_->Find(kFile, 3 * kPieceBytes).file, nullptr) << "what is not selected is served on";
  Keep("two");
  Restart();
  const FileOpened third = Select({"z"});
  EXPECT_EQ(third.resume.view(), "two");
  EXPECT_EQ(third.parts, (std::vector<PartFound>{kStarted, kNew, kStarted, kStarted}));
  // It gets its name, and is taken away: what is left of the others is still vouched for.
  ASSERT_TRUE(Finish().ok());
  EXPECT_EQ(net::ReadFile(directory_ / "tree/z"), "zzzzzzzzz");
  EXPECT_TRUE(Exists("tree.part/a"));
  unlink((directory_ / "tree/z").c_str());
  Restart();
  const FileOpened fourth = Select({"a"});
  EXPECT_EQ(fourth.resume.view(), "two");
  EXPECT_EQ(fourth.parts, (std::vector<PartFound>{kStarted, kNew, kStarted, kNew}));
  // And the whole goes on where selections stopped.
  Restart();
  rmdir((directory_ / "tree").c_str());
  const FileOpened whole = OpenTree(FileMode::kDownload);
  EXPECT_EQ(whole.resume.view(), "two") << whole.status;
  EXPECT_EQ(whole.parts, (std::vector<PartFound>{kStarted, kNew, kStarted, kNew}));
}

TEST_F(SelectionStoreTest, WhatIsInPlaceIsReadFromThereAndNeverWrittenTo) {
  mkdir((directory_ / "tree").c_str(), 0700);
  net::WriteFile(directory_ / "tree/z", "zzzzzzzzz");
  const FileOpened opened = Select({"z", "a"});
  ASSERT_TRUE(opened.status.ok()) << opened.status;
  EXPECT_EQ(opened.parts, (std::vector<PartFound>{kNew, kNew, kNew, kInPlace}));
  EXPECT_FALSE(Exists("tree.part/z"));
  store_->Execute(HashRange{BlockToken(3), kFile, 3 * kPieceBytes, 9, RangeHash::kLeaves});
  EXPECT_EQ(Next<RangeHashed>().leaves, std::vector<Sha256Digest>{Sha256("zzzzzzzzz")});
  store_->Execute(StoreBlock{BlockToken(7), kFile, 3 * kPieceBytes, Slice::Static("xxxxxxxxx")});
  EXPECT_FALSE(Next<BlockStored>().status.ok());
  EXPECT_EQ(net::ReadFile(directory_ / "tree/z"), "zzzzzzzzz");
}

TEST_F(SelectionStoreTest, AnotherFileOfItsNameOrALinkInTheWayIsRefused) {
  mkdir((directory_ / "tree").c_str(), 0700);
  net::WriteFile(directory_ / "tree/z", "longer than that");
  const absl::Status other = Select({"z"}).status;
  EXPECT_EQ(other.code(), absl::StatusCode::kAlreadyExists) << other;
  EXPECT_NE(other.message().find("tree/z"), std::string::npos) << other;
  EXPECT_FALSE(Exists("tree.part"));
  Restart();
  ASSERT_TRUE(Select({"a"}).status.ok()) << "nobody asked for it";
  Restart();
  mkdir((directory_ / "elsewhere").c_str(), 0700);
  ASSERT_EQ(symlink((directory_ / "elsewhere").c_str(), (directory_ / "tree/b").c_str()), 0);
  EXPECT_FALSE(Select({"b/c/tool"}).status.ok());
  Restart();
  unlink((directory_ / "tree/b").c_str());
  ASSERT_TRUE(Select({"b/c/tool"}).status.ok());
  ASSERT_EQ(symlink((directory_ / "elsewhere").c_str(), (directory_ / "tree/b").c_str()), 0);
  EXPECT_FALSE(Finish().ok()) << "a link that has come meanwhile";
  EXPECT_FALSE(Exists("elsewhere/c"));
}

TEST_F(SelectionStoreTest, AFileThatAppearsDuringTheDownloadIsNotOverwritten) {
  ASSERT_TRUE(Select({"z"}).status.ok());
  Store(3 * kPieceBytes, "zzzzzzzzz");
  mkdir((directory_ / "tree").c_str(), 0700);
  net::WriteFile(directory_ / "tree/z", "somebody's");
  const absl::Status finished = Finish();
  EXPECT_EQ(finished.code(), absl::StatusCode::kAlreadyExists) << finished;
  EXPECT_EQ(net::ReadFile(directory_ / "tree/z"), "somebody's");
  EXPECT_EQ(net::ReadFile(directory_ / "tree.part/z"), "zzzzzzzzz");
}

TEST_F(SelectionStoreTest, AFinishedSelectionIsWatchedWithoutTheRest) {
  Restart({.watch_period = Milliseconds(5)});
  ASSERT_TRUE(Select({"z"}).status.ok());
  Store(3 * kPieceBytes, "zzzzzzzzz");
  ASSERT_TRUE(Finish().ok());
  net::WriteFile(directory_ / "tree/a", "not looked at");
  net::WriteFile(directory_ / "fresh", "123456789");
  ASSERT_EQ(rename((directory_ / "fresh").c_str(), (directory_ / "tree/z").c_str()), 0);
  const FileChanged changed = Next<FileChanged>();
  EXPECT_TRUE(changed.status.ok()) << changed.status;
  EXPECT_EQ(changed.offset, 3 * kPieceBytes);
  EXPECT_EQ(changed.length, 9u);
  // Another directory in its place is opened, though it lacks what is not selected.
  mkdir((directory_ / "other").c_str(), 0700);
  net::WriteFile(directory_ / "other/z", "abcdefghi");
  ASSERT_EQ(rename((directory_ / "tree").c_str(), (directory_ / "gone").c_str()), 0);
  ASSERT_EQ(rename((directory_ / "other").c_str(), (directory_ / "tree").c_str()), 0);
  FileChanged reopened = Next<FileChanged>();
  while (!reopened.status.ok()) reopened = Next<FileChanged>();
  store_->Execute(HashRange{BlockToken(3), kFile, 3 * kPieceBytes, 9, RangeHash::kLeaves});
  EXPECT_EQ(Next<RangeHashed>().leaves, std::vector<Sha256Digest>{Sha256("abcdefghi")});
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
}  // namespace bt::nodes
