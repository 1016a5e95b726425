#pragma once

// The translation between HTTP and the tracker's requests and responses, both ways: servers use ParseCall
// and Render, clients ToHttp and FromHttp. Pure functions over values; sockets are net/http's.
// Invariant: ParseCall(ToHttp(x)) asks x again, and FromHttp(Render(y)) is y again (what each form leaves
// out is stated at ToHttp). Nothing here throws, whatever the bytes.
// The port of a tracker may belong to some other web server now. An answer therefore counts as the
// cluster's word only in the cluster's own form: JSON and torrents carry kApiHeader, announces and scrapes
// are bencoded dictionaries under status 200. FromHttp refuses everything else, whatever its status.
//
// Whose address a claim may name: see ClaimAddress.

#include <absl/status/statusor.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/tracker_api/tracker_api.h"
#include "net/http/message.h"
#include "nodes/http_api/json_api.h"

namespace bt::nodes {

enum class Endpoint : uint8_t {
  kAnnounce,
  kScrape,
  kRegister,
  kList,
  kFetch,
  kOffer,
  kWithdraw,
  kLookup,
  kStatus,
  kHealth,
  kMetrics,
  kPage,
  kOther,  // unknown paths, wrong methods, unreadable targets
  kCount,
};
std::string_view EndpointName(Endpoint endpoint);

// What is needed to put a response into the form the asker wants.
struct Rendering {
  Endpoint endpoint = Endpoint::kOther;
  std::optional<TorrentFormat> format;  // of a fetched torrent
  bool compact = true;                  // of an announce (BEP 23)
  Address asker;
  std::string name;  // of the torrent being registered
};

struct ApiCall {
  Rendering rendering;
  // What to ask the node...
  std::optional<tracker_api::Request> request;
  // ...or, when there is nothing to ask it, the answer.
  net::HttpResponse answer;
};

ApiCall ParseCall(const net::HttpRequest& request, const Address& from);

// What answers say about the node itself.
struct EdgeIdentity {
  NodeId node;
  std::string cluster;             // its id, as text
  std::vector<ClusterNode> nodes;  // clients' addresses of the cluster, for torrents and people's page
};

// For every endpoint but kMetrics, whose text is metrics.h's.
net::HttpResponse Render(const Rendering& rendering, const tracker_api::Response& response,
                         const EdgeIdentity& identity);
net::HttpResponse TextResponse(int status, std::string_view text);

// The address a claim made over a connection from `from` may name when it asks for `asked`: an unspecified
// host (0.0.0.0, ::) means the connection's. Another host than the connection's is taken only when both are
// loopback or private addresses (a client behind the same NAT or on the same machine as the tracker knows
// better which of its addresses peers reach); from or to the public internet it is not, so that nobody can
// point a swarm at a stranger. nullopt: not acceptable.
std::optional<Address> ClaimAddress(const Address& asked, const Address& from);
bool IsLocalAddress(const Address& address);

// The query fields of a mutation's id travel in these headers (or in the JSON of an offer).
inline constexpr std::string_view kSessionHeader = "ByteTorrent-Session";
inline constexpr std::string_view kSequenceHeader = "ByteTorrent-Sequence";

// Says that an answer is a ByteTorrent tracker's, and in which version of this API it is written.
inline constexpr std::string_view kApiHeader = "ByteTorrent-Api";
inline constexpr std::string_view kApiVersion = "1";
// An answer in the cluster's own form. `body` is JSON unless `content_type` says otherwise.
net::HttpResponse ApiResponse(int status, std::string body,
                              std::string_view content_type = "application/json");

// A register carries `torrent_file` as it is when given (its own info dictionary gives info-hashes that
// cannot be derived), else one made from the metainfo. Intervals are cut to whole seconds.
net::HttpRequest ToHttp(const tracker_api::Request& request, std::string_view torrent_file = {});
// kInvalidArgument: this is not a tracker's answer to that request; the message says what it is instead.
absl::StatusOr<tracker_api::Response> FromHttp(const tracker_api::Request& request,
                                               const net::HttpResponse& response);

}  // namespace bt::nodes
