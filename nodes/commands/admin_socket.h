#pragma once

// One question to a running node on this machine, through the socket in its data directory
// (nodes/tracker/admin_edge.h). Blocking.

#include <absl/status/statusor.h>

#include <string>

#include "core/base/time.h"
#include "net/http/message.h"

namespace bt::nodes {

// Longer than a node waits for its leader.
inline constexpr Duration kAdminPatience = Seconds(8);

// kUnavailable: nobody answers there, or not within `patience`, and why.
absl::StatusOr<net::HttpResponse> AskNode(const std::string& socket, const char* method, std::string target,
                                          Duration patience = kAdminPatience);

}  // namespace bt::nodes
