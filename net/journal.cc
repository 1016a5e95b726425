#include "net/journal.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "core/base/check.h"
#include "net/journal_writer.h"

namespace bt::net {

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(Loop& loop, JournalOptions options,
                                                       JournalRecovery& recovery) {
  const uint64_t queued_bytes_max = options.queued_bytes_max;
  absl::StatusOr<std::unique_ptr<JournalFiles>> files = JournalFiles::Open(
      {std::move(options.directory), options.identity, options.segment_bytes, options.create_if_absent},
      recovery);
  if (!files.ok()) return files.status();
  return std::unique_ptr<Journal>(new Journal(loop, *std::move(files), queued_bytes_max, recovery.last));
}

Journal::Journal(Loop& loop, std::unique_ptr<JournalFiles> files, uint64_t queued_bytes_max, WriteSeq last)
    : loop_(loop),
      appended_(last),
      confirmed_(last),
      flush_(loop, [this] { Flush(); }),
      alive_(std::make_shared<bool>(true)) {
  writer_ = std::make_unique<JournalWriter>(std::move(files), queued_bytes_max, [this, alive = alive_] {
    loop_.Post([this, alive] {
      if (*alive) OnProgress();
    });
  });
}

Journal::~Journal() {
  *alive_ = false;
  if (!pending_.empty()) Flush();
}

void Journal::Connect(std::function<void(WriteSeq)> durable, std::function<void(absl::Status)> failed) {
  durable_ = std::move(durable);
  failed_ = std::move(failed);
}

void Journal::Append(JournalWrite write) {
  CHECK(write.seq == appended_.next());
  appended_ = write.seq;
  ++counters_.records;
  pending_.push_back(std::move(write));
  flush_.Schedule();
}

void Journal::Flush() { writer_->Queue(pending_); }

void Journal::OnProgress() {
  const JournalWriter::Progress progress = writer_->progress();
  counters_.commits = progress.commits;
  if (progress.durable > confirmed_) {
    confirmed_ = progress.durable;
    if (durable_ != nullptr) durable_(confirmed_);
  }
  if (!progress.failure.ok() && !failure_told_) {
    failure_told_ = true;
    if (failed_ != nullptr) failed_(progress.failure);
  }
}

}  // namespace bt::net
