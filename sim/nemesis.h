#pragma once

// Nemesis: makes the faults of a plan that have a place and a duration (crashes and restarts, stalls,
// partitions, slow and broken links) during the safety phase, and then prepares the liveness phase:
// a core that is healed for good, everything outside it out of action for good. A process whose disk was
// damaged belongs outside.

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "sim/network.h"
#include "sim/plan.h"
#include "sim/process.h"
#include "sim/streams.h"
#include "sim/world.h"

namespace bt::sim {

class Nemesis final : public EventSink {
 public:
  static constexpr Duration kSlowLinkMax = Milliseconds(400);
  // How late the replies of one node become.
  static constexpr Duration kLateRepliesMax = Seconds(4);

  // `victims`: the processes faults happen to. `bystanders`: other endpoints partitions cut off as well.
  Nemesis(World& world, Network& network, Streams* streams, FaultPlan plan, std::vector<Process*> victims,
          std::vector<uint32_t> bystanders);

  // Of `members`, a minority may have their disks damaged; no other process does. What a majority of them has
  // acknowledged is then still held by one that goes on. Asked each time: members may change, and be
  // repaired.
  void MayDamage(std::function<std::vector<Process*>()> members) { damageable_ = std::move(members); }
  void Begin();
  // No more faults from here. Each victim that is not in `core` stops for good, in a way drawn: dead,
  // stalled, or cut off. Those in the core and the bystanders are mended, restarted and resumed.
  void Heal(const std::vector<Process*>& core);

  void Fire(uint64_t argument) override;

 private:
  enum class Kind : uint64_t { kTick, kRestart, kResume, kMend, kQuicken };
  using Packed = EventArgument<0, Kind>;  // and a number
  struct State {
    RandomStream restarts;
    bool restart_due = false;
    bool resume_due = false;
  };
  struct Cut {
    uint32_t from;
    uint32_t to;
  };
  void Act();
  void CrashOne(RandomStream& rng);
  void StallOne(RandomStream& rng);
  void DamageOne(RandomStream& rng);
  void JumpClock(RandomStream& rng);
  void Partition(RandomStream& rng) { CutApart(rng, false); }
  void PartitionOneWay(RandomStream& rng) { CutApart(rng, true); }
  void SlowLink(RandomStream& rng);
  void BreakLink(RandomStream& rng);
  void LoseSome(RandomStream& rng);
  void DelayReplies(RandomStream& rng);
  void SlowDown(RandomStream& rng);
  void CutApart(RandomStream& rng, bool one_way);
  // The link that the fault happens to.
  Cut DrawLink(RandomStream& rng, Fault fault);
  void MendLater(RandomStream& rng, std::vector<Cut> cuts);
  void Revive();
  static Duration Upto(RandomStream& rng, Duration most) {
    return rng.Between(Milliseconds(1), most < Milliseconds(2) ? Milliseconds(2) : most);
  }
  size_t Healthy() const;
  void Later(Kind kind, uint64_t detail, Duration delay);

  World& world_;
  Network& network_;
  Streams* streams_;
  FaultPlan plan_;
  RandomStream rng_;
  uint64_t acts_ = 0;
  std::vector<Process*> victims_;
  std::vector<uint32_t> bystanders_;
  std::function<std::vector<Process*>()> damageable_;
  std::vector<State> states_;
  std::vector<std::vector<Cut>> mends_;
  bool over_ = false;
};

}  // namespace bt::sim
