#pragma once

// MetPeers: which incarnation of each peer this node has met, durably, in the file `peers` of the data
// directory. A node that lost its data and was initialised anew has forgotten what it promised and accepted;
// its vote could make a second majority that does not know what the first one chose ("Paxos Made Simple",
// section 2.4). So a peer is met as one incarnation for ever. This is no proof against it: two nodes that
// have never met what was lost still believe each other. That takes a cluster whose log knows its members.

#include <absl/container/btree_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "core/base/ids.h"

namespace bt::nodes {

class MetPeers {
 public:
  // Of a node's data directory. kDataLoss: the file is damaged.
  static absl::StatusOr<MetPeers> Read(const std::string& directory);

  // False when another incarnation of the peer was met.
  bool MayMeet(NodeId peer, uint64_t incarnation) const;
  // Remembers the peer durably. Blocking, and the first time for each peer alone: one small file is synced.
  absl::Status Meet(NodeId peer, uint64_t incarnation);

 private:
  explicit MetPeers(std::string directory) : directory_(std::move(directory)) {}

  std::string directory_;
  absl::btree_map<NodeId, uint64_t> met_;  // members of the cluster alone, see ReplicaLinks
};

}  // namespace bt::nodes
