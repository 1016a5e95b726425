#pragma once

// What a NodeProcess is made of that knows no machine: its command line, its journal and links, its words.

#include <absl/container/btree_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <string>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "net/journal.h"
#include "net/loop.h"
#include "net/replica_links.h"
#include "net/resolve.h"

namespace bt::net {

struct NodeProgram {
  const char* name;   // of the protocol, too: another one's data directories and links are refused
  const char* about;  // one line, for --help
};

struct NodeFlags {
  std::string program;
  NodeId self;
  absl::btree_map<NodeId, HostAndPort> nodes;  // all of them, this one too; at most kNodesMax
  std::string data_dir;
  ReplicaSecret secret{};
};

inline constexpr size_t kNodesMax = 64;

// --id N, --node N=HOST:PORT for each node, --data-dir DIR, and --secret FILE, any file of 32 to 4,096 bytes
// that all nodes have. Without a secret all nodes must be on this machine's loopback. nullopt: the program
// ends with `exit_status`, and what there was to say has been said.
std::optional<NodeFlags> ParseNodeFlags(const NodeProgram& program, int argc, char** argv, int& exit_status);

struct NodeParts {
  std::unique_ptr<Journal> journal;
  JournalRecovery recovery;
  std::unique_ptr<ReplicaLinks> links;  // listening, not connecting yet
  Address address;
};
// Blocks while it reads the journal and looks up this node's own name.
absl::StatusOr<NodeParts> OpenNode(Loop& loop, const NodeFlags& flags);

// SIGTERM and SIGINT stop the loop. Before the first thread is started.
void StopAtSignals(Loop& loop);

// One line each: the first two on standard output, at once, the last one on standard error.
void SayReady(const NodeFlags& flags, const Address& address);
void SayNote(NodeId self, const std::string& note);
void SayStops(const NodeFlags& flags, const absl::Status& why);

}  // namespace bt::net
