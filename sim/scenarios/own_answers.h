#pragma once

// What a tracker node answers out of its own state is what that state says, written a second time and as
// simply as it can be: a table of the state is gone through from its beginning to its end. Each function
// gives a sentence about what is wrong; empty when nothing is.

#include <string>

#include "core/tracker/node.h"
#include "core/tracker/registry.h"
#include "core/tracker_api/tracker_api.h"

namespace bt::sim {

// What a node says of itself and its cluster.
std::string WrongStatus(const tracker_api::NodeStatus& status, const tracker::TrackerNode& node);

// The answer to a query: a lookup, a listing, a fetch or a scrape; of others nothing is said. The registry
// has not changed since it was answered.
std::string WrongAnswer(const tracker_api::Request& asked, const tracker_api::Response& response,
                        const tracker::Registry& registry);

}  // namespace bt::sim
