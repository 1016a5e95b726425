#pragma once

// Where a member of the tracker cluster is, as flags, commands and the log say it; and where a node's own
// user gives orders about members. For both programs. Hosts stay names: see net/resolve.h.

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <utility>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "net/resolve.h"

namespace bt::nodes {

struct MemberAddress {
  net::HostAndPort replica;  // for the other nodes
  net::HostAndPort client;
};

// "REPLICA_HOST:PORT/CLIENT_HOST:PORT". kInvalidArgument says what is wrong.
absl::StatusOr<MemberAddress> ParseMemberAddress(std::string_view text);
// "ID=REPLICA_HOST:PORT/CLIENT_HOST:PORT"; kInvalidArgument also says how to write it.
absl::StatusOr<std::pair<NodeId, MemberAddress>> ParseMember(std::string_view text);

// Where the node that listens there is to do so: its own name is a matter of its own machine, and known when
// it starts. `port` says which it is of its ports. kNotFound.
absl::StatusOr<Address> OwnAddress(const char* port, const net::HostAndPort& own);

// The socket of a running node, in its data directory.
std::string AdminSocketIn(const std::string& data_directory);

}  // namespace bt::nodes
