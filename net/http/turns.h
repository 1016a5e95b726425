#pragma once

// Turns: clients that wait, and who is next: the groups in turn, and in a group the one that has waited for
// longest. So a group of many waits for itself alone. For HttpServer. Invariant: a client waits at most once.

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <list>
#include <optional>

#include "core/base/check.h"

namespace bt::net {

template <class Group>
class Turns {
 public:
  using Place = std::optional<std::list<uint64_t>::iterator>;  // of one client, kept by the client

  // Who waits already keeps its place.
  void Wait(const Group& group, uint64_t client, Place& place) {
    if (place) return;
    const auto [found, fresh] = waiting_.try_emplace(group);
    Waiting& waiting = found->second;
    if (fresh) waiting.turn = order_.insert(order_.end(), group);
    place = waiting.clients.insert(waiting.clients.end(), client);
  }
  void Leave(const Group& group, Place& place) {
    if (!place) return;
    const auto found = waiting_.find(group);
    CHECK(found != waiting_.end());
    found->second.clients.erase(*place);
    place.reset();
    if (!found->second.clients.empty()) return;
    order_.erase(found->second.turn);
    waiting_.erase(found);
  }
  // It still waits; its group's next turn comes after those of all others. Somebody must be waiting.
  uint64_t Next() {
    CHECK(!order_.empty());
    const Waiting& waiting = waiting_.find(order_.front())->second;
    order_.splice(order_.end(), order_, order_.begin());
    return waiting.clients.front();
  }
  bool empty() const { return order_.empty(); }

 private:
  struct Waiting {
    std::list<uint64_t> clients;  // at most one for each client
    typename std::list<Group>::iterator turn;
  };

  std::list<Group> order_;  // the groups in which somebody waits; at most one for each client
  absl::flat_hash_map<Group, Waiting> waiting_;  // at most one for each client
};

}  // namespace bt::net
