#include "net/acceptor.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace bt::net {
namespace {

// A flood of connections must not keep the loop from what it has already: taking one in costs some 30 us,
// with the idle one that gives way to it.
constexpr Duration kAcceptingPerWake = Microseconds(250);
// While descriptors are lacking the listener stays readable, and without a pause the loop would spin. Nothing
// tells when another part of the process closes a descriptor, so the listener is tried again after this long.
constexpr Duration kPause = Milliseconds(100);

bool LacksResources(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

Acceptor::Acceptor(Loop& loop, Listener listener, Take take)
    : loop_(loop),
      listener_(std::move(listener)),
      take_(std::move(take)),
      watcher_(loop, listener_.fd.get(), EPOLLIN, [this](uint32_t) { AcceptMany(); }),
      pause_(loop, [this] { watcher_.SetEvents(EPOLLIN); }) {}

void Acceptor::AcceptMany() {
  const Instant until = Loop::ReadClock() + kAcceptingPerWake;
  do {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    Fd fd(accept4(listener_.fd.get(), reinterpret_cast<sockaddr*>(&storage), &size,
                  SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.valid()) {
      take_(std::move(fd), FromSockaddr(storage));
    } else if (errno == EAGAIN) {
      return;
    } else if (LacksResources(errno)) {
      ++pauses_;
      watcher_.SetEvents(0);
      pause_.Arm(loop_.now() + kPause);
      return;
    }
    // accept(2): any other error is the new connection's own and is to be passed over.
  } while (Loop::ReadClock() < until);
}

}  // namespace bt::net
