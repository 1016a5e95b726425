#include "core/tracker/disk_watch.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>

#include "core/base/digest.h"

namespace bt::tracker {
namespace {

// How often a node with little room says so, and how long that is believed.
constexpr Duration kTellPause = Seconds(1);
constexpr Duration kToldLasts = Seconds(5);
// Between two attempts to let another lead: commands wait during one, which may come to nothing.
constexpr Duration kHandOverPause = Seconds(2);
// A disk has room again when it has so much more than the reserve: a part of it. Else a node at the edge
// would refuse and accept by turns.
constexpr uint64_t kSlackPart = 4;
// Nodes that have told that their room is little; nobody has as many members.
constexpr size_t kPeersMax = 64;

uint64_t Mib(uint64_t bytes) { return bytes >> 20; }

std::string Names(const std::vector<NodeId>& nodes) {
  return absl::StrCat(
      nodes.size() == 1 ? "node " : "nodes ",
      absl::StrJoin(nodes, ", ", [](std::string* out, NodeId node) { absl::StrAppend(out, node.value()); }));
}

constexpr const char* kWhatFollows =
    "writes are refused until there is room; lookups and announces are answered";

}  // namespace

void DiskWatch::OnRoom(const DiskRoom& room) {
  free_bytes_ = room.free_bytes;
  const uint64_t reserve = config_.disk_reserve_bytes;
  low_ = room.free_bytes < (low_ ? reserve + reserve / kSlackPart : reserve);
}

void DiskWatch::OnTold(NodeId from, const TellRoom& told, Instant now) {
  if (!told.low) {
    low_peers_.erase(from);
  } else if (low_peers_.contains(from) || low_peers_.size() < kPeersMax) {
    low_peers_[from] = now;
  }
}

void DiskWatch::OnDurable(WriteSeq seq, Instant now) {
  durable_ = seq;
  if (owes_since_) owes_since_ = now;
}

void DiskWatch::EndStep(WriteSeq written, Instant now) {
  if (written <= durable_) {
    owes_since_.reset();
  } else if (!owes_since_) {
    owes_since_ = now;
  }
}

bool DiskWatch::IsLow(NodeId node, const paxos::Replica& replica, Instant now) const {
  if (node == replica.config().self) return low_;
  const auto told = low_peers_.find(node);
  return told != low_peers_.end() && now - told->second < kToldLasts;
}

std::vector<NodeId> DiskWatch::LowVoters(const paxos::Replica& replica, Instant now) const {
  std::vector<NodeId> low = replica.members().membership.voters();
  std::erase_if(low, [&](NodeId node) { return !IsLow(node, replica, now); });
  return low;
}

bool DiskWatch::MajorityHasRoom(const paxos::Replica& replica, Instant now) const {
  return LowVoters(replica, now).size() * 2 < replica.members().membership.voters().size();
}

// A follower takes what its leader sends whatever its room: refusing there would only keep the leader
// repeating it. So the leader refuses, before a command has a slot; and as long as a majority of the voters
// has room the cluster goes on, for a slot needs no more than that.
std::optional<std::string> DiskWatch::Refusal(const paxos::Replica& replica, Instant now) const {
  if ((!low_ && low_peers_.empty()) || !replica.is_leader()) return std::nullopt;
  if (low_) {
    return absl::StrCat("the disk of node ", replica.config().self.value(), ", which leads, has ",
                        Mib(*free_bytes_), " MiB free and a reserve of ", Mib(config_.disk_reserve_bytes),
                        " MiB: ", kWhatFollows);
  }
  if (MajorityHasRoom(replica, now)) return std::nullopt;
  return absl::StrCat("the disks of ", Names(LowVoters(replica, now)),
                      " have less room than their reserve, and the rest is no majority: ", kWhatFollows);
}

std::optional<NodeId> DiskWatch::NextWithRoom(const paxos::Replica& replica, Instant now) {
  std::vector<NodeId> voters = replica.members().membership.voters();
  std::erase_if(voters,
                [&](NodeId node) { return node == replica.config().self || IsLow(node, replica, now); });
  if (voters.empty()) return std::nullopt;
  const auto next = std::upper_bound(voters.begin(), voters.end(), tried_);
  tried_ = next == voters.end() ? voters.front() : *next;
  return tried_;
}

void DiskWatch::Tell(const paxos::Replica& replica, Context<Protocol>& context) {
  const std::optional<NodeId> leader = replica.leader();
  if (!leader || *leader == replica.config().self) return told_whom_.reset();
  const bool knows = told_whom_ == leader ? told_low_ == low_ : !low_;
  if (knows && (!low_ || context.now - told_at_ < kTellPause)) return;
  told_whom_ = leader;
  told_low_ = low_;
  told_at_ = context.now;
  context.out.Send(*leader, TellRoom{low_});
}

void DiskWatch::Tend(ReplicaPort& port, Context<Protocol>& context) {
  const paxos::Replica& replica = port.machine();
  Tell(replica, context);
  // Whoever has no room tells each new leader so. What was told to this node when it led before says nothing
  // of today: others have heard since then that there is room.
  if (!replica.is_leader()) low_peers_.clear();
  const bool hangs = stalled(context.now) >= config_.journal_stall_max;
  if (!replica.is_leader() || (!low_ && !hangs) || context.now < next_hand_over_) return;
  // Whoever has acknowledged everything has a disk that syncs; of room it has to have said.
  const std::optional<NodeId> to = NextWithRoom(replica, context.now);
  if (!to || (!hangs && !MajorityHasRoom(replica, context.now))) return;
  next_hand_over_ = context.now + kHandOverPause;
  ++handed_over_;
  port.Call(CallId(0), paxos::TransferLeadership{hangs ? NodeId(0) : *to}, context);
}

void DiskWatch::AddAlarms(const paxos::Replica& replica, Instant now,
                          std::vector<tracker_api::Alarm>& alarms) const {
  const uint32_t self = replica.config().self.value();
  const std::optional<std::string> refusal = Refusal(replica, now);
  if (low_ && refusal) {
    alarms.push_back({absl::StrCat("disk_room of node ", self), *refusal});
  } else if (low_) {
    alarms.push_back({absl::StrCat("disk_room of node ", self),
                      absl::StrCat("the disk of node ", self, " has ", Mib(*free_bytes_),
                                   " MiB free and a reserve of ", Mib(config_.disk_reserve_bytes),
                                   " MiB: make room, for the node stops when the disk is full")});
  } else if (refusal) {
    alarms.push_back({"disk_room of a majority", *refusal});
  }
  if (const Duration stall = stalled(now); stall >= config_.journal_stall_max) {
    alarms.push_back({absl::StrCat("journal_sync of node ", self),
                      absl::StrCat("the journal of node ", self, " has not synced for ", stall.seconds(),
                                   " s: its disk hangs or is very slow; the node acknowledges nothing "
                                   "meanwhile, and if it leads it lets another lead")});
  }
}

uint64_t DiskWatch::Digest() const {
  RollingDigest digest;
  digest.Add(low_ ? 1 : 0);
  digest.Add(low_peers_.size());
  digest.Add(owes_since_ ? static_cast<uint64_t>(owes_since_->ns) : 0);
  digest.Add(handed_over_);
  return digest.value();
}

}  // namespace bt::tracker
