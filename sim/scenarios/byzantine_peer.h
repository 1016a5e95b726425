#pragma once

// ByzantinePeer: a malicious peer by script. It claims at the tracker to have everything, takes connections,
// in some worlds makes some of its own, and misbehaves in one way. A quarter of them are fickle besides: they
// hang up on who asks, and later on handshakes, as one that has given the content up. Not a machine: it need
// not be one.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

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
  kMute,           // takes connections and never says a word
  kBadHandshake,   // shakes hands with garbage, another content, or half a handshake
  kOversized,      // frames longer than any message
  kFalseWords,     // gives wrong info dictionaries and hashes, and floods with addresses of nobody
  kUnasked,        // blocks nobody asked for, pieces that do not exist, more requests than it may
  kCount
};

class ByzantinePeer final : public EventSink, public Endpoint, public StreamUser {
 public:
  // `peers`: whom it may dial.
  ByzantinePeer(World& world, Network& network, Streams& streams, TrackerCluster& cluster,
                const SwarmIntegrity& truth, Address address, Vice vice, std::vector<Address> peers);

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
  static constexpr uint64_t kDialEvent = UINT64_MAX;

  struct Visitor {
    swarm::wire::Decoder decoder;
    bool greeted = false;
    bool greeting_sent = false;
    bool done = false;
    std::deque<Slice> drip;
  };
  void Claim();
  void Dial();
  // It does not like to go on with this link.
  bool HangsUp(LinkId link, Visitor& visitor);
  // False: that was no handshake to go on from.
  bool SendHandshake(LinkId link, Visitor& visitor, const InfoHash& info_hash, bool fast);
  void Greet(LinkId link, Visitor& visitor, const swarm::wire::Handshake& theirs);
  void OnMessage(LinkId link, Visitor& visitor, const swarm::wire::Message& message);
  void OnRequest(LinkId link, Visitor& visitor, const swarm::wire::BlockSpan& block);
  void Send(LinkId link, const swarm::wire::Message& message);
  void SendGarbage(LinkId link);
  void SendOversized(LinkId link);
  void SendUnasked(LinkId link);
  void SendWords(LinkId link);
  void AnswerFalsely(LinkId link, const swarm::wire::Message& message);
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
  std::vector<Address> peers_;
  std::optional<RandomStream> moods_;  // of who is fickle
  bool dials_;
  uint64_t next_link_ = 0;
  bool claimed_ = false;
  bool has_greeted_ = false;
  uint64_t asks_ = 0;
  SessionId session_;
  absl::btree_map<LinkId, Visitor> visitors_;
};

}  // namespace bt::sim
