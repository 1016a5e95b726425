#pragma once

// Names of hosts. A name means whatever addresses it has at this moment: it is kept as a name, and resolved
// anew whenever it is connected to. ResolveAll blocks on the name service, for many seconds when that does
// not answer; Lookup does it beside the loop.

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "net/loop.h"

namespace bt::net {

// Whether it can be a host: a name, an IPv4 address, or an IPv6 address in brackets, of at most 255 bytes.
bool IsHost(std::string_view host);

struct HostAndPort {
  std::string host;  // see IsHost
  uint16_t port = 0;

  // "HOST:PORT". kInvalidArgument when it is not that.
  static absl::StatusOr<HostAndPort> Parse(std::string_view text);
  static HostAndPort Of(const Address& address);
  std::string ToString() const;
  // 0.0.0.0 or [::]: where a socket listens, nowhere that one could connect to.
  bool IsAnywhere() const;
  friend bool operator==(const HostAndPort&, const HostAndPort&) = default;
};

// All addresses it has, IPv4 first: most listeners are IPv4, and "localhost" is both. Blocks.
absl::StatusOr<std::vector<Address>> ResolveAll(const HostAndPort& name);
// The first of them, of a text. Blocks: at start-up only.
absl::StatusOr<Address> Resolve(std::string_view host_and_port);

// One ResolveAll on a thread of its own. The name service cannot be interrupted, so a Lookup that is
// destroyed leaves its thread to end by itself, and hears no more of it. Loop thread only.
class Lookup {
 public:
  using Resolver = std::function<absl::StatusOr<std::vector<Address>>(const HostAndPort&)>;
  using Done = std::function<void(absl::StatusOr<std::vector<Address>>)>;

  // `resolver` is called on that thread; `done` on the loop's, once, not from within here. It may destroy
  // this.
  Lookup(Loop& loop, HostAndPort name, Resolver resolver, Done done);
  ~Lookup();
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

 private:
  struct Asked;
  static void* Run(void* asked);

  std::shared_ptr<Asked> asked_;
};

}  // namespace bt::net
