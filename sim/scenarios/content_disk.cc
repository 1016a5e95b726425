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

void ContentDisk::Edit(const std::string& name, uint64_t offset) {
  const auto found = provided_.find(name);
  if (found == provided_.end() || offset >= found->second.size()) return;
  std::string bytes(found->second.view());
  bytes[offset] = static_cast<char>(bytes[offset] ^ 0x55);
  found->second = Slice::Own(std::move(bytes));
  for (auto& [file, open] : open_) {
    if (open.name == name) open.whole = found->second;
  }
}

void ContentDisk::Cut(const std::string& name, uint64_t length) {
  const auto found = provided_.find(name);
  if (found == provided_.end() || length > found->second.size()) return;
  found->second = found->second.Sub(0, length);
  for (auto& [file, open] : open_) {
    if (open.name == name) open.whole = found->second;
  }
}

std::optional<PagedBytes> ContentDisk::Look(std::string_view name) const {
  const std::string key(name);
  if (const auto found = provided_.find(key); found != provided_.end()) {
    PagedBytes pages;
    pages.Write(0, found->second);
    return pages;
  }
  if (const auto found = files_.find(key); found != files_.end()) return found->second.bytes.bytes();
  return std::nullopt;
}

std::optional<uint64_t> ContentDisk::LengthOf(std::string_view name) const {
  const std::string key(name);
  if (const auto found = provided_.find(key); found != provided_.end()) return found->second.size();
  if (const auto found = files_.find(key); found != files_.end()) return found->second.bytes.size();
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
    const std::optional<uint64_t> length = LengthOf(effect.name);
    if (!length.has_value()) {
      return {effect.file, absl::NotFoundError(absl::StrCat(effect.name, ": no such file")), {}};
    }
    if (*length != effect.length) {
      return {effect.file,
              absl::FailedPreconditionError(
                  absl::StrCat(effect.name, ": the file has ", *length, " bytes, not ", effect.length)),
              {}};
    }
    const auto provided = provided_.find(effect.name);
    open_[effect.file] = {effect.name, effect.name, provided == provided_.end() ? Slice() : provided->second,
                          effect.length};
    return {effect.file, absl::OkStatus(), {}};
  }
  if (LengthOf(effect.name).has_value()) {
    return {effect.file, absl::AlreadyExistsError(absl::StrCat(effect.name, ": the file exists")), {}};
  }
  const std::string name = effect.name + ".part";
  if (!files_.contains(name)) {
    if (absl::Status failure = Fails(DiskOperation::kWrite); !failure.ok()) return {effect.file, failure, {}};
  }
  File& file = files_[name];
  const bool existing = file.bytes.size() == effect.length;
  if (!existing) {
    file.state = Slice();
    file.bytes.Sync();
    file.bytes.Resize(effect.length);
  }
  // Between the files of a tree there is nothing, whatever a copy of them has held there.
  for (size_t i = 0; i + 1 < effect.parts.size(); ++i) {
    const uint64_t end = effect.parts[i].offset + effect.parts[i].length;
    const uint64_t next = effect.parts[i + 1].offset;
    if (end < next && next <= effect.length) {
      file.bytes.WriteAt(end, Slice::Own(std::string(next - end, '\0')));
    }
  }
  open_[effect.file] = {name, effect.name, {}, effect.length};
  if (!effect.selection) return {effect.file, absl::OkStatus(), file.state, existing, {}};
  open_[effect.file].selection = effect.parts;
  return {effect.file, absl::OkStatus(), file.state, existing, MakeSelected(effect, file, existing)};
}

std::vector<swarm::PartFound> ContentDisk::MakeSelected(const swarm::OpenFile& effect, File& file,
                                                        bool existing) {
  using swarm::PartFound;
  if (!existing) file.whole = false;
  std::vector<PartFound> found;
  for (size_t i = 0; i < effect.parts.size(); ++i) {
    const bool selected = effect.parts[i].selected;
    if (file.placed.contains(i)) {
      found.push_back(selected ? PartFound::kInPlace : PartFound::kNew);
    } else if (file.whole || file.started.contains(i)) {
      found.push_back(PartFound::kStarted);
    } else {
      found.push_back(PartFound::kNew);
      if (selected) file.started.insert(i);
    }
  }
  return found;
}

// A file that was not selected is not made, and one that has its final name is nobody's to write to.
void ContentDisk::CheckSelected(const Open& open, uint64_t offset) {
  for (size_t i = 0; i < open.selection.size(); ++i) {
    const swarm::FilePart& part = open.selection[i];
    if (offset < part.offset || offset >= part.offset + part.length) continue;
    if (part.selected && !files_[open.name].placed.contains(i)) return;
    world_.Fail(absl::StrCat("selection: a block is written to ", part.path, ", which ",
                             part.selected ? "has its final name" : "was not selected"));
  }
}

absl::btree_set<size_t> ContentDisk::Placed(std::string_view name) const {
  const auto found = files_.find(std::string(name) + ".part");
  return found == files_.end() ? absl::btree_set<size_t>() : found->second.placed;
}

absl::Status ContentDisk::Fails(DiskOperation operation) {
  absl::Status failure = DrawFailure(world_, failures_, faults_, operation);
  if (failure.ok()) return failure;
  told_.emplace(failure.message());
  if (operation != DiskOperation::kRead) write_failed_ = std::min(write_failed_, world_.now());
  return failure;
}

bool ContentDisk::Explains(std::string_view text) const {
  return std::any_of(told_.begin(), told_.end(),
                     [&](const std::string& told) { return text.find(told) != std::string_view::npos; });
}

absl::StatusOr<Slice> ContentDisk::Read(FileId file, uint64_t offset, uint64_t length) {
  absl::StatusOr<Slice> bytes = Peek(file, offset, length);
  if (!bytes.ok()) return bytes;
  if (absl::Status failure = Fails(DiskOperation::kRead); !failure.ok()) return failure;
  return bytes;
}

absl::StatusOr<Slice> ContentDisk::Peek(FileId file, uint64_t offset, uint64_t length) const {
  const auto open = open_.find(file);
  if (open == open_.end()) return absl::NotFoundError("the file is not open");
  if (!open->second.whole.empty()) {
    const Slice& whole = open->second.whole;
    if (offset > whole.size() || length > whole.size() - offset) return absl::OutOfRangeError("past the end");
    return whole.Sub(offset, length);
  }
  const auto found = files_.find(open->second.name);
  if (found == files_.end()) return absl::NotFoundError(absl::StrCat(open->second.name, " is gone"));
  const FaultyFile& bytes = found->second.bytes;
  if (offset > bytes.size() || length > bytes.size() - offset) return absl::OutOfRangeError("past the end");
  return bytes.Read(offset, length);
}

absl::StatusOr<Slice> ContentDisk::ReadPadded(const swarm::HashRange& range) {
  const auto open = open_.find(range.file);
  if (open == open_.end() || open->second.end <= range.offset) return absl::OutOfRangeError("past the end");
  const uint64_t held = std::min(range.length, open->second.end - range.offset);
  const absl::StatusOr<Slice> bytes = Read(range.file, range.offset, held);
  if (!bytes.ok()) return bytes.status();
  std::string padded(bytes->view());
  padded.resize(range.length, '\0');
  return Slice::Own(std::move(padded));
}

swarm::BlockStored ContentDisk::DoStore(const swarm::StoreBlock& effect) {
  const auto open = open_.find(effect.file);
  CHECK_MSG(open != open_.end(), "StoreBlock into a file that is not open");
  CheckSelected(open->second, effect.offset);
  FaultyFile& bytes = files_[open->second.name].bytes;
  if (absl::Status failure = Fails(DiskOperation::kWrite); !failure.ok()) {
    // A short write, and then nothing more.
    bytes.WriteAt(effect.offset, effect.bytes.Sub(0, failures_.Below(effect.bytes.size())));
    return {effect.token, std::move(failure), {}};
  }
  HashMemo::Known<32> known = world_.hashes().Know(&Sha256, effect.offset, effect.bytes);
  bytes.WriteAt(effect.offset, std::move(known.bytes));
  return {effect.token, absl::OkStatus(), known.digest};
}

// Writes behind a sync that takes long wait for it, as they do when the page cache is full.
ContentDisk::Pending ContentDisk::AddStore(const swarm::StoreBlock& effect) {
  const uint64_t ticket = ++next_ticket_;
  stores_[ticket] = effect.bytes.size();
  queued_ += effect.bytes.size();
  if (queued_ > kQueuedHigh) congested_ = true;
  const Instant done = std::max(world_.now() + WorkTime(effect.bytes.size()), busy_until_);
  return {DoStore(effect), done - world_.now(), ticket};
}

swarm::RangeHashed ContentDisk::DoHash(const swarm::HashRange& effect) {
  swarm::RangeHashed hashed{effect.token, absl::OkStatus(), {}, {}};
  absl::StatusOr<Slice> bytes = Read(effect.file, effect.offset, effect.length);
  // The version 1 side of a tree may end with zeros that are in no file.
  if (absl::IsOutOfRange(bytes.status()) && effect.kind == swarm::RangeHash::kSha1) {
    bytes = ReadPadded(effect);
  }
  if (!bytes.ok()) {
    hashed.status = bytes.status();
  } else if (effect.kind == swarm::RangeHash::kSha1) {
    hashed.sha1 = world_.hashes().At(&Sha1, effect.offset, *bytes);
  } else {
    for (uint64_t at = 0; at < effect.length; at += kLeafBytes) {
      const Slice leaf = bytes->Sub(at, std::min<uint64_t>(kLeafBytes, effect.length - at));
      hashed.leaves.push_back(world_.hashes().At(&Sha256, effect.offset + at, leaf));
    }
  }
  return hashed;
}

template <class Done>
ContentDisk::Pending ContentDisk::AddSync(FileId file, std::optional<Slice> state, bool rename) {
  const auto open = open_.find(file);
  CHECK_MSG(open != open_.end(), "checkpoint or finish of a file that is not open");
  const uint64_t ticket = ++next_ticket_;
  const FaultyFile& bytes = files_[open->second.name].bytes;
  absl::Status failure = Fails(DiskOperation::kSync);
  // What completes a file is one sync of many, and has to fail often enough to be met.
  if (rename && failure.ok() && faults_.sync_error_ppm > 0 && finishes_.Chance(1, 8)) {
    failure = absl::UnavailableError("the file cannot be given its name");
    world_.Count(Fault::kSyncError);
    told_.emplace(failure.message());
    write_failed_ = std::min(write_failed_, world_.now());
  }
  // As nodes/content has it: no sync after one that failed is believed.
  const auto failed_before = [&](const Sync& sync) { return sync.name == open->second.name && sync.fails; };
  if (failure.ok() && (sync_failed_.contains(open->second.name) ||
                       std::any_of(syncs_.begin(), syncs_.end(), failed_before))) {
    failure = absl::UnavailableError("an earlier sync of this file has failed");
    told_.emplace(failure.message());
  }
  std::vector<size_t> places;
  for (size_t i = 0; rename && i < open->second.selection.size(); ++i) {
    if (open->second.selection[i].selected) places.push_back(i);
  }
  syncs_.push_back({ticket, open->second.name, bytes.unsynced(), std::move(state), rename, std::move(places),
                    !failure.ok()});
  const Duration takes = SyncTime(world_, rng_, faults_, bytes.unsynced_bytes());
  if (takes > faults_.sync_max) busy_until_ = std::max(busy_until_, world_.now() + takes);
  return {Done{file, std::move(failure)}, takes, ticket};
}

std::optional<ContentDisk::Pending> ContentDisk::Execute(const swarm::FileEffect& effect) {
  return std::visit(
      Overloaded{
          [&](const swarm::OpenFile& open) -> std::optional<Pending> {
            return Pending{DoOpen(open), WorkTime(0)};
          },
          [&](const swarm::StoreBlock& store) -> std::optional<Pending> { return AddStore(store); },
          [&](const swarm::HashRange& range) -> std::optional<Pending> {
            return Pending{DoHash(range), WorkTime(range.length)};
          },
          [&](const swarm::Checkpoint& checkpoint) -> std::optional<Pending> {
            return AddSync<swarm::Checkpointed>(checkpoint.file, checkpoint.state, false);
          },
          [&](const swarm::FinishFile& finish) -> std::optional<Pending> {
            return AddSync<swarm::FileFinished>(finish.file, std::nullopt, true);
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
  if (sync.fails) {
    sync_failed_.insert(sync.name);
    found->second.bytes.FailSync(failures_);
  } else {
    found->second.bytes.Sync(sync.writes);
  }
  // The writes in front of this sync, or all if it failed, are no longer in front of a later one of this
  // file.
  const size_t passed = sync.fails ? SIZE_MAX : sync.writes;
  for (Sync& other : syncs_) {
    if (other.ticket > sync.ticket && other.name == sync.name) other.writes -= std::min(other.writes, passed);
  }
  if (sync.fails) return;
  if (sync.state.has_value()) found->second.state = *sync.state;
  if (!sync.rename) return;
  if (!sync.places.empty()) {
    found->second.placed.insert(sync.places.begin(), sync.places.end());
    return;
  }
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
  if (const auto store = stores_.find(ticket); store != stores_.end()) {
    queued_ -= store->second;
    stores_.erase(store);
    if (queued_ < kQueuedLow) congested_ = false;
    return;
  }
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
  stores_.clear();
  queued_ = 0;
  congested_ = false;
  busy_until_ = Instant{0};
  open_.clear();
  told_.clear();
  sync_failed_.clear();
  write_failed_ = Instant::Never();
  for (auto& [name, file] : files_) {
    (void)name;
    file.bytes.Crash(world_, rng_, faults_);
    // Only a checkpointed file: one without a checkpoint is looked at whole whatever it holds.
    if (!file.state.empty() && rng_.Chance(faults_.alter_percent, 100)) Alter(file);
  }
}

void ContentDisk::Alter(File& file) {
  // Files that have their final names are their owner's, who leaves them alone.
  if (!file.placed.empty()) return;
  world_.Count(Fault::kAlteredFile);
  for (uint64_t left = rng_.Between(1, 4); left > 0; --left) {
    file.altered.push_back(rng_.Below(file.bytes.size()));
    file.bytes.Alter(file.altered.back());
  }
}

}  // namespace bt::sim
