#pragma once

// FaultPlan: what may go wrong in one run, drawn from its seed. Swarm testing: each seed omits whole kinds
// of faults and draws the rates of the rest, and some run clean; a mix of everything all the time would
// hide what only shows when one kind is rare.

#include <cstdint>
#include <string>

#include "sim/clock.h"
#include "sim/disk.h"
#include "sim/network.h"
#include "sim/random_stream.h"
#include "sim/streams.h"

namespace bt::sim {

struct FaultPlan {
  NetworkFaults network;
  StreamFaults streams;
  DiskFaults disk;
  ClockFaults clock;
  uint32_t crash_while_writing_permille = 0;

  // What Nemesis does, at random intervals with this mean; weights, 0 = never.
  Duration interval = Milliseconds(500);
  uint32_t crash = 0;
  uint32_t stall = 0;
  uint32_t damage = 0;
  uint32_t clock_jump = 0;
  uint32_t partition = 0;
  uint32_t one_way = 0;
  uint32_t slow_link = 0;
  uint32_t broken_link = 0;
  uint32_t lossy_link = 0;    // two in a hundred, until the phase is over
  uint32_t slow_replies = 0;  // whatever one says comes seconds late
  uint32_t slow_process = 0;
  Duration down_max = Seconds(2);  // before a crashed process is restarted
  Duration stall_max = Seconds(3);
  Duration jump_max = Seconds(3);
  Duration pace_max = Milliseconds(5);
  Duration cut_max = Seconds(3);
  bool everyone_may_be_down = true;
};

FaultPlan DrawPlan(RandomStream& rng);

}  // namespace bt::sim
