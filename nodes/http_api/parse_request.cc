// ParseRequest: HTTP -> tracker_api::Request.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "nodes/http_api/claim_address.h"
#include "nodes/http_api/console.h"
#include "nodes/http_api/form.h"
#include "nodes/http_api/server.h"
#include "nodes/shared/text.h"
#include "nodes/shared/torrent_format.h"

namespace bt::nodes {

namespace api = tracker_api;

namespace {

template <class T>
std::optional<T> ParseNumber(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

ParsedRequest Answer(Endpoint endpoint, net::HttpResponse response) {
  ParsedRequest parsed;
  parsed.rendering.endpoint = endpoint;
  parsed.answer = std::move(response);
  return parsed;
}

ParsedRequest Refuse(Endpoint endpoint, int status, std::string_view reason) {
  return Answer(endpoint, ApiResponse(status, WriteError(reason)));
}

// An announce or scrape that cannot be understood: HTTP 200 and a bencoded reason, which is what standard
// clients show to their users (BEP 3), with "retry in" never (BEP 31).
ParsedRequest Fail(const Rendering& rendering, std::string_view reason) {
  api::Response response;
  response.outcome = api::Outcome::kInvalid;
  response.reason = std::string(reason);
  return Answer(rendering.endpoint, RenderResponse(rendering, response, {}));
}

bool Flag(const Target& target, std::string_view name) {
  const std::string* value = target.Find(name);
  return value != nullptr && *value != "0" && *value != "false";
}

std::optional<InfoHash> ParseInfoHash(std::string_view bytes) {
  InfoHash hash;
  if (bytes.size() != hash.size()) return std::nullopt;
  std::memcpy(hash.data(), bytes.data(), hash.size());
  return hash;
}

// ?by=name for a name that looks like one of the other keys.
api::TorrentKey ParseKey(const std::string& id, const Target& target) {
  const std::string* by = target.Find("by");
  if (by != nullptr && *by == "name") return id;
  return api::ParseTorrentKey(id);
}

// False when the headers are there but unusable.
bool ReadMutationId(const net::HttpRequest& request, api::MutationId& id) {
  const std::string_view session = request.Header(kSessionHeader);
  const std::string_view sequence = request.Header(kSequenceHeader);
  if (session.empty() && sequence.empty()) return true;
  const auto session_number = ParseNumber<uint64_t>(session);
  const auto sequence_number = ParseNumber<uint64_t>(sequence);
  if (!session_number || !sequence_number) return false;
  id = {SessionId(*session_number), *sequence_number};
  return true;
}

bool ValidMutationId(const api::MutationId& id) { return id.session.value() == 0 || id.sequence != 0; }

constexpr std::string_view kBadMutationId =
    "the session and sequence of a mutation must be whole numbers, given together, sequences from 1 on";

ParsedRequest ParseAnnounce(const Target& target, const Address& from) {
  ParsedRequest parsed;
  parsed.rendering = {.endpoint = Endpoint::kAnnounce, .asker = from};
  const std::string* compact = target.Find("compact");
  parsed.rendering.compact = compact == nullptr || *compact != "0";
  api::Announce announce;
  const std::string* hash = target.Find("info_hash");
  const auto info_hash = hash == nullptr ? std::nullopt : ParseInfoHash(*hash);
  if (!info_hash) return Fail(parsed.rendering, "info_hash must be 20 bytes");
  announce.info_hash = *info_hash;
  const std::string* port = target.Find("port");
  const auto port_number = port == nullptr ? std::nullopt : ParseNumber<uint16_t>(*port);
  if (!port_number || *port_number == 0)
    return Fail(parsed.rendering, "port must be a number from 1 to 65535");
  announce.peer = from;
  announce.peer.port = *port_number;
  if (const std::string* ip = target.Find("ip")) {
    // A name, or an address that may not be claimed from here: the connection's address stands.
    const auto asked =
        Address::Parse(ip->find(':') == std::string::npos ? *ip + ":" + *port : "[" + *ip + "]:" + *port);
    if (asked) announce.peer = ClaimAddress(*asked, from).value_or(announce.peer);
  }
  announce.left = 1;  // a client that does not say is not taken for a seeder
  if (const std::string* left = target.Find("left")) {
    const auto number = ParseNumber<uint64_t>(*left);
    if (!number) return Fail(parsed.rendering, "left must be a number of bytes");
    announce.left = *number;
  }
  if (const std::string* numwant = target.Find("numwant")) {
    const auto number = ParseNumber<int64_t>(*numwant);
    if (!number) return Fail(parsed.rendering, "numwant must be a number");
    if (*number >= 0) announce.numwant = static_cast<uint32_t>(std::min<int64_t>(*number, api::kLookupLimit));
  }
  if (const std::string* event = target.Find("event")) {
    if (*event == "started") announce.event = api::AnnounceEvent::kStarted;
    if (*event == "completed") announce.event = api::AnnounceEvent::kCompleted;
    if (*event == "stopped") announce.event = api::AnnounceEvent::kStopped;
  }
  parsed.request = std::move(announce);
  return parsed;
}

ParsedRequest ParseScrape(const Target& target, const Address& from) {
  ParsedRequest parsed;
  parsed.rendering = {.endpoint = Endpoint::kScrape, .asker = from};
  api::Scrape scrape;
  for (const auto& [name, value] : target.query) {
    if (name != "info_hash") continue;
    const auto info_hash = ParseInfoHash(value);
    if (!info_hash) return Fail(parsed.rendering, "info_hash must be 20 bytes");
    if (scrape.info_hashes.size() == api::kScrapeLimit) {
      return Fail(parsed.rendering,
                  absl::StrCat("at most ", api::kScrapeLimit, " info hashes in one scrape"));
    }
    scrape.info_hashes.push_back(*info_hash);
  }
  if (scrape.info_hashes.empty())
    return Fail(parsed.rendering, "a scrape names at least one info_hash; GET /torrents lists all");
  parsed.request = std::move(scrape);
  return parsed;
}

ParsedRequest ParseRegister(const net::HttpRequest& request) {
  if (request.body.size() > kTorrentFileLimit) {
    return Refuse(Endpoint::kRegister, 413,
                  absl::StrCat("a torrent has at most ", kTorrentFileLimit, " bytes"));
  }
  absl::StatusOr<TorrentFile> torrent = ParseTorrent(request.body);
  if (!torrent.ok()) return Refuse(Endpoint::kRegister, 400, std::string(torrent.status().message()));
  api::Register registration;
  if (!ReadMutationId(request, registration.id) || !ValidMutationId(registration.id)) {
    return Refuse(Endpoint::kRegister, 400, kBadMutationId);
  }
  ParsedRequest parsed;
  parsed.rendering = {.endpoint = Endpoint::kRegister, .name = torrent->metainfo.name};
  registration.metainfo = std::move(torrent->metainfo);
  parsed.request = std::move(registration);
  return parsed;
}

ParsedRequest ParseClaim(const net::HttpRequest& request, api::TorrentKey key, const Address& from) {
  const bool offer = request.method == "POST";
  const Endpoint endpoint = offer ? Endpoint::kOffer : Endpoint::kWithdraw;
  if (request.body.size() > kOfferBodyLimit) {
    return Refuse(endpoint, 413, absl::StrCat("the body has more than ", kOfferBodyLimit, " bytes"));
  }
  absl::StatusOr<OfferBody> body = ParseOfferBody(request.body);
  if (!body.ok()) return Refuse(endpoint, 400, std::string(body.status().message()));
  if (!ReadMutationId(request, body->id) || !ValidMutationId(body->id))
    return Refuse(endpoint, 400, kBadMutationId);
  const std::optional<Address> peer = ClaimAddress(body->peer, from);
  if (!peer) {
    return Refuse(
        endpoint, 400,
        absl::StrCat("a claim for ", body->peer.ToString(), " is not accepted from ", from.ToString(),
                     ": name the connection's own address, or host 0.0.0.0 to mean it"));
  }
  if (peer->port == 0) return Refuse(endpoint, 400, "a claim needs the port where the peer listens");
  ParsedRequest parsed;
  parsed.rendering = {.endpoint = endpoint};
  if (offer) {
    parsed.request = api::Offer{body->id, std::move(key), *peer, std::move(body->pieces)};
  } else {
    parsed.request = api::Withdraw{body->id, std::move(key), *peer, std::move(body->pieces)};
  }
  return parsed;
}

// Takes `name` from the query as a limit; false when it is not a number.
bool ReadLimit(const Target& target, uint32_t highest, uint32_t& limit) {
  const std::string* text = target.Find("limit");
  if (text == nullptr) return true;
  const auto number = ParseNumber<uint32_t>(*text);
  if (!number || *number == 0) return false;
  limit = std::min(*number, highest);
  return true;
}

ParsedRequest ParseList(const Target& target) {
  api::List list;
  if (const std::string* after = target.Find("after")) list.after = *after;
  if (!ReadLimit(target, api::kListLimit, list.limit)) {
    return Refuse(Endpoint::kList, 400, "limit must be a number from 1 on");
  }
  list.linearizable = Flag(target, "linearizable");
  ParsedRequest parsed;
  parsed.rendering.endpoint = Endpoint::kList;
  parsed.request = std::move(list);
  return parsed;
}

// `endpoint`: kFetch or kMetainfo.
ParsedRequest ParseFetch(Endpoint endpoint, const Target& target, api::TorrentKey key) {
  ParsedRequest parsed;
  parsed.rendering.endpoint = endpoint;
  if (const std::string* format = target.Find("format")) {
    parsed.rendering.format = ParseFormat(*format);
    if (!parsed.rendering.format) return Refuse(endpoint, 400, "format must be v1, v2 or hybrid");
  }
  parsed.request = api::Fetch{std::move(key), Flag(target, "linearizable")};
  return parsed;
}

ParsedRequest ParseLookup(const Target& target, api::TorrentKey key) {
  api::Lookup lookup;
  lookup.torrent = std::move(key);
  lookup.linearizable = Flag(target, "linearizable");
  if (!ReadLimit(target, api::kLookupLimit, lookup.limit)) {
    return Refuse(Endpoint::kLookup, 400, "limit must be a number from 1 on");
  }
  if (const std::string* pieces = target.Find("pieces")) lookup.pieces = *pieces != "0" && *pieces != "false";
  if (const std::string* cursor = target.Find("cursor")) {
    lookup.cursor = *cursor == "start" ? api::kWalkStart : ParseNumber<uint32_t>(*cursor);
    if (!lookup.cursor) {
      return Refuse(Endpoint::kLookup, 400, "cursor must be \"start\" or the cursor of an answer");
    }
  }
  ParsedRequest parsed;
  parsed.rendering.endpoint = Endpoint::kLookup;
  parsed.request = std::move(lookup);
  return parsed;
}

ParsedRequest AskStatus(Endpoint endpoint) {
  ParsedRequest parsed;
  parsed.rendering.endpoint = endpoint;
  parsed.request = api::Status{};
  return parsed;
}

// Of a request that is about no endpoint: no method is, or another one.
ParsedRequest NoSuchEndpoint(const Target& target) {
  std::string allowed;
  for (const std::string_view method : {"GET", "PUT", "POST", "DELETE"}) {
    if (EndpointOf(method, target) == Endpoint::kOther) continue;
    absl::StrAppend(&allowed, allowed.empty() ? "" : ", ", Absl(method));
  }
  if (allowed.empty()) return Refuse(Endpoint::kOther, 404, "no such path");
  ParsedRequest wrong = Refuse(Endpoint::kOther, 405, absl::StrCat("this path takes ", allowed));
  wrong.answer.headers.push_back({"Allow", std::move(allowed)});
  return wrong;
}

}  // namespace

std::string_view EndpointName(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::kAnnounce:
      return "announce";
    case Endpoint::kScrape:
      return "scrape";
    case Endpoint::kRegister:
      return "register";
    case Endpoint::kList:
      return "list";
    case Endpoint::kFetch:
      return "fetch";
    case Endpoint::kMetainfo:
      return "metainfo";
    case Endpoint::kOffer:
      return "offer";
    case Endpoint::kWithdraw:
      return "withdraw";
    case Endpoint::kLookup:
      return "lookup";
    case Endpoint::kStatus:
      return "status";
    case Endpoint::kCluster:
      return "cluster";
    case Endpoint::kHealth:
      return "healthz";
    case Endpoint::kReady:
      return "readyz";
    case Endpoint::kMetrics:
      return "metrics";
    case Endpoint::kPage:
      return "page";
    case Endpoint::kOther:
    case Endpoint::kCount:
      break;
  }
  return "other";
}

Endpoint EndpointOf(std::string_view method, const Target& target) {
  const bool get = method == "GET" || method == "HEAD";
  const std::vector<std::string>& path = target.path;
  if (!path.empty() && path[0] == "torrents") {
    if (path.size() == 1)
      return get ? Endpoint::kList : method == "PUT" ? Endpoint::kRegister : Endpoint::kOther;
    if (path[1].empty() || path[1].size() > kNameLimit) return Endpoint::kOther;
    if (path.size() == 2) return get ? Endpoint::kFetch : Endpoint::kOther;
    if (path.size() == 3 && path[2] == "peers") return get ? Endpoint::kLookup : Endpoint::kOther;
    if (path.size() == 3 && path[2] == "metainfo") return get ? Endpoint::kMetainfo : Endpoint::kOther;
    if (path.size() == 3 && path[2] == "offers") {
      return method == "POST"     ? Endpoint::kOffer
             : method == "DELETE" ? Endpoint::kWithdraw
                                  : Endpoint::kOther;
    }
    return Endpoint::kOther;
  }
  if (get && path.size() == 2 && path[0] == kConsoleFolder) {
    return FindConsoleFile(path[1]) == nullptr ? Endpoint::kOther : Endpoint::kPage;
  }
  // Before it may stand a key (access.h), which matters where the operator asks for one.
  if (get && path.size() == 2 && !path[0].empty()) {
    return path[1] == "announce" ? Endpoint::kAnnounce
           : path[1] == "scrape" ? Endpoint::kScrape
                                 : Endpoint::kOther;
  }
  if (!get || path.size() > 1) return Endpoint::kOther;
  if (path.empty() || path[0].empty()) return Endpoint::kPage;
  for (const Endpoint endpoint :
       {Endpoint::kAnnounce, Endpoint::kScrape, Endpoint::kStatus, Endpoint::kCluster, Endpoint::kHealth,
        Endpoint::kReady, Endpoint::kMetrics}) {
    if (path[0] == EndpointName(endpoint)) return endpoint;
  }
  return Endpoint::kOther;
}

Endpoint EndpointOf(const net::HttpRequest& request) {
  const std::optional<Target> target = ParseTarget(request.target);
  return target ? EndpointOf(request.method, *target) : Endpoint::kOther;
}

ParsedRequest ParseRequest(const net::HttpRequest& request, const Address& from) {
  const std::optional<Target> target = ParseTarget(request.target);
  if (!target) return Refuse(Endpoint::kOther, 400, "the request's path cannot be read");
  const Endpoint endpoint = EndpointOf(request.method, *target);
  const auto key = [&] { return ParseKey(target->path[1], *target); };
  switch (endpoint) {
    case Endpoint::kAnnounce:
      return ParseAnnounce(*target, from);
    case Endpoint::kScrape:
      return ParseScrape(*target, from);
    case Endpoint::kRegister:
      return ParseRegister(request);
    case Endpoint::kList:
      return ParseList(*target);
    case Endpoint::kFetch:
    case Endpoint::kMetainfo:
      return ParseFetch(endpoint, *target, key());
    case Endpoint::kOffer:
    case Endpoint::kWithdraw:
      return ParseClaim(request, key(), from);
    case Endpoint::kLookup:
      return ParseLookup(*target, key());
    case Endpoint::kStatus:
    case Endpoint::kCluster:
    case Endpoint::kReady:
    case Endpoint::kMetrics:
      return AskStatus(endpoint);
    // Alive is who answers at all; whether it can serve is another question.
    case Endpoint::kHealth:
      return Answer(endpoint, TextResponse(200, "ok\n"));
    case Endpoint::kPage:
      return Answer(endpoint, ConsoleResponse(target->path.size() < 2 ? kConsoleDocument : target->path[1]));
    case Endpoint::kOther:
    case Endpoint::kCount:
      break;
  }
  return NoSuchEndpoint(*target);
}

}  // namespace bt::nodes
