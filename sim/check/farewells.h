#pragma once

// FarewellJudge: a leader goes on with a member that has been removed until that one knows of it, and not
// longer: what it is sent later costs disks and links for ever, and nobody looks at it. Told of beats, of
// which a leader sends one to each whom it writes to: at each tick, and with what is read in between.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <string>
#include <utility>

#include "core/base/ids.h"
#include "core/base/time.h"
#include "sim/world.h"

namespace bt::sim {

class FarewellJudge {
 public:
  FarewellJudge(World& world, std::string node) : world_(world), node_(std::move(node)) {}

  // A life begins, or it leads anew.
  void OnStart() { beats_.clear(); }
  // The node, which leads, has heard from one that is no member any more, and knows that it is none.
  void OnKnows(NodeId removed, Instant now) { beats_.try_emplace(removed, Beats{now, 0}); }
  // It sends a beat to one that is no member any more, and has a tick each `tick` by its own clock.
  void OnBeat(NodeId removed, Instant now, Duration tick);

 private:
  struct Beats {
    Instant counted;  // since they know, and then with a tick between each two
    uint32_t count = 0;
  };
  // A node may stand still between what it reads and a tick that is overdue; not so often.
  static constexpr uint32_t kBeatsMax = 3;

  World& world_;
  std::string node_;
  absl::btree_map<NodeId, Beats> beats_;  // to each that knows
};

}  // namespace bt::sim
