#pragma once

// DiskWatch: what the disk under this node's journal means for the cluster. It knows how much room the host
// has measured, whose disks at other nodes have little, and how long the journal has not synced, and it acts
// for a node that leads: it says why nothing new may be proposed, and lets a healthier member lead.
//
// The reserve is for what cannot be refused: what is under way, the leader's accepts at a follower, promises,
// expiries, and the snapshot that cuts the log. So only the leader refuses: when its own disk has less room
// than that, or the disks of so many voters that a majority could not go on. Invariant: what is refused here
// has never had a slot from this node.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/base/time.h"
#include "core/tracker/config.h"
#include "core/tracker/protocol.h"
#include "core/tracker/replica_port.h"
#include "core/tracker_api/answers.h"

namespace bt::tracker {

// Retry-After of what is refused for want of room.
inline constexpr Duration kDiskPause = Seconds(5);

class DiskWatch {
 public:
  explicit DiskWatch(const Config& config) : config_(config) {}

  // `durable`: the last record that recovery found.
  void Start(WriteSeq durable) { durable_ = durable; }
  void OnRoom(const DiskRoom& room);
  void OnTold(NodeId from, const TellRoom& told, Instant now);
  void OnDurable(WriteSeq seq, Instant now);
  // Before what a step leads to is settled: tells the leader of the room here, and gives up the lead.
  void Tend(ReplicaPort& port, Context<Protocol>& context);
  // At the end of each step; `written`: the last record that the machine has asked for.
  void EndStep(WriteSeq written, Instant now);

  // Why this node, if it leads, takes nothing new into the log. nullopt: it does.
  std::optional<std::string> Refusal(const paxos::Replica& replica, Instant now) const;
  // The disk has less room than the reserve.
  bool low() const { return low_; }
  // nullopt: not told yet.
  std::optional<uint64_t> free_bytes() const { return free_bytes_; }
  // How long the journal has owed a sync without any progress.
  Duration stalled(Instant now) const { return owes_since_ ? now - *owes_since_ : Duration{}; }
  // Times that this node, leading, has asked another to lead.
  uint64_t handed_over() const { return handed_over_; }
  void AddAlarms(const paxos::Replica& replica, Instant now, std::vector<tracker_api::Alarm>& alarms) const;
  uint64_t Digest() const;

 private:
  bool IsLow(NodeId node, const paxos::Replica& replica, Instant now) const;
  std::vector<NodeId> LowVoters(const paxos::Replica& replica, Instant now) const;
  bool MajorityHasRoom(const paxos::Replica& replica, Instant now) const;
  // A voter with room, another one each time.
  std::optional<NodeId> NextWithRoom(const paxos::Replica& replica, Instant now);
  void Tell(const paxos::Replica& replica, Context<Protocol>& context);

  const Config config_;
  std::optional<uint64_t> free_bytes_;
  bool low_ = false;
  // At most kPeersMax.
  absl::btree_map<NodeId, Instant> low_peers_;  // and when they last said so; members alone count
  // The journal.
  WriteSeq durable_;
  std::optional<Instant> owes_since_;
  // What the leader was told last.
  std::optional<NodeId> told_whom_;
  bool told_low_ = false;
  Instant told_at_{};
  Instant next_hand_over_{};
  NodeId tried_;  // of NextWithRoom
  uint64_t handed_over_ = 0;
};

}  // namespace bt::tracker
