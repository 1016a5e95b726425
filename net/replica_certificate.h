#pragma once

// The certificates by which the nodes of a cluster know each other under TLS. The cluster's authority is made
// of the secret and of nothing else: its key is an HMAC of it, and every node that holds the secret arrives
// at the same one. So there is no file of an authority to lose, to hand out or to keep apart from the secret,
// with which whoever has it could make himself a node anyway.
//
//   authority:  Ed25519, seed HMAC-SHA256(secret, "bytetorrent replica authority 1\n"); never expires
//   node:       Ed25519, drawn, made out to ReplicaNodeName; a year
//
// A node's certificate is drawn in memory and never written: a key that is on no disk is on no copy of one.
// Both are X.509 (RFC 5280, RFC 8410).

#include <cstdint>
#include <string>

#include "core/base/ids.h"
#include "net/replica_handshake.h"
#include "net/tls.h"

namespace bt::net {

// "node-3.0123456789abcdef.bytetorrent.internal"; the name stands in the certificate alone, nobody looks it
// up.
std::string ReplicaNodeName(uint64_t cluster, NodeId node);

struct ReplicaCertificate {
  TlsCredentials credentials;
  int64_t ends = 0;  // seconds since 1970, as `now`
};

// How long one is good for. It is good for all the time before, too: a peer's clock may be behind.
inline constexpr int64_t kReplicaCertificateSeconds = 366 * 24 * 3600;

ReplicaCertificate DrawReplicaCertificate(const ReplicaSecret& secret, uint64_t cluster, NodeId node,
                                          int64_t now);

}  // namespace bt::net
