#pragma once

// The first state of a node: the file `node` in its data directory, beside an empty journal. It is written
// once, by init, and says for good whose directory this is. A directory without it belongs to nobody: its
// node may have been a voter whose disk is gone, and a voter that forgot what it acknowledged must not vote
// ("Paxos Made Simple", section 2.4: an acceptor remembers across failures). So nothing but init makes a
// voter, and a node whose journal is damaged gives its id up: it is let in under another (admission.h).

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/machine/outbox.h"
#include "core/wal/format.h"
#include "nodes/shared/cluster_secret.h"

namespace bt::nodes {

struct NodeState {
  static constexpr uint64_t kVersion = 4;

  uint64_t version = kVersion;
  ClusterSecret secret{};
  NodeId node;                  // 0: the cluster has not let it in yet; it has no journal
  uint64_t incarnation = 0;     // drawn by init: a node that is initialised anew is told from what it was
  std::vector<NodeId> members;  // the cluster's first ones, in order; none: it joins a cluster that is there
  uint64_t backup = 0;          // a digest of the one that the cluster began of; 0: of nothing
  NodeId entry;                 // which of the --node entries it is started with; for good, whatever its id
  NodeId replaces;              // while it has no id: the member that it was; 0: none that it knows of

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("version", self.version);
    visit("secret", self.secret);
    visit("node", self.node);
    visit("incarnation", self.incarnation);
    visit("members", self.members);
    visit("backup", self.backup);
    visit("entry", self.entry);
    visit("replaces", self.replaces);
  }
  friend bool operator==(const NodeState&, const NodeState&) = default;

  wal::Identity journal_identity() const { return {ClusterId(secret), node}; }
  // A digest of them and of what they began with; 0 for one that joins.
  uint64_t first_members() const;
};

// Another node, and where it is, as its --node entry says.
struct NodeContact {
  NodeId id;
  std::string contact;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("contact", self.contact);
  }
  friend bool operator==(const NodeContact&, const NodeContact&) = default;
};

uint64_t DrawIncarnation();

enum class DirectoryKind : uint8_t {
  kAbsent,        // there is no such directory
  kEmpty,         // no node's state, no journal
  kInterrupted,   // an init did not come to its end; the next one begins anew
  kJournalAlone,  // a journal that no `node` file belongs to
  kNode,          // a node's state
};
// kUnavailable and the like: the directory cannot be read.
absl::StatusOr<DirectoryKind> Inspect(const std::string& directory);

// The names of the segments of a journal in the directory, in order.
absl::StatusOr<std::vector<std::string>> JournalFiles(const std::string& directory);

// Writes the first state and, of a node that has an id, a journal of these first records into the directory,
// which is made if it is not there. A crash at any moment leaves a directory that is kNode or that the next
// call can complete. kFailedPrecondition: it holds something already.
absl::Status Initialise(const std::string& directory, const NodeState& state,
                        std::vector<JournalWrite> records = {});

// --- a damaged journal ---

// Where a damaged journal is kept for people to look at: in the data directory, with the node's state of the
// time. One is kept, and a later one takes its place.
std::string SetAsidePath(const std::string& directory);
bool HasSetAside(const std::string& directory);
// The node gives up its id and its journal, which is set aside; the result is what it is now. From the moment
// that this is durable no later life of it votes on that journal. A crash in the middle is completed by
// SetJournalAside at the next start.
absl::StatusOr<NodeState> GiveUpId(const std::string& directory, const NodeState& state);
// Of a node without an id: sets aside what there is of a journal.
absl::Status SetJournalAside(const std::string& directory, const NodeState& state);
// The cluster has let the node in: makes an empty journal for `id`, and says durably that it is the node's.
absl::StatusOr<NodeState> TakeId(const std::string& directory, const NodeState& state, NodeId id);

// Of a directory that is kNode. kDataLoss: the file is damaged.
absl::StatusOr<NodeState> ReadNodeState(const std::string& directory);

}  // namespace bt::nodes
