#include "net/unix_socket.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace bt::net {
namespace {

constexpr int kBacklog = 16;

// A socket's path has at most 107 bytes. A longer one is said by way of its directory, which is kept open as
// long as the address is used.
struct UnixAddress {
  sockaddr_un address{};
  Fd directory;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

absl::StatusOr<UnixAddress> AddressOf(const std::string& path) {
  UnixAddress result;
  result.address.sun_family = AF_UNIX;
  std::string text = path;
  if (text.size() >= sizeof result.address.sun_path) {
    const size_t slash = path.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    result.directory = Fd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!result.directory.valid()) {
      return absl::UnavailableError(absl::StrCat("cannot open ", directory, ": ", ErrnoText(errno)));
    }
    text = absl::StrCat("/proc/self/fd/", result.directory.get(), "/", path.substr(slash + 1));
  }
  if (text.empty() || text.size() >= sizeof result.address.sun_path) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is no name for a socket; choose a shorter one"));
  }
  std::memcpy(result.address.sun_path, text.data(), text.size());
  return result;
}

}  // namespace

absl::StatusOr<Listener> ListenUnix(const std::string& path) {
  const absl::StatusOr<UnixAddress> address = AddressOf(path);
  if (!address.ok()) return address.status();
  struct stat there {};
  if (::lstat(path.c_str(), &there) == 0) {
    if (!S_ISSOCK(there.st_mode)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " is there, and is no socket; choose another path"));
    }
    ::unlink(path.c_str());
  }
  const auto failed = [&] {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", path, ": ", ErrnoText(errno)));
  };
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return failed();
  // Before bind, so that the file never exists with more rights.
  const mode_t mask = ::umask(S_IRWXG | S_IRWXO);
  const bool bound = ::bind(fd.get(), address->get(), sizeof address->address) == 0;
  ::umask(mask);
  if (!bound || ::listen(fd.get(), kBacklog) != 0) return failed();
  return Listener{std::move(fd), Address()};
}

absl::StatusOr<Fd> ConnectUnix(const std::string& path, Duration timeout) {
  const absl::StatusOr<UnixAddress> address = AddressOf(path);
  if (!address.ok()) return address.status();
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  timeval patience{};
  patience.tv_sec = timeout.millis() / 1000;
  patience.tv_usec = timeout.millis() % 1000 * 1000;
  if (!fd.valid() || ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
      ::connect(fd.get(), address->get(), sizeof address->address) != 0) {
    return absl::UnavailableError(absl::StrCat("cannot connect to ", path, ": ", ErrnoText(errno)));
  }
  return fd;
}

}  // namespace bt::net
