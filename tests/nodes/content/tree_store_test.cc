// Trees: all of their files, and files that were selected.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
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
using swarm::OpenFile;
using swarm::PartFound;
using swarm::RangeHash;
using swarm::RangeHashed;
using swarm::StoreBlock;

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

}  // namespace
}  // namespace bt::nodes::test
