#pragma once

// What a tracker node is told when it is made, and the limits of what it keeps outside the replicated
// state: every queue of the node is bounded from here. Nodes of one cluster may differ in all of it but the
// members; what they must agree on is in limits.h.

#include <cstddef>
#include <cstdint>

#include "core/base/time.h"
#include "core/paxos/config.h"
#include "core/tracker/format_level.h"

namespace bt::tracker {

struct Config {
  paxos::Config replica;  // who this node is, who the members are, timeouts

  // What this program reads, as it tells the others: less than it can, where an operator holds the cluster at
  // an older level. It refuses what is above.
  LevelRange levels;

  // A mutation or a linearizable read that is not done by then is answered kUnavailable.
  Duration deadline = Seconds(5);
  // A forwarded command or read whose fate is unknown is sent again after this long.
  Duration retry = Milliseconds(500);
  // Forwarded commands are sent together when they come closer to each other than this.
  Duration coalesce = Microseconds(200);
  // Claims of announces are proposed at most this often.
  Duration announce_pause = Milliseconds(2);

  // A snapshot of the state is begun when this much of the log was applied since the last one, and as much as
  // that one was long; it is saved so much at a time, at most this often.
  uint64_t snapshot_log_bytes = 64u << 20;
  size_t snapshot_piece_bytes = 256u << 10;
  Duration snapshot_pause = Milliseconds(4);
  // One that was asked for is written by then, or the asker is told that it is not.
  Duration snapshot_deadline = Seconds(60);

  // A step does so much, in units (step_work.h), of what need not be done at once. One half is for the log:
  // 8,192 short commands that nobody waits for here, or 2 MiB of long ones, or as much of a snapshot. One
  // sixteenth is for linearizable reads: 256 short answers, or 256 KiB of long ones.
  uint32_t step_work = 65'536;

  // Messages longer than a chunk travel in chunks, of a length that follows the link between these. As much
  // of them is under way to one peer as makes others wait there for no longer than about `bulk_delay`, at the
  // link's rate, and no more than the window.
  size_t chunk_bytes_min = 4u << 10;
  size_t chunk_bytes_max = 256u << 10;
  size_t bulk_window_bytes_max = 8u << 20;
  Duration bulk_delay = Milliseconds(50);
  // Long messages of which a peer acknowledges nothing, or of which nothing comes, for so long are dropped.
  Duration bulk_idle = Seconds(10);
  uint32_t bulk_messages_max = 256;          // long messages to one peer, from one, and waiting for the disk
  size_t bulk_queued_bytes_max = 32u << 20;  // of them to one peer, and as much from one; one always fits
  // Long commands are shipped ahead of their slots (shipments.h): so much of them at a time, to everybody,
  // and half of bulk_messages_max; the rest waits. As much of what others ship is held here, and as many.
  size_t shipped_bytes_max = 16u << 20;
  size_t held_values_bytes_max = 32u << 20;

  // With less free space on the journal's file system a leader takes nothing new into the log.
  uint64_t disk_reserve_bytes = 0;
  // A leader whose journal has owed a sync for so long lets another lead.
  Duration journal_stall_max = Seconds(1);

  uint32_t pending_max = 65'536;              // mutations of local callers and of other nodes
  size_t pending_bytes_max = 64u << 20;       // of their commands
  uint32_t waiters_per_mutation_max = 8;      // callers that retry one mutation at one node
  uint32_t reads_max = 16'384;                // linearizable reads of local callers
  uint32_t orders_max = 64;                   // of the operator's, without an answer
  uint32_t snapshots_asked_max = 16;          // by the operator, and not written yet
  uint32_t remote_reads_max = 1024;           // read rounds asked for by other nodes
  uint32_t unapplied_announces_max = 65'536;  // claims known here and not yet in the replicated state
  uint32_t forward_commands_max = 1024;       // in one message
  size_t forward_bytes_max = 1u << 20;        // in one message; a long command travels alone

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("replica", self.replica);
    visit("levels", self.levels);
    visit("deadline", self.deadline);
    visit("retry", self.retry);
    visit("coalesce", self.coalesce);
    visit("announce_pause", self.announce_pause);
    visit("snapshot_log_bytes", self.snapshot_log_bytes);
    visit("snapshot_piece_bytes", self.snapshot_piece_bytes);
    visit("snapshot_pause", self.snapshot_pause);
    visit("snapshot_deadline", self.snapshot_deadline);
    visit("step_work", self.step_work);
    visit("chunk_bytes_min", self.chunk_bytes_min);
    visit("chunk_bytes_max", self.chunk_bytes_max);
    visit("bulk_window_bytes_max", self.bulk_window_bytes_max);
    visit("bulk_delay", self.bulk_delay);
    visit("bulk_idle", self.bulk_idle);
    visit("bulk_messages_max", self.bulk_messages_max);
    visit("bulk_queued_bytes_max", self.bulk_queued_bytes_max);
    visit("shipped_bytes_max", self.shipped_bytes_max);
    visit("held_values_bytes_max", self.held_values_bytes_max);
    visit("disk_reserve_bytes", self.disk_reserve_bytes);
    visit("journal_stall_max", self.journal_stall_max);
    visit("pending_max", self.pending_max);
    visit("pending_bytes_max", self.pending_bytes_max);
    visit("waiters_per_mutation_max", self.waiters_per_mutation_max);
    visit("reads_max", self.reads_max);
    visit("orders_max", self.orders_max);
    visit("snapshots_asked_max", self.snapshots_asked_max);
    visit("remote_reads_max", self.remote_reads_max);
    visit("unapplied_announces_max", self.unapplied_announces_max);
    visit("forward_commands_max", self.forward_commands_max);
    visit("forward_bytes_max", self.forward_bytes_max);
  }
};

// How much longer than Config::deadline a command of so many bytes may take: what it takes at 32 KiB a
// second, which is a quarter of the slowest link that a cluster is meant for. Nothing for a short one.
constexpr Duration LongestCrossing(size_t bytes) {
  constexpr size_t kShort = 64u << 10;
  constexpr size_t kBytesPerSecond = 32u << 10;
  return bytes < kShort ? Duration{} : Milliseconds(static_cast<int64_t>(bytes * 1000 / kBytesPerSecond));
}

}  // namespace bt::tracker
