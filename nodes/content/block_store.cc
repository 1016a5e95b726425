#include "nodes/content/block_store.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "core/base/check.h"

namespace bt::nodes {
namespace {

absl::Status NotOpen(FileId file) {
  return absl::FailedPreconditionError(absl::StrCat("file ", file.value(), " is not open"));
}

bool Outside(const ContentFile& file, uint64_t offset, uint64_t size) {
  return offset > file.length || size > file.length - offset;
}

}  // namespace

BlockStore::BlockStore(net::Loop& loop, BlockStoreOptions options, Resolve resolve)
    : options_(options),
      resolve_(std::move(resolve)),
      flush_(loop, [this] { workers_->Queue(jobs_); }),
      tell_refused_(loop,
                    [this] {
                      const auto refused = std::exchange(refused_, {});
                      for (const swarm::FileDone& completion : refused) deliver_(completion);
                    }),
      watch_timer_(loop, [this] { LookAtOffered(); }),
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

void BlockStore::Connect(std::function<void(swarm::FileDone)> deliver, std::function<void(bool)> congestion) {
  deliver_ = std::move(deliver);
  congestion_ = std::move(congestion);
}

void BlockStore::Execute(swarm::FileEffect effect) {
  std::visit([this](auto&& one) { Start(std::move(one)); }, std::move(effect));
}

net::FileSpot BlockStore::Find(FileId file, uint64_t offset) const {
  const std::shared_ptr<const ContentFile> open = FindOpen(file);
  if (open == nullptr) return {};
  absl::StatusOr<TreeFiles::Extent> extent = open->Locate(open, offset);
  if (!extent.ok()) return {};
  return {std::move(extent->file), extent->offset};
}

std::shared_ptr<ContentFile> BlockStore::FindOpen(FileId file) const {
  const auto found = files_.find(file);
  return found == files_.end() ? nullptr : found->second;
}

void BlockStore::Refuse(swarm::FileDone completion) {
  refused_.push_back(std::move(completion));
  tell_refused_.Schedule();
}

void BlockStore::Start(swarm::OpenFile effect) {
  CHECK_MSG(!files_.contains(effect.file), absl::StrCat("file ", effect.file.value(), " opened twice"));
  files_.emplace(effect.file, nullptr);
  workers_->QueueSlow([effect, place = resolve_(effect)] {
    Resumed resumed;
    absl::StatusOr<std::shared_ptr<ContentFile>> file = effect.mode == swarm::FileMode::kRead
                                                            ? OpenForReading(place, effect)
                                                            : OpenForDownload(place, effect, resumed);
    const bool existing = effect.mode == swarm::FileMode::kDownload && file.ok() && !(*file)->untouched;
    return BlockWorkers::Completion{swarm::FileOpened{effect.file, file.status(), std::move(resumed.state),
                                                      existing, std::move(resumed.parts)},
                                    file.ok() ? *std::move(file) : nullptr};
  });
}

void BlockStore::Start(swarm::StoreBlock effect) {
  const std::shared_ptr<ContentFile> file = FindOpen(effect.file);
  if (file == nullptr) return Refuse(swarm::BlockStored{effect.token, NotOpen(effect.file)});
  if (file->mode != swarm::FileMode::kDownload || file->finished ||
      Outside(*file, effect.offset, effect.bytes.size())) {
    return Refuse(swarm::BlockStored{effect.token, absl::InvalidArgumentError(absl::StrCat(
                                                       "no place for ", effect.bytes.size(), " bytes at ",
                                                       effect.offset, " of ", file->path))});
  }
  if (queued_bytes_ + effect.bytes.size() > options_.queued_bytes_max) {
    return Refuse(swarm::BlockStored{
        effect.token, absl::ResourceExhaustedError(absl::StrCat("the disk does not keep up: ", queued_bytes_,
                                                                " bytes wait for ", file->path))});
  }
  queued_bytes_ += effect.bytes.size();
  jobs_.push_back(BlockWorkers::StoreJob{file, std::move(effect)});
  flush_.Schedule();
  if (queued_bytes_ > options_.queued_bytes_high) SetCongested(true);
}

void BlockStore::Start(swarm::HashRange effect) {
  const std::shared_ptr<ContentFile> file = FindOpen(effect.file);
  if (file == nullptr) return Refuse(swarm::RangeHashed{effect.token, NotOpen(effect.file), {}, {}});
  // Behind a tree's last file there may be zeros to be hashed.
  const bool padded = file->tree != nullptr && effect.kind == swarm::RangeHash::kSha1;
  if (Outside(*file, effect.offset, padded ? 0 : effect.length)) {
    return Refuse(swarm::RangeHashed{
        effect.token, absl::InvalidArgumentError(absl::StrCat("a range outside of ", file->path)), {}, {}});
  }
  jobs_.push_back(BlockWorkers::HashJob{file, effect});
  flush_.Schedule();
}

void BlockStore::Start(swarm::Checkpoint effect) {
  const std::shared_ptr<ContentFile> file = FindOpen(effect.file);
  if (file == nullptr || file->mode != swarm::FileMode::kDownload || file->finished) {
    return Refuse(swarm::Checkpointed{effect.file, NotOpen(effect.file)});
  }
  workers_->QueueSlow([file, effect] {
    return BlockWorkers::Completion{swarm::Checkpointed{effect.file, WriteCheckpoint(*file, effect.state)},
                                    nullptr};
  });
}

void BlockStore::Start(swarm::FinishFile effect) {
  const std::shared_ptr<ContentFile> file = FindOpen(effect.file);
  if (file == nullptr || file->mode != swarm::FileMode::kDownload) {
    return Refuse(swarm::FileFinished{effect.file, NotOpen(effect.file)});
  }
  workers_->QueueSlow([file, effect] {
    return BlockWorkers::Completion{swarm::FileFinished{effect.file, FinishDownload(*file)}, nullptr};
  });
}

void BlockStore::Start(swarm::CloseFile effect) { files_.erase(effect.file); }

void BlockStore::LookAtOffered() {
  bool offers = false;
  for (const auto& [id, file] : files_) {
    if (file == nullptr || (file->mode == swarm::FileMode::kDownload && !file->finished)) continue;
    offers = true;
    if (file->looked_at.exchange(true)) continue;
    workers_->QueueSlow([file = file]() -> std::optional<BlockWorkers::Completion> {
      std::shared_ptr<ContentFile> opened;
      std::optional<swarm::FileChanged> changed = LookAgain(*file, opened);
      file->looked_at = false;
      if (!changed) return std::nullopt;
      return BlockWorkers::Completion{*std::move(changed), std::move(opened)};
    });
  }
  if (offers) watch_timer_.Arm(net::Loop::ReadClock() + options_.watch_period);
}

void BlockStore::OnDone() {
  BlockWorkers::Done done = workers_->TakeDone();
  counters_.block_bytes += done.stored_bytes;
  counters_.writes += done.writes;
  counters_.hashed_bytes += done.hashed_bytes;
  CHECK(queued_bytes_ >= done.stored_bytes);
  queued_bytes_ -= done.stored_bytes;
  for (BlockWorkers::Completion& completion : done.completions) {
    if (std::holds_alternative<swarm::BlockStored>(completion.input)) ++counters_.blocks;
    if (const auto* opened = std::get_if<swarm::FileOpened>(&completion.input)) {
      // Not there any more: closed while it was being opened.
      const auto entry = files_.find(opened->file);
      if (entry != files_.end() && opened->status.ok()) entry->second = completion.opened;
      if (entry != files_.end() && !opened->status.ok()) files_.erase(entry);
    }
    if (const auto* changed = std::get_if<swarm::FileChanged>(&completion.input)) {
      const auto entry = files_.find(changed->file);
      if (entry == files_.end()) continue;
      if (completion.opened != nullptr) entry->second = completion.opened;
    } else if (std::holds_alternative<swarm::FileOpened>(completion.input) ||
               std::holds_alternative<swarm::FileFinished>(completion.input)) {
      watch_timer_.Arm(net::Loop::ReadClock() + options_.watch_period);
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

}  // namespace bt::nodes
