#include "nodes/commands/admin_socket.h"

#include <absl/strings/str_cat.h>
#include <sys/socket.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "net/http/codec.h"
#include "net/unix_socket.h"

namespace bt::nodes {
namespace {

absl::Status Lost(const std::string& socket) {
  return absl::UnavailableError(
      absl::StrCat("the node that listens on ", socket, " ended the conversation: ", net::ErrnoText(errno)));
}

}  // namespace

absl::StatusOr<net::HttpResponse> AskNode(const std::string& socket, const char* method, std::string target,
                                          Duration patience) {
  const absl::StatusOr<net::Fd> fd = net::ConnectUnix(socket, patience);
  if (!fd.ok()) {
    return absl::Status(
        fd.status().code(),
        absl::StrCat(fd.status().message(), "; is the node running, and is --data-dir its own?"));
  }
  std::string bytes;
  net::WriteHttpRequest({.method = method, .target = std::move(target), .keep_alive = false}, "node", bytes);
  for (std::string_view rest = bytes; !rest.empty();) {
    const ssize_t sent = ::send(fd->get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return Lost(socket);
    rest.remove_prefix(static_cast<size_t>(sent));
  }
  net::HttpResponseReader reader;
  char buffer[65536];
  for (;;) {
    const ssize_t got = ::recv(fd->get(), buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Lost(socket);
    std::string_view part(buffer, static_cast<size_t>(got));
    const net::HttpRead read = got == 0 ? reader.End() : reader.Read(part);
    if (read == net::HttpRead::kDone) return reader.Take();
    if (read != net::HttpRead::kMore || got == 0) {
      return absl::UnavailableError(
          absl::StrCat("what answers on ", socket, " is no tracker of this version"));
    }
  }
}

}  // namespace bt::nodes
