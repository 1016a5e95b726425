#include "nodes/tracker/node_state.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>

#include "core/base/check.h"
#include "core/base/digest.h"
#include "core/base/fields.h"
#include "core/base/version.h"
#include "net/fd.h"
#include "net/posix_directory.h"
#include "nodes/shared/files.h"
#include "nodes/tracker/sealed_state.h"

namespace bt::nodes {
namespace {

constexpr const char* kName = "node";
constexpr const char* kNewName = "node.new";

std::string PathIn(const std::string& directory, const std::string& name) {
  return absl::StrCat(directory, "/", name);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> JournalFiles(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (wal::ParseSegmentFileName(name)) names.push_back(std::move(name));
  }
  if (error) return FileError("list", directory, error.value());
  std::sort(names.begin(), names.end());
  return names;
}

namespace {

absl::Status MakeDirectory(const std::string& directory) {
  std::error_code error;
  const bool made = std::filesystem::create_directories(directory, error);
  if (error) return FileError("make", directory, error.value());
  return made ? SyncDirectory(DirectoryOf(directory)) : absl::OkStatus();
}

absl::Status Occupied(const std::string& directory, const char* what) {
  return absl::FailedPreconditionError(
      absl::StrCat(directory, " holds ", what, "; choose another directory for a new node"));
}

// What an interrupted init left: nothing was ever served from it.
absl::Status RemoveJournal(const std::string& directory, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (unlink(PathIn(directory, name).c_str()) != 0)
      return FileError("remove", PathIn(directory, name), errno);
  }
  return SyncDirectory(directory);
}

absl::Status CreateJournal(const std::string& path, const NodeState& state,
                           std::vector<JournalWrite> records) {
  const absl::StatusOr<std::unique_ptr<net::PosixDirectory>> directory =
      net::PosixDirectory::Open(path, /*create=*/true);
  if (!directory.ok()) return directory.status();
  wal::JournalFiles files({.identity = state.journal_identity(), .path = path}, **directory);
  files.Recover();
  (*directory)->Run(files);
  if (files.failure().ok() && !records.empty()) {
    files.Commit(records);
    (*directory)->Run(files);
  }
  return files.failure();
}

}  // namespace

uint64_t NodeState::first_members() const {
  if (members.empty()) return 0;
  RollingDigest digest;
  for (const NodeId member : members) digest.Add(member.value());
  if (backup != 0) digest.Add(backup);
  return digest.value();
}

absl::StatusOr<DirectoryKind> Inspect(const std::string& directory) {
  std::error_code error;
  const auto status = std::filesystem::status(directory, error);
  if (status.type() == std::filesystem::file_type::not_found) return DirectoryKind::kAbsent;
  if (error) return FileError("open", directory, error.value());
  const absl::StatusOr<std::vector<std::string>> journal = JournalFiles(directory);
  if (!journal.ok()) return journal.status();
  const auto has = [&](const char* name) { return ::access(PathIn(directory, name).c_str(), F_OK) == 0; };
  if (has(kName)) return DirectoryKind::kNode;
  const absl::StatusOr<std::string> begun = ReadSmallFile(PathIn(directory, kNewName));
  // Initialise writes this file only where no journal is, so a journal beside it was never served from.
  if (begun.ok() && !begun->empty()) return DirectoryKind::kInterrupted;
  return journal->empty() ? DirectoryKind::kEmpty : DirectoryKind::kJournalAlone;
}

// The order is the proof. `node.new` gets its first byte only in a directory without a journal; the journal
// comes after that is durable; `node` comes last, when all it stands for is durable. Whoever finds `node.new`
// with bytes in it may therefore remove the journal beside it. The lock keeps two inits apart; one that
// waited behind another finds `node`, because the kind is looked at under the lock.
absl::Status Initialise(const std::string& directory, const NodeState& state,
                        std::vector<JournalWrite> records) {
  absl::Status status = MakeDirectory(directory);
  if (!status.ok()) return status;
  const std::string fresh = PathIn(directory, kNewName);
  const net::Fd fd(open(fresh.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return FileError("create", fresh, errno);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::AlreadyExistsError(absl::StrCat("another init is at work in ", directory, "; let it end"));
  }
  const absl::StatusOr<DirectoryKind> kind = Inspect(directory);
  if (!kind.ok()) return kind.status();
  if (*kind == DirectoryKind::kNode || *kind == DirectoryKind::kJournalAlone) {
    unlink(fresh.c_str());
    return Occupied(
        directory, *kind == DirectoryKind::kNode ? "a node's state already" : "a journal of an earlier node");
  }
  status = OverwriteFile(fd.get(), SealState(kName, Encode(state)), fresh);
  if (status.ok()) status = SyncDirectory(directory);
  if (!status.ok()) return status;
  const absl::StatusOr<std::vector<std::string>> leftovers = JournalFiles(directory);
  if (!leftovers.ok()) return leftovers.status();
  status = RemoveJournal(directory, *leftovers);
  if (status.ok() && state.node != NodeId(0)) status = CreateJournal(directory, state, std::move(records));
  if (!status.ok()) return status;
  if (std::rename(fresh.c_str(), PathIn(directory, kName).c_str()) != 0) {
    return FileError("rename", fresh, errno);
  }
  return SyncDirectory(directory);
}

std::string SetAsidePath(const std::string& directory) { return PathIn(directory, "damaged"); }

bool HasSetAside(const std::string& directory) {
  return ::access(SetAsidePath(directory).c_str(), F_OK) == 0;
}

// The state without an id is durable before the first file of the journal is moved: whatever a crash leaves
// of the journal then is nobody's.
absl::StatusOr<NodeState> GiveUpId(const std::string& directory, const NodeState& state) {
  const std::string aside = SetAsidePath(directory);
  std::error_code error;
  std::filesystem::remove_all(aside, error);
  if (error) return FileError("remove", aside, error.value());
  absl::Status status = MakeDirectory(aside);
  if (status.ok()) status = WriteFileAtomically(PathIn(aside, kName), SealState(kName, Encode(state)), 0600);
  if (!status.ok()) return status;
  NodeState now{
      .secret = state.secret, .incarnation = DrawIncarnation(), .entry = state.entry, .replaces = state.node};
  status = WriteFileAtomically(PathIn(directory, kName), SealState(kName, Encode(now)), 0600);
  if (status.ok()) status = SetJournalAside(directory, now);
  if (!status.ok()) return status;
  return now;
}

// A file that is set aside already was made by a TakeId that did not come to its end; so was any of a node
// that replaces nobody.
absl::Status SetJournalAside(const std::string& directory, const NodeState& state) {
  const absl::StatusOr<std::vector<std::string>> names = JournalFiles(directory);
  if (!names.ok()) return names.status();
  if (names->empty()) return absl::OkStatus();
  if (state.replaces == NodeId(0)) return RemoveJournal(directory, *names);
  const std::string aside = SetAsidePath(directory);
  absl::Status status = MakeDirectory(aside);
  for (const std::string& name : *names) {
    if (!status.ok()) return status;
    const std::string from = PathIn(directory, name);
    if (std::filesystem::exists(PathIn(aside, name))) {
      if (unlink(from.c_str()) != 0) return FileError("remove", from, errno);
      continue;
    }
    if (std::rename(from.c_str(), PathIn(aside, name).c_str()) != 0) return FileError("rename", from, errno);
  }
  if (status.ok()) status = SyncDirectory(aside);
  return status.ok() ? SyncDirectory(directory) : status;
}

// The journal first: a state that names an id without a journal would say that the journal is lost.
absl::StatusOr<NodeState> TakeId(const std::string& directory, const NodeState& state, NodeId id) {
  NodeState now = state;
  now.node = id;
  now.replaces = NodeId(0);
  absl::Status status = CreateJournal(directory, now, {});
  if (status.ok())
    status = WriteFileAtomically(PathIn(directory, kName), SealState(kName, Encode(now)), 0600);
  if (!status.ok()) return status;
  return now;
}

uint64_t DrawIncarnation() {
  uint64_t incarnation = 0;
  CHECK(getrandom(&incarnation, sizeof incarnation, 0) == static_cast<ssize_t>(sizeof incarnation));
  return incarnation;
}

absl::StatusOr<NodeState> ReadNodeState(const std::string& directory) {
  const std::string path = PathIn(directory, kName);
  const absl::StatusOr<std::string> text = ReadSmallFile(path);
  if (!text.ok()) return text.status();
  const auto body = OpenState(kName, *text);
  const Slice bytes = Slice::Copy(body.value_or(""));
  Decoder decoder(bytes);  // the version stands in front in every version
  uint64_t version = NodeState::kVersion;
  decoder("version", version);
  if (body && decoder.ok() && version != NodeState::kVersion) {
    return absl::DataLossError(absl::StrCat(path, " is of version ", version, ", and this program (",
                                            kVersion, ") reads ", NodeState::kVersion,
                                            ": start the release that wrote it; nothing was changed"));
  }
  const auto state = Decode<NodeState>(bytes);
  if (!state.ok()) {
    return absl::DataLossError(absl::StrCat(
        path, " is damaged; restore that file from a copy, or let the cluster go on without this node"));
  }
  return *state;
}

}  // namespace bt::nodes
