#pragma once

// ByzantinePeer: a malicious peer by script. It claims at the tracker to have everything, takes
// connections, shakes hands properly, and then misbehaves in one way. Not a machine: it need not be one.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <deque>
#include <string>

#include "core/swarm/wire.h"
#include "sim/check/swarm_integrity.h"
#include "sim/network.h"
#include "sim/scenarios/tracker_cluster.h"
#include "sim/streams.h"
#include "sim/world.h"

namespace bt::sim {

enum class Vice : uint8_t {
  kLyingBitfield,  // says it has everything, rejects every request
  kServesNothing,  // says it has everything, and is silent
  kWrongBytes,     // serves wrong bytes now and then
  kWrongLength,    // serves blocks of another length or place than asked for
  kGarbageFrames,  // random bytes
  kSlowDrip,       // right bytes, a few at a time
  kFalseClaim,     // claims, and is not there
  kCount
};

class ByzantinePeer final : public EventSink, public Endpoint, public StreamUser {
 public:
  ByzantinePeer(World& world, Network& network, Streams& streams, TrackerCluster& cluster,
                const SwarmIntegrity& truth, Address address, Vice vice);

  void Begin();
  uint32_t index() const { return index_; }

  void Fire(uint64_t argument) override;
  void Deliver(uint32_t from, const Slice& bytes) override;
  void StreamUp(LinkId link, const Address& peer) override;
  void StreamBytes(LinkId link, const Slice& bytes) override;
  void StreamSent(LinkId, uint64_t) override {}
  void StreamDown(LinkId link, const std::string& why) override;

 private:
  static constexpr uint64_t kClaimEvent = 0;

  struct Visitor {
    swarm::wire::Decoder decoder;
    bool greeted = false;
    bool done = false;
    std::deque<Slice> drip;
  };
  void Claim();
  void Greet(LinkId link, Visitor& visitor, const swarm::wire::Handshake& theirs);
  void OnMessage(LinkId link, Visitor& visitor, const swarm::wire::Message& message);
  void OnRequest(LinkId link, Visitor& visitor, const swarm::wire::BlockSpan& block);
  void Send(LinkId link, const swarm::wire::Message& message);
  void SendGarbage(LinkId link);
  Slice Truth(const swarm::wire::BlockSpan& block) const;

  World& world_;
  Network& network_;
  Streams& streams_;
  TrackerCluster& cluster_;
  const SwarmIntegrity& truth_;
  Address address_;
  Vice vice_;
  uint32_t index_;
  RandomStream rng_;
  bool claimed_ = false;
  uint64_t asks_ = 0;
  SessionId session_;
  absl::btree_map<LinkId, Visitor> visitors_;
};

}  // namespace bt::sim
