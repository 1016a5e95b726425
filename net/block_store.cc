#include "net/block_store.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "core/base/check.h"

namespace bt::net {
namespace {

absl::Status NotOpen(FileId file) {
  return absl::FailedPreconditionError(absl::StrCat("file ", file.value(), " is not open"));
}

bool Outside(const ContentFile& file, uint64_t offset, uint64_t size) {
  return offset > file.length || size > file.length - offset;
}

}  // namespace

BlockStore::BlockStore(Loop& loop, BlockStoreOptions options, Resolve resolve)
    : options_(options),
      resolve_(std::move(resolve)),
      flush_(loop, [this] { workers_->Queue(jobs_); }),
      tell_refused_(loop,
                    [this] {
                      const auto refused = std::exchange(refused_, {});
                      for (const FileInput& completion : refused) deliver_(completion);
                    }),
      alive_(std::make_shared<bool>(true)) {
  CHECK(options_.hash_threads >= 1 && options_.queued_bytes_low <= options_.queued_bytes_high);
  workers_ = std::make_unique<BlockWorkers>(options_.hash_threads, options_.write_back_bytes,
                                            [this, &loop, alive = alive_] {
                                              loop.Post([this, alive] {
                                                if (*alive) OnDone();
                                              });
                                            });
}

BlockStore::~BlockStore() {
  *alive_ = false;
  if (!jobs_.empty()) workers_->Queue(jobs_);
}

void BlockStore::Connect(std::function<void(FileInput)> deliver, std::function<void(bool)> congestion) {
  deliver_ = std::move(deliver);
  congestion_ = std::move(congestion);
}

void BlockStore::Execute(FileEffect effect) {
  std::visit([this](auto&& one) { Start(std::move(one)); }, std::move(effect));
}

std::shared_ptr<const ContentFile> BlockStore::Find(FileId file) const { return FindOpen(file); }

std::shared_ptr<ContentFile> BlockStore::FindOpen(FileId file) const {
  const auto found = files_.find(file);
  return found == files_.end() ? nullptr : found->second;
}

void BlockStore::Refuse(FileInput completion) {
  refused_.push_back(std::move(completion));
  tell_refused_.Schedule();
}

void BlockStore::Start(OpenFile effect) {
  CHECK_MSG(!files_.contains(effect.file), absl::StrCat("file ", effect.file.value(), " opened twice"));
  files_.emplace(effect.file, nullptr);
  workers_->QueueSlow([effect, place = resolve_(effect)] {
    Slice resume;
    absl::StatusOr<std::shared_ptr<ContentFile>> file = effect.mode == FileMode::kRead
                                                            ? OpenForReading(place, effect.length)
                                                            : OpenForDownload(place, effect.length, resume);
    const bool existing = effect.mode == FileMode::kDownload && file.ok() && !(*file)->untouched;
    return BlockWorkers::Completion{FileOpened{effect.file, file.status(), std::move(resume), existing},
                                    file.ok() ? *std::move(file) : nullptr};
  });
}

void BlockStore::Start(StoreBlock effect) {
  const std::shared_ptr<ContentFile> file = FindOpen(effect.file);
  if (file == nullptr) return Refuse(BlockStored{effect.token, NotOpen(effect.file)});
  if (file->mode != FileMode::kDownload || file->finished ||
      Outside(*file, effect.offset, effect.bytes.size())) {
    return Refuse(BlockStored{effect.token, absl::InvalidArgumentError(absl::StrCat(
                                                "no place for ", effect.bytes.size(), " bytes at ",
                                                effect.offset, " of ", file->path))});
  }
  if (queued_bytes_ + effect.bytes.size() > options_.queued_bytes_max) {
    return Refuse(BlockStored{
        effect.token, absl::ResourceExhaustedError(absl::StrCat("the disk does not keep up: ", queued_bytes_,
                                                                " bytes wait for ", file->path))});
  }
  queued_bytes_ += effect.bytes.size();
  jobs_.push_back(BlockWorkers::StoreJob{file, std::move(effect)});
  flush_.Schedule();
  if (queued_bytes_ > options_.queued_bytes_high) SetCongested(true);
}

void BlockStore::Start(HashRange effect) {
  const std::shared_ptr<ContentFile> file = FindOpen(effect.file);
  if (file == nullptr) return Refuse(RangeHashed{effect.token, NotOpen(effect.file), {}, {}});
  if (Outside(*file, effect.offset, effect.length)) {
    return Refuse(RangeHashed{
        effect.token, absl::InvalidArgumentError(absl::StrCat("a range outside of ", file->path)), {}, {}});
  }
  jobs_.push_back(BlockWorkers::HashJob{file, effect});
  flush_.Schedule();
}

void BlockStore::Start(Checkpoint effect) {
  const std::shared_ptr<ContentFile> file = FindOpen(effect.file);
  if (file == nullptr || file->mode != FileMode::kDownload || file->finished) {
    return Refuse(Checkpointed{effect.file, NotOpen(effect.file)});
  }
  workers_->QueueSlow([file, effect] {
    return BlockWorkers::Completion{Checkpointed{effect.file, WriteCheckpoint(*file, effect.state)}, nullptr};
  });
}

void BlockStore::Start(FinishFile effect) {
  const std::shared_ptr<ContentFile> file = FindOpen(effect.file);
  if (file == nullptr || file->mode != FileMode::kDownload) {
    return Refuse(FileFinished{effect.file, NotOpen(effect.file)});
  }
  workers_->QueueSlow([file, effect] {
    return BlockWorkers::Completion{FileFinished{effect.file, FinishDownload(*file)}, nullptr};
  });
}

void BlockStore::Start(CloseFile effect) { files_.erase(effect.file); }

void BlockStore::OnDone() {
  BlockWorkers::Done done = workers_->TakeDone();
  counters_.block_bytes += done.stored_bytes;
  counters_.writes += done.writes;
  counters_.hashed_bytes += done.hashed_bytes;
  CHECK(queued_bytes_ >= done.stored_bytes);
  queued_bytes_ -= done.stored_bytes;
  for (BlockWorkers::Completion& completion : done.completions) {
    if (std::holds_alternative<BlockStored>(completion.input)) ++counters_.blocks;
    if (const auto* opened = std::get_if<FileOpened>(&completion.input)) {
      // Not there any more: closed while it was being opened.
      const auto entry = files_.find(opened->file);
      if (entry != files_.end() && opened->status.ok()) entry->second = completion.opened;
      if (entry != files_.end() && !opened->status.ok()) files_.erase(entry);
    }
    deliver_(std::move(completion.input));
  }
  if (queued_bytes_ < options_.queued_bytes_low) SetCongested(false);
}

void BlockStore::SetCongested(bool congested) {
  if (congested == congested_) return;
  congested_ = congested;
  if (congested) ++counters_.congestions;
  if (congestion_ != nullptr) congestion_(congested);
}

}  // namespace bt::net
