#pragma once

// TLS as a filter between a connection and its descriptor (net/filter.h): OpenSSL over memory, which does no
// I/O. TLS 1.2 and 1.3, without renegotiation, compression, sessions or early data, so that what a connection
// costs is bounded: what it was given last, one record, and the kernel's buffers. The peers of a server show
// no certificate; a client always checks the server's, and that it is made out to the host it meant.
// Loop thread only, as what it is used for.

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "net/filter.h"

namespace bt::net {

class TlsContext {
 public:
  // Of whoever accepts: PEM files, the certificate followed by those that lead to its authority.
  // `plain_answer` is what who does not speak TLS is told before the connection ends. Errors name the file,
  // and say why. Blocks.
  static absl::StatusOr<TlsContext> ForServer(const std::string& certificate_file,
                                              const std::string& key_file, std::string plain_answer);
  // Of whoever connects. Trusts the authorities of that PEM file and no others; of the system's store when it
  // is empty. Blocks.
  static absl::StatusOr<TlsContext> ForClient(const std::string& authorities_file);

  // Of a context for servers.
  std::unique_ptr<Filter> Accept() const;
  // Of a context for clients. `host`: a name, an IPv4 address, or an IPv6 address in brackets.
  std::unique_ptr<Filter> Connect(const std::string& host) const;

 private:
  struct Shared;
  explicit TlsContext(std::shared_ptr<const Shared> shared) : shared_(std::move(shared)) {}

  std::shared_ptr<const Shared> shared_;  // with each filter of it
};

}  // namespace bt::net
