#pragma once

// The server's half of the HTTP API: HTTP -> tracker_api::Request, tracker_api::Response -> HTTP. Pure
// functions over values; sockets are net/http's. docs/http_api.md is what they promise to strangers.
// Invariant: for every request x of client.h, ParseRequest(RenderRequest(x)) asks x again. Nothing here
// throws, whatever the bytes.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/tracker_api/tracker_api.h"
#include "net/http/message.h"
#include "nodes/http_api/json_api.h"
#include "nodes/http_api/uri.h"

namespace bt::nodes {

enum class Endpoint : uint8_t {
  kAnnounce,
  kScrape,
  kRegister,
  kList,
  kFetch,
  kMetainfo,
  kOffer,
  kWithdraw,
  kLookup,
  kStatus,
  kCluster,
  kHealth,
  kReady,
  kMetrics,
  kPage,
  kOther,  // unknown paths, wrong methods, unreadable targets
  kCount,
};
std::string_view EndpointName(Endpoint endpoint);

// What a request is about, by its method and path alone; kOther: nothing.
Endpoint EndpointOf(std::string_view method, const Target& target);
Endpoint EndpointOf(const net::HttpRequest& request);

// What is needed to put a response into the form the asker wants.
struct Rendering {
  Endpoint endpoint = Endpoint::kOther;
  std::optional<TorrentFormat> format;  // of a fetched torrent
  bool compact = true;                  // of an announce (BEP 23)
  Address asker;
  std::string name;  // of the torrent being registered
};

struct ParsedRequest {
  Rendering rendering;
  // What to ask the node...
  std::optional<tracker_api::Request> request;
  // ...or, when there is nothing to ask it, the answer.
  net::HttpResponse answer;
};

ParsedRequest ParseRequest(const net::HttpRequest& request, const Address& from);

// What answers say about the node itself.
struct EdgeIdentity {
  NodeId node;
  std::string cluster;             // its id, as text
  std::vector<ClusterNode> nodes;  // clients' addresses of the cluster, for torrents and people's page
  bool tls = false;                // clients connect to them with it
};

// For every endpoint but kMetrics, whose text is metrics.h's, and kCluster, whose is cluster_json.h's.
net::HttpResponse RenderResponse(const Rendering& rendering, const tracker_api::Response& response,
                                 const EdgeIdentity& identity);

}  // namespace bt::nodes
