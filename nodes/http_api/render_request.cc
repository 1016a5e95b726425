// RenderRequest: tracker_api::Request -> HTTP.

#include <absl/strings/str_cat.h>

#include <initializer_list>
#include <optional>
#include <variant>

#include "core/base/bytes.h"
#include "nodes/http_api/client.h"
#include "nodes/http_api/form.h"
#include "nodes/http_api/json_api.h"
#include "nodes/http_api/uri.h"
#include "nodes/shared/text.h"

namespace bt::nodes {

namespace api = tracker_api;

namespace {

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

std::string CursorField(const std::optional<uint32_t>& cursor) {
  if (!cursor) return "";
  return *cursor == api::kWalkStart ? "cursor=start" : absl::StrCat("cursor=", *cursor);
}

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
    return Get(WithQuery(absl::StrCat(key.path, "/peers"),
                         {key.query, Linearizable(lookup.linearizable), absl::StrCat("limit=", lookup.limit),
                          lookup.pieces ? "" : "pieces=0", CursorField(lookup.cursor)}));
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
    constexpr const char* kEvents[] = {"", "event=started", "event=completed", "event=stopped"};
    return Get(WithQuery("/announce",
                         {absl::StrCat("info_hash=", PercentEncode(BytesOf(announce.info_hash))),
                          absl::StrCat("ip=", PercentEncode(HostText(announce.peer))),
                          absl::StrCat("port=", announce.peer.port), absl::StrCat("left=", announce.left),
                          absl::StrCat("numwant=", announce.numwant), "compact=1",
                          kEvents[static_cast<size_t>(announce.event)]}));
  }
  net::HttpRequest operator()(const api::Scrape& scrape) const {
    std::string target = "/scrape";
    for (const InfoHash& hash : scrape.info_hashes) {
      absl::StrAppend(&target, target.size() == 7 ? "?" : "&", "info_hash=", PercentEncode(BytesOf(hash)));
    }
    return Get(std::move(target));
  }
};

}  // namespace

net::HttpRequest RenderRequest(const api::Request& request, std::string_view torrent_file) {
  return std::visit(Build{torrent_file}, request);
}

void AddToken(std::string_view token, net::HttpRequest& request) {
  request.headers.push_back({std::string(kAuthorizationHeader), absl::StrCat("Bearer ", Absl(token))});
}

}  // namespace bt::nodes
