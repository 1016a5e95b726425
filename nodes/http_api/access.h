#pragma once

// Who may ask what at the client port: tokens with roles (RFC 6750) where the node was given a table of
// them, keys in the path of announces where it was given a table of those, and, always, no writes by pages of
// other sites in a browser. Pure. Announces and scrapes need no token, because ordinary BitTorrent clients
// have none to show.

#include <optional>
#include <string>
#include <string_view>

#include "net/http/message.h"
#include "nodes/http_api/server.h"
#include "nodes/shared/tokens.h"

namespace bt::nodes {

// What a token must have for it; nullopt: none is needed.
std::optional<TokenRole> RoleFor(Endpoint endpoint);

// Whether it changes what the cluster agrees on or whom it tells others of.
bool IsWrite(Endpoint endpoint);

struct Access {
  std::string who;                           // a token's name; empty: whoever shows none
  std::optional<net::HttpResponse> refusal;  // 401 or 403 in the cluster's own form
};

// 401 where a token is missing, or is shown and nobody's; 403 where it lacks the role.
Access JudgeAccess(const TokenTable& table, Endpoint endpoint, const net::HttpRequest& request);

// Why an announce or a scrape may not go on where `keys` are asked for: the path is not /KEY/announce or
// /KEY/scrape with the key of an entry that has the role announce. nullopt: it may, or it is something else.
// `who` is whose key it is.
std::optional<std::string> RefuseWithoutKey(const TokenTable& keys, Endpoint endpoint,
                                            const net::HttpRequest& request, std::string& who);

// 403 for a write that a browser says a page of another site has caused; nullopt: it may go on. A page is
// this cluster's when its origin is the host that the request names, and that host is an address, localhost,
// or the name by which a node of the cluster is known: under any other name it may be a stranger's page whose
// name was made to lead here (DNS rebinding). A program that is no browser sends no Origin.
std::optional<net::HttpResponse> RefuseForeignPage(Endpoint endpoint, const net::HttpRequest& request,
                                                   const EdgeIdentity& identity);

}  // namespace bt::nodes
