#pragma once

// Compares what the nodes of a cluster say about themselves at one moment. Used by bytetorrent status.

#include <string>
#include <vector>

#include "core/tracker_api/tracker_api.h"

namespace bt::nodes {

struct NodeAnswer {
  std::string url;
  std::string cluster;  // the cluster's id; empty: not said
  tracker_api::NodeStatus status;
};

struct Disagreement {
  std::string sentence;
  // Nodes disagree like this for a moment while a leader changes: a fault only if it stays.
  bool passing = false;
};

// Nothing when all is well: one cluster with one list of members, no two results of equally many slots,
// no two leaders. The answers may be of different moments, so only what cannot differ is compared.
std::vector<Disagreement> Disagreements(const std::vector<NodeAnswer>& answers);

}  // namespace bt::nodes
