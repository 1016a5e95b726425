#pragma once

// TrustFiles: what the operator's files say of who may ask this node what, and how it proves to clients and
// to other nodes who it is. Files are read when it starts and upon SIGHUP: what cannot be read then leaves
// what was read before in force. Loop thread only.

#include <absl/status/status.h>

#include <optional>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "net/replica_tls.h"
#include "nodes/shared/cluster_secret.h"
#include "nodes/tracker/operator_log.h"
#include "nodes/tracker/server_certificate.h"
#include "nodes/tracker/token_file.h"
#include "nodes/tracker/tracker_flags.h"

namespace bt::nodes {

class TrustFiles {
 public:
  explicit TrustFiles(const TrackerFlags& flags)
      : tokens_(flags.tokens),
        announce_keys_(flags.announce_keys, "keys"),
        certificate_(flags.tls_certificate, flags.tls_key),
        replica_tls_mode_(flags.own().replica.port == 0 ? net::ReplicaTlsMode::kOff : flags.replica_tls) {}

  // Something that SIGHUP has this node read or draw anew.
  bool any() const {
    return tokens_.given() || announce_keys_.given() || certificate_.given() ||
           replica_tls_mode_ != net::ReplicaTlsMode::kOff;
  }
  const TokenFile& tokens() const { return tokens_; }
  const TokenFile& announce_keys() const { return announce_keys_; }
  const ServerCertificate& certificate() const { return certificate_; }
  // "https://HOST:PORT", or http.
  std::string UrlOf(const Address& clients) const;

  // At the start: the first error ends the program.
  absl::Status Read();
  // Tells the operator who may ask what of a node whose clients connect to `clients`.
  void Tell(const OperatorLog& log, const Address& clients) const;
  // Reads each again, draws a new certificate for other nodes, and tells what came of it.
  void Reload(const OperatorLog& log);

  // What this node shows to the others of the cluster as the one with this id, or as a guest. The result is
  // this object's, until the next call.
  const net::ReplicaTls* BeginReplicaTls(const ClusterSecret& secret, NodeId self);
  // Draws its certificate anew if it is old. Costs nothing: call it often.
  void RenewWhenDue(const OperatorLog& log);

 private:
  void TellRenewed(const OperatorLog& log) const;

  TokenFile tokens_;
  TokenFile announce_keys_;
  ServerCertificate certificate_;
  const net::ReplicaTlsMode replica_tls_mode_;
  std::optional<net::ReplicaTls> replica_tls_;
};

}  // namespace bt::nodes
