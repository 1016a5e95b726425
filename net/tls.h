#pragma once

// TLS as a filter between a connection and its descriptor (net/filter.h): OpenSSL over memory, which does no
// I/O. TLS 1.2 and 1.3, without renegotiation, compression, sessions or early data, so that what a connection
// costs is bounded: what it was given last, one record, and the kernel's buffers. The peers of a server show
// no certificate; a client always checks the server's, and that it is made out to the host it meant. Equals
// show one to each other. Of a connection that lives for long, keys are replaced before they have encrypted
// as much as RFC 8446, 5.5, allows.
// Loop thread only, as what it is used for.

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "net/filter.h"

namespace bt::net {

// In PEM.
struct TlsCredentials {
  std::string certificate;
  std::string key;
  std::string authority;  // the certificate of whom vouches for it and for every peer
};

class TlsContext {
 public:
  // RFC 8446, 5.5, allows AES-GCM 2^24.5 full records under one key.
  static constexpr uint64_t kRecordsPerKey = uint64_t{1} << 23;

  // Of whoever accepts: PEM files, the certificate followed by those that lead to its authority.
  // `plain_answer` is what who does not speak TLS is told before the connection ends. Errors name the file,
  // and say why. Blocks.
  static absl::StatusOr<TlsContext> ForServer(const std::string& certificate_file,
                                              const std::string& key_file, std::string plain_answer);
  // Of whoever connects. Trusts the authorities of that PEM file and no others; of the system's store when it
  // is empty. Blocks.
  static absl::StatusOr<TlsContext> ForClient(const std::string& authorities_file);

  // Of either side among equals: TLS 1.3 alone. Each side ends a connection whose peer shows no certificate
  // that the authority of these vouches for, or one that has expired; which peer it is remains to be asked
  // (Filter::PeerIsCalled). The credentials must be whole: they are of the program's own making.
  static TlsContext ForEquals(const TlsCredentials& credentials, uint64_t records_per_key = kRecordsPerKey);

  // Of a context for servers, or for equals.
  std::unique_ptr<Filter> Accept() const;
  // Of a context for clients. `host`: a name, an IPv4 address, or an IPv6 address in brackets.
  std::unique_ptr<Filter> Connect(const std::string& host) const;
  // Of a context for equals.
  std::unique_ptr<Filter> ConnectToEqual() const;

 private:
  struct Shared;
  explicit TlsContext(std::shared_ptr<const Shared> shared) : shared_(std::move(shared)) {}

  std::shared_ptr<const Shared> shared_;  // with each filter of it
};

}  // namespace bt::net
