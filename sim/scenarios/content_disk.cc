#include "sim/scenarios/content_disk.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/base/digest.h"
#include "core/base/overloaded.h"

namespace bt::sim {
namespace {

constexpr uint64_t kLeafBytes = 16 * 1024;

}  // namespace

void ContentDisk::Provide(std::string name, Slice content) {
  provided_[std::move(name)] = std::move(content);
}

void ContentDisk::ProvidePart(const std::string& name, std::string bytes, Slice state) {
  File& file = files_[name + ".part"];
  file.bytes.Resize(bytes.size());
  file.bytes.WriteAt(0, Slice::Own(std::move(bytes)));
  file.bytes.Sync();
  file.state = std::move(state);
}

void ContentDisk::Cut(const std::string& name, uint64_t length) {
  const auto found = provided_.find(name);
  if (found == provided_.end() || length > found->second.size()) return;
  found->second = found->second.Sub(0, length);
  for (auto& [file, open] : open_) {
    if (open.name == name) open.whole = found->second;
  }
}

std::optional<std::string_view> ContentDisk::Look(std::string_view name) const {
  const std::string key(name);
  if (const auto found = provided_.find(key); found != provided_.end()) return found->second.view();
  if (const auto found = files_.find(key); found != files_.end()) return found->second.bytes.view();
  return std::nullopt;
}

std::vector<uint64_t> ContentDisk::TakeAltered(std::string_view name) {
  const auto found = files_.find(std::string(name));
  return found == files_.end() ? std::vector<uint64_t>() : std::exchange(found->second.altered, {});
}

Duration ContentDisk::WorkTime(uint64_t bytes) {
  return rng_.Between(Microseconds(20), Microseconds(200)) + Nanoseconds(static_cast<int64_t>(bytes));
}

swarm::FileOpened ContentDisk::DoOpen(const swarm::OpenFile& effect) {
  if (effect.mode == swarm::FileMode::kRead) {
    const std::optional<std::string_view> bytes = Look(effect.name);
    if (!bytes.has_value()) {
      return {effect.file, absl::NotFoundError(absl::StrCat(effect.name, ": no such file")), {}};
    }
    if (bytes->size() != effect.length) {
      return {effect.file,
              absl::FailedPreconditionError(
                  absl::StrCat(effect.name, ": the file has ", bytes->size(), " bytes, not ", effect.length)),
              {}};
    }
    const auto provided = provided_.find(effect.name);
    open_[effect.file] = {effect.name, effect.name, provided == provided_.end() ? Slice() : provided->second};
    return {effect.file, absl::OkStatus(), {}};
  }
  if (Look(effect.name).has_value()) {
    return {effect.file, absl::AlreadyExistsError(absl::StrCat(effect.name, ": the file exists")), {}};
  }
  const std::string name = effect.name + ".part";
  File& file = files_[name];
  const bool existing = file.bytes.size() == effect.length;
  if (!existing) {
    file.state = Slice();
    file.bytes.Sync();
    file.bytes.Resize(effect.length);
  }
  open_[effect.file] = {name, effect.name, {}};
  return {effect.file, absl::OkStatus(), file.state, existing};
}

absl::StatusOr<Slice> ContentDisk::Read(FileId file, uint64_t offset, uint64_t length) {
  const auto open = open_.find(file);
  if (open == open_.end()) return absl::NotFoundError("the file is not open");
  if (!open->second.whole.empty()) {
    const Slice& whole = open->second.whole;
    if (offset > whole.size() || length > whole.size() - offset) return absl::OutOfRangeError("past the end");
    return whole.Sub(offset, length);
  }
  const auto found = files_.find(open->second.name);
  if (found == files_.end()) return absl::NotFoundError(absl::StrCat(open->second.name, " is gone"));
  const std::string_view bytes = found->second.bytes.view();
  if (offset > bytes.size() || length > bytes.size() - offset) return absl::OutOfRangeError("past the end");
  return Slice::Copy(bytes.substr(offset, length));
}

ContentDisk::Pending ContentDisk::AddSync(FileId file, swarm::FileDone completion, std::optional<Slice> state,
                                          bool rename) {
  const auto open = open_.find(file);
  CHECK_MSG(open != open_.end(), "checkpoint or finish of a file that is not open");
  const uint64_t ticket = ++next_ticket_;
  const FaultyFile& bytes = files_[open->second.name].bytes;
  syncs_.push_back({ticket, open->second.name, bytes.unsynced(), std::move(state), rename});
  return {std::move(completion), SyncTime(world_, rng_, faults_, bytes.unsynced_bytes()), ticket};
}

std::optional<ContentDisk::Pending> ContentDisk::Execute(const swarm::FileEffect& effect) {
  return std::visit(
      Overloaded{
          [&](const swarm::OpenFile& open) -> std::optional<Pending> {
            return Pending{DoOpen(open), WorkTime(0)};
          },
          [&](const swarm::StoreBlock& store) -> std::optional<Pending> {
            const auto open = open_.find(store.file);
            CHECK_MSG(open != open_.end(), "StoreBlock into a file that is not open");
            swarm::BlockStored stored{store.token, absl::OkStatus(),
                                      world_.hashes().Sha256At(store.offset, store.bytes)};
            const size_t size = store.bytes.size();
            files_[open->second.name].bytes.WriteAt(store.offset, store.bytes);
            return Pending{stored, WorkTime(size)};
          },
          [&](const swarm::HashRange& range) -> std::optional<Pending> {
            swarm::RangeHashed hashed{range.token, absl::OkStatus(), {}, {}};
            const absl::StatusOr<Slice> bytes = Read(range.file, range.offset, range.length);
            if (!bytes.ok()) {
              hashed.status = bytes.status();
            } else if (range.kind == swarm::RangeHash::kSha1) {
              hashed.sha1 = world_.hashes().Sha1At(range.offset, *bytes);
            } else {
              for (uint64_t at = 0; at < range.length; at += kLeafBytes) {
                const Slice leaf = bytes->Sub(at, std::min<uint64_t>(kLeafBytes, range.length - at));
                hashed.leaves.push_back(world_.hashes().Sha256At(range.offset + at, leaf));
              }
            }
            return Pending{std::move(hashed), WorkTime(range.length)};
          },
          [&](const swarm::Checkpoint& checkpoint) -> std::optional<Pending> {
            return AddSync(checkpoint.file, swarm::Checkpointed{checkpoint.file, absl::OkStatus()},
                           checkpoint.state, false);
          },
          [&](const swarm::FinishFile& finish) -> std::optional<Pending> {
            return AddSync(finish.file, swarm::FileFinished{finish.file, absl::OkStatus()}, std::nullopt,
                           true);
          },
          [&](const swarm::CloseFile& close) -> std::optional<Pending> {
            open_.erase(close.file);
            return std::nullopt;
          },
      },
      effect);
}

void ContentDisk::Apply(const Sync& sync) {
  const auto found = files_.find(sync.name);
  if (found == files_.end()) return;
  found->second.bytes.Sync(sync.writes);
  if (sync.state.has_value()) found->second.state = *sync.state;
  // The writes made durable here are no longer in front of those a later sync of this file covers.
  for (Sync& other : syncs_) {
    if (other.ticket > sync.ticket && other.name == sync.name)
      other.writes -= std::min(other.writes, sync.writes);
  }
  if (!sync.rename) return;
  std::string final_name = sync.name.substr(0, sync.name.size() - std::string_view(".part").size());
  for (auto& [id, open] : open_) {
    if (open.name == sync.name) open.name = final_name;
  }
  File file = std::move(found->second);
  file.state = Slice();
  files_.erase(found);
  files_[final_name] = std::move(file);
}

void ContentDisk::Commit(uint64_t ticket) {
  if (ticket == 0) return;
  // Syncs of one disk complete in the order they were asked for: an earlier one is covered by a later.
  while (!syncs_.empty() && syncs_.front().ticket <= ticket) {
    const Sync sync = syncs_.front();
    syncs_.erase(syncs_.begin());
    Apply(sync);
  }
}

void ContentDisk::Crash() {
  while (!syncs_.empty() && rng_.Chance(1, 2)) Commit(syncs_.front().ticket);
  syncs_.clear();
  open_.clear();
  for (auto& [name, file] : files_) {
    (void)name;
    file.bytes.Crash(world_, rng_, faults_);
    // Only a checkpointed file: one without a checkpoint is looked at whole whatever it holds.
    if (!file.state.empty() && rng_.Chance(faults_.alter_percent, 100)) Alter(file);
  }
}

void ContentDisk::Alter(File& file) {
  world_.Count(Fault::kAlteredFile);
  for (uint64_t left = rng_.Between(1, 4); left > 0; --left) {
    file.altered.push_back(rng_.Below(file.bytes.size()));
    file.bytes.Alter(file.altered.back());
  }
}

}  // namespace bt::sim
