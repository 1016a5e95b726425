#pragma once

// TCP sockets: listening, connecting without blocking, liveness, and Address <-> sockaddr. All sockets are
// non-blocking and close-on-exec. Errors name the address, the reason and, where one helps, the next step.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "core/base/address.h"
#include "core/base/time.h"
#include "net/fd.h"

namespace bt::net {

struct Listener {
  Fd fd;
  Address address;  // with the real port when 0 was asked for
};

// SO_REUSEADDR is set. kAlreadyExists: the port is in use; kPermissionDenied; kInvalidArgument: not an
// address of this machine.
absl::StatusOr<Listener> Listen(const Address& address);

// Starts connecting; writable when done, then ConnectError tells how it went.
absl::StatusOr<Fd> StartConnect(const Address& address);
// OK once connected; kUnavailable with the reason otherwise.
absl::Status ConnectError(int fd, const Address& address);

Address FromSockaddr(const sockaddr_storage& storage);
socklen_t ToSockaddr(const Address& address, sockaddr_storage& storage);
absl::StatusOr<Address> LocalAddress(int fd);

// Makes the kernel ask the peer's kernel, on an idle connection, once a second whether the connection still
// exists, and break it when neither an answer nor an acknowledgement has come for kVanishedAfter.
void NoticeVanishedPeer(int fd);
inline constexpr Duration kVanishedAfter = Seconds(5);
// Lets the kernel take bytes only while less than `bytes` of what it has is not sent yet. What waits in the
// kernel cannot be overtaken; so the rest waits here, where who writes sees it and writes less.
void KeepUnsentShort(int fd, size_t bytes);
// Whether the connection is established and the peer's kernel was heard from within `recent`.
bool HeardFrom(int fd, Duration recent);

// "connection refused" for ECONNREFUSED, and so on.
std::string ErrnoText(int error);

}  // namespace bt::net
