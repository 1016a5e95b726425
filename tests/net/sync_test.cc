// What kill -9 cannot show, because the page cache outlives a process: that nothing is called durable, and no
// download gets its name, before the disk was asked to keep it. This binary's own fdatasync takes the place
// of the C library's, counts, and can fail.

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <string>

#include "net/journal.h"
#include "nodes/content/block_store.h"
#include "tests/net/support.h"

namespace {

std::atomic<int> syncs{0};
std::atomic<bool> sync_fails{false};
std::function<void()> before_sync;  // set only while no other thread syncs

}  // namespace

extern "C" int fdatasync(int fd) {
  if (before_sync) before_sync();
  if (sync_fails) {
    errno = EIO;
    return -1;
  }
  const int result = static_cast<int>(syscall(SYS_fdatasync, fd));
  ++syncs;  // counted when it has been done
  return result;
}

namespace bt::net {
namespace {

using swarm::BlockStored;
using swarm::BlockToken;
using swarm::FileFinished;
using swarm::FileMode;
using swarm::FileOpened;
using swarm::FinishFile;
using swarm::OpenFile;
using swarm::StoreBlock;

class SyncTest : public testing::Test {
 protected:
  SyncTest() {
    syncs = 0;
    sync_fails = false;
    before_sync = nullptr;
  }

  std::unique_ptr<Journal> OpenJournal() {
    JournalRecovery recovery;
    auto journal = Journal::Open(
        loop_, {.directory = directory_ / "data", .identity = {.cluster = 7, .node = NodeId(1)}}, recovery);
    EXPECT_TRUE(journal.ok()) << journal.status();
    (*journal)->Connect(
        [this](WriteSeq seq) {
          durable_ = seq;
          syncs_when_told_ = syncs;
        },
        [this](absl::Status status) { failure_ = std::move(status); });
    return *std::move(journal);
  }

  TemporaryDirectory directory_;
  Loop loop_;
  WriteSeq durable_;
  int syncs_when_told_ = 0;
  absl::Status failure_;
};

TEST_F(SyncTest, ARecordIsCalledDurableOnlyAfterASyncThatBeganWhenItWasWritten) {
  const auto journal = OpenJournal();
  for (uint64_t seq = 1; seq <= 5; ++seq) {
    const int before = syncs;
    journal->Append({WriteSeq(seq), 3, Slice::Static("record")});
    ASSERT_TRUE(RunUntil(loop_, [&] { return durable_ == WriteSeq(seq); }));
    EXPECT_GT(syncs_when_told_, before) << "record " << seq;
  }
}

TEST_F(SyncTest, ARecordWhoseSyncFailedIsNeverCalledDurableAndTheJournalStops) {
  const auto journal = OpenJournal();
  sync_fails = true;
  journal->Append({WriteSeq(1), 3, Slice::Static("record")});
  ASSERT_TRUE(RunUntil(loop_, [&] { return !failure_.ok(); }));
  EXPECT_NE(std::string(failure_.message()).find("sync"), std::string::npos) << failure_;
  // The disk may say yes the next time: pages it has dropped are not written by that.
  sync_fails = false;
  journal->Append({WriteSeq(2), 3, Slice::Static("record")});
  for (int i = 0; i < 20; ++i) loop_.RunOnce(Milliseconds(10));
  EXPECT_EQ(durable_, WriteSeq(0));
}

TEST_F(SyncTest, ADownloadGetsItsNameOnlyAfterItsBytesAreSynced) {
  bool named_too_early = false;
  bool finished = false;
  nodes::BlockStore store(
      loop_, {}, [this](const OpenFile& open) { return nodes::FilePlace{.path = directory_ / open.name}; });
  bool opened = false;
  bool stored = false;
  store.Connect(
      [&](swarm::FileDone input) {
        opened |= std::holds_alternative<FileOpened>(input);
        stored |= std::holds_alternative<BlockStored>(input);
        if (const auto* done = std::get_if<FileFinished>(&input)) finished = done->status.ok();
      },
      [](bool) {});
  store.Execute(OpenFile{FileId(0), FileMode::kDownload, "film", 5, {}});
  ASSERT_TRUE(RunUntil(loop_, [&] { return opened; }));
  store.Execute(StoreBlock{BlockToken(1), FileId(0), 0, Slice::Static("12345")});
  ASSERT_TRUE(RunUntil(loop_, [&] { return stored; }));
  before_sync = [&] { named_too_early |= access((directory_ / "film").c_str(), F_OK) == 0; };
  store.Execute(FinishFile{FileId(0)});
  ASSERT_TRUE(RunUntil(loop_, [&] { return finished; }));
  before_sync = nullptr;
  EXPECT_GT(syncs, 0);
  EXPECT_FALSE(named_too_early);
}

}  // namespace
}  // namespace bt::net
