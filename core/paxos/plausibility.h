#pragma once

// Plausibility: which numbers of a message can be true. A durable promise of a round near the end of its
// range would leave no higher ballot for anybody, for ever, so a replica believes in a round only as far
// as a cluster can have climbed. Invariant: limit() rises by at most kRoundStep each kRoundPause, whatever
// is heard. A refused message is dropped as if the network had lost it, which every exchange survives.
// Used only by Replica, before anything else looks at a message.

#include <concepts>
#include <cstdint>
#include <variant>
#include <vector>

#include "core/base/fields.h"
#include "core/base/ids.h"
#include "core/base/time.h"
#include "core/paxos/protocol.h"

namespace bt::paxos {

// At one slot each nanosecond a cluster reaches this one after a century. No sum of a slot that passes and
// a limit of config.h overflows.
inline constexpr Slot kSlotMax{uint64_t{1} << 62};
inline constexpr uint64_t kRoundMax = uint64_t{1} << 63;

// Elections raise a cluster's round by one each, and no faster than one in election_min. A node that was
// away while 2^27 elections took place (a year of four each second) climbs after its cluster in 128 steps,
// about six seconds of heartbeats. A stranger that climbs as fast as it is let needs 2^43 steps, fourteen
// thousand years, to come to kRoundMax; and whatever one replica was led up to, the others follow in no
// more time than that took.
inline constexpr uint64_t kRoundStep = uint64_t{1} << 20;
inline constexpr Duration kRoundPause = Milliseconds(50);

class Plausibility {
 public:
  // `promised`: the round of the promise that recovery found.
  void Start(uint64_t promised, Instant now);

  // True if no round of `message` is above the limit and no slot above kSlotMax. A round near or above the
  // limit moves it one step up, at most once each kRoundPause, so that what is true is believed in time.
  bool Admits(const Message& message, Instant now);

  uint64_t limit() const { return limit_; }

 private:
  uint64_t limit_ = kRoundStep;
  Instant raised_;
};

}  // namespace bt::paxos
