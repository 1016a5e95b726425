// What a world's tracker nodes are told when they are made.

#include "sim/scenarios/knobs.h"

namespace bt::sim {
namespace {

constexpr uint32_t kNodesMax = 9;  // of a world, guests among them

paxos::Config DrawReplicaConfig(RandomStream& rng) {
  paxos::Config config;
  if (!rng.Chance(2, 3)) return config;
  if (rng.Chance(1, 3)) {
    // Leaders come and go.
    const int64_t times = static_cast<int64_t>(rng.Between(2, 5));
    config.heartbeat = config.heartbeat / times;
    config.election_min = config.election_min / times;
    config.election_max = config.election_max / times;
    config.retry = config.retry / times;
  }
  config.window_slots = static_cast<uint32_t>(rng.Between(1, 12));
  if (rng.Chance(1, 2)) config.batch_commands_max = static_cast<uint32_t>(rng.Between(1, 8));
  if (rng.Chance(1, 2)) config.peer_slots_max = static_cast<uint32_t>(rng.Between(4, 64));
  if (rng.Chance(1, 2)) config.promise_bytes_max = rng.Between(64, 4096);
  if (rng.Chance(1, 2)) config.catch_up_bytes_max = rng.Between(64, 4096);
  if (rng.Chance(1, 3)) config.gap_slots_max = static_cast<uint32_t>(rng.Between(16, 256));
  if (rng.Chance(1, 3)) config.candidate_lag_slots_max = static_cast<uint32_t>(rng.Between(1, 64));
  return config;
}

// Nearly everything is long, and little of it fits.
void DrawBulk(RandomStream rng, tracker::Config& config) {
  if (rng.Chance(1, 2)) return;
  config.chunk_bytes_min = size_t{1} << rng.Between(7, 11);
  config.chunk_bytes_max = config.chunk_bytes_min << rng.Below(4);
  config.bulk_window_bytes_max = config.chunk_bytes_max * rng.Between(4, 16);
  if (rng.Chance(1, 2)) config.bulk_messages_max = static_cast<uint32_t>(rng.Between(4, 16));
  if (rng.Chance(1, 2)) config.bulk_idle = Milliseconds(static_cast<int64_t>(rng.Between(500, 5000)));
}

// Few commands fit into one batch and one message, and few of anything waits.
void DrawSmallTables(RandomStream rng, tracker::Config& config) {
  if (rng.Chance(1, 2)) return;
  if (rng.Chance(1, 2)) config.replica.batch_bytes_max = rng.Between(64, 4096);
  if (rng.Chance(1, 2)) config.forward_bytes_max = rng.Between(64, 4096);
  if (rng.Chance(1, 2)) config.forward_commands_max = static_cast<uint32_t>(rng.Between(1, 4));
  if (rng.Chance(1, 3)) config.pending_max = static_cast<uint32_t>(rng.Between(2, 8));
  if (rng.Chance(1, 3)) config.waiters_per_mutation_max = static_cast<uint32_t>(rng.Between(1, 2));
  if (rng.Chance(1, 3)) config.reads_max = static_cast<uint32_t>(rng.Between(1, 4));
  // Each of the other nodes has one round under way, and asks twice a second only: with less room than that
  // some of them would be turned away for seconds (tracker_faults 1428).
  if (rng.Chance(1, 3)) config.remote_reads_max = kNodesMax + static_cast<uint32_t>(rng.Between(0, 3));
  if (rng.Chance(1, 3)) config.replica.pending_commands_max = static_cast<uint32_t>(rng.Between(1, 8));
  if (rng.Chance(1, 3)) {
    config.replica.pending_reads_max = kNodesMax + static_cast<uint32_t>(rng.Between(0, 3));
  }
  if (rng.Chance(1, 3)) config.unapplied_announces_max = static_cast<uint32_t>(rng.Between(1, 6));
}

}  // namespace

tracker::Config DrawTrackerConfig(RandomStream& rng) {
  tracker::Config config;
  config.replica = DrawReplicaConfig(rng);
  DrawBulk(rng.Fork("bulk"), config);
  DrawSmallTables(rng.Fork("small tables"), config);
  RandomStream steps = rng.Fork("steps");
  if (steps.Chance(1, 2)) {  // a start, and what one that was away has to apply, takes many steps
    config.step_work = static_cast<uint32_t>(steps.Between(1, 256));  // one thing of each kind, or a few
  }
  if (rng.Chance(1, 3)) return config;
  if (rng.Chance(1, 2)) config.snapshot_deadline = Milliseconds(static_cast<int64_t>(rng.Between(20, 2000)));
  // Snapshots are taken every few slots, in pieces of a few items.
  config.snapshot_log_bytes = uint64_t{1} << rng.Between(7, 15);
  config.snapshot_piece_bytes = size_t{1} << rng.Between(5, 14);
  if (rng.Chance(1, 2)) config.snapshot_pause = Milliseconds(static_cast<int64_t>(rng.Between(1, 100)));
  config.replica.log_bytes_kept = rng.Chance(1, 2) ? 0 : rng.Between(0, 8192);
  return config;
}

}  // namespace bt::sim
