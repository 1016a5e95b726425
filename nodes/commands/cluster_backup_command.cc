// bytetorrent cluster snapshot, backup, recover: the whole state of a cluster, written down. Of it, and of
// nothing else, "bytetorrent-tracker init --from-backup" begins a new cluster.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <cstdio>
#include <string>
#include <utility>

#include "core/paxos/survivor.h"
#include "core/tracker/state_builder.h"
#include "net/journal.h"
#include "net/loop.h"
#include "nodes/commands/admin_socket.h"
#include "nodes/commands/commands.h"
#include "nodes/http_api/json_api.h"
#include "nodes/shared/backup.h"
#include "nodes/shared/json_text.h"
#include "nodes/shared/text.h"
#include "nodes/tracker/node_state.h"

namespace bt::nodes {
namespace {

// A node answers within its own deadline for snapshots.
constexpr Duration kSnapshotPatience = Seconds(75);
// Of how often the node may write a newer snapshot while the last one is fetched.
constexpr int kTries = 5;
constexpr size_t kPieceBytes = 256u << 10;

absl::Status TakeSnapshot(const std::string& socket) {
  const absl::StatusOr<net::HttpResponse> response = AskNode(socket, "POST", "/snapshot", kSnapshotPatience);
  if (!response.ok()) return response.status();
  if (response->status == 200) return absl::OkStatus();
  return absl::UnavailableError(Printable(ParseReason(response->body, "error")));
}

// kAborted: a newer snapshot has taken its place.
absl::StatusOr<std::string> FetchBackup(const std::string& socket) {
  const auto get = [&](std::string target) -> absl::StatusOr<std::string> {
    absl::StatusOr<net::HttpResponse> response = AskNode(socket, "GET", std::move(target));
    if (!response.ok()) return response.status();
    if (response->status == 200) return std::move(response->body);
    const std::string reason = Printable(ParseReason(response->body, "error"));
    return response->status == 409 ? absl::AbortedError(reason) : absl::UnavailableError(reason);
  };
  absl::StatusOr<std::string> bytes = get("/backup");
  if (!bytes.ok()) return bytes;
  const absl::StatusOr<BackupHead> head = DecodeBackupHead(Slice::Copy(*bytes), "what the node sent");
  if (!head.ok()) return head.status();
  for (uint32_t part = 0; part < head->parts; ++part) {
    const absl::StatusOr<std::string> frame =
        get(absl::StrCat("/backup?slot=", head->prefix.slot.value(), "&part=", part));
    if (!frame.ok()) return frame.status();
    bytes->append(*frame);
  }
  return bytes;
}

void Tell(const std::string& path, const Backup& backup, bool json) {
  const tracker::Registry& registry = backup.state.registry();
  const uint64_t slot = backup.head.prefix.slot.value();
  if (json) {
    const Json line = {{"file", path},
                       {"cluster", absl::StrFormat("%016x", backup.head.cluster)},
                       {"slot", slot},
                       {"torrents", registry.torrents()},
                       {"claims", registry.claims()},
                       {"digest", absl::StrFormat("%016x", backup.state.Digest())}};
    std::printf("%s\n", JsonText(line).c_str());
    return;
  }
  absl::PrintF("%s holds cluster %016x as of slot %d: %d torrents, %d claims\n", Printable(path),
               backup.head.cluster, slot, registry.torrents(), registry.claims());
}

ExitStatus Write(const char* command, const std::string& path, std::string bytes, bool json) {
  const absl::StatusOr<Backup> backup = WriteBackup(path, std::move(bytes));
  if (!backup.ok()) return Refuse(command, backup.status());
  Tell(path, *backup, json);
  return ExitStatus::kDone;
}

struct Survived {
  std::string bytes;  // of a backup
  uint64_t known = 0;
  uint64_t slot = 0;
};

// Everything that the journal in `directory` holds a value of.
absl::StatusOr<Survived> ReadSurvivorIn(const std::string& directory) {
  const absl::StatusOr<NodeState> node = ReadNodeState(directory);
  if (!node.ok()) return node.status();
  net::Loop loop;
  net::JournalRecovery recovery;
  const auto journal = net::Journal::Open(
      loop, {.directory = directory, .identity = node->journal_identity(), .create_if_absent = false},
      recovery);
  if (absl::IsNotFound(journal.status())) {
    return absl::NotFoundError(
        absl::StrCat(directory, " has lost its journal: nothing of it can be recovered"));
  }
  if (!journal.ok()) return journal.status();
  paxos::Survivor survivor = paxos::ReadSurvivor(recovery.records);
  tracker::ReplicatedState state;
  if (!survivor.snapshot.empty()) {
    absl::StatusOr<tracker::ReplicatedState> read = tracker::ReadState(survivor.snapshot.parts);
    if (!read.ok()) return read.status();
    state = *std::move(read);
  }
  for (const paxos::Decided& entry : survivor.decided) {
    for (const Slice& command : entry.batch.commands) state.Apply(entry.batch.stamp, command);
  }
  std::vector<std::string> frames;
  state.BeginWalk();
  while (state.walking()) frames.push_back(BackupFrame(Slice::Own(state.NextPiece(kPieceBytes))));
  Survived survived{.known = survivor.known.value(), .slot = survivor.end.slot.value()};
  survived.bytes = BackupBeginning({.cluster = ClusterId(node->secret),
                                    .prefix = survivor.end,
                                    .stamp = survivor.stamp,
                                    .parts = static_cast<uint32_t>(frames.size())});
  for (const std::string& frame : frames) survived.bytes.append(frame);
  return survived;
}

}  // namespace

ExitStatus RunClusterSnapshot(const ClusterMembersOptions& options) {
  const std::string socket = options.socket();
  absl::Status status = TakeSnapshot(socket);
  if (!status.ok()) return Refuse("cluster snapshot", status, ExitStatus::kNoTracker);
  const absl::StatusOr<net::HttpResponse> response = AskNode(socket, "GET", "/backup");
  if (!response.ok()) return Refuse("cluster snapshot", response.status(), ExitStatus::kNoTracker);
  const absl::StatusOr<BackupHead> head = DecodeBackupHead(Slice::Copy(response->body), "what the node sent");
  if (!head.ok()) return Refuse("cluster snapshot", head.status());
  const uint64_t slot = head->prefix.slot.value();
  if (options.json) {
    std::printf("%s\n", JsonText({{"slot", slot}}).c_str());
  } else {
    absl::PrintF("the node's journal holds a snapshot as of slot %d\n", slot);
  }
  return ExitStatus::kDone;
}

ExitStatus RunClusterBackup(const ClusterBackupOptions& options) {
  const std::string socket = options.node.socket();
  absl::StatusOr<std::string> bytes = absl::UnavailableError("not tried");
  for (int tries = 0; tries < kTries; ++tries) {
    const absl::Status status = TakeSnapshot(socket);
    if (!status.ok()) return Refuse("cluster backup", status, ExitStatus::kNoTracker);
    bytes = FetchBackup(socket);
    if (!absl::IsAborted(bytes.status())) break;
  }
  if (!bytes.ok()) return Refuse("cluster backup", bytes.status(), ExitStatus::kNoTracker);
  return Write("cluster backup", options.output, *std::move(bytes), options.node.json);
}

ExitStatus RunClusterRecover(const ClusterBackupOptions& options) {
  absl::StatusOr<Survived> survived = ReadSurvivorIn(options.node.data_dir);
  if (!survived.ok()) return Refuse("cluster recover", survived.status());
  absl::FPrintF(
      stderr,
      "warning: this is what one node holds. What the lost majority acknowledged without it is not in it.\n"
      "Up to slot %d the node knew that a majority had it; %d slots above that it only accepted, and they "
      "are "
      "kept.\nNo node of the old cluster may serve again: begin a new one, with a new secret.\n",
      survived->known, survived->slot - survived->known);
  return Write("cluster recover", options.output, std::move(survived->bytes), options.node.json);
}

}  // namespace bt::nodes
