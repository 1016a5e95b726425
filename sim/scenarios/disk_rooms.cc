#include "sim/scenarios/disk_rooms.h"

#include <utility>

namespace bt::sim {
namespace {

constexpr Duration kMeasurePauseMax = Milliseconds(400);
// More than lies between two times that a leader whose disk hangs asks another one to lead.
constexpr Duration kHandOverSlack = Seconds(4);
constexpr Duration kSlept = Seconds(1);  // a leader that runs steps more often: it has heartbeats to send

}  // namespace

DiskRooms::DiskRooms(World& world, TrackerCluster& cluster)
    : world_(world), cluster_(cluster), rng_(world.Stream("disk rooms")), disks_(cluster.size()) {
  reserve_ = uint64_t{1} << rng_.Between(10, 16);
  for (Disk& disk : disks_) disk.size = reserve_ + (uint64_t{1} << rng_.Between(12, 18));
  tracker::Config config = cluster.config();
  config.disk_reserve_bytes = reserve_;
  cluster.UseConfig(std::move(config));
}

void DiskRooms::Begin() { Fire(0); }

void DiskRooms::MakeRoom() {
  room_made_ = true;
  for (uint32_t i = 0; i < disks_.size(); ++i) Measure(i);
}

void DiskRooms::OthersWrite(Disk& disk) {
  if (!rng_.Chance(1, 6)) return;
  disk.others = rng_.Chance(1, 2) ? 0 : rng_.Between(0, disk.size);
}

void DiskRooms::Count(uint32_t index) {
  const TrackerHost& host = cluster_.host(index);
  Disk& disk = disks_[index];
  const tracker::TrackerNode& node = *host.machine();
  if (node.disk().low() && !disk.low) world_.Count(Fault::kDiskLow, {index});
  disk.low = node.disk().low();
  if (node.counters().refused_for_room > disk.refused) world_.Count(Fault::kRefusedForRoom, {index});
  disk.refused = node.counters().refused_for_room;
}

void DiskRooms::Measure(uint32_t index) {
  TrackerHost& host = cluster_.host(index);
  if (!host.alive()) return;
  Disk& disk = disks_[index];
  const uint64_t used = host.journal().bytes() + disk.others;
  const uint64_t left = used < disk.size ? disk.size - used : 0;
  host.adaptor().Order(host, tracker::DiskRoom{room_made_ ? reserve_ * 2 : left});
}

void DiskRooms::Fire(uint64_t) {
  for (uint32_t i = 0; i < disks_.size(); ++i) {
    OthersWrite(disks_[i]);
    Measure(i);
    if (cluster_.host(i).alive()) Count(i);
  }
  world_.After(rng_.Between(Milliseconds(1), kMeasurePauseMax), this, 0);
}

// A leader with less room than its reserve takes nothing new, and one whose journal hangs asks others to
// lead.
void TrackerAdaptor::JudgeDisk(TrackerHost& host) {
  const tracker::TrackerNode& node = *host.machine();
  const tracker::Config& config = cluster_->config();
  const bool leads = node.replica().is_leader();
  const bool without_room =
      leads && node.disk().free_bytes().value_or(UINT64_MAX) < config.disk_reserve_bytes;
  if (without_room && led_without_room_ && node.taken() > taken_) {
    host.world().Fail("disk: " + host.name() + " leads, has no room, and takes a new mutation");
  }
  led_without_room_ = without_room;
  taken_ = node.taken();
  const bool asked = node.disk().handed_over() > handed_over_;
  handed_over_ = node.disk().handed_over();
  if (asked) host.world().Count(Fault::kHandedOver, {host.index()});
  const WriteSeq durable = host.journal().durable();
  const bool may_ask = node.replica().members().membership.voters().size() > 1;
  // Who was stalled has seen nothing of the time that has passed.
  const bool slept = host.now() - stepped_ > kSlept;
  stepped_ = host.now();
  if (asked || !leads || !may_ask || slept || durable != durable_ || !host.writing()) synced_ = host.now();
  durable_ = durable;
  if (config.disk_reserve_bytes == 0 && host.now() - synced_ > config.journal_stall_max + kHandOverSlack) {
    host.world().Fail("disk: " + host.name() + " leads, its journal hangs, and it asks nobody to lead");
  }
}

}  // namespace bt::sim
