#pragma once

// What a replica is told when it is made: who it is, who the members are, its timeouts and limits.
// The defaults are for production on a local network; every queue and message is bounded from here.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/ids.h"
#include "core/base/time.h"
#include "core/paxos/membership.h"

namespace bt::paxos {

// The longest command; leaves room for the framing of a record and of a message.
inline constexpr size_t kCommandBytesMax = 8u << 20;

struct Config {
  NodeId self{1};
  // The cluster's first voters, without repetition: the same at every replica that began with the cluster.
  // Empty at one that joins it later, to which the log will tell.
  std::vector<NodeId> members{NodeId(1)};

  // A leader is heard from this often even when there is nothing to say.
  Duration heartbeat = Milliseconds(50);
  // A follower that hears nothing for a random time between these stands for election; a leader that
  // does not hear from a quorum for `election_min` steps down.
  Duration election_min = Milliseconds(250);
  Duration election_max = Milliseconds(450);
  // A follower whose connection from the leader was closed stands after a random time between these: long
  // enough for the others' connections to be seen closed, and for one to lead before the next begins.
  Duration closed_wait_min = Milliseconds(4);
  Duration closed_wait_max = Milliseconds(34);
  // A follower asks for a missing entry only if it is still missing after this long.
  Duration gap_grace = Milliseconds(10);
  // An unanswered request (catch-up, prepare, accept) is repeated after this long.
  Duration retry = Milliseconds(200);

  // Slots proposed and not yet chosen. Small on purpose: what waits for the window shares a slot.
  uint32_t window_slots = 8;
  uint32_t batch_commands_max = 4096;
  size_t batch_bytes_max = 1u << 20;  // a single longer command still gets a slot of its own
  // Commands that wait for a slot; beyond, Busy.
  uint32_t pending_commands_max = 65'536;
  size_t pending_bytes_max = 64u << 20;
  // Reads that wait for their round; beyond, Busy.
  uint32_t pending_reads_max = 65'536;
  // Accepts sent to one follower and not yet answered.
  uint32_t peer_slots_max = 256;
  size_t peer_bytes_max = 8u << 20;
  // Values in one Promise or CatchUpReply (at least one value is always sent).
  size_t promise_bytes_max = 4u << 20;
  size_t catch_up_bytes_max = 1u << 20;
  // How far above its chosen prefix a replica stores accepted entries.
  uint32_t gap_slots_max = 65'536;
  // What is left of the chosen values when the log is cut below a snapshot.
  size_t log_bytes_kept = 16u << 20;
  // A replica does not help one this far behind itself to become leader.
  uint32_t candidate_lag_slots_max = 1024;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("self", self.self);
    visit("members", self.members);
    visit("heartbeat", self.heartbeat);
    visit("election_min", self.election_min);
    visit("election_max", self.election_max);
    visit("closed_wait_min", self.closed_wait_min);
    visit("closed_wait_max", self.closed_wait_max);
    visit("gap_grace", self.gap_grace);
    visit("retry", self.retry);
    visit("window_slots", self.window_slots);
    visit("batch_commands_max", self.batch_commands_max);
    visit("batch_bytes_max", self.batch_bytes_max);
    visit("pending_commands_max", self.pending_commands_max);
    visit("pending_bytes_max", self.pending_bytes_max);
    visit("pending_reads_max", self.pending_reads_max);
    visit("peer_slots_max", self.peer_slots_max);
    visit("peer_bytes_max", self.peer_bytes_max);
    visit("promise_bytes_max", self.promise_bytes_max);
    visit("catch_up_bytes_max", self.catch_up_bytes_max);
    visit("gap_slots_max", self.gap_slots_max);
    visit("log_bytes_kept", self.log_bytes_kept);
    visit("candidate_lag_slots_max", self.candidate_lag_slots_max);
  }
};

}  // namespace bt::paxos
