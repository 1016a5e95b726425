#pragma once

// Arrivals: which of a server's clients are in a state, in the order in which they came into it; and Use: how
// much of something limited is taken, and the most that ever was. For HttpServer.

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>

#include "core/base/highest.h"

namespace bt::net {

class Arrivals {
 public:
  using Place = std::optional<std::list<uint64_t>::iterator>;  // of one client, kept by the client

  // Into the state or out of it; who is in it already keeps its place.
  void Set(bool in, uint64_t client, Place& place) {
    if (in == place.has_value()) return;
    if (in) {
      place = clients_.insert(clients_.end(), client);
    } else {
      clients_.erase(*place);
      place.reset();
    }
  }
  const std::list<uint64_t>& oldest_first() const { return clients_; }

 private:
  std::list<uint64_t> clients_;  // one for each client
};

class Use {
 public:
  void Change(size_t from, size_t to) {
    now_ += to - from;
    highest_.Note(now_);
  }
  size_t now() const { return now_; }
  size_t highest() const { return highest_.value(); }

 private:
  size_t now_ = 0;
  Highest highest_;
};

}  // namespace bt::net
