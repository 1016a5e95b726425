#pragma once

// AvailabilityJudge: a healed majority elects a leader within a bound, and keeps it: no ballot is begun while
// a leader is well. The bound is measured from the healing. What it is made of, and why:
//   - what was on its way or on a disk before the healing comes late, and may depose a leader once more;
//   - four election timeouts, each the longest that a replica can draw: in the first those that still hear of
//   a
//     leader that is gone stop hearing of it, in the second somebody stands, and two more pass if it loses to
//     another candidate or its ballot is too low;
//   - a new leader that lacks chosen slots asks for them, in the worst drawn world one slot for each journey
//     there and back.

#include <cstdint>
#include <functional>
#include <vector>

#include "core/base/ids.h"
#include "core/base/time.h"
#include "core/paxos/config.h"
#include "core/paxos/protocol.h"
#include "sim/world.h"

namespace bt::sim {

class AvailabilityJudge final : public EventSink {
 public:
  // A call that comes later than settled() is answered within this, and one that waits then, too.
  static constexpr Duration kPromptness = Seconds(2);

  AvailabilityJudge(World& world, const paxos::Config& config) : world_(world), config_(config) {}

  struct Healed {
    std::vector<NodeId> core;  // a majority
    uint64_t lag = 0;          // slots that somebody in the core lacks
    Duration latency_max;
    Duration stragglers_max;           // what is under way or being synced has come by then
    std::function<bool()> has_leader;  // one of the core leads
  };
  void OnHealed(Healed healed);
  void OnNote(NodeId node, const paxos::Note& note);
  // From here on ballots may be begun again, and for a while nobody may lead: somebody leads now.
  void Rest() { healed_at_ = Instant::Never(); }

  // From when on there must be a leader; Never before the healing.
  Instant settled() const { return settled_; }

  void Fire(uint64_t) override;

 private:
  World& world_;
  const paxos::Config& config_;
  Healed healed_;
  Instant healed_at_ = Instant::Never();
  Instant settled_ = Instant::Never();
  uint64_t begun_ = 0;  // ballots, between the last straggler and then
};

}  // namespace bt::sim
