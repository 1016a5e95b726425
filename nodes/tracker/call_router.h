#pragma once

// CallRouter: hands out the CallIds of a hosted tracker node, for all edges through which requests come in.
// An edge (HTTP; another protocol would be another CallOrigin) knows what it asks by a number of its own,
// such as an HTTP exchange; the router's CallId is not that number, so that two edges never share an id.
// Invariant: every opened call ends in one OnReply at its origin or in one Cancel by it, and no id is handed
// out twice. At most `limit` calls are under way. Loop thread only.

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <functional>
#include <optional>

#include "core/base/highest.h"
#include "core/machine/input.h"
#include "core/tracker/protocol.h"

namespace bt::nodes {

// Calls under way at one node, all edges together; an edge refuses what comes above with "ask again". Reached
// only by a node that does not answer: one that does has at most a few hundred.
inline constexpr size_t kCallLimit = 65536;

class CallOrigin {
 public:
  virtual ~CallOrigin() = default;
  // The reply to the call opened under `number`.
  virtual void OnReply(uint64_t number, tracker_api::Response response) = 0;
};

class CallRouter {
 public:
  using Deliver = std::function<void(Input<tracker::Protocol>)>;

  explicit CallRouter(Deliver deliver, size_t limit = kCallLimit);

  // A new call of `origin`, which outlives the router. nullopt: `limit` calls are under way.
  std::optional<CallId> Open(CallOrigin& origin, uint64_t number);
  // Gives the node the request of an open call, once. The reply may come before Ask returns.
  void Ask(CallId call, tracker::Protocol::Request request);
  // The asker has left: the node is told, and a reply that is under way goes nowhere.
  void Cancel(CallId call);

  // From the hosted node. A reply to a cancelled call is dropped.
  void OnReply(CallId call, tracker_api::Response response);

  size_t limit() const { return limit_; }
  size_t under_way() const { return calls_.size(); }
  const Highest& most() const { return most_; }

 private:
  struct Origin {
    CallOrigin* edge;
    uint64_t number;
  };

  Deliver deliver_;
  const size_t limit_;
  uint64_t next_call_ = 1;
  absl::flat_hash_map<CallId, Origin> calls_;
  Highest most_;
};

}  // namespace bt::nodes
