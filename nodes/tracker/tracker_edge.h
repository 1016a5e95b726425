#pragma once

// TrackerEdge: what lies outside a hosted tracker node. Client requests come in over HTTP, become calls,
// and their replies go back; messages to other nodes go to the replica links. Loop thread only.
// Invariant: every HTTP exchange is answered once or gone; CallId is the exchange's number.

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>

#include <functional>
#include <memory>

#include "core/tracker/node.h"
#include "net/host.h"
#include "net/http/server.h"
#include "net/message_links.h"
#include "net/replica_links.h"
#include "nodes/http_api/server.h"
#include "nodes/tracker/metrics.h"

namespace bt::nodes {

class TrackerEdge {
 public:
  using Host = net::Host<tracker::TrackerNode, TrackerEdge>;
  using Links = net::MessageLinks<tracker::Protocol::Message>;

  // `fatal` is told once when the node must stop; `note` gets lines for the operator.
  TrackerEdge(EdgeIdentity identity, std::function<void(absl::Status)> fatal,
              std::function<void(std::string)> note);

  // The rest of the wiring, before the host starts. `links` is nullptr for a cluster of one.
  void Attach(Host* host, Links* links, net::HttpServer* server, const net::Journal* journal,
              const net::ReplicaLinks* replica_links);

  // For the HTTP server.
  void OnRequest(net::HttpExchange exchange, net::HttpRequest&& request, const Address& peer);
  void OnGone(net::HttpExchange exchange);

  // For the host.
  void SendMessage(NodeId to, const tracker::Protocol::Message& message);
  void OnReply(CallId call, tracker_api::Response response);
  void OnNote(const tracker::Protocol::Note& note);
  void OnFatal(absl::Status status);

  size_t waiting() const { return calls_.size(); }

 private:
  void Answer(net::HttpExchange exchange, Endpoint endpoint, const net::HttpResponse& response);
  net::HttpResponse Metrics(const tracker_api::Response& response) const;

  const EdgeIdentity identity_;
  std::function<void(absl::Status)> fatal_;
  std::function<void(std::string)> note_;
  Host* host_ = nullptr;
  Links* links_ = nullptr;
  net::HttpServer* server_ = nullptr;
  const net::Journal* journal_ = nullptr;
  const net::ReplicaLinks* replica_links_ = nullptr;
  RequestCounters counters_;
  absl::flat_hash_map<net::HttpExchange, Rendering> calls_;
};

}  // namespace bt::nodes
