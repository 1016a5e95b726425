#pragma once

// DiskRooms: the sizes of the disks under a simulated cluster's journals, and what others keep on them. Each
// node is told now and then how much room is left, as its host measures it. Others fill a disk and empty it
// again, so that nodes cross their reserve in both directions; journals that grow and are cut do so too.
// Running quite full is no_space's (sim/disk.h), not this one's.

#include <cstdint>
#include <vector>

#include "sim/random_stream.h"
#include "sim/scenarios/tracker_cluster.h"
#include "sim/world.h"

namespace bt::sim {

class DiskRooms final : public EventSink {
 public:
  // Before the cluster starts: its nodes get a reserve.
  DiskRooms(World& world, TrackerCluster& cluster);

  // The first nodes are told, and others begin to use the disks.
  void Begin();
  // The operator makes room: from here on there is enough everywhere.
  void MakeRoom();
  void Fire(uint64_t argument) override;

 private:
  struct Disk {
    uint64_t size = 0;
    uint64_t others = 0;  // bytes of other files
    bool low = false;     // as its node last had it
    uint64_t refused = 0;
  };
  void OthersWrite(Disk& disk);
  void Measure(uint32_t index);
  void Count(uint32_t index);

  World& world_;
  TrackerCluster& cluster_;
  RandomStream rng_;
  uint64_t reserve_ = 0;
  std::vector<Disk> disks_;
  bool room_made_ = false;
};

}  // namespace bt::sim
