#pragma once

// Shipments: the long commands of a leader, on their way to the voters ahead of the slots that order them.
// Slots are chosen in order, so a small command behind a slot whose value takes seconds to cross the links
// waits for as long. So a command longer than a chunk gets no slot before a majority holds it: it is shipped
// as bulk (bulk.h), followers keep it (held_values.h) and say so, and then it is proposed. What goes to those
// who hold it names it by its number (Abridged), and is short. Whoever does not hold it by then is sent
// nothing of that slot while the value is still on its way there, and the whole message otherwise; when it
// says that it holds the value the message goes at once.
//
// Nothing is promised by any of this: a voter accepts, writes and acknowledges the whole value as ever. What
// is under way ends with the leader's ballot.
//
// Invariant: of values that are shipped and not proposed there are at most Config::shipped_bytes_max, or one.

#include <absl/container/btree_set.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "core/base/highest.h"
#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/base/time.h"
#include "core/machine/machine.h"
#include "core/paxos/replica.h"
#include "core/tracker/bulk.h"
#include "core/tracker/config.h"
#include "core/tracker/protocol.h"

namespace bt::tracker {

class Shipments {
 public:
  // Both must outlive it.
  Shipments(const Config& config, const Bulk& bulk) : config_(config), bulk_(bulk) {}

  // `seed` differs at every start of every node.
  void Start(uint64_t seed) { next_number_ = seed; }

  // The mutation `key` is to be proposed by this node, which leads. False: it may be, now; true: TakeReady
  // will say when.
  bool Takes(uint64_t key, const Slice& command, const paxos::Replica& replica, Instant now);
  // This node has proposed it.
  void OnProposed(uint64_t key, Slot slot, uint32_t index);
  // Gives the slot whose Accept was kept back for `from` until now (Abridge), if there is one.
  std::optional<Slot> OnHeld(NodeId from, const ValueHeld& said);
  // Another ballot, or this node does not lead.
  void Clear();

  // Begins what there is room for, and repeats what has been lost. `wanted`: whether a mutation still waits.
  void Poll(const paxos::Replica& replica, const std::function<bool(uint64_t)>& wanted,
            Context<Protocol>& context);
  // The mutations that are to be proposed now, each once.
  std::vector<uint64_t> TakeReady();
  // The end of a step: shortens what goes to those who hold values, and takes out what would overtake them.
  void Abridge(Context<Protocol>& context) const;
  Instant next_timer() const { return shipped_.empty() ? Instant::Never() : next_look_; }

  size_t waiting() const { return waiting_.size(); }
  size_t under_way() const { return shipped_.size(); }
  size_t under_way_bytes() const { return bytes_; }
  // Of those that no majority holds yet: how many, and the most of them and of their bytes.
  size_t not_ready() const { return not_ready_; }
  const Highest& most() const { return most_; }
  const Highest& most_bytes() const { return most_bytes_; }
  void CheckInvariants() const;
  uint64_t Digest() const;

 private:
  struct Waiting {
    uint64_t key = 0;
    Slice command;
  };
  struct Shipment {
    uint64_t number = 0;
    uint64_t key = 0;
    Slice command;  // until it is ready
    uint64_t digest = 0;
    Instant until;  // nobody waits for it any more, here or at a follower
    Instant sent;
    absl::btree_set<NodeId> holders;  // at most one for each member
    bool ready = false;
    std::optional<Slot> slot;
    uint32_t index = 0;  // in the slot's batch
  };

  bool Suffices(const Shipment& shipment, const paxos::Replica& replica, Instant now) const;
  bool Fits(NodeId node, size_t bytes) const;
  void Begin(Waiting waiting, Instant now);
  void Ship(Shipment& shipment, const paxos::Replica& replica, Context<Protocol>& context) const;
  void MakeReady(Shipment& shipment);
  void MakeRoom(const std::function<bool(uint64_t)>& wanted, Instant now);
  void BeginNext(const paxos::Replica& replica, const std::function<bool(uint64_t)>& wanted,
                 Context<Protocol>& context);
  bool AbridgeOne(NodeId to, Protocol::Message& message, Instant now) const;

  const Config& config_;
  const Bulk& bulk_;
  uint64_t next_number_ = 1;
  // At most pending_max.
  std::deque<Waiting> waiting_;   // of Mutations', which bounds them; the bytes are shared
  std::deque<Shipment> shipped_;  // in order of shipping; at most bulk_messages_max
  size_t bytes_ = 0;              // of those that are not ready
  size_t not_ready_ = 0;
  Highest most_;
  Highest most_bytes_;
  std::vector<uint64_t> ready_;  // keys, until taken; at most bulk_messages_max
  Instant next_look_{};
};

}  // namespace bt::tracker
