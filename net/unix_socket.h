#pragma once

// Unix sockets, for those on the same machine whom the file system lets in.

#include <absl/status/statusor.h>

#include <string>

#include "core/base/time.h"
#include "net/fd.h"
#include "net/socket.h"

namespace bt::net {

// A listener at `path`, which only this process's user can connect to. Whatever socket was there is replaced:
// the caller knows that nobody serves it. kInvalidArgument: something else than a socket
// is there.
absl::StatusOr<Listener> ListenUnix(const std::string& path);

// A blocking connection, whose reads and writes give up after `timeout`. kUnavailable: nobody listens there.
absl::StatusOr<Fd> ConnectUnix(const std::string& path, Duration timeout);

}  // namespace bt::net
