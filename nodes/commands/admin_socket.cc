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
  return absl::UnavailableError(absl::StrCat("the program that listens on ", socket,
                                             " ended the conversation: ", net::ErrnoText(errno)));
}

}  // namespace

absl::StatusOr<net::HttpResponse> AskNode(const std::string& socket, const char* method, std::string target,
                                          Duration patience) {
  net::HttpRequest request;
  request.method = method;
  request.target = std::move(target);
  absl::StatusOr<net::HttpResponse> answer = AskSocket(socket, std::move(request), patience);
  if (answer.ok()) return answer;
  return absl::Status(
      answer.status().code(),
      absl::StrCat(answer.status().message(), "; is the node running, and is --data-dir its own?"));
}

absl::StatusOr<net::HttpResponse> AskSocket(const std::string& socket, net::HttpRequest request,
                                            Duration patience) {
  const absl::StatusOr<net::Fd> fd = net::ConnectUnix(socket, patience);
  if (!fd.ok()) return fd.status();
  std::string bytes;
  request.keep_alive = false;
  net::WriteHttpRequest(request, "localhost", bytes);
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
          absl::StrCat("what answers on ", socket, " is no program of this version"));
    }
  }
}

}  // namespace bt::nodes
