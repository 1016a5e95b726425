#pragma once

// AdminEdge: what `bytetorrent cluster` asks of a node, over HTTP on a Unix socket in the data directory,
// which only the node's own user can connect to. Loop thread only.
//
//   GET  /members                          what this node knows of the members, as JSON
//   POST /members/add?id=4&contact=R/C     &replaces=3
//   POST /members/remove?id=3
//   POST /leader?to=2                      without `to`: whoever is nearest
//   GET  /level                            the format level in force, and what each member's program reads
//   GET  /limits                           what the node is limited to
//   POST /limits?version=3&claims=5000     agrees on another value of the limits of that version
//   POST /snapshot                         has this node write a snapshot that holds all that was
//                                          acknowledged
//   GET  /backup                           how a backup of the last snapshot begins (nodes/shared/backup.h)
//   GET  /backup?slot=9&part=0             a part of it; 409 when that snapshot has been replaced
//
// An order that has begun, or was carried out before, is answered with 200; /members tells how far it is.

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/tracker/node.h"
#include "net/http/server.h"
#include "nodes/tracker/audit_log.h"
#include "nodes/tracker/call_router.h"
#include "nodes/tracker/limits_table.h"

namespace bt::nodes {

// The order that a request asks for. kInvalidArgument says what is wrong with it, kNotFound: no such path.
absl::StatusOr<tracker::Order> ParseOrder(const net::HttpRequest& request);
// As GET /backup answers, of the cluster with that id.
net::HttpResponse BackupResponse(const net::HttpRequest& request, uint64_t cluster,
                                 const paxos::Snapshot& snapshot);

class AdminEdge final : public CallOrigin {
 public:
  struct About {
    uint64_t cluster = 0;   // its id
    bool may_grow = false;  // this node has a port for others
    std::function<std::vector<LimitRow>()> own_limits;
    AuditLog* audit;  // is told of each order and its outcome; outlives this
  };
  // `node` and `router` outlive it.
  AdminEdge(net::Loop& loop, net::Listener listener, CallRouter& router, const tracker::TrackerNode& node,
            About about);

  void StopAccepting() { server_->StopAccepting(); }

  // For the router; the number is the exchange.
  void OnReply(uint64_t exchange, tracker_api::Response response) override;

 private:
  void OnRequest(net::HttpExchange exchange, const net::HttpRequest& request);
  void OnGone(net::HttpExchange exchange);
  void SetLimits(net::HttpExchange exchange, const net::HttpRequest& request);
  // `what`: the order, as it is told of. `limits`: they, and not the members, are the answer.
  void Ask(net::HttpExchange exchange, std::string what, tracker::Protocol::Request request,
           bool limits = false);

  net::Loop& loop_;
  CallRouter& router_;
  const tracker::TrackerNode& node_;
  const About about_;
  struct Asked {
    CallId call;
    std::string what;
    bool limits = false;
  };
  absl::flat_hash_map<net::HttpExchange, Asked> asked_;  // bounded by the router's limit
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace bt::nodes
