#pragma once

// SwarmWorld: clients of all kinds around a tracker cluster: honest ones that offer, some of them damaged
// files; honest ones that download, some of them with something left from before; liars of the production
// client (wrong bytes through skip_verify) and scripted Byzantine peers. Drawn from the seed; one content.
// One more that offers is kept back: the rescuer, for worlds in which the others do not have every piece.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/check/swarm_integrity.h"
#include "sim/check/swarm_views.h"
#include "sim/plan.h"
#include "sim/scenarios/byzantine_peer.h"
#include "sim/scenarios/swarm_client.h"
#include "sim/scenarios/tracker_cluster.h"
#include "sim/scenarios/web_servers.h"

namespace bt::sim {

struct SwarmPlan {
  FaultPlan faults;
  // Nobody lies, nobody's file is damaged and nothing is left over from before: how well the swarm does by
  // itself can be measured.
  bool calm = false;
  // Not drawn but given: the content, who is there, and what they are told. Each is started by the scenario.
  struct Given {
    uint32_t pieces = 0;
    uint32_t piece_length = 0;
    std::vector<ClientPlan> clients;  // but for their addresses
    swarm::Config config;
  };
  std::optional<Given> given = {};
};

class SwarmWorld {
 public:
  // Everything is drawn; `cluster` and `streams` are on `network`, the cluster's endpoints first.
  SwarmWorld(World& world, Network& network, Streams& streams, TrackerCluster& cluster,
             const SwarmPlan& plan);

  void Start();
  void Register() { registrar_->Start(); }
  void StartRescuer() { rescuer_->Start(); }

  std::vector<Process*> honest() const;
  std::vector<Address> HonestAddresses() const;  // the rescuer's among them
  std::vector<uint32_t> others() const;  // endpoints of liars, byzantine peers, the registering client
  // Clients that stay: at least one that offers.
  std::vector<Process*> DrawCore(RandomStream& rng) const;
  // So far asked for: a content gets its second name after its first.
  bool registered() {
    return registrar_->adaptor().registered() &&
           (other_registrar_ == nullptr || other_registrar_->adaptor().registered());
  }
  void FirstNameRegistered();
  Metainfo under_other_name() const;
  // Those of `core` that download have finished.
  bool Finished(const std::vector<Process*>& core);
  // ... or at least those that know a web server that is honest.
  bool FinishedWithWeb(const std::vector<Process*>& core);
  std::string Situation(const std::vector<Process*>& core);

  // What those of `core` that speak know of each other.
  std::vector<SwarmView> Views(const std::vector<Process*>& core) const;
  // The first of `core` whose claim at this tracker is not what it has; empty when there is none.
  std::string WrongClaim(const std::vector<Process*>& core, const tracker::TrackerNode& node) const;
  // The pieces claimed for the address, at a tracker that is the only one; nullopt: no claim.
  std::optional<PieceMap> Claimed(const Address& address) const;
  // Somebody who offers finds its file cut short.
  void CutShort(ClientHost& client);
  // Somebody writes into it, or puts back what was there.
  void EditFile(ClientHost& client);
  // Of the clients in the core whose files were put back, one that does not offer all of it again; empty:
  // there is none.
  std::string NotOfferedAgain(const std::vector<Process*>& core) const;

  // Those of `core` that offer what they have and go on doing so.
  std::vector<ClientHost*> Offering(const std::vector<Process*>& core) const;

  uint64_t bytes_served() const;
  uint64_t bytes_needed() const;  // if each downloader fetches each byte once
  const std::vector<std::unique_ptr<ClientHost>>& clients() const { return clients_; }
  const swarm::Config& client_config() const { return client_config_; }
  // The web servers that the torrent's file names; nullptr: none.
  WebServers* web() { return web_.has_value() ? &*web_ : nullptr; }
  TrackerCluster& cluster() { return cluster_; }
  bool shares_a_tree() const { return !judge_->metainfo().tree.empty(); }
  SwarmIntegrity& judge() { return *judge_; }
  Slice wrong_content() const { return wrong_content_; }

 private:
  static constexpr const char* kName = "content.bin";
  static constexpr const char* kOtherName = "another.bin";
  // Everybody: 4 that offer, 4 that download, 4 liars, a Byzantine peer of each kind, and the rescuer.
  static constexpr uint32_t kPeersMax = 13 + static_cast<uint32_t>(Vice::kCount);

  void DrawContent(RandomStream& rng);
  // `tree`: the form of a content that is one, else empty.
  void MakeContent(RandomStream& rng, uint64_t length, uint32_t piece_length, FileTree tree);
  std::optional<PieceMap> ClaimAt(const tracker::TrackerNode& node, const Address& address) const;
  void AddClients(RandomStream& rng, const SwarmPlan& plan);
  std::unique_ptr<ClientHost> MakeClient(const FaultPlan& plan, ClientPlan client);
  std::vector<uint32_t> DrawDamage(RandomStream& rng) const;
  void DrawRateLimits();
  void DrawWebLimit();
  // Its own IP address; or, in some worlds, one that several share, as behind one router.
  Address NextAddress();

  World& world_;
  Network& network_;
  Streams& streams_;
  TrackerCluster& cluster_;
  Slice content_;
  Slice wrong_content_;
  std::unique_ptr<SwarmIntegrity> judge_;
  swarm::Config client_config_;
  std::optional<WebServers> web_;
  RandomStream rng_;
  std::vector<std::unique_ptr<ClientHost>> clients_;
  std::unique_ptr<ClientHost> rescuer_;
  std::vector<std::unique_ptr<ByzantinePeer>> byzantine_;
  std::unique_ptr<InquiryHost> registrar_;
  std::unique_ptr<InquiryHost> other_registrar_;  // of worlds in which the content has two names
  uint16_t addresses_ = 0;
  std::optional<RandomStream> formats_;  // of worlds that are drawn
  std::optional<RandomStream> sharing_;  // in worlds in which several share an IP address
};

}  // namespace bt::sim
