#pragma once

// SwarmWorld: clients of all kinds around a tracker cluster: honest ones that offer, honest ones that
// download, liars of the production client (wrong bytes through skip_verify) and scripted Byzantine
// peers. Drawn from the seed; one content.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/swarm/client.h"
#include "core/swarm/inquiry.h"
#include "sim/check/swarm_integrity.h"
#include "sim/host.h"
#include "sim/scenarios/byzantine_peer.h"
#include "sim/scenarios/content_disk.h"
#include "sim/scenarios/tracker_cluster.h"

namespace bt::sim {

struct ClientPlan {
  std::string name;
  Address address;
  bool honest = true;
  bool downloads = false;
  bool by_key = false;  // knows only the content id
  bool keep_offering = true;
};

class SwarmWorld;

class ClientAdaptor : public DefaultAdaptor {
 public:
  using ClientHost = Host<swarm::Client, ClientAdaptor>;
  using Files = ContentDisk;

  ClientAdaptor(SwarmWorld* swarm, ClientPlan plan) : swarm_(swarm), plan_(std::move(plan)) {}

  std::unique_ptr<swarm::Client> Make(ClientHost& host);
  void Transmit(ClientHost& host, NodeId to, const Slice& message);
  void Deliver(ClientHost& host, uint32_t from, const Slice& bytes);
  void Note(ClientHost& host, const swarm::Protocol::Note& note);
  void Serves(ClientHost& host, const LinkSendFile& block, std::string_view bytes);

  const ClientPlan& plan() const { return plan_; }
  bool finished() const { return finished_; }

 private:
  Slice PieceBytes(ClientHost& host, uint32_t piece);
  void CheckResumed(ClientHost& host);

  SwarmWorld* swarm_;
  ClientPlan plan_;
  bool finished_ = false;
};

using ClientHost = ClientAdaptor::ClientHost;

class InquiryAdaptor : public DefaultAdaptor {
 public:
  using InquiryHost = Host<swarm::Inquiry, InquiryAdaptor>;
  using Files = ContentDisk;

  explicit InquiryAdaptor(SwarmWorld* swarm) : swarm_(swarm) {}

  std::unique_ptr<swarm::Inquiry> Make(InquiryHost& host);
  void Transmit(InquiryHost& host, NodeId to, const Slice& message);
  void Deliver(InquiryHost& host, uint32_t from, const Slice& bytes);
  void Note(InquiryHost& host, const swarm::Protocol::Note& note);

  bool registered() const { return registered_; }

 private:
  SwarmWorld* swarm_;
  bool registered_ = false;
};

using InquiryHost = InquiryAdaptor::InquiryHost;

class SwarmWorld {
 public:
  // Everything is drawn; `cluster` and `streams` are on `network`, the cluster's endpoints first.
  SwarmWorld(World& world, Network& network, Streams& streams, TrackerCluster& cluster,
             const FaultPlan& plan);

  void Start();

  std::vector<Process*> honest() const;
  std::vector<uint32_t> others() const;  // endpoints of liars, byzantine peers, the registering client
  // Clients that stay: at least one that offers.
  std::vector<Process*> DrawCore(RandomStream& rng) const;
  bool registered() { return registrar_->adaptor().registered(); }
  // Those of `core` that download have finished.
  bool Finished(const std::vector<Process*>& core);
  std::string Situation(const std::vector<Process*>& core);

  TrackerCluster& cluster() { return cluster_; }
  SwarmIntegrity& judge() { return *judge_; }
  Slice wrong_content() const { return wrong_content_; }

 private:
  static constexpr const char* kName = "content.bin";

  void MakeContent(RandomStream& rng);
  void AddClient(const FaultPlan& plan, ClientPlan client);
  Address NextAddress();

  World& world_;
  Network& network_;
  Streams& streams_;
  TrackerCluster& cluster_;
  Slice content_;
  Slice wrong_content_;
  std::unique_ptr<SwarmIntegrity> judge_;
  std::vector<std::unique_ptr<ClientHost>> clients_;
  std::vector<std::unique_ptr<ByzantinePeer>> byzantine_;
  std::unique_ptr<InquiryHost> registrar_;
  uint8_t addresses_ = 0;
};

}  // namespace bt::sim
