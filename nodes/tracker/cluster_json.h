#pragma once

// The answer of GET /cluster: what the asked node knows of every member without asking it, from its links,
// from what members tell each other of their programs, and, when it leads, from their answers to its
// heartbeats. So a console that reaches one node alone shows the cluster. Beside it figures of the node
// itself that the status, which is the same at every release, does not have.

#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/tracker/node.h"
#include "net/http/server.h"
#include "net/journal.h"
#include "net/replica_links.h"
#include "nodes/http_api/json_api.h"

namespace bt::nodes {

struct ClusterSources {
  const tracker::TrackerNode& node;
  Instant now;
  const std::vector<ClusterNode>& clients;   // where clients reach the members
  const net::ReplicaLinks* links = nullptr;  // a cluster of one has none
  const net::Journal::Counters& journal;
  const net::HttpServer& http;
};

// {node, leader, members: [{id, kind, client?, connected, program?, chosen?, lag?}], own: {...}}. `chosen`
// and `lag` (slots) of others are known to the leader alone; `connected`: this node has a link to it, or is
// it.
std::string ClusterText(const ClusterSources& sources);

}  // namespace bt::nodes
