#include "net/journal.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "core/base/check.h"
#include "net/journal_writer.h"

namespace bt::net {

// A journal that has been read and mended, before there is a thread to write it.
struct Journal::Files {
  std::unique_ptr<PosixDirectory> directory;
  std::unique_ptr<wal::JournalFiles> files;
  JournalRecovery recovery;
};

// Blocks as long as the disk does; on any thread.
absl::StatusOr<Journal::Files> Journal::Recover(const JournalOptions& options,
                                                std::atomic<uint32_t>& percent) {
  absl::StatusOr<std::unique_ptr<PosixDirectory>> directory =
      PosixDirectory::Open(options.directory, options.create_if_absent);
  if (!directory.ok()) return directory.status();
  auto files = std::make_unique<wal::JournalFiles>(
      wal::JournalFilesOptions{.identity = options.identity,
                               .path = options.directory,
                               .segment_bytes = options.segment_bytes,
                               .create_if_absent = options.create_if_absent,
                               .needed_after = options.needed_after},
      **directory);
  files->Recover();
  while (files->busy()) {
    files->Done((*directory)->Finish());
    percent = files->percent_read();
  }
  if (!files->failure().ok()) return files->failure();
  JournalRecovery recovery = files->TakeRecovery();
  return Files{*std::move(directory), std::move(files), std::move(recovery)};
}

std::unique_ptr<Journal> Journal::Begin(Loop& loop, const JournalOptions& options, Files files) {
  std::unique_ptr<Journal> journal(new Journal(loop, files.files->durable()));
  journal->writer_ = std::make_unique<JournalWriter>(
      std::move(files.directory), std::move(files.files), options.queued_bytes_max,
      [&loop, on_progress = journal->later_.UnlessGone(
                  [journal = journal.get()] { journal->OnProgress(); })] { loop.Post(on_progress); });
  return journal;
}

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(Loop& loop, JournalOptions options,
                                                       JournalRecovery& recovery) {
  std::atomic<uint32_t> percent = 0;
  absl::StatusOr<Files> files = Recover(options, percent);
  if (!files.ok()) return files.status();
  recovery = std::move(files->recovery);
  return Begin(loop, options, *std::move(files));
}

JournalOpening::JournalOpening(Loop& loop, JournalOptions options, Done done) : later_(loop) {
  // Written by the thread before it posts, read by the loop after.
  auto found = std::make_shared<absl::StatusOr<Journal::Files>>();
  std::function<void()> tell = later_.UnlessGone([&loop, options, done = std::move(done), found] {
    if (!found->ok()) return done(found->status(), {});
    JournalRecovery recovery = std::move((*found)->recovery);
    done(Journal::Begin(loop, options, *std::move(*found)), std::move(recovery));
  });
  thread_ =
      std::thread([&loop, options = std::move(options), found, percent = percent_, tell = std::move(tell)] {
        BlockAllSignalsInThisThread();
        *found = Journal::Recover(options, *percent);
        loop.Post(tell);
      });
}

JournalOpening::~JournalOpening() { thread_.join(); }

Journal::Journal(Loop& loop, WriteSeq last)
    : appended_(last), confirmed_(last), flush_(loop, [this] { Flush(); }), later_(loop) {}

Journal::~Journal() {
  if (!pending_.empty()) Flush();
}

void Journal::Connect(std::function<void(WriteSeq)> durable, std::function<void(absl::Status)> failed) {
  durable_ = std::move(durable);
  failed_ = std::move(failed);
}

void Journal::TellRoom(std::function<void(uint64_t)> room) {
  room_ = std::move(room);
  if (counters_.free_bytes) room_(*counters_.free_bytes);
}

void Journal::Append(JournalWrite write) {
  CHECK(write.seq == appended_.next());
  appended_ = write.seq;
  ++counters_.records;
  pending_.push_back(std::move(write));
  flush_.Schedule();
}

void Journal::Forget(WriteSeq needed) { writer_->Forget(needed); }

void Journal::Flush() { writer_->Queue(pending_); }

Journal::Queued Journal::queued() const {
  const JournalWriter::Progress progress = writer_->progress();
  return {progress.queued_bytes, progress.most_queued_bytes.value()};
}

uint64_t Journal::queued_bytes_max() const { return writer_->queued_bytes_max(); }

void Journal::OnProgress() {
  const JournalWriter::Progress progress = writer_->progress();
  counters_.commits = progress.commits;
  counters_.bytes = progress.bytes;
  counters_.segments = progress.segments;
  counters_.syncs = progress.syncs;
  if (progress.durable > confirmed_) {
    confirmed_ = progress.durable;
    if (durable_ != nullptr) durable_(confirmed_);
  }
  if (std::exchange(counters_.free_bytes, progress.free_bytes) != progress.free_bytes &&
      progress.free_bytes && room_ != nullptr) {
    room_(*progress.free_bytes);
  }
  if (!progress.failure.ok() && !failure_told_) {
    failure_told_ = true;
    if (failed_ != nullptr) failed_(progress.failure);
  }
}

}  // namespace bt::net
