#pragma once

// ServerCertificate: what a node shows to clients that connect with TLS, as it was when its files were last
// read whole. Loop thread only; reading blocks for as long as small files take.

#include <absl/status/status.h>

#include <optional>
#include <string>
#include <utility>

#include "net/filter.h"
#include "net/tls.h"

namespace bt::nodes {

class ServerCertificate {
 public:
  // PEM files. Empty: clients connect without TLS.
  ServerCertificate(std::string certificate, std::string key)
      : certificate_(std::move(certificate)), key_(std::move(key)) {}

  bool given() const { return !certificate_.empty(); }
  // Reads them, or reads them again; after an error what was read before stays. Without files: nothing.
  absl::Status Read();

  // For the client port: each new connection is shown what was read last. Refers to this.
  net::MakeFilter make_filter() const;

 private:
  const std::string certificate_;
  const std::string key_;
  std::optional<net::TlsContext> context_;
};

}  // namespace bt::nodes
