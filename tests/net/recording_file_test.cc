#include "net/recording_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>

#include "tests/net/support.h"

namespace bt::net {
namespace {

TEST(RecordingFile, KeepsBlocksInOrderForItsOwnerAlone) {
  const TemporaryDirectory directory;
  const std::string path = directory / "recording";
  absl::StatusOr<std::unique_ptr<RecordingFile>> file = RecordingFile::Create(path, 1 << 20);
  ASSERT_TRUE(file.ok()) << file.status();
  std::string all;
  for (int i = 0; i < 100; ++i) {
    all += std::to_string(i);
    ASSERT_TRUE((*file)->Keep(std::to_string(i)).ok());
  }
  (*file)->KeepLast("end");
  file->reset();
  EXPECT_EQ(ReadFile(path), all + "end");
  struct stat there {};
  ASSERT_EQ(::stat(path.c_str(), &there), 0);
  EXPECT_EQ(there.st_mode & 0777u, 0600u);
}

TEST(RecordingFile, WhatIsOverTheLimitIsRefusedAndTheLastBlockFitsInAnyCase) {
  const TemporaryDirectory directory;
  const std::string path = directory / "recording";
  const uint64_t limit = 3 * RecordingFile::kLastBlockBytesMax;
  absl::StatusOr<std::unique_ptr<RecordingFile>> file = RecordingFile::Create(path, limit);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->Keep(std::string(2 * RecordingFile::kLastBlockBytesMax, 'a')).ok());
  EXPECT_EQ((*file)->Keep("b").code(), absl::StatusCode::kResourceExhausted);
  (*file)->KeepLast(std::string(RecordingFile::kLastBlockBytesMax, 'c'));
  file->reset();
  EXPECT_EQ(ReadFile(path).size(), limit);
  EXPECT_EQ(ReadFile(path).find('b'), std::string::npos);
}

// A recording begins with the journal as recovery read it, which is one step and so one block.
TEST(RecordingFile, OneBlockLongerThanTheQueueIsTakenAndOthersBehindIt) {
  const TemporaryDirectory directory;
  const std::string path = directory / "recording";
  absl::StatusOr<std::unique_ptr<RecordingFile>> file =
      RecordingFile::Create(path, 2 * RecordingFile::kQueuedBytesMax);
  ASSERT_TRUE(file.ok()) << file.status();
  const size_t length = RecordingFile::kQueuedBytesMax + 1;
  const absl::Status kept = (*file)->Keep(std::string(length, 'j'));
  EXPECT_TRUE(kept.ok()) << kept;
  EXPECT_TRUE((*file)->Keep("steps").ok()) << "whether or not the long one is written by now";
  file->reset();
  EXPECT_EQ(std::filesystem::file_size(path), length + 5);
}

TEST(RecordingFile, OneOfAnEarlierStartIsKeptAndOneBeforeThatIsNot) {
  const TemporaryDirectory directory;
  const std::string path = directory / "recording";
  for (const char* text : {"first", "second", "third"}) {
    absl::StatusOr<std::unique_ptr<RecordingFile>> file = RecordingFile::Create(path, 1 << 20);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->Keep(text).ok());
  }
  EXPECT_EQ(ReadFile(path), "third");
  EXPECT_EQ(ReadFile(path + ".old"), "second");
}

TEST(RecordingFile, AFolderThatIsNotThereIsNamed) {
  const TemporaryDirectory directory;
  const absl::Status status = RecordingFile::Create(directory / "none/recording", 1 << 20).status();
  EXPECT_NE(status.message().find("none/recording"), std::string::npos) << status;
}

}  // namespace
}  // namespace bt::net
