#pragma once

// TrustFiles: what the operator's files say of who may ask this node what, and how it proves to clients who
// it is. Read when it starts and upon SIGHUP: what cannot be read then leaves what was read before in force.
// Loop thread only.

#include <absl/status/status.h>

#include "core/base/address.h"
#include "nodes/tracker/operator_log.h"
#include "nodes/tracker/server_certificate.h"
#include "nodes/tracker/token_file.h"
#include "nodes/tracker/tracker_flags.h"

namespace bt::nodes {

class TrustFiles {
 public:
  explicit TrustFiles(const TrackerFlags& flags)
      : tokens_(flags.tokens), certificate_(flags.tls_certificate, flags.tls_key) {}

  bool any() const { return tokens_.given() || certificate_.given(); }
  const TokenFile& tokens() const { return tokens_; }
  const ServerCertificate& certificate() const { return certificate_; }
  // "https://HOST:PORT", or http.
  std::string UrlOf(const Address& clients) const;

  // At the start: the first error ends the program.
  absl::Status Read();
  // Tells the operator who may ask what of a node whose clients connect to `clients`.
  void Tell(const OperatorLog& log, const Address& clients) const;
  // Reads each again, and tells what came of it.
  void Reload(const OperatorLog& log);

 private:
  TokenFile tokens_;
  ServerCertificate certificate_;
};

}  // namespace bt::nodes
