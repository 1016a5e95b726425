#pragma once

// The secret of a cluster: 32 random bytes, drawn once. The cluster's id is a digest of it, so that data
// directories and messages of two clusters are foreign to each other. Who holds the secret can speak as a
// node of the cluster: it is kept in files that only their owner reads, and is never printed.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <array>
#include <cstdint>
#include <string>

namespace bt::nodes {

using ClusterSecret = std::array<uint8_t, 32>;

ClusterSecret DrawClusterSecret();

// The id does not betray the secret: it is cut from a SHA-256 of it.
uint64_t ClusterId(const ClusterSecret& secret);
// 16 hexadecimal digits, as the programs print it.
std::string ClusterIdText(const ClusterSecret& secret);

// A file of one line, "bytetorrent-cluster-secret 1 " and 64 hexadecimal digits. kAlreadyExists: there is a
// file, it is left as it was.
absl::Status WriteClusterSecret(const std::string& path, const ClusterSecret& secret);
absl::StatusOr<ClusterSecret> ReadClusterSecret(const std::string& path);

}  // namespace bt::nodes
