#include "sim/scenarios/format_levels.h"

#include <absl/strings/str_format.h>

#include <algorithm>

#include "core/base/fields.h"
#include "core/base/halves.h"
#include "core/tracker/state_items.h"

namespace bt::sim {

using tracker::kFirstLevel;
using tracker::kNewestLevel;

FormatLevels::FormatLevels(World& world, uint32_t nodes, uint32_t first_members)
    : world_(world),
      rng_(world.Stream("format levels")),
      first_members_(first_members),
      newest_(nodes, kNewestLevel),
      ever_(nodes, 0),
      held_(nodes, false),
      refused_(nodes, false),
      lives_(nodes, 0) {}

void FormatLevels::Mix(bool may_hold) {
  if (rng_.Chance(1, 3)) return;
  mixed_ = true;
  if (!rng_.Chance(1, 3) || !may_hold) return;
  held_[rng_.Below(first_members_)] = true;
  for (size_t node = 0; node < held_.size(); ++node)
    if (rng_.Chance(1, 4)) held_[node] = true;
}

bool FormatLevels::MustRise() const {
  return std::none_of(held_.begin(), held_.end(), [](bool held) { return held; });
}

tracker::LevelRange FormatLevels::Begin(uint32_t node) {
  uint32_t newest = kNewestLevel;
  if (mixed_) {
    RandomStream rng = rng_.Fork("life", Join(node, static_cast<uint32_t>(++lives_[node])));
    const bool old = rng.Chance(1, 2);
    // Once the level has risen an operator goes back only by mistake, and not twice.
    const bool mistake = in_force_ == kFirstLevel || (!refused_[node] && rng.Chance(1, 3));
    if (held_[node] || (old && mistake && !upgrading_)) newest = kFirstLevel;
  }
  refused_[node] = false;
  newest_[node] = newest;
  ever_[node] = std::max(ever_[node], newest);
  if (newest < kNewestLevel) world_.Count(Fault::kOlderRelease, {node});
  return {kFirstLevel, newest};
}

void FormatLevels::Rise(uint32_t level, const paxos::Membership& members) {
  if (level <= in_force_) return;
  in_force_ = level;
  world_.Count(Fault::kLevelRaised);
  for (uint32_t node = 0; node < first_members_; ++node) {
    if (members.Find(NodeId(node + 1)) == nullptr || ever_[node] >= level) continue;
    world_.Fail(absl::StrFormat(
        "levels: level %d is in force, and node %d was never of a release that reads it", level, node + 1));
  }
}

void FormatLevels::OnLevel(uint32_t node, uint32_t level, const paxos::Membership& members) {
  Rise(level, members);
  if (level <= newest_[node]) return;
  world_.Fail(absl::StrFormat("levels: node %d goes on at level %d, and its release reads %d", node + 1,
                              level, newest_[node]));
}

void FormatLevels::OnWrite(uint32_t node, const JournalWrite& write) {
  if (write.type != static_cast<uint8_t>(paxos::RecordType::kSnapshotPart)) return;
  const auto part = Decode<paxos::SnapshotPartRecord>(write.body);
  if (!part.ok() || part->part != 0) return;
  tracker::StateItem item;
  Decoder decoder(part->bytes);
  decoder("item", item);
  const auto* head = std::get_if<tracker::StateHead>(&item);
  if (head == nullptr || head->format <= tracker::StateFormatOf(in_force_)) return;
  world_.Fail(absl::StrFormat("levels: node %d writes a snapshot of format %d, and level %d is in force",
                              node + 1, head->format, in_force_));
}

void FormatLevels::OnUnusable(uint32_t node, const std::string& why, const paxos::Membership& members) {
  if (!IsOld(node)) {
    return world_.Fail(absl::StrFormat("snapshot: node %d cannot read its own: %s", node + 1, why));
  }
  // It may be the first one that comes to where the level rises.
  Rise(kNewestLevel, members);
  refused_[node] = true;
  if (upgrading_) held_[node] = false;
  world_.Count(Fault::kTooOld, {node}, [&] { return why; });
}

}  // namespace bt::sim
