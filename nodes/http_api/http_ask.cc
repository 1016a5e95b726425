// The client's half: tracker_api::Request -> HTTP, HTTP -> tracker_api::Response.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "core/torrent/bencode.h"
#include "nodes/http_api/http_api.h"
#include "nodes/http_api/uri.h"

namespace bt::nodes {

namespace api = tracker_api;

namespace {

template <class T>
std::string_view Bytes(const T& array) {
  return {reinterpret_cast<const char*>(array.data()), array.size()};
}

// The path of a torrent, and what has to stand in its query so that the key is read back as it is.
struct KeyPath {
  std::string path;
  std::string query;
};

KeyPath PathOf(const api::TorrentKey& key) {
  if (const auto* content = std::get_if<ContentId>(&key)) return {"/torrents/" + content->ToString(), ""};
  if (const auto* hash = std::get_if<InfoHash>(&key)) return {"/torrents/" + Hex(*hash), ""};
  return {"/torrents/" + PercentEncode(std::get<std::string>(key)), "by=name"};
}

std::string WithQuery(const std::string& path, std::initializer_list<std::string> fields) {
  std::string target = path;
  char separator = '?';
  for (const std::string& field : fields) {
    if (field.empty()) continue;
    absl::StrAppend(&target, std::string(1, separator), field);
    separator = '&';
  }
  return target;
}

std::string Linearizable(bool yes) { return yes ? "linearizable=1" : ""; }

void AddMutationId(const api::MutationId& id, net::HttpRequest& request) {
  if (id.session.value() == 0) return;
  request.headers.push_back({std::string(kSessionHeader), absl::StrCat(id.session.value())});
  request.headers.push_back({std::string(kSequenceHeader), absl::StrCat(id.sequence)});
}

template <class T>
net::HttpRequest Claim(const char* method, const T& claim) {
  const KeyPath key = PathOf(claim.torrent);
  net::HttpRequest request;
  request.method = method;
  request.target = WithQuery(absl::StrCat(key.path, "/offers"), {key.query});
  request.headers.push_back({"Content-Type", "application/json"});
  request.body = WriteOfferBody({claim.peer, claim.pieces, {}});
  AddMutationId(claim.id, request);
  return request;
}

net::HttpRequest Get(std::string target) {
  net::HttpRequest request;
  request.method = "GET";
  request.target = std::move(target);
  return request;
}

struct Build {
  std::string_view torrent_file;

  net::HttpRequest operator()(const api::Register& registration) const {
    net::HttpRequest request;
    request.method = "PUT";
    request.target = "/torrents";
    request.headers.push_back({"Content-Type", "application/x-bittorrent"});
    const Metainfo& metainfo = registration.metainfo;
    request.body = !torrent_file.empty()
                       ? std::string(torrent_file)
                       : WriteTorrent({metainfo,
                                       metainfo.Has(TorrentFormat::kHybrid) ? TorrentFormat::kHybrid
                                                                            : TorrentFormat::kV2,
                                       {}});
    AddMutationId(registration.id, request);
    return request;
  }
  net::HttpRequest operator()(const api::Offer& offer) const { return Claim("POST", offer); }
  net::HttpRequest operator()(const api::Withdraw& withdraw) const { return Claim("DELETE", withdraw); }
  net::HttpRequest operator()(const api::Lookup& lookup) const {
    const KeyPath key = PathOf(lookup.torrent);
    return Get(WithQuery(absl::StrCat(key.path, "/peers"), {key.query, Linearizable(lookup.linearizable),
                                                            absl::StrCat("limit=", lookup.limit)}));
  }
  net::HttpRequest operator()(const api::List& list) const {
    return Get(WithQuery("/torrents", {list.after.empty() ? "" : "after=" + PercentEncode(list.after),
                                       absl::StrCat("limit=", list.limit), Linearizable(list.linearizable)}));
  }
  net::HttpRequest operator()(const api::Fetch& fetch) const {
    const KeyPath key = PathOf(fetch.torrent);
    return Get(WithQuery(key.path, {key.query, Linearizable(fetch.linearizable)}));
  }
  net::HttpRequest operator()(const api::Status&) const { return Get("/status"); }
  net::HttpRequest operator()(const api::Announce& announce) const {
    const std::string peer = announce.peer.ToString();
    std::string host = peer.substr(0, peer.rfind(':'));
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    constexpr const char* kEvents[] = {"", "event=started", "event=completed", "event=stopped"};
    return Get(WithQuery("/announce",
                         {absl::StrCat("info_hash=", PercentEncode(Bytes(announce.info_hash))),
                          absl::StrCat("ip=", PercentEncode(host)), absl::StrCat("port=", announce.peer.port),
                          absl::StrCat("left=", announce.left), absl::StrCat("numwant=", announce.numwant),
                          "compact=1", kEvents[static_cast<size_t>(announce.event)]}));
  }
  net::HttpRequest operator()(const api::Scrape& scrape) const {
    std::string target = "/scrape";
    for (const InfoHash& hash : scrape.info_hashes) {
      absl::StrAppend(&target, target.size() == 7 ? "?" : "&", "info_hash=", PercentEncode(Bytes(hash)));
    }
    return Get(std::move(target));
  }
};

int64_t IntegerOf(const bencode::Value& dictionary, std::string_view key) {
  const auto value = dictionary.Find(key);
  return value ? value->integer().value_or(0) : 0;
}

void ReadCompact(std::string_view bytes, size_t ip_size, api::Peers& peers) {
  for (; bytes.size() >= ip_size + 2 && peers.peers.size() < api::kLookupLimit;
       bytes.remove_prefix(ip_size + 2)) {
    Address address = Address::V4(0, 0, 0, 0, 0);
    std::memcpy(address.ip.data() + (16 - ip_size), bytes.data(), ip_size);
    address.port = static_cast<uint16_t>((static_cast<uint8_t>(bytes[ip_size]) << 8) |
                                         static_cast<uint8_t>(bytes[ip_size + 1]));
    peers.peers.push_back({address, {}, false});
  }
}

uint32_t Count(int64_t value) { return static_cast<uint32_t>(std::clamp<int64_t>(value, 0, UINT32_MAX)); }

absl::StatusOr<api::Response> FromBencode(const api::Request& request, std::string_view body) {
  const absl::StatusOr<bencode::Document> document = bencode::Document::Parse(body);
  if (!document.ok()) return document.status();
  const bencode::Value root = document->root();
  if (!root.is_dictionary()) return absl::InvalidArgumentError("the answer is not a dictionary");
  api::Response response;
  if (const auto failure = root.Find("failure reason")) {
    const auto retry = root.Find("retry in");
    const bool again = retry && retry->integer();
    response.outcome = again   ? api::Outcome::kUnavailable
                       : retry ? api::Outcome::kInvalid
                               : api::Outcome::kNotFound;
    if (again) response.retry_after = Seconds(60 * std::clamp<int64_t>(*retry->integer(), 1, 1440));
    response.reason = std::string(failure->text().value_or("failure"));
    return response;
  }
  if (const auto warning = root.Find("warning message"))
    response.reason = std::string(warning->text().value_or(""));
  if (std::holds_alternative<api::Announce>(request)) {
    if (!root.Find("peers")) return absl::InvalidArgumentError("the answer names no peers");
    api::Peers peers;
    peers.complete = Count(IntegerOf(root, "complete"));
    peers.incomplete = Count(IntegerOf(root, "incomplete"));
    peers.interval = Seconds(Count(IntegerOf(root, "interval")));
    if (const auto v4 = root.Find("peers")) ReadCompact(v4->text().value_or(""), 4, peers);
    if (const auto v6 = root.Find("peers6")) ReadCompact(v6->text().value_or(""), 16, peers);
    response.body = std::move(peers);
    return response;
  }
  api::Scraped scraped;
  const auto files = root.Find("files");
  if (!files) return absl::InvalidArgumentError("the answer to a scrape lists nothing");
  for (auto key = files->first(); key && scraped.entries.size() < api::kScrapeLimit;) {
    const auto value = key->next();
    const std::string_view hash = key->text().value_or("");
    api::ScrapeEntry entry;
    if (!value || hash.size() != entry.info_hash.size())
      return absl::InvalidArgumentError("a scrape without info hashes");
    std::memcpy(entry.info_hash.data(), hash.data(), hash.size());
    entry.complete = Count(IntegerOf(*value, "complete"));
    entry.incomplete = Count(IntegerOf(*value, "incomplete"));
    scraped.entries.push_back(entry);
    key = value->next();
  }
  response.body = std::move(scraped);
  return response;
}

template <class T>
absl::Status Put(absl::StatusOr<T> body, api::Response& response) {
  if (!body.ok()) return body.status();
  response.body = *std::move(body);
  return absl::OkStatus();
}

absl::Status ReadBody(const api::Request& request, std::string_view body, api::Response& response) {
  if (std::holds_alternative<api::Register>(request)) return Put(ParseRegistered(body), response);
  if (std::holds_alternative<api::Lookup>(request)) return Put(ParsePeers(body), response);
  if (std::holds_alternative<api::List>(request)) return Put(ParseListing(body), response);
  if (std::holds_alternative<api::Status>(request)) return Put(ParseStatus(body), response);
  if (std::holds_alternative<api::Fetch>(request)) {
    absl::StatusOr<TorrentFile> torrent = ParseTorrent(body);
    if (!torrent.ok()) return torrent.status();
    // The tracker renders the torrent anew: the registered file's own info-hashes stand beside its info.
    torrent->metainfo.foreign_info_hashes = std::move(torrent->told_info_hashes);
    response.body = api::Fetched{std::move(torrent->metainfo)};
  }
  return absl::OkStatus();
}

// Whether the answer is in the cluster's own form (http_api.h says why that matters).
absl::Status CheckForm(const net::HttpResponse& http, bool bencoded) {
  const std::string_view version = http.Header(kApiHeader);
  if (bencoded ? http.status == 200 : version == kApiVersion) return absl::OkStatus();
  if (bencoded || version.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("it answers HTTP ", http.status, " and not as a ByteTorrent tracker does"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("it answers in another version of the API than ", std::string(kApiVersion)));
}

}  // namespace

net::HttpRequest ToHttp(const api::Request& request, std::string_view torrent_file) {
  return std::visit(Build{torrent_file}, request);
}

absl::StatusOr<api::Response> FromHttp(const api::Request& request, const net::HttpResponse& http) {
  const bool bencoded =
      std::holds_alternative<api::Announce>(request) || std::holds_alternative<api::Scrape>(request);
  if (const absl::Status status = CheckForm(http, bencoded); !status.ok()) return status;
  if (bencoded) return FromBencode(request, http.body);
  api::Response response;
  switch (http.status) {
    case 200:
      response.outcome = api::Outcome::kOk;
      break;
    case 201:
      response.outcome = api::Outcome::kCreated;
      break;
    case 400:
      response.outcome = api::Outcome::kInvalid;
      break;
    case 404:
      response.outcome = api::Outcome::kNotFound;
      break;
    case 409:
      response.outcome = api::Outcome::kConflict;
      break;
    case 410:
      response.outcome = api::Outcome::kSessionExpired;
      break;
    case 413:
      response.outcome = api::Outcome::kTooLarge;
      break;
    case 503:
      response.outcome = api::Outcome::kUnavailable;
      break;
    default:
      return absl::InvalidArgumentError(absl::StrCat("answered with HTTP status ", http.status));
  }
  if (http.status == 200 || http.status == 201) {
    const absl::Status status = ReadBody(request, http.body, response);
    if (!status.ok()) return status;
    if (!std::holds_alternative<api::Fetch>(request)) response.reason = ParseReason(http.body, "warning");
    return response;
  }
  response.reason = ParseReason(http.body, "error");
  if (http.status == 503) {
    uint32_t seconds = 1;
    const std::string_view text = http.Header("Retry-After");
    std::from_chars(text.data(), text.data() + text.size(), seconds);
    response.retry_after = Seconds(std::clamp<uint32_t>(seconds, 1, 3600));
  }
  return response;
}

}  // namespace bt::nodes
