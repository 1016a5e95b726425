#pragma once

// HttpEdge: clients' requests over HTTP become calls of the hosted tracker node, and its replies the answers.
// Invariant: every HTTP exchange is answered once or gone; an exchange that is gone cancels its call. At most
// one call per exchange. Loop thread only.

#include <absl/container/flat_hash_map.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/highest.h"
#include "net/http/server.h"
#include "net/journal.h"
#include "net/replica_links.h"
#include "nodes/http_api/access.h"
#include "nodes/http_api/server.h"
#include "nodes/tracker/audit_log.h"
#include "nodes/tracker/call_router.h"
#include "nodes/tracker/metrics.h"
#include "nodes/tracker/token_file.h"
#include "nodes/tracker/udp_edge.h"

namespace bt::nodes {

class TrackerEdge;

class HttpEdge final : public CallOrigin {
 public:
  HttpEdge(EdgeIdentity identity, CallRouter& router);

  // The rest of the wiring, before the server's first request. Until Begin the node is recovering, and that
  // is what requests are told.
  // `limits`: what the node's own came to.
  void Attach(net::HttpServer* server, const LocalLimits& limits) {
    server_ = server;
    limits_ = limits;
  }
  // Who may ask what, whose keys announces must carry, and where writes are told of once tokens are asked
  // for. All outlive it.
  void Guard(const TokenFile& tokens, const TokenFile& announce_keys, AuditLog& audit) {
    tokens_ = &tokens;
    announce_keys_ = &announce_keys;
    audit_ = &audit;
  }
  // The router's node takes calls from here on. `links` is nullptr for a cluster of one.
  void Begin(const net::Journal* journal, const net::ReplicaLinks* links, const TrackerEdge* node);

  // Says why clients are refused until Begin.
  void SayRecovering(std::function<std::string()> why) { recovering_ = std::move(why); }

  // They stand among the metrics, and outlive this edge's last request.
  void TellAlso(const UdpEdge& udp, const net::DatagramCounters& datagrams) {
    udp_edge_ = &udp;
    udp_ = {&udp.counters(), &datagrams};
  }

  // The node's own limits, with what is taken of each. After Begin.
  std::vector<LimitRow> OwnLimits() const;
  // Looks how many descriptors are open, of which nobody else counts the most.
  void NoteDescriptors();

  // Why no request can be put to the node now; nullopt: it can.
  std::optional<std::string> Refusal() const { return begun_ ? std::nullopt : std::optional(recovering_()); }

  // The same of what comes over UDP, which carries no key (BEP 41 is not read).
  std::optional<std::string> UdpRefusal() const;

  // A damaged journal of an earlier life is kept.
  void SayJournalSetAside() { journal_set_aside_ = true; }
  // Who this node is, and the cluster's members.
  void SetIdentity(EdgeIdentity identity) { identity_ = std::move(identity); }
  // The cluster's members are others now.
  void SetNodes(std::vector<ClusterNode> nodes) { identity_.nodes = std::move(nodes); }

  // For the HTTP server.
  void OnRequest(net::HttpExchange exchange, net::HttpRequest&& request, const Address& peer);
  void OnGone(net::HttpExchange exchange);

  // For the router; the number is the exchange.
  void OnReply(uint64_t exchange, tracker_api::Response response) override;

 private:
  // A write that is to be told of when its outcome is known.
  struct Audited {
    std::string who;
    Address from;
    std::string what;
  };
  struct Asked {
    CallId call;
    Rendering rendering;
    std::unique_ptr<Audited> audited;  // nullptr: it is no such write
  };

  const TokenTable* table() const { return tokens_ == nullptr ? nullptr : tokens_->table(); }
  // nullptr: announces need no key.
  const TokenTable* keys() const { return announce_keys_ == nullptr ? nullptr : announce_keys_->table(); }
  Access Judge(Endpoint endpoint, const net::HttpRequest& request) const;
  // Answers, in the form of announces, one that lacks its key.
  bool LacksKey(net::HttpExchange exchange, const net::HttpRequest& request, std::string& who);
  bool Refused(net::HttpExchange exchange, const net::HttpRequest& request, const Address& peer,
               std::string& who);
  void Tell(const Audited& audited, std::string_view outcome) const;
  void Answer(net::HttpExchange exchange, Endpoint endpoint, const net::HttpResponse& response);
  net::HttpResponse Metrics(const tracker_api::Response& response) const;
  net::HttpResponse ClusterView() const;

  EdgeIdentity identity_;
  CallRouter& router_;
  net::HttpServer* server_ = nullptr;
  const TokenFile* tokens_ = nullptr;
  const TokenFile* announce_keys_ = nullptr;
  AuditLog* audit_ = nullptr;
  const net::Journal* journal_ = nullptr;  // nullptr while recovering
  const net::ReplicaLinks* links_ = nullptr;
  const TrackerEdge* node_ = nullptr;
  LocalLimits limits_;
  Highest most_descriptors_;
  const UdpEdge* udp_edge_ = nullptr;
  UdpSources udp_;
  bool begun_ = false;
  bool journal_set_aside_ = false;
  std::function<std::string()> recovering_ = [] { return std::string("recovering"); };
  RequestCounters counters_;
  absl::flat_hash_map<net::HttpExchange, Asked> asked_;  // bounded by the router's limit
};

}  // namespace bt::nodes
