#pragma once

// The JSON that a node answers `bytetorrent cluster` with (admin_edge.h). Pure; the JSON library stays inside
// admin_json.cc.

#include <string>
#include <vector>

#include "core/tracker/node.h"
#include "nodes/tracker/limits_table.h"

namespace bt::nodes {

// {"node", "leader": id or null, "chosen", "version", "in_force",
//  "members": [{"id", "kind": "voter" or "learner", "replaces"?, "contact"}]}
std::string MembersText(const paxos::Replica& replica);
// {"node", "level", "members": [{"id", "program", "oldest", "newest"}]}; of who was not heard of lately only
// {"id", "program": null}. `now`: by the clock of the node.
std::string LevelText(const tracker::TrackerNode& node, Instant now);
// {"version", "agreed": [{"name", "unit", "value", "use": number or null,
//  "highest": the same, "at_limit"}], "own": [...]}
std::string LimitsText(const tracker::ReplicatedState& state, const std::vector<LimitRow>& own);

}  // namespace bt::nodes
