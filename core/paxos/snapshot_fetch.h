#pragma once

// SnapshotFetch: the asking side: one part at a time from one peer, until all have arrived. The peer's side
// keeps no state of it: a part that is lost is asked for again, and a peer that has gone on to a newer
// snapshot answers with that one's first part. Used only by Replica.

#include <cstdint>
#include <optional>

#include "core/base/ids.h"
#include "core/machine/machine.h"
#include "core/paxos/config.h"
#include "core/paxos/snapshot.h"

namespace bt::paxos {

class SnapshotFetch {
 public:
  explicit SnapshotFetch(const Config& config) : config_(config) {}  // must outlive it

  // `peer` has a snapshot of slots this replica lacks. One fetch at a time: while one goes on, nothing.
  void Begin(NodeId peer, Context<Protocol>& context);
  void OnPart(NodeId from, const SnapshotPart& message, Slot chosen, Context<Protocol>& context);
  // A part of a long message came from `from`: a snapshot's part may take longer to come than tries do.
  void OnPresence(NodeId from) { tries_ = peer_ == from ? 0 : tries_; }
  void OnTimer(Context<Protocol>& context);

  bool active() const { return peer_.has_value(); }
  // All parts of it are here; it waits for End.
  const Snapshot* arrived() const { return whole_ ? &snapshot_ : nullptr; }
  NodeId peer() const { return *peer_; }
  // It has been installed, or is of no use.
  Snapshot End(Outbox<Protocol>& out);

 private:
  void Ask(Context<Protocol>& context);

  static constexpr uint32_t kTriesMax = 5;  // for one part; whoever is silent as long may be gone

  const Config& config_;
  std::optional<NodeId> peer_;
  Snapshot snapshot_;
  uint64_t bytes_ = 0;
  uint32_t tries_ = 0;
  bool whole_ = false;
};

}  // namespace bt::paxos
