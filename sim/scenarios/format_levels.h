#pragma once

// FormatLevels: which release each tracker of a world is started as, and what must hold of the format level
// that they agree on (core/tracker/format_level.h). In a world of one release nothing is drawn. In a mixed
// one each life draws what its program reads; in a held one some nodes are of the oldest release in every
// life.
//
// What is judged: the level rises only when each of the first members has been of a release that reads it;
// nobody writes a snapshot in a format of a level that is not in force; a program stops for what it cannot
// read only where a level above its own is in force, and it never goes on behind it.

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/tracker/format_level.h"
#include "core/tracker/node.h"
#include "sim/random_stream.h"
#include "sim/world.h"

namespace bt::sim {

class FormatLevels {
 public:
  // The first `first_members` of the nodes are members from the start.
  FormatLevels(World& world, uint32_t nodes, uint32_t first_members);

  // From here on releases are drawn. `may_hold`: nobody needs the level to rise.
  void Mix(bool may_hold = true);
  // Whoever is started from here on is of the newest release, unless it is held at an older one. Such a one
  // is held for as long as it runs: if it stops because it is too old, the operator upgrades it after all,
  // for it may be a learner that the members wait for.
  void UpgradeAll() { upgrading_ = true; }

  // A node begins a life: what its program reads.
  tracker::LevelRange Begin(uint32_t node);
  uint32_t in_force() const { return in_force_; }
  bool IsOld(uint32_t node) const { return newest_[node] < tracker::kNewestLevel; }
  bool IsHeld(uint32_t node) const { return held_[node]; }
  // It has stopped because it was too old, and its next life is of the newest release.
  bool IsToBegin(uint32_t node) const { return upgrading_ && refused_[node]; }
  // Nothing keeps the level from rising once everybody lives.
  bool MustRise() const;

  // `members`: who belongs to the cluster.
  void OnLevel(uint32_t node, uint32_t level, const paxos::Membership& members);
  void OnWrite(uint32_t node, const JournalWrite& write);
  // The node says that it cannot read something.
  void OnUnusable(uint32_t node, const std::string& why, const paxos::Membership& members);

 private:
  void Rise(uint32_t level, const paxos::Membership& members);

  World& world_;
  RandomStream rng_;
  uint32_t first_members_;
  bool mixed_ = false;
  bool upgrading_ = false;
  uint32_t in_force_ = tracker::kFirstLevel;  // the highest that any node has come to
  std::vector<uint32_t> newest_;              // what each reads in this life, or the last one
  std::vector<uint32_t> ever_;                // the newest level that it has read in any life
  std::vector<bool> held_;
  std::vector<bool> refused_;  // it has stopped because it was too old, and the operator has seen it
  std::vector<uint64_t> lives_;
};

}  // namespace bt::sim
