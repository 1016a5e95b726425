#pragma once

// RepeatsJudge: what a node has asked of another it asks again only when the answer is overdue, and what
// others know anyhow it tells them once. Lost messages are no excuse: nobody knows that one was lost before
// its answer is overdue.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

#include "core/base/ids.h"
#include "core/base/time.h"
#include "sim/world.h"

namespace bt::sim {

class RepeatsJudge {
 public:
  RepeatsJudge(World& world, std::string node) : world_(world), node_(std::move(node)) {}

  // A life begins: it remembers nothing.
  void OnStart() { said_.clear(); }
  // It says this to `to`, at `now` by its own clock, and has reason to say it again `after` that. `what`
  // names the kind of message, `digest` tells messages of one kind apart.
  void OnSaid(NodeId to, const char* what, uint64_t digest, Instant now, Duration after);

 private:
  static constexpr size_t kRemembered = 4096;  // beyond, all is forgotten

  World& world_;
  std::string node_;
  absl::btree_map<std::tuple<NodeId, std::string, uint64_t>, Instant> said_;  // last
};

}  // namespace bt::sim
