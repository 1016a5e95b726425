#pragma once

// RunUntilDone: lets a world run until something is so, looking now and then.

#include "sim/world.h"

namespace bt::sim {

// False when `bound` is over first, or a judge has spoken.
template <class Done>
bool RunUntilDone(World& world, Duration bound, Done done) {
  const Instant end = world.now() + bound;
  while (!world.failed() && world.now() < end) {
    if (done()) return true;
    world.RunFor(Milliseconds(100));
  }
  return !world.failed() && done();
}

}  // namespace bt::sim
