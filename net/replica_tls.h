#pragma once

// ReplicaTls: what lies between the replica links of one node and their descriptors: TLS 1.3, in which both
// sides show a certificate of the cluster's authority (replica_certificate.h), or nothing. Loop thread only.
//
// TLS keeps what nodes say from whoever is on the way, and from being changed there. The handshake of
// replica_handshake.h follows inside it as before, and its proofs are tied to the TLS session.
//
// Where links may also be in clear, so that nodes of a release without TLS can be spoken with, who dials
// tries both in turn, TLS first, and who accepts goes by the first byte. A peer that comes in TLS is not left
// on a link in clear (replica_links.cc).

#include <cstdint>
#include <functional>
#include <memory>

#include "core/base/ids.h"
#include "net/connection.h"
#include "net/filter.h"
#include "net/replica_certificate.h"
#include "net/replica_handshake.h"
#include "net/tls.h"

namespace bt::net {

enum class ReplicaTlsMode : uint8_t {
  kOff,       // links are in clear
  kOffered,   // TLS with whoever speaks it, in clear with others: while a cluster is being upgraded
  kRequired,  // TLS, and nothing else
};

class ReplicaTls {
 public:
  // Seconds since 1970.
  using WallClock = std::function<int64_t()>;
  static int64_t SystemSeconds();

  // Of the node, or guest, of that id.
  ReplicaTls(ReplicaTlsMode mode, const ReplicaSecret& secret, uint64_t cluster, NodeId self,
             WallClock clock = SystemSeconds);

  ReplicaTlsMode mode() const { return mode_; }

  // Draws a key and a certificate anew: for the connections from then on, those that are up go on.
  void Renew();
  // To be called at least once a day. Renews a certificate that is a month old, and one whose end is
  // elsewhere than a year after this or an earlier day of the month: the clock has been set since. Says
  // whether it did.
  bool RenewWhenDue();
  // When the certificate ends, in seconds since 1970.
  int64_t ends() const { return ends_; }

  // For a connection that was accepted.
  std::unique_ptr<Filter> Accept() const;
  // For one that is dialled; nullptr: it is in clear.
  std::unique_ptr<Filter> Dial(bool in_clear) const;
  // Whether the next attempt at a peer is to be in clear, after one that has failed.
  bool InClearAfter(bool in_clear, const Connection& failed) const;

  // Whether the peer at the other end, whose handshake is over, may be `node`.
  bool MayBe(NodeId node, const Connection& connection) const;

 private:
  const ReplicaTlsMode mode_;
  const ReplicaSecret secret_;
  const uint64_t cluster_;
  const NodeId self_;
  const WallClock clock_;
  std::unique_ptr<TlsContext> context_;
  int64_t ends_ = 0;
};

}  // namespace bt::net
