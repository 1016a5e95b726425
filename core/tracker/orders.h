#pragma once

// Orders: what the cluster's operator asks about its members and its leader, of whichever node. Only the
// leader can carry an order out, so another node passes it on, once. An order that was carried out already is
// answered like one that begins: whoever got no answer gives it again. Invariant: every call is answered, at
// the deadline at the latest.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <optional>

#include "core/base/highest.h"
#include "core/tracker/config.h"
#include "core/tracker/protocol.h"
#include "core/tracker/replica_port.h"

namespace bt::tracker {

class Orders {
 public:
  explicit Orders(const Config& config) : deadline_(config.deadline), max_(config.orders_max) {}

  // Orders are numbered from here on; drawn anew each time the node starts, so that no answer to an order of
  // the life before is taken for one of this life's.
  void Start(uint64_t first) { next_ = first; }

  // True for the calls this room makes at the replica.
  static bool IsOrderCall(CallId call) { return (call.value() >> 62) == 1; }

  void Submit(CallId call, const Order& order, ReplicaPort& port, Context<Protocol>& context);
  void OnForwarded(NodeId from, const ForwardOrder& message, ReplicaPort& port, Context<Protocol>& context);
  void OnAnswer(const OrderAnswer& message, Context<Protocol>& context);
  void OnReplica(CallId call, const paxos::Response& response, Context<Protocol>& context);
  void AnswerOverdue(Context<Protocol>& context);

  bool idle() const { return waiting_.empty(); }
  size_t size() const { return waiting_.size(); }
  const Highest& most() const { return most_; }

 private:
  static constexpr uint64_t kCallBit = uint64_t{1} << 62;
  static constexpr uint64_t kNumberMask = kCallBit - 1;

  struct Waiting {
    CallId call;
    Instant deadline;
  };
  // Of an order at the local replica, which answers within the step.
  struct Asker {
    std::optional<NodeId> node;  // none: this one
    uint64_t number = 0;
  };

  void Ask(Asker asker, const Order& order, ReplicaPort& port, Context<Protocol>& context);

  Duration deadline_;
  uint32_t max_;
  uint64_t next_ = 1;
  uint64_t next_call_ = 0;
  absl::btree_map<uint64_t, Waiting> waiting_;  // local callers, by number; at most orders_max
  Highest most_;
  absl::btree_map<CallId, Asker> asked_;  // at most one: the replica answers within the step
};

}  // namespace bt::tracker
