#pragma once

// One question to a running program on this machine, through its Unix socket: to a node of a cluster the one
// in its data directory (nodes/tracker/admin_edge.h), to a daemon its control socket
// (nodes/daemon/control_edge.h). Blocking.

#include <absl/status/statusor.h>

#include <string>

#include "core/base/time.h"
#include "net/http/message.h"

namespace bt::nodes {

// Longer than a node waits for its leader.
inline constexpr Duration kAdminPatience = Seconds(8);

absl::StatusOr<net::HttpResponse> AskSocket(const std::string& socket, net::HttpRequest request,
                                            Duration patience);
// The same of a node. kUnavailable: nobody answers there, or not within `patience`, and why.
absl::StatusOr<net::HttpResponse> AskNode(const std::string& socket, const char* method, std::string target,
                                          Duration patience = kAdminPatience);

}  // namespace bt::nodes
