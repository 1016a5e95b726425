#pragma once

// Crowd: a server's clients by the groups that they come from, and who of them gives way to a newcomer: the
// client that has been idle for longest, of the group that has most clients among those in which somebody is
// idle. So who takes many places loses its own, and who has one or two keeps them however often others come.
// For HttpServer. Invariant: a client that is idle has joined. Nothing here takes longer when there are more
// clients.

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>

#include "core/base/check.h"

namespace bt::net {

template <class Group>
class Crowd {
 public:
  using Place = std::optional<std::list<uint64_t>::iterator>;  // among the idle ones, kept by the client

  void Join(const Group& group) { Change(group, 1); }
  void Leave(const Group& group, Place& place) {
    SetIdle(group, 0, false, place);
    Change(group, -1);
  }
  // Who is idle already keeps its place.
  void SetIdle(const Group& group, uint64_t client, bool idle, Place& place) {
    if (idle == place.has_value()) return;
    const auto found = members_.find(group);
    CHECK(found != members_.end());
    Members& members = found->second;
    if (idle) {
      place = members.idle.insert(members.idle.end(), client);
      if (members.idle.size() == 1) Enter(group, members);
    } else {
      members.idle.erase(*place);
      place.reset();
      if (members.idle.empty()) Exit(members);
    }
  }

  size_t Of(const Group& group) const {
    const auto found = members_.find(group);
    return found == members_.end() ? 0 : found->second.clients;
  }
  // nullopt: nobody is idle.
  std::optional<uint64_t> GivesWay() const {
    if (by_clients_.empty()) return std::nullopt;
    return members_.find(by_clients_.rbegin()->second.front())->second.idle.front();
  }
  // The same of one group.
  std::optional<uint64_t> GivesWayOf(const Group& group) const {
    const auto found = members_.find(group);
    if (found == members_.end() || found->second.idle.empty()) return std::nullopt;
    return found->second.idle.front();
  }

 private:
  struct Members {
    size_t clients = 0;
    std::list<uint64_t> idle;                // oldest first; at most one for each client
    typename std::list<Group>::iterator at;  // in by_clients_, while somebody is idle
  };

  void Change(const Group& group, int by) {
    Members& members = members_[group];
    const bool idle = !members.idle.empty();
    if (idle) Exit(members);
    members.clients += static_cast<size_t>(by);
    if (idle) Enter(group, members);
    if (members.clients == 0) members_.erase(group);
  }
  void Enter(const Group& group, Members& members) {
    std::list<Group>& groups = by_clients_[members.clients];
    members.at = groups.insert(groups.end(), group);
  }
  void Exit(Members& members) {
    const auto groups = by_clients_.find(members.clients);
    CHECK(groups != by_clients_.end());
    groups->second.erase(members.at);
    if (groups->second.empty()) by_clients_.erase(groups);
  }

  absl::flat_hash_map<Group, Members> members_;  // at most one for each client
  // The groups in which somebody is idle, by how many clients they have; of equal ones the one first that
  // became idle, or changed its number, first.
  absl::btree_map<size_t, std::list<Group>> by_clients_;  // at most one for each of members_
};

}  // namespace bt::net
