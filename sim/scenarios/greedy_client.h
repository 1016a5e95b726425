#pragma once

// GreedyClient: one address that takes what it can get: claims for ever other peers, announced and offered,
// registrations under ever other names, of every content of the workload's, and linearizable reads, many at
// once. It waits for no answer longer than a moment. What it holds must stay within its share, and what
// others hold must stay theirs.

#include <cstdint>

#include "core/tracker_api/tracker_api.h"
#include "sim/check/registry_history.h"
#include "sim/network.h"
#include "sim/scenarios/tracker_cluster.h"
#include "sim/world.h"

namespace bt::sim {

class GreedyClient final : public EventSink, public Endpoint {
 public:
  GreedyClient(World& world, Network& network, TrackerCluster& cluster, RegistryHistory& history);

  void Begin();
  // A few more requests, and then none.
  void Hurry();
  uint32_t index() const { return index_; }

  void Fire(uint64_t argument) override;
  void Deliver(uint32_t from, const Slice& bytes) override;

 private:
  tracker_api::Request DrawRequest();
  tracker_api::Request DrawRead();
  tracker_api::MutationId Next() { return {session_, ++sequence_}; }
  // Any of far more peers than its share, at its own address and at others.
  Address DrawPeer();
  void Ask();

  World& world_;
  TrackerCluster& cluster_;
  Network& network_;
  RegistryHistory& history_;
  uint32_t index_;
  RandomStream rng_;
  Duration pause_max_;
  SessionId session_;
  uint64_t sequence_ = 0;
  uint64_t asked_ = 0;
  uint32_t left_ = 0;
};

}  // namespace bt::sim
