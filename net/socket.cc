#include "net/socket.h"

#include <absl/strings/str_cat.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bt::net {
namespace {

constexpr int kListenBacklog = 1024;

absl::Status ListenError(const Address& address, int error) {
  const std::string where = absl::StrCat("cannot listen on ", address.ToString(), ": ");
  switch (error) {
    case EADDRINUSE:
      return absl::AlreadyExistsError(
          absl::StrCat(where, "the port is in use; choose another one, or port 0 for any free one"));
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(
          absl::StrCat(where, "permission denied; ports below 1024 need privileges, choose a higher one"));
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
      return absl::InvalidArgumentError(absl::StrCat(where, "this machine has no such address"));
    default:
      return absl::UnavailableError(absl::StrCat(where, ErrnoText(error)));
  }
}

// Answers are whole when they are written: waiting for more to send with them only delays.
void SetNoDelay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

std::string ErrnoText(int error) {
  char text[128];
  std::string reason = strerror_r(error, text, sizeof text);
  if (!reason.empty() && reason[0] >= 'A' && reason[0] <= 'Z' && !(reason.size() > 1 && reason[1] == '/')) {
    reason[0] = static_cast<char>(reason[0] - 'A' + 'a');
  }
  return reason;
}

Address FromSockaddr(const sockaddr_storage& storage) {
  Address address;
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &storage, sizeof v4);
    uint8_t ip[4];
    std::memcpy(ip, &v4.sin_addr, sizeof ip);
    return Address::V4(ip[0], ip[1], ip[2], ip[3], ntohs(v4.sin_port));
  }
  if (storage.ss_family != AF_INET6) return address;  // a Unix socket's peer has none
  sockaddr_in6 v6;
  std::memcpy(&v6, &storage, sizeof v6);
  std::memcpy(address.ip.data(), &v6.sin6_addr, address.ip.size());
  address.port = ntohs(v6.sin6_port);
  return address;
}

socklen_t ToSockaddr(const Address& address, sockaddr_storage& storage) {
  std::memset(&storage, 0, sizeof storage);
  if (address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&v4.sin_addr, address.ip.data() + 12, 4);
    std::memcpy(&storage, &v4, sizeof v4);
    return sizeof v4;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(address.port);
  std::memcpy(&v6.sin6_addr, address.ip.data(), address.ip.size());
  std::memcpy(&storage, &v6, sizeof v6);
  return sizeof v6;
}

absl::StatusOr<Address> LocalAddress(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return absl::InternalError(absl::StrCat("getsockname: ", ErrnoText(errno)));
  }
  return FromSockaddr(storage);
}

absl::StatusOr<Listener> Listen(const Address& address) {
  sockaddr_storage storage;
  const socklen_t size = ToSockaddr(address, storage);
  Fd fd(socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ListenError(address, errno);
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  SetNoDelay(fd.get());  // accepted sockets inherit it
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0 ||
      listen(fd.get(), kListenBacklog) != 0) {
    return ListenError(address, errno);
  }
  absl::StatusOr<Address> local = LocalAddress(fd.get());
  if (!local.ok()) return local.status();
  return Listener{std::move(fd), *local};
}

absl::StatusOr<Fd> StartConnect(const Address& address) {
  sockaddr_storage storage;
  const socklen_t size = ToSockaddr(address, storage);
  Fd fd(socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.valid()) {
    SetNoDelay(fd.get());
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), size) == 0 || errno == EINPROGRESS) {
      return fd;
    }
  }
  return absl::UnavailableError(
      absl::StrCat("cannot connect to ", address.ToString(), ": ", ErrnoText(errno)));
}

absl::Status ConnectError(int fd, const Address& address) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error == 0) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("cannot connect to ", address.ToString(), ": ", ErrnoText(error)));
}

void KeepUnsentShort(int fd, size_t bytes) {
  const int value = static_cast<int>(bytes);
  setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, sizeof value);
}

void NoticeVanishedPeer(int fd) {
  const int on = 1;
  const int probe_seconds = 1;
  const unsigned patience = static_cast<unsigned>(kVanishedAfter.millis());
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &probe_seconds, sizeof probe_seconds);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &probe_seconds, sizeof probe_seconds);
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof patience);
}

bool HeardFrom(int fd, Duration recent) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || info.tcpi_state != TCP_ESTABLISHED) {
    return false;
  }
  return std::min(info.tcpi_last_data_recv, info.tcpi_last_ack_recv) <= recent.millis();
}

}  // namespace bt::net
