#pragma once

// LevelWatch: which format levels the programs of the members read, as each tells all others, and the
// leader's part in agreeing on one: it proposes the newest level that every member reads, learners included,
// when each has said so lately. A rise is proposed again until it is in force; the level itself is replicated
// state.
//
// What a member has said may be out of date: it may be started with an older release while the rise is on its
// way. Then it finds a level in the log that it does not read, and stops with a sentence; it misreads
// nothing.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/ids.h"
#include "core/base/time.h"
#include "core/tracker/config.h"
#include "core/tracker/protocol.h"
#include "core/tracker/replica_port.h"

namespace bt::tracker {

class LevelWatch {
 public:
  struct Told {
    LevelRange levels;
    std::string program;  // at most kProgramBytesMax
    Instant at;
  };

  explicit LevelWatch(const Config& config) : levels_(config.levels) {}

  void OnTold(NodeId from, const TellLevels& told, Instant now);
  // Before what a step leads to is settled: tells the others, and raises the level if this node leads and
  // may. `in_force`: as far as this node has applied the log.
  void Tend(ReplicaPort& port, uint32_t in_force, Context<Protocol>& context);

  // What `member` has said lately; nullopt: nothing.
  std::optional<Told> Of(NodeId member, Instant now) const;
  uint64_t Digest() const;

 private:
  void Tell(const paxos::Replica& replica, Context<Protocol>& context);
  // The newest level that this node and all the others read; 0 while one of them has not said.
  uint32_t ReadByAll(const paxos::Replica& replica, Instant now) const;

  const LevelRange levels_;
  absl::btree_map<NodeId, Told> told_;  // at most kToldMax
  Instant next_tell_{};
  Instant next_raise_{};
};

}  // namespace bt::tracker
