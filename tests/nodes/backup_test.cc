// Backups: whole or refused, wherever they are damaged.

#include "nodes/shared/backup.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "tests/core/tracker/fixtures.h"

namespace bt::nodes {
namespace {

// Of a registry with two torrents, in parts of `piece` bytes.
std::string SomeBackup(size_t piece) {
  tracker::ReplicatedState state;
  for (const uint8_t song : {1, 2}) {
    state.Apply(Instant(1), tracker::EncodeCommand(
                                {}, tracker::RegisterOf(tracker::MakeTorrent(std::to_string(song), song))));
  }
  std::string frames;
  uint32_t parts = 0;
  state.BeginWalk();
  for (; state.walking(); ++parts) frames += BackupFrame(Slice::Own(state.NextPiece(piece)));
  return BackupBeginning({.cluster = 7, .prefix = {Slot(40), 9}, .stamp = Instant(1), .parts = parts}) +
         frames;
}

absl::StatusOr<Backup> Decoded(const std::string& bytes) { return DecodeBackup(Slice::Copy(bytes), "file"); }

TEST(Backup, GivesBackTheStateWhateverItsParts) {
  for (const size_t piece : {size_t{1}, size_t{100}, size_t{1} << 20}) {
    const auto backup = Decoded(SomeBackup(piece));
    ASSERT_TRUE(backup.ok()) << backup.status();
    EXPECT_EQ(backup->state.registry().torrents(), 2u);
    EXPECT_EQ(backup->head.prefix, (paxos::Prefix{Slot(40), 9}));
    EXPECT_EQ(backup->head.cluster, 7u);
  }
}

TEST(Backup, IsRefusedWhereverAByteIsWrongOrMissing) {
  const std::string whole = SomeBackup(64);
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_TRUE(absl::IsDataLoss(Decoded(damaged).status())) << at;
    EXPECT_TRUE(absl::IsDataLoss(Decoded(whole.substr(0, at)).status())) << at;
  }
  EXPECT_TRUE(absl::IsDataLoss(Decoded(whole + "x").status()));
}

// Each frame is right, and the parts are not those of one state.
TEST(Backup, IsRefusedWhenItsPartsAreNotOneState) {
  tracker::ReplicatedState state;
  state.Apply(Instant(1), tracker::EncodeCommand({}, tracker::RegisterOf(tracker::MakeTorrent("one", 1))));
  state.BeginWalk();
  const std::string head = state.NextPiece(1);
  const std::string bytes =
      BackupBeginning({.prefix = {Slot(40), 9}, .parts = 1}) + BackupFrame(Slice::Copy(head));
  EXPECT_TRUE(absl::IsDataLoss(Decoded(bytes).status()));
}

TEST(Backup, AFileIsMadeOnceAndOnlyOfAWholeBackup) {
  const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/some.backup";
  EXPECT_TRUE(absl::IsDataLoss(WriteBackup(path, SomeBackup(64).substr(0, 200)).status()));
  EXPECT_TRUE(absl::IsNotFound(ReadBackup(path).status()));
  ASSERT_TRUE(WriteBackup(path, SomeBackup(64)).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(WriteBackup(path, SomeBackup(100)).status()));
  const auto read = ReadBackup(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->digest(), Decoded(SomeBackup(64))->digest());
}

}  // namespace
}  // namespace bt::nodes
