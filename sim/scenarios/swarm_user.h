#pragma once

// SwarmUser: the people in front of the clients. At random moments one of them stops a client. A client that
// has said that it is done, or that it gave up, is ended; another day (the nemesis restarts who is dead) it
// begins again where it was. Somebody else cuts a file short that is being offered. Quiet ends it, and who is
// stopping then begins again at once.

#include <cstdint>
#include <vector>

#include "sim/scenarios/swarm_world.h"
#include "sim/world.h"

namespace bt::sim {

class SwarmUser final : public EventSink {
 public:
  SwarmUser(World& world, SwarmWorld& swarm);

  void Begin();
  // What was written into files is put back, and nothing more happens.
  void Quiet();

  void Fire(uint64_t argument) override;

 private:
  void Act();
  // The client's host looks at its file within two seconds.
  void LookSoon(size_t client);

  World& world_;
  SwarmWorld& swarm_;
  RandomStream rng_;
  uint32_t stop_percent_;
  uint32_t cut_percent_;
  uint32_t edit_percent_;
  bool quiet_ = false;
};

}  // namespace bt::sim
