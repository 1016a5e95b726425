#include "nodes/http_api/access.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "net/resolve.h"
#include "nodes/http_api/form.h"
#include "nodes/http_api/uri.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

constexpr std::string_view kScheme = "Bearer ";

// RFC 6750: the challenge of a 401 says whether a token was shown.
net::HttpResponse Refusal(int status, std::string_view why, std::string_view error) {
  net::HttpResponse response = ApiResponse(status, WriteError(why));
  std::string challenge = "Bearer realm=\"bytetorrent\"";
  if (!error.empty()) absl::StrAppend(&challenge, ", error=\"", Absl(error), "\"");
  response.headers.push_back({"WWW-Authenticate", std::move(challenge)});
  return response;
}

// What was said behind "Bearer "; empty: nothing. The scheme's case does not matter (RFC 9110).
std::string_view TokenOf(const net::HttpRequest& request) {
  std::string_view value = request.Header(kAuthorizationHeader);
  if (!absl::StartsWithIgnoreCase(Absl(value), Absl(kScheme))) return {};
  value.remove_prefix(kScheme.size());
  while (value.starts_with(' ')) value.remove_prefix(1);
  return value;
}

// The host of "HOST:PORT" or of a HOST alone, which is what a Host header may be.
std::string_view HostOf(std::string_view authority) {
  const size_t colon = authority.rfind(':');
  const bool port = colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
  return port ? authority.substr(0, colon) : authority;
}

bool IsAddress(std::string_view host) { return Address::Parse(absl::StrCat(Absl(host), ":1")).has_value(); }

// A name that only leads here because this cluster is called so.
bool IsKnownHost(std::string_view host, const EdgeIdentity& identity) {
  if (absl::EqualsIgnoreCase(Absl(host), "localhost") || IsAddress(host)) return true;
  return std::any_of(identity.nodes.begin(), identity.nodes.end(), [&](const ClusterNode& node) {
    return absl::EqualsIgnoreCase(Absl(HostOf(node.client)), Absl(host));
  });
}

// "http://HOST:PORT" or "https://HOST:PORT" without its scheme; empty: it is neither.
std::string_view AuthorityOf(std::string_view origin) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme)) return origin.substr(scheme.size());
  }
  return {};
}

}  // namespace

std::optional<TokenRole> RoleFor(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::kRegister:
      return TokenRole::kRegister;
    case Endpoint::kOffer:
    case Endpoint::kWithdraw:
      return TokenRole::kOffer;
    case Endpoint::kList:
    case Endpoint::kFetch:
    case Endpoint::kMetainfo:
    case Endpoint::kLookup:
    case Endpoint::kStatus:
    case Endpoint::kCluster:
    case Endpoint::kMetrics:
      return TokenRole::kRead;
    case Endpoint::kAnnounce:  // of ordinary clients, as scrapes are
    case Endpoint::kScrape:
    case Endpoint::kHealth:  // of whoever balances load, as kReady is: they say one word
    case Endpoint::kReady:
    case Endpoint::kPage:  // says nothing of the cluster: its script asks
    case Endpoint::kOther:
    case Endpoint::kCount:
      break;
  }
  return std::nullopt;
}

bool IsWrite(Endpoint endpoint) {
  return endpoint == Endpoint::kRegister || endpoint == Endpoint::kOffer || endpoint == Endpoint::kWithdraw ||
         endpoint == Endpoint::kAnnounce;
}

Access JudgeAccess(const TokenTable& table, Endpoint endpoint, const net::HttpRequest& request) {
  const std::optional<TokenRole> role = RoleFor(endpoint);
  if (!role) return {};
  const std::string needed(TokenRoleName(*role));
  const std::string_view token = TokenOf(request);
  if (token.empty()) {
    if (table.anybody().Has(*role)) return {};
    return {{},
            Refusal(401,
                    absl::StrCat("this needs a token with the role ", needed,
                                 ": show it as \"Authorization: "
                                 "Bearer TOKEN\" (--token-file of bytetorrent)"),
                    "")};
  }
  const TokenTable::Entry* entry = token.size() <= kTokenBytesMax ? table.Find(token) : nullptr;
  if (entry == nullptr) {
    return {{}, Refusal(401, "this token is nobody's here, or is not any more", "invalid_token")};
  }
  if (entry->roles.Has(*role)) return {entry->name, std::nullopt};
  return {entry->name, Refusal(403,
                               absl::StrCat("the token of ", entry->name, " is for ", entry->roles.ToString(),
                                            "; this needs the role ", needed),
                               "insufficient_scope")};
}

std::optional<std::string> RefuseWithoutKey(const TokenTable& keys, Endpoint endpoint,
                                            const net::HttpRequest& request, std::string& who) {
  if (endpoint != Endpoint::kAnnounce && endpoint != Endpoint::kScrape) return std::nullopt;
  if (keys.anybody().Has(TokenRole::kAnnounce)) return std::nullopt;
  const std::optional<Target> target = ParseTarget(request.target);
  if (!target || target->path.size() != 2) {
    return "this tracker wants a key in the announce URL (http://HOST:PORT/KEY/announce): ask its operator";
  }
  const std::string& key = target->path[0];
  const TokenTable::Entry* entry = key.size() <= kTokenBytesMax ? keys.Find(key) : nullptr;
  if (entry == nullptr || !entry->roles.Has(TokenRole::kAnnounce)) {
    return "the key in the announce URL is nobody's here, or is not any more: ask the tracker's operator";
  }
  who = entry->name;
  return std::nullopt;
}

std::optional<net::HttpResponse> RefuseForeignPage(Endpoint endpoint, const net::HttpRequest& request,
                                                   const EdgeIdentity& identity) {
  if (!IsWrite(endpoint)) return std::nullopt;
  const std::string_view origin = request.Header("Origin");
  const std::string_view site = request.Header("Sec-Fetch-Site");
  const std::string_view host = request.Header("Host");
  const bool foreign_site = !site.empty() && site != "same-origin" && site != "none";
  const bool foreign_origin =
      !origin.empty() && (host.empty() || !absl::EqualsIgnoreCase(Absl(AuthorityOf(origin)), Absl(host)) ||
                          !IsKnownHost(HostOf(host), identity));
  if (!foreign_site && !foreign_origin) return std::nullopt;
  return ApiResponse(403, WriteError("a page of another site has asked for this, which the tracker refuses"));
}

}  // namespace bt::nodes
