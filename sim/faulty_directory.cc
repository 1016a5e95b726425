#include "sim/faulty_directory.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "core/base/check.h"
#include "core/base/overloaded.h"

namespace bt::sim {

void FaultyDirectory::Begin(wal::Operation operation) {
  CHECK(!operation_.has_value());
  operation_ = std::move(operation);
}

bool FaultyDirectory::syncing() const {
  return operation_.has_value() && (std::holds_alternative<wal::SyncFile>(*operation_) ||
                                    std::holds_alternative<wal::SyncDirectory>(*operation_));
}

FaultyFile& FaultyDirectory::File(const std::string& name) {
  const auto found = names_.find(name);
  CHECK_MSG(found != names_.end(), absl::StrCat("no file of this name: ", name));
  return files_[found->second];
}

void FaultyDirectory::Apply(const Change& change, Names& names) {
  // A change that was kept although the one before it was forgotten finds another file, or none, there.
  const auto from = names.find(change.from);
  if (from != names.end() && from->second == change.file) names.erase(from);
  if (!change.to.empty()) names[change.to] = change.file;
}

void FaultyDirectory::Make(Change change) {
  Apply(change, names_);
  unsynced_.push_back(std::move(change));
}

wal::Completion FaultyDirectory::Create(const std::string& name) {
  const FileNumber file = ++next_file_;
  files_[file];
  Make({file, "", name});
  return {};
}

wal::Completion FaultyDirectory::Finish(World& world, RandomStream& rng, const DiskFaults& faults) {
  CHECK(operation_.has_value());
  absl::Status failure;
  if (syncing()) {
    failure = DrawFailure(world, rng, faults, DiskOperation::kSync);
  } else if (std::holds_alternative<wal::ReadFile>(*operation_)) {
    failure = DrawFailure(world, rng, faults, DiskOperation::kRead);
  } else if (std::holds_alternative<wal::WriteFile>(*operation_)) {
    failure = DrawFailure(world, rng, faults, DiskOperation::kWrite);
  }
  return failure.ok() ? Finish() : Fail(rng, std::move(failure));
}

wal::Completion FaultyDirectory::Fail(RandomStream& rng, absl::Status failure) {
  const wal::Operation operation = *std::exchange(operation_, std::nullopt);
  if (const auto* sync = std::get_if<wal::SyncFile>(&operation)) {
    File(sync->name).FailSync(rng);
  } else if (const auto* write = std::get_if<wal::WriteFile>(&operation)) {
    // A short write, and then nothing more.
    File(write->name).WriteAt(write->offset, write->bytes.Sub(0, rng.Below(write->bytes.size())));
  }
  // A directory whose sync failed has its changes written again by the next: metadata goes through the file
  // system's own journal, which either has them or stops.
  return {.status = std::move(failure)};
}

uint64_t FaultyDirectory::unsynced_bytes(const std::string& name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? 0 : files_.at(found->second).unsynced_bytes();
}

std::vector<std::string> FaultyDirectory::FileNames() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : names_) names.push_back(name);
  return names;
}

void FaultyDirectory::LoseEntry(const std::string& name) {
  CHECK(unsynced_.empty());
  files_.erase(names_.at(name));
  names_.erase(name);
  durable_names_ = names_;
}

void FaultyDirectory::Swap(const std::string& one, const std::string& other) {
  CHECK(unsynced_.empty());
  std::swap(names_.at(one), names_.at(other));
  durable_names_ = names_;
}

wal::Completion FaultyDirectory::Finish() {
  CHECK(operation_.has_value());
  const wal::Operation operation = *std::exchange(operation_, std::nullopt);
  return std::visit(Overloaded{
                        [&](const wal::ListFiles&) {
                          wal::Completion done;
                          for (const auto& [name, file] : names_) done.names.push_back(name);
                          return done;
                        },
                        [&](const wal::ReadFile& read) {
                          const uint64_t length = std::min(read.bytes_max, File(read.name).size());
                          return wal::Completion{.bytes = File(read.name).Read(0, length)};
                        },
                        [&](const wal::CreateFile& create) { return Create(create.name); },
                        [&](const wal::WriteFile& write) {
                          File(write.name).WriteAt(write.offset, write.bytes);
                          return wal::Completion{};
                        },
                        [&](const wal::SyncFile& sync) {
                          File(sync.name).Sync();
                          return wal::Completion{};
                        },
                        [&](const wal::RenameFile& rename) {
                          Make({names_.at(rename.from), rename.from, rename.to});
                          return wal::Completion{};
                        },
                        [&](const wal::RemoveFile& remove) {
                          Make({names_.at(remove.name), remove.name, ""});
                          return wal::Completion{};
                        },
                        [&](const wal::SyncDirectory&) {
                          durable_names_ = names_;
                          unsynced_.clear();
                          return wal::Completion{};
                        },
                    },
                    operation);
}

uint64_t FaultyDirectory::bytes() const {
  uint64_t sum = 0;
  for (const auto& [name, file] : names_) sum += files_.at(file).size();
  return sum;
}

void FaultyDirectory::Crash(World& world, RandomStream& rng, const DiskFaults& faults) {
  operation_.reset();
  for (const Change& change : std::exchange(unsynced_, {})) {
    if (rng.Chance(faults.lose_percent, 100)) {
      world.Count(Fault::kForgottenEntry);
    } else {
      world.Count(Fault::kKeptEntry);
      Apply(change, durable_names_);
    }
  }
  names_ = durable_names_;
  absl::btree_map<FileNumber, FaultyFile> left;
  for (const auto& [name, file] : names_) {
    FaultyFile& bytes = left.emplace(file, std::move(files_[file])).first->second;
    bytes.Crash(world, rng, faults);
  }
  files_ = std::move(left);
}

std::optional<std::string> FaultyDirectory::Look(const std::string& name) const {
  const auto found = names_.find(name);
  if (found == names_.end()) return std::nullopt;
  return std::string(files_.at(found->second).All().view());
}

}  // namespace bt::sim
