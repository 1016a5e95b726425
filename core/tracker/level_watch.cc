#include "core/tracker/level_watch.h"

#include <algorithm>

#include "core/base/digest.h"
#include "core/base/version.h"

namespace bt::tracker {
namespace {

// How often a node says what it reads, and how long that is believed.
constexpr Duration kTellPause = Seconds(1);
constexpr Duration kToldLasts = Seconds(5);
// From the beginning of a leadership to the first proposal, and between two.
constexpr Duration kRaisePause = Seconds(1);
// Nodes that have said something; nobody has as many members.
constexpr size_t kToldMax = 64;
constexpr size_t kProgramBytesMax = 64;

}  // namespace

void LevelWatch::OnTold(NodeId from, const TellLevels& told, Instant now) {
  if (!told_.contains(from) && told_.size() >= kToldMax) return;
  told_[from] = {told.levels, told.program.substr(0, kProgramBytesMax), now};
}

std::optional<LevelWatch::Told> LevelWatch::Of(NodeId member, Instant now) const {
  const auto told = told_.find(member);
  if (told == told_.end() || now - told->second.at >= kToldLasts) return std::nullopt;
  return told->second;
}

void LevelWatch::Tell(const paxos::Replica& replica, Context<Protocol>& context) {
  if (context.now < next_tell_) return;
  next_tell_ = context.now + kTellPause;
  for (const NodeId other : replica.others()) context.out.Send(other, TellLevels{levels_, kVersion});
}

// Members who only learn count as well, for they read the log like voters. Silence counts as not reading: a
// member that is away may come back with the release it left with.
uint32_t LevelWatch::ReadByAll(const paxos::Replica& replica, Instant now) const {
  uint32_t level = levels_.newest;
  for (const NodeId other : replica.others()) {
    const std::optional<Told> told = Of(other, now);
    if (!told) return 0;
    level = std::min(level, told->levels.newest);
  }
  return level;
}

void LevelWatch::Tend(ReplicaPort& port, uint32_t in_force, Context<Protocol>& context) {
  const paxos::Replica& replica = port.machine();
  Tell(replica, context);
  if (!replica.is_leader() || in_force >= levels_.newest) {
    next_raise_ = context.now + kRaisePause;
    return context.out.timers.Disarm(Protocol::Timer::kLevel);
  }
  if (context.now >= next_raise_) {
    next_raise_ = context.now + kRaisePause;
    const uint32_t to = ReadByAll(replica, context.now);
    if (to > in_force) port.Call(CallId(0), paxos::Propose{EncodeCommand({}, RaiseLevel{.to = to})}, context);
  }
  context.out.timers.Arm(Protocol::Timer::kLevel,
                         next_raise_);  // a cluster of one has no other reason to wake
}

uint64_t LevelWatch::Digest() const {
  RollingDigest digest;
  digest.Add(told_.size());
  for (const auto& [node, told] : told_) digest.Add(node.value(), told.levels.newest);
  digest.Add(static_cast<uint64_t>(next_raise_.ns));
  return digest.value();
}

}  // namespace bt::tracker
