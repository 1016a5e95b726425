#include "nodes/daemon/state_file.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "nodes/shared/files.h"
#include "nodes/shared/json_fields.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

constexpr uint64_t kFormat = 1;

absl::Status Damaged(std::string_view why) {
  return absl::FailedPreconditionError(
      absl::StrCat("it is no state of a daemon of this version: ", Absl(why)));
}

std::optional<uint64_t> Number(const Json& json, const char* field) {
  const auto found = json.find(field);
  if (found == json.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<uint64_t>();
}

absl::StatusOr<SavedTransfer> ParseTransfer(const Json& json) {
  const std::optional<uint64_t> id = json.is_object() ? Number(json, "id") : std::nullopt;
  const auto order = id ? json.find("order") : json.end();
  if (!id || order == json.end()) return Damaged("a transfer without an id or an order");
  absl::StatusOr<Order> parsed = ParseOrder(*order);
  if (!parsed.ok()) return Damaged(absl::StrCat("transfer ", *id, ": ", parsed.status().message()));
  return SavedTransfer{*id,
                       *std::move(parsed),
                       FlagIn(json, "paused"),
                       FlagIn(json, "complete"),
                       FlagIn(json, "seeded"),
                       FlagIn(json, "completed") || FlagIn(json, "complete"),
                       NumberIn(json, "sent"),
                       NumberIn(json, "offered_seconds")};
}

std::string StatePath(const std::string& directory) { return directory + "/transfers"; }

}  // namespace

std::string StateText(const DaemonState& state) {
  Json json = {{"format", kFormat},
               {"next_id", state.next_id},
               {"upload_limit", state.upload_limit},
               {"download_limit", state.download_limit},
               {"transfers", Json::array()}};
  WriteSeedLimits(state.seed, json);
  for (const SavedTransfer& transfer : state.transfers) {
    json["transfers"].push_back({{"id", transfer.id},
                                 {"order", OrderJson(transfer.order)},
                                 {"paused", transfer.paused},
                                 {"complete", transfer.complete},
                                 {"seeded", transfer.seeded},
                                 {"completed", transfer.completed},
                                 {"sent", transfer.sent},
                                 {"offered_seconds", transfer.offered_seconds}});
  }
  return JsonText(json) + "\n";
}

absl::StatusOr<DaemonState> ParseState(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || Number(json, "format") != kFormat) return Damaged("it is not of format 1");
  const std::optional<uint64_t> next = Number(json, "next_id");
  const auto transfers = json.find("transfers");
  if (!next || transfers == json.end() || !transfers->is_array()) return Damaged("it is not whole");
  DaemonState state;
  state.next_id = *next;
  state.upload_limit = NumberIn(json, "upload_limit");
  state.download_limit = NumberIn(json, "download_limit");
  for (const char* field : {"seed_time", "seed_ratio"}) {
    const auto value = json.find(field);
    if (value == json.end()) continue;
    if (const absl::Status read = ReadSeedLimit(field, *value, state.seed); !read.ok()) {
      return Damaged(Message(read));
    }
  }
  for (const Json& entry : *transfers) {
    absl::StatusOr<SavedTransfer> transfer = ParseTransfer(entry);
    if (!transfer.ok()) return transfer.status();
    const uint64_t last = state.transfers.empty() ? 0 : state.transfers.back().id;
    if (transfer->id <= last || transfer->id >= state.next_id) return Damaged("its ids are not in order");
    if (state.transfers.size() == kTransfersMax) return Damaged("it has too many transfers");
    state.transfers.push_back(*std::move(transfer));
  }
  return state;
}

absl::StatusOr<net::Fd> LockStateDirectory(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return FileError("make", directory, errno);
  const std::string path = directory + "/lock";
  net::Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return FileError("open", path, errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno != EWOULDBLOCK) return FileError("lock", path, errno);
  return absl::AlreadyExistsError(absl::StrCat(
      directory, " is used by another daemon that runs; give this one a --state-dir of its own"));
}

absl::StatusOr<DaemonState> LoadState(const std::string& directory) {
  const std::string path = StatePath(directory);
  const absl::StatusOr<InputFile> file = InputFile::Open(path);
  if (absl::IsNotFound(file.status())) return DaemonState{};
  if (!file.ok()) return file.status();
  const absl::StatusOr<std::string> text = file->ReadAll(kStateBytesMax, "the state of a daemon");
  if (!text.ok()) return text.status();
  absl::StatusOr<DaemonState> state = ParseState(*text);
  if (state.ok()) return state;
  return absl::Status(state.status().code(), absl::StrCat("cannot use ", path, ": ", state.status().message(),
                                                          "; move it away to begin without it"));
}

absl::Status SaveState(const std::string& directory, std::string_view text) {
  return WriteFileAtomically(StatePath(directory), text, 0600);
}

void RemoveLeftovers(const std::string& directory, const DaemonState& state) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), ::closedir);
  if (open == nullptr) return;
  std::vector<std::string> leftovers;
  while (const dirent* entry = ::readdir(open.get())) {
    absl::string_view number = entry->d_name;
    uint64_t id = 0;
    if (!absl::ConsumeSuffix(&number, ".torrent") || !absl::SimpleAtoi(number, &id)) continue;
    const std::string path = TorrentCopy(directory, id);
    const bool ours = path == absl::StrCat(directory, "/", entry->d_name);
    const bool known = std::any_of(state.transfers.begin(), state.transfers.end(),
                                   [&](const SavedTransfer& transfer) { return transfer.id == id; });
    if (ours && !known) leftovers.push_back(path);
  }
  for (const std::string& path : leftovers) ::unlink(path.c_str());
}

std::string TorrentCopy(const std::string& directory, uint64_t id) {
  return absl::StrCat(directory, "/", id, ".torrent");
}

}  // namespace bt::nodes
