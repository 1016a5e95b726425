#include "core/wal/journal_files.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "core/base/check.h"

namespace bt::wal {
namespace {

// The encoded records of one write; a longer group takes several, still under one sync.
constexpr uint64_t kWriteBytesMax = 8 * 1024 * 1024;
constexpr uint64_t kZerosBytesMax = 1024 * 1024;

}  // namespace

JournalFiles::JournalFiles(JournalFilesOptions options, Directory& directory)
    : options_(std::move(options)),
      directory_(directory),
      zeros_(Slice::Own(
          std::string(std::min(kZerosBytesMax, RoundUpToGranule(1, options_.granule_bits)), '\0'))) {}

void JournalFiles::Fail(absl::Status status) {
  failure_ = std::move(status);
  plan_.clear();
  group_.clear();
  work_ = Work::kNone;
}

void JournalFiles::Done(Completion completion) {
  CHECK(busy() && !plan_.empty());
  if (!completion.status.ok()) return Fail(std::move(completion.status));
  plan_.pop_front();
  if (work_ == Work::kListing) {
    OnListed(std::move(completion.names));
  } else if (work_ == Work::kReadingHeaders) {
    headers_.push_back(std::move(completion.bytes));
  } else if (work_ == Work::kReading) {
    OnSegment(completion.bytes);
  }
  Advance();
}

// Begins the next operation of the plan; at the plan's end, plans the next part of the work.
void JournalFiles::Advance() {
  if (plan_.empty() && work_ == Work::kMending) durable_ = recovery_.last;
  if (plan_.empty() && work_ == Work::kReadingHeaders) BeginScan();
  if (plan_.empty() && work_ == Work::kReading) PlanReading();
  if (plan_.empty() && work_ == Work::kCommitting) PlanWrite();
  if (plan_.empty()) {
    work_ = Work::kNone;
  } else {
    directory_.Begin(plan_.front());
  }
}

// --- recovery ---

void JournalFiles::Recover() {
  CHECK(!busy());
  work_ = Work::kListing;
  plan_.push_back(ListFiles{});
  Advance();
}

// All headers come first: the highest needed sequence in them says where the journal begins. Of the last
// segment, which tells more, the whole.
void JournalFiles::OnListed(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  for (std::string& name : names) {
    if (ParseSegmentFileName(name)) {
      segments_.push_back(std::move(name));
    } else if (IsUnfinishedSegmentFileName(name)) {
      unfinished_.push_back(std::move(name));
    }
  }
  for (const std::string& name : segments_) plan_.push_back(ReadFile{name, kSegmentHeaderBytes});
  if (!segments_.empty()) plan_.back() = ReadFile{segments_.back()};
  work_ = Work::kReadingHeaders;
}

void JournalFiles::BeginScan() {
  std::vector<WriteSeq> names;
  for (const std::string& name : segments_) names.push_back(*ParseSegmentFileName(name));
  if (!headers_.empty()) {
    last_segment_ = headers_.back();
    headers_.back() = last_segment_.Sub(0, std::min(last_segment_.size(), kSegmentHeaderBytes));
  }
  scanner_.emplace(options_.identity, std::move(headers_), last_segment_, names);
  work_ = Work::kReading;
}

void JournalFiles::PlanReading() {
  if (!scanner_->done() && scanner_->next() + 1 == segments_.size()) OnSegment(last_segment_);
  if (scanner_->done()) return PlanMending();
  plan_.push_back(ReadFile{segments_[scanner_->next()]});
}

// A record gets memory of its own, so that the segment's can go: of a long journal most is needed no more.
void JournalFiles::OnSegment(const Slice& bytes) {
  scanner_->Read(bytes);
  for (const JournalRecord& record : scanner_->TakeRecords()) {
    if (options_.needed_after) kept_from_ = std::max(kept_from_, options_.needed_after(record));
    kept_.push_back({record.seq, record.type, Slice::Copy(record.body.view())});
    kept_bytes_ += record.body.size();
    while (!kept_.empty() && kept_.front().seq < kept_from_) {
      kept_bytes_ -= kept_.front().body.size();
      kept_.pop_front();
    }
  }
}

uint32_t JournalFiles::percent_read() const {
  if (!scanner_) return work_ == Work::kListing || work_ == Work::kReadingHeaders ? 0 : 100;
  return static_cast<uint32_t>(scanner_->next() * 100 / std::max<size_t>(segments_.size(), 1));
}

void JournalFiles::PlanMending() {
  const ScanResult scan = scanner_->TakeResult();
  scanner_.reset();
  if (const absl::Status refusal = Refusal(scan); !refusal.ok()) return Fail(refusal);
  recovery_.found = segments_.empty() ? JournalFound::kNoJournal
                    : kept_.empty()   ? JournalFound::kEmptyJournal
                                      : JournalFound::kRecords;
  recovery_.last = scan.last;
  needed_ = scan.needed;
  recovery_.needed = std::max(scan.needed, kept_from_);
  work_ = Work::kMending;
  for (std::string& name : unfinished_) plan_.push_back(RemoveFile{std::move(name)});
  if (segments_.empty()) {
    PlanSegment(scan.last.next());
  } else {
    PlanCut(scan);
  }
  recovery_.records.assign(std::make_move_iterator(kept_.begin()), std::make_move_iterator(kept_.end()));
  kept_.clear();
  last_segment_ = {};
}

absl::Status JournalFiles::Refusal(const ScanResult& scan) const {
  if (segments_.empty() && !options_.create_if_absent) {
    return absl::NotFoundError(absl::StrCat("the data directory ", options_.path, " holds no journal"));
  }
  if (scan.verdict == Verdict::kForeign) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot use the data directory ", options_.path, ": ", scan.why,
                     "; check the node's id and members, or choose another directory"));
  }
  if (scan.verdict == Verdict::kCorrupt) {
    return absl::DataLossError(absl::StrCat("the journal ", options_.path, "/", segments_[scan.segment],
                                            " is corrupt at byte ", scan.offset, ": ", scan.why,
                                            "; what it had acknowledged is damaged or missing"));
  }
  return absl::OkStatus();
}

void JournalFiles::PlanCut(const ScanResult& scan) {
  const std::string_view bytes = last_segment_.view();
  segment_ = segments_.back();
  granule_bits_ = scan.granule_bits;
  end_ = scan.offset;
  length_ = std::max(RoundUpToGranule(bytes.size(), granule_bits_), SegmentLength(end_, granule_bits_));
  if (scan.verdict == Verdict::kTorn) {
    recovery_.cut_bytes = bytes.find_last_not_of('\0') + 1 - end_;
    recovery_.cut_why = absl::StrCat(options_.path, "/", segment_, ": ", scan.why);
  }
  // What was cut must not come back behind new records, so the cut is durable before the first of them. And
  // what was read may so far be in memory alone, if a process died before its sync and the machine did not:
  // the node is about to act on it, so it becomes durable here, names included. A sync alone does not do
  // that: after one that failed, the kernel takes its pages for clean, and the next sync has nothing to write
  // and succeeds ("Can Applications Recover from fsync Failures?", USENIX ATC 2020). Everything that no later
  // record vouches for is therefore written anew, the zeros that give the file its length included.
  if (scan.durable_end < end_) {
    plan_.push_back(
        WriteFile{segment_, scan.durable_end, last_segment_.Sub(scan.durable_end, end_ - scan.durable_end)});
  }
  PlanZeros(segment_, end_, length_);
  plan_.push_back(SyncFile{segment_});
  plan_.push_back(SyncDirectory{});
  // Behind the sync of its successor's name, and before there can be a record in that.
  if (scan.seal) PlanSeal(segments_[segments_.size() - 2], *scan.seal, scan.last.next());
}

// --- commit ---

void JournalFiles::Commit(std::vector<JournalWrite>& writes) {
  CHECK(!busy() && failure_.ok() && !writes.empty());
  group_.swap(writes);
  planned_ = 0;
  work_ = Work::kCommitting;
  Advance();
}

// Plans the next write of the group, and the sync behind it where the group or a segment ends.
void JournalFiles::PlanWrite() {
  const auto synced = [&] { return planned_ == group_.size() || end_ >= options_.segment_bytes; };
  // The plan was carried out to its end. A write that ended the group or the segment has been synced.
  if (planned_ > 0 && synced()) durable_ = group_[planned_ - 1].seq;
  if (planned_ == group_.size()) return group_.clear();
  if (end_ >= options_.segment_bytes) PlanSegment(group_[planned_].seq);
  const uint64_t bytes_max = std::min(options_.segment_bytes - end_, kWriteBytesMax);
  std::string bytes;
  while (planned_ < group_.size() && bytes.size() < bytes_max) {
    const JournalWrite& write = group_[planned_++];
    AppendRecord(bytes, options_.identity, write.seq, durable_, write.type, write.body.view());
  }
  const uint64_t begin = end_;
  end_ += bytes.size();
  plan_.push_back(WriteFile{segment_, begin, Slice::Own(std::move(bytes))});
  if (SegmentLength(end_, granule_bits_) > length_) {
    length_ = SegmentLength(end_, granule_bits_);
    PlanZeros(segment_, end_, length_);
  }
  if (synced()) plan_.push_back(SyncFile{segment_});
}

// A segment is begun only when everything in the one before it is durable: that is what lets the scan call
// any damage before a later segment corruption. It gets its name when its header is durable, so that a
// damaged header is never a tear. And its name is durable before a record in it counts: a crash that forgot
// the name would take the records with it. When the name is durable, and still before there is a record, the
// segment before is sealed: were the seal earlier, a crash could leave it without a successor, and were it
// later, a lost successor with acknowledged records in it could look as if it had never been.
void JournalFiles::PlanSegment(WriteSeq first) {
  const std::string unfinished = UnfinishedSegmentFileName(first);
  const std::string before = segment_;
  const uint64_t before_end = end_;
  segment_ = SegmentFileName(first);
  segments_.push_back(segment_);
  granule_bits_ = options_.granule_bits;
  end_ = kSegmentHeaderBytes;
  length_ = SegmentLength(end_, granule_bits_);
  plan_.push_back(CreateFile{unfinished});
  const std::string header = EncodeSegmentHeader(options_.identity, first, needed_, granule_bits_);
  plan_.push_back(WriteFile{unfinished, 0, Slice::Copy(header)});
  PlanZeros(unfinished, end_, length_);
  plan_.push_back(SyncFile{unfinished});
  plan_.push_back(RenameFile{unfinished, segment_});
  plan_.push_back(SyncDirectory{});
  if (!before.empty()) PlanSeal(before, before_end, first);
  PlanRemoval();
}

void JournalFiles::PlanSeal(const std::string& name, uint64_t offset, WriteSeq next) {
  std::string seal;
  AppendSeal(seal, options_.identity, next);
  plan_.push_back(WriteFile{name, offset, Slice::Own(std::move(seal))});
  plan_.push_back(SyncFile{name});
}

// Removed is what no later life needs, and only when a durable header says that it is not needed: a journal
// without its front is otherwise refused. The removals need no sync of their own. A crash may undo them, and
// the scan passes over what comes back.
void JournalFiles::PlanRemoval() {
  while (segments_.size() > 1 && *ParseSegmentFileName(segments_[1]) <= needed_) {
    plan_.push_back(RemoveFile{std::move(segments_.front())});
    segments_.pop_front();
  }
}

void JournalFiles::PlanZeros(const std::string& name, uint64_t from, uint64_t to) {
  while (from < to) {
    const uint64_t bytes = std::min<uint64_t>(to - from, zeros_.size());
    plan_.push_back(WriteFile{name, from, zeros_.Sub(0, bytes)});
    from += bytes;
  }
}

}  // namespace bt::wal
