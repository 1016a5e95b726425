#pragma once

// What the user told bytetorrent-tracker on its command line, checked and resolved.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/address.h"
#include "core/base/ids.h"

namespace bt::nodes {

struct TrackerMember {
  Address replica;
  Address client;
};

struct TrackerFlags {
  NodeId self{1};
  absl::btree_map<NodeId, TrackerMember> members;
  std::string data_dir;
  uint64_t cluster = 0;  // of --cluster NAME, or of the members' ids and replica addresses

  const TrackerMember& own() const { return members.at(self); }
};

// nullopt: the program ends with `exit_code` (help was printed, or one line about what is wrong).
std::optional<TrackerFlags> ParseTrackerFlags(int argc, char** argv, int& exit_code);

}  // namespace bt::nodes
