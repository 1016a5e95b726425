#include "net/journal.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <string>
#include <vector>

#include "tests/net/support.h"

namespace bt::net {
namespace {

constexpr wal::Identity kIdentity{.cluster = 7, .node = NodeId(1)};

struct Opened {
  JournalRecovery recovery;
  std::unique_ptr<Journal> journal;
  absl::Status status;
};

class JournalTest : public testing::Test {
 protected:
  Opened Open(wal::Identity identity = kIdentity, uint64_t segment_bytes = wal::kSegmentBytesTarget) {
    Opened opened;
    auto journal = Journal::Open(
        loop_, {.directory = directory_ / "data", .identity = identity, .segment_bytes = segment_bytes},
        opened.recovery);
    opened.status = journal.status();
    if (!journal.ok()) return opened;
    opened.journal = *std::move(journal);
    opened.journal->Connect([this](WriteSeq seq) { durable_ = seq; },
                            [this](absl::Status status) { failure_ = std::move(status); });
    return opened;
  }

  static JournalWrite Write(uint64_t seq, std::string body = "") {
    if (body.empty()) body = "record " + std::to_string(seq);
    return {WriteSeq(seq), 3, Slice::Own(std::move(body))};
  }

  void AppendThrough(Journal& journal, uint64_t first, uint64_t last) {
    for (uint64_t seq = first; seq <= last; ++seq) journal.Append(Write(seq));
    ASSERT_TRUE(RunUntil(loop_, [&] { return durable_ == WriteSeq(last); }));
  }

  void ExpectRecords(const JournalRecovery& recovery, uint64_t last) {
    ASSERT_EQ(recovery.records.size(), last);
    EXPECT_EQ(recovery.last, WriteSeq(last));
    for (uint64_t i = 0; i < last; ++i) {
      EXPECT_EQ(recovery.records[i].seq, WriteSeq(i + 1));
      EXPECT_EQ(recovery.records[i].body.view(), "record " + std::to_string(i + 1));
    }
  }

  std::vector<std::string> Segments() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_ / "data")) {
      if (entry.path().extension() == ".wal") names.push_back(entry.path().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  TemporaryDirectory directory_;
  Loop loop_;
  WriteSeq durable_;
  absl::Status failure_;
};

TEST_F(JournalTest, AJournalThatIsReadBesideTheLoopIsAsOneReadOnIt) {
  {
    Opened first = Open();
    first.journal->Append(Write(1));
    ASSERT_TRUE(RunUntil(loop_, [&] { return durable_ == WriteSeq(1); }));
  }
  const JournalOptions options{.directory = directory_ / "data", .identity = kIdentity};
  std::unique_ptr<Journal> journal;
  JournalRecovery recovered;
  const auto take = [&](absl::StatusOr<std::unique_ptr<Journal>> opened, JournalRecovery recovery) {
    ASSERT_TRUE(opened.ok()) << opened.status();
    journal = *std::move(opened);
    recovered = std::move(recovery);
  };
  JournalOpening opening(loop_, options, take);
  EXPECT_EQ(journal, nullptr);
  ASSERT_TRUE(RunUntil(loop_, [&] { return journal != nullptr; }));
  ASSERT_EQ(recovered.records.size(), 1u);
  EXPECT_EQ(recovered.last, WriteSeq(1));
  journal->Connect([this](WriteSeq seq) { durable_ = seq; }, [](const absl::Status&) {});
  journal->Append(Write(2));
  EXPECT_TRUE(RunUntil(loop_, [&] { return durable_ == WriteSeq(2); }));

  bool told = false;
  absl::Status refused;
  {
    JournalOpening gone(loop_, options, [&](auto, auto) { told = true; });
  }
  JournalOpening second(loop_, options, [&](const auto& opened, auto) { refused = opened.status(); });
  ASSERT_TRUE(RunUntil(loop_, [&] { return !refused.ok(); }));
  EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(told);
}

TEST_F(JournalTest, WhatWasConfirmedIsThereAfterReopening) {
  {
    Opened opened = Open();
    ASSERT_TRUE(opened.status.ok()) << opened.status;
    EXPECT_TRUE(opened.recovery.records.empty());
    AppendThrough(*opened.journal, 1, 100);
  }
  Opened again = Open();
  ASSERT_TRUE(again.status.ok()) << again.status;
  ExpectRecords(again.recovery, 100);
  EXPECT_EQ(again.recovery.cut_bytes, 0u) << "zeros written ahead are not a torn write";
  AppendThrough(*again.journal, 101, 120);
  again = Opened();
  ExpectRecords(Open().recovery, 120);
}

TEST_F(JournalTest, EverythingAppendedInOneIterationIsOneCommit) {
  Opened opened = Open();
  AppendThrough(*opened.journal, 1, 500);
  EXPECT_EQ(opened.journal->counters().records, 500u);
  EXPECT_EQ(opened.journal->counters().commits, 1u);
}

TEST_F(JournalTest, SegmentsRotateAndRecoverAsOneLog) {
  {
    Opened opened = Open(kIdentity, 4096);
    for (uint64_t seq = 1; seq <= 300; seq += 10) AppendThrough(*opened.journal, seq, seq + 9);
  }
  EXPECT_GT(Segments().size(), 3u);
  ExpectRecords(Open(kIdentity, 4096).recovery, 300);
}

TEST_F(JournalTest, ACommitLongerThanASegmentSpillsIntoTheNextOnes) {
  {
    Opened opened = Open(kIdentity, 2000);
    AppendThrough(*opened.journal, 1, 300);
    EXPECT_EQ(opened.journal->counters().commits, 1u);
  }
  EXPECT_GT(Segments().size(), 3u);
  ExpectRecords(Open(kIdentity, 2000).recovery, 300);
}

TEST_F(JournalTest, ASecondProcessOnTheDirectoryIsRefusedByName) {
  const Opened opened = Open();
  ASSERT_TRUE(opened.status.ok());
  const Opened second = Open();
  EXPECT_EQ(second.status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_NE(std::string(second.status.message()).find(directory_ / "data"), std::string::npos)
      << second.status;
}

TEST_F(JournalTest, AnotherNodesOrClustersDirectoryIsRefusedEvenBeforeItsFirstRecord) {
  ASSERT_TRUE(Open().status.ok());
  EXPECT_EQ(Open({.cluster = 7, .node = NodeId(2)}).status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Open({.cluster = 8, .node = NodeId(1)}).status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Open().status.ok());
}

TEST_F(JournalTest, ATornTailIsCutOnceAndForAll) {
  {
    Opened opened = Open();
    AppendThrough(*opened.journal, 1, 10);
    AppendThrough(*opened.journal, 11, 11);
  }
  const std::string segment = Segments().back();
  std::string bytes = ReadFile(segment);
  const size_t last = bytes.find("record 11");
  ASSERT_NE(last, std::string::npos);
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(last) + 4, bytes.end(), '\0');
  WriteFile(segment, bytes);
  {
    Opened opened = Open();
    ASSERT_TRUE(opened.status.ok()) << opened.status;
    ExpectRecords(opened.recovery, 10);
    EXPECT_EQ(opened.recovery.cut_bytes, wal::kRecordHeaderBytes + 4);
    EXPECT_NE(opened.recovery.cut_why.find(segment), std::string::npos) << opened.recovery.cut_why;
    AppendThrough(*opened.journal, 11, 12);
  }
  const Opened opened = Open();
  ExpectRecords(opened.recovery, 12);
  EXPECT_EQ(opened.recovery.cut_bytes, 0u);
}

TEST_F(JournalTest, AJournalThatLostItsEndIsRefusedAlsoWhereItWasCutBetweenTwoRecords) {
  {
    Opened opened = Open();
    for (uint64_t seq = 1; seq <= 5; ++seq) AppendThrough(*opened.journal, seq, seq);
  }
  const std::string segment = Segments().back();
  const std::string bytes = ReadFile(segment);
  const size_t end_of_third = bytes.find("record 3") + 8;
  for (const size_t size : {end_of_third, end_of_third + 5, wal::kSegmentHeaderBytes}) {
    WriteFile(segment, bytes.substr(0, size));
    const Opened opened = Open();
    EXPECT_EQ(opened.status.code(), absl::StatusCode::kDataLoss) << size << ": " << opened.status;
    EXPECT_NE(std::string(opened.status.message()).find("its end is gone"), std::string::npos)
        << opened.status;
  }
}

TEST_F(JournalTest, ADamagedRecordThatHadBeenDurableIsRefusedWithFileAndOffset) {
  {
    Opened opened = Open();
    AppendThrough(*opened.journal, 1, 5);
    AppendThrough(*opened.journal, 6, 9);
  }
  const std::string segment = Segments().back();
  std::string bytes = ReadFile(segment);
  const size_t third = bytes.find("record 3");
  bytes[third] ^= 1;
  WriteFile(segment, bytes);
  const Opened opened = Open();
  EXPECT_EQ(opened.status.code(), absl::StatusCode::kDataLoss);
  const std::string message(opened.status.message());
  EXPECT_NE(message.find(segment), std::string::npos) << message;
  EXPECT_NE(message.find("byte " + std::to_string(third - wal::kRecordHeaderBytes)), std::string::npos)
      << message;
}

TEST_F(JournalTest, RecoverySaysWhetherItMetNothingAnEmptyJournalOrRecords) {
  EXPECT_EQ(Open().recovery.found, JournalFound::kNoJournal);
  {
    Opened opened = Open();
    EXPECT_EQ(opened.recovery.found, JournalFound::kEmptyJournal);
    AppendThrough(*opened.journal, 1, 1);
  }
  EXPECT_EQ(Open().recovery.found, JournalFound::kRecords);
}

TEST_F(JournalTest, AnAbsentJournalIsNotMadeWhenTheCallerSaysSo) {
  const auto open = [&] {
    JournalRecovery recovery;
    return Journal::Open(loop_,
                         {.directory = directory_ / "data", .identity = kIdentity, .create_if_absent = false},
                         recovery)
        .status();
  };
  EXPECT_EQ(open().code(), absl::StatusCode::kNotFound) << open();
  EXPECT_FALSE(std::filesystem::exists(directory_ / "data"));
  std::filesystem::create_directory(directory_ / "data");
  EXPECT_EQ(open().code(), absl::StatusCode::kNotFound) << open();
  EXPECT_TRUE(Segments().empty());
  ASSERT_TRUE(Open().status.ok());
  EXPECT_TRUE(open().ok()) << open();
}

TEST_F(JournalTest, AFirstSegmentThatIsGoneOrHasNoHeaderIsRefusedAndNotBegunAnew) {
  {
    Opened opened = Open(kIdentity, 4096);
    for (uint64_t seq = 1; seq <= 300; seq += 10) AppendThrough(*opened.journal, seq, seq + 9);
  }
  const std::string first = Segments().front();
  const std::string bytes = ReadFile(first);
  const auto expect_refused = [&] {
    const Opened opened = Open(kIdentity, 4096);
    EXPECT_EQ(opened.status.code(), absl::StatusCode::kDataLoss) << opened.status;
    EXPECT_NE(std::string(opened.status.message()).find("data/journal-"), std::string::npos) << opened.status;
  };
  WriteFile(first, "");
  expect_refused();
  WriteFile(first, std::string(bytes.size(), '\0'));
  expect_refused();
  std::filesystem::remove(first);
  expect_refused();
  // And a journal of one segment, of which nothing is left.
  for (const std::string& segment : Segments()) std::filesystem::remove(segment);
  WriteFile(first, "");
  expect_refused();
}

TEST_F(JournalTest, ASegmentWhoseCreationWasInterruptedIsNoSegment) {
  std::filesystem::create_directory(directory_ / "data");
  WriteFile(directory_ / "data/journal-00000000000000000001.wal.new", "");
  Opened opened = Open();
  ASSERT_TRUE(opened.status.ok()) << opened.status;
  EXPECT_EQ(opened.recovery.found, JournalFound::kNoJournal);
  AppendThrough(*opened.journal, 1, 3);
  EXPECT_EQ(Segments().size(), 1u);
}

TEST_F(JournalTest, AWriteThatFailsStopsTheJournalAndConfirmsNothingMore) {
  Opened opened = Open();
  AppendThrough(*opened.journal, 1, 3);
  // The file size limit stands in for a full disk: the kernel refuses the write part of the way.
  struct sigaction old_action {};
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGXFSZ, &ignore, &old_action);
  rlimit old_limit{};
  getrlimit(RLIMIT_FSIZE, &old_limit);
  const rlimit limit{.rlim_cur = 2 * 1024 * 1024, .rlim_max = old_limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  opened.journal->Append(Write(4, std::string(3 * 1024 * 1024, 'x')));
  const bool failed = RunUntil(loop_, [&] { return !failure_.ok(); });
  setrlimit(RLIMIT_FSIZE, &old_limit);
  sigaction(SIGXFSZ, &old_action, nullptr);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failure_.code(), absl::StatusCode::kResourceExhausted) << failure_;
  EXPECT_NE(std::string(failure_.message()).find(Segments().back()), std::string::npos) << failure_;
  // The limit is gone, the disk would take it again: still nothing.
  opened.journal->Append(Write(5));
  opened.journal.reset();
  loop_.RunOnce(Milliseconds(10));
  EXPECT_EQ(durable_, WriteSeq(3));
  Opened again = Open();
  ASSERT_TRUE(again.status.ok()) << again.status;
  ExpectRecords(again.recovery, 3);
  EXPECT_GT(again.recovery.cut_bytes, 1024u * 1024);
  // What was cut is gone, not merely overwritten in part.
  AppendThrough(*again.journal, 4, 4);
  again = Opened();
  const Opened third = Open();
  ExpectRecords(third.recovery, 4);
  EXPECT_EQ(third.recovery.cut_bytes, 0u);
}

TEST_F(JournalTest, ADiskThatDoesNotKeepUpStopsTheJournalWhenAsMuchWaitsAsMay) {
  constexpr uint64_t kMost = 1 << 20;
  JournalRecovery recovery;
  auto journal = Journal::Open(
      loop_, {.directory = directory_ / "data", .identity = kIdentity, .queued_bytes_max = kMost}, recovery);
  ASSERT_TRUE(journal.ok()) << journal.status();
  (*journal)->Connect([this](WriteSeq seq) { durable_ = seq; },
                      [this](absl::Status status) { failure_ = std::move(status); });
  EXPECT_EQ((*journal)->queued_bytes_max(), kMost);
  (*journal)->Append(Write(1, std::string(kMost - wal::kRecordHeaderBytes, 'x')));
  ASSERT_TRUE(RunUntil(loop_, [&] { return durable_ == WriteSeq(1); }));
  EXPECT_TRUE(failure_.ok()) << failure_;
  EXPECT_EQ((*journal)->queued().now, 0u);
  EXPECT_EQ((*journal)->queued().most, kMost);
  (*journal)->Append(Write(2, std::string(kMost, 'x')));
  ASSERT_TRUE(RunUntil(loop_, [&] { return !failure_.ok(); }));
  EXPECT_EQ(failure_.code(), absl::StatusCode::kResourceExhausted) << failure_;
  EXPECT_NE(std::string(failure_.message()).find("does not keep up"), std::string::npos) << failure_;
}

TEST_F(JournalTest, ADirectoryThatCannotBeMadeIsNamed) {
  WriteFile(directory_ / "file", "x");
  JournalRecovery recovery;
  const auto journal =
      Journal::Open(loop_, {.directory = directory_ / "file/data", .identity = kIdentity}, recovery);
  ASSERT_FALSE(journal.ok());
  EXPECT_NE(std::string(journal.status().message()).find(directory_ / "file/data"), std::string::npos);
}

// A process that appends as fast as it can and tells, through a pipe, what was confirmed, is killed with -9.
TEST_F(JournalTest, NothingConfirmedIsLostWhenTheProcessIsKilled) {
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    close(pipes[0]);
    Loop loop;
    JournalRecovery recovery;
    auto journal = Journal::Open(
        loop, {.directory = directory_ / "data", .identity = kIdentity, .segment_bytes = 64 * 1024},
        recovery);
    if (!journal.ok()) _exit(1);
    uint64_t appended = 0;
    (*journal)->Connect(
        [&](WriteSeq seq) {
          const uint64_t confirmed = seq.value();
          if (write(pipes[1], &confirmed, sizeof confirmed) != sizeof confirmed) _exit(1);
        },
        [](absl::Status) { _exit(1); });
    Timer timer(loop, [&] {
      for (int i = 0; i < 20; ++i) {
        ++appended;
        (*journal)->Append(Write(appended));
      }
      timer.Arm(loop.now() + Microseconds(100));
    });
    timer.Arm(loop.now());
    loop.Run();
    _exit(0);
  }
  close(pipes[1]);
  uint64_t confirmed = 0;
  uint64_t latest = 0;
  while (confirmed < 3000 && read(pipes[0], &latest, sizeof latest) == sizeof latest) confirmed = latest;
  kill(child, SIGKILL);
  while (read(pipes[0], &latest, sizeof latest) == sizeof latest) confirmed = latest;
  close(pipes[0]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  ASSERT_GE(confirmed, 3000u);
  const Opened opened = Open();
  ASSERT_TRUE(opened.status.ok()) << opened.status;
  EXPECT_GE(opened.recovery.records.size(), confirmed);
  ExpectRecords(opened.recovery, opened.recovery.records.size());
}

}  // namespace
}  // namespace bt::net
