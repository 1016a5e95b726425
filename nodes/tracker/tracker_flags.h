#pragma once

// What the user told bytetorrent-tracker on its command line, checked. Hosts stay names: see net/resolve.h.

#include <absl/container/btree_map.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/ids.h"
#include "net/resolve.h"
#include "nodes/tracker/operator_log.h"

namespace bt::nodes {

struct TrackerMember {
  net::HostAndPort replica;
  net::HostAndPort client;
};

// "REPLICA_HOST:PORT/CLIENT_HOST:PORT", as --node has it and as the log keeps it of members that joined.
// kInvalidArgument says what is wrong.
absl::StatusOr<TrackerMember> ParseContact(std::string_view text);

struct TrackerFlags {
  bool init = false;      // the command init, not serving
  bool join = false;      // of init: the node is to become a member of a cluster that is there
  bool embedded = false;  // without --node: a cluster of one on loopback
  NodeId self{1};
  absl::btree_map<NodeId, TrackerMember> members;
  std::optional<net::HostAndPort> advertise;  // where clients reach this node, if not where it listens
  std::string data_dir;
  std::string cluster_secret;  // of init; empty: a cluster of one draws its own
  uint32_t snapshot_after_mib = 64;
  LogFormat log_format = LogFormat::kText;

  const TrackerMember& own() const { return members.at(self); }
};

// nullopt: the program ends with `exit_code` (help was printed, or one line about what is wrong).
std::optional<TrackerFlags> ParseTrackerFlags(int argc, char** argv, int& exit_code);

}  // namespace bt::nodes
