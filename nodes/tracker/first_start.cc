#include "nodes/tracker/first_start.h"

#include <absl/strings/str_cat.h>

#include <cstdio>
#include <utility>
#include <vector>

#include "core/paxos/journal.h"
#include "core/paxos/snapshot.h"
#include "nodes/shared/backup.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

std::vector<NodeId> Members(const TrackerFlags& flags) {
  std::vector<NodeId> members;
  if (flags.join) return members;
  for (const auto& [id, member] : flags.members) members.push_back(id);
  return members;
}

absl::Status SameCluster(const TrackerFlags& flags) {
  return absl::FailedPreconditionError(absl::StrCat(
      flags.from_backup,
      " was taken of the cluster of this very secret, whose nodes may still be there; draw a new ",
      "one with \"bytetorrent cluster init -o FILE\""));
}

// The new cluster's log goes on where the backup's ends, and has these members.
std::vector<JournalWrite> RecordsOf(const Backup& backup, const std::vector<NodeId>& members) {
  const paxos::Snapshot snapshot{.prefix = backup.head.prefix,
                                 .stamp = backup.head.stamp,
                                 .epochs = {{.from = Slot(1), .membership = paxos::FirstMembership(members)}},
                                 .parts = backup.parts};
  std::vector<JournalWrite> records;
  for (Slice& body : paxos::RecordsOf(snapshot)) {
    records.push_back({.seq = WriteSeq(records.size() + 1),
                       .type = static_cast<uint8_t>(paxos::RecordType::kSnapshotPart),
                       .body = std::move(body)});
  }
  return records;
}

absl::StatusOr<NodeState> WriteFirstState(const TrackerFlags& flags, const ClusterSecret& secret) {
  // One that joins has no id before the cluster has let it in: its address may be that of a member whose disk
  // is lost, and then its id is another than that one's.
  NodeState state{.secret = secret,
                  .node = flags.join ? NodeId(0) : flags.self,
                  .incarnation = DrawIncarnation(),
                  .members = Members(flags),
                  .entry = flags.self};
  std::vector<JournalWrite> records;
  if (!flags.from_backup.empty()) {
    const absl::StatusOr<Backup> backup = ReadBackup(flags.from_backup);
    if (!backup.ok()) return backup.status();
    if (backup->head.cluster == ClusterId(secret)) return SameCluster(flags);
    state.backup = backup->digest();
    records = RecordsOf(*backup, state.members);
  }
  const absl::Status status = Initialise(flags.data_dir, state, std::move(records));
  if (!status.ok()) return status;
  return state;
}

// Why a directory without a node's state is not served from, and what to do.
absl::Status NoState(const TrackerFlags& flags, DirectoryKind kind) {
  const auto no = [&](const auto&... parts) {
    return absl::FailedPreconditionError(absl::StrCat(flags.data_dir, parts...));
  };
  if (kind == DirectoryKind::kInterrupted) {
    return no(" is half initialised: run the init command again, with the same flags");
  }
  if (kind == DirectoryKind::kJournalAlone) {
    return no(
        " holds a journal without the file `node` that says whose it is: either that file was lost (restore "
        "it), "
        "or the directory was written by a version before `bytetorrent-tracker init`, which alone can read "
        "it; "
        "then initialise a new cluster in new directories and register the torrents there");
  }
  const char* found = kind == DirectoryKind::kAbsent ? " does not exist" : " holds no node's state";
  if (flags.members.size() == 1) {
    return no(found,
              ": if it is new, run \"bytetorrent-tracker init\" once with the same flags; if it is not, ",
              "its disk is not mounted or lost");
  }
  return no(
      found, ": if node ", flags.self.value(),
      " is new, run \"bytetorrent-tracker init --cluster-secret FILE\" once with the same flags; if it has ",
      "served before, its disk is not mounted or lost: mount it, or let the cluster go on without this ",
      "node. A node that forgot what it acknowledged must not be initialised again");
}

absl::Status CheckOwner(const TrackerFlags& flags, const NodeState& state) {
  if (state.entry != flags.self) {
    return absl::FailedPreconditionError(
        absl::StrCat(flags.data_dir, " belongs to node ", state.entry.value(), ", not to node ",
                     flags.self.value(), "; give that --id, or this node's own --data-dir"));
  }
  return absl::OkStatus();
}

absl::StatusOr<NodeState> BeginState(const TrackerFlags& flags) {
  if (flags.cluster_secret.empty()) return WriteFirstState(flags, DrawClusterSecret());
  const absl::StatusOr<ClusterSecret> secret = ReadClusterSecret(flags.cluster_secret);
  if (!secret.ok()) return secret.status();
  return WriteFirstState(flags, *secret);
}

}  // namespace

int RunInit(const TrackerFlags& flags) {
  const absl::StatusOr<NodeState> state = BeginState(flags);
  if (!state.ok()) {
    std::fprintf(stderr, "bytetorrent-tracker: %s\n", Message(state.status()).c_str());
    return 1;
  }
  std::printf("node %u of cluster %s begins in %s; start it with the same flags, without init\n",
              flags.self.value(), ClusterIdText(state->secret).c_str(), flags.data_dir.c_str());
  return 0;
}

absl::StatusOr<NodeState> StateToServe(const TrackerFlags& flags,
                                       const std::function<void(std::string)>& note) {
  const absl::StatusOr<DirectoryKind> kind = Inspect(flags.data_dir);
  if (!kind.ok()) return kind.status();
  const bool untouched = *kind == DirectoryKind::kAbsent || *kind == DirectoryKind::kInterrupted;
  if (flags.embedded && untouched) {
    absl::StatusOr<NodeState> state = WriteFirstState(flags, DrawClusterSecret());
    if (state.ok()) {
      note(absl::StrCat("a new cluster of one, ", ClusterIdText(state->secret), ", begins in ",
                        flags.data_dir));
    }
    return state;
  }
  if (*kind != DirectoryKind::kNode) return NoState(flags, *kind);
  absl::StatusOr<NodeState> state = ReadNodeState(flags.data_dir);
  if (!state.ok()) return state;
  const absl::Status owner = CheckOwner(flags, *state);
  if (!owner.ok()) return owner;
  return state;
}

absl::Status LostJournal(const TrackerFlags& flags, const NodeState& state) {
  return absl::FailedPreconditionError(
      absl::StrCat(flags.data_dir, " has lost its journal, and with it what node ", state.node.value(),
                   " acknowledged; find the files journal-*.wal again"));
}

bool HasOthers(const TrackerFlags& flags) {
  return flags.members.size() > 1 && flags.own().replica.port != 0;
}

}  // namespace bt::nodes
