#pragma once

// Acceptor: the one place where connections are accepted. It takes what waits at a listening socket, for a
// bounded time per wake-up, and pauses while the process has no descriptor or memory for another.
// How many connections there may be is the receiver's limit: it closes what is over it. Loop thread only.

#include <cstdint>
#include <functional>

#include "core/base/address.h"
#include "net/fd.h"
#include "net/loop.h"
#include "net/socket.h"

namespace bt::net {

class Acceptor {
 public:
  // Owns the descriptor from then on; must not destroy the acceptor.
  using Take = std::function<void(Fd fd, const Address& peer)>;

  Acceptor(Loop& loop, Listener listener, Take take);

  const Address& address() const { return listener_.address; }
  // How often accepting had to pause.
  uint64_t pauses() const { return pauses_; }

 private:
  void AcceptMany();

  Loop& loop_;
  Listener listener_;
  Take take_;
  Watcher watcher_;
  Timer pause_;
  uint64_t pauses_ = 0;
};

}  // namespace bt::net
