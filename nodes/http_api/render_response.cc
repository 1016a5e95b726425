// RenderResponse: tracker_api::Response -> HTTP.

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/compact_address.h"
#include "core/torrent/bencode.h"
#include "nodes/http_api/form.h"
#include "nodes/http_api/metainfo_json.h"
#include "nodes/http_api/server.h"
#include "nodes/shared/text.h"

namespace bt::nodes {

namespace api = tracker_api;

namespace {

int HttpStatus(api::Outcome outcome) {
  switch (outcome) {
    case api::Outcome::kOk:
      return 200;
    case api::Outcome::kCreated:
      return 201;
    case api::Outcome::kInvalid:
      return 400;
    case api::Outcome::kNotFound:
      return 404;
    case api::Outcome::kConflict:
      return 409;
    case api::Outcome::kTooLarge:
      return 413;
    case api::Outcome::kUnavailable:
      return 503;
    case api::Outcome::kSessionExpired:
      return 410;
  }
  return 500;
}

int64_t WholeSecondsUp(Duration duration) {
  return std::max<int64_t>(1, (duration + Seconds(1) - Nanoseconds(1)).seconds());
}

// BEP 23 and BEP 7: 6 bytes per IPv4 peer, 18 per IPv6 peer, apart.
void WriteCompactPeers(const api::Peers& peers, bencode::Writer& writer) {
  std::string v4;
  std::string v6;
  for (const api::PeerClaim& claim : peers.peers) AppendCompact(claim.peer, claim.peer.is_v4() ? v4 : v6);
  writer.Key("peers").Text(v4);
  if (!v6.empty()) writer.Key("peers6").Text(v6);
}

// BEP 3's dictionaries, without "peer id": claims name peers by address alone, and a made-up id would make
// clients drop the connection when they meet the real one.
void WriteDictionaryPeers(const api::Peers& peers, bencode::Writer& writer) {
  writer.Key("peers").BeginList();
  for (const api::PeerClaim& claim : peers.peers) {
    writer.BeginDictionary().Key("ip").Text(HostText(claim.peer)).Key("port").Integer(claim.peer.port).End();
  }
  writer.End();
}

// "retry in" (BEP 31) is minutes, or never for what will not get better by asking again.
void WriteFailure(const api::Response& response, bencode::Writer& writer) {
  writer.BeginDictionary().Key("failure reason");
  writer.Text(response.reason.empty() ? "the tracker cannot answer this" : response.reason);
  if (response.outcome == api::Outcome::kUnavailable) {
    writer.Key("retry in").Integer((WholeSecondsUp(response.retry_after) + 59) / 60);
  } else if (response.outcome == api::Outcome::kInvalid) {
    writer.Key("retry in").Text("never");
  }
  writer.End();
}

std::string AnnounceBody(const Rendering& rendering, const api::Response& response,
                         const EdgeIdentity& identity) {
  std::string out;
  bencode::Writer writer(out);
  const auto* peers = std::get_if<api::Peers>(&response.body);
  if (!api::Done(response.outcome) || peers == nullptr) {
    WriteFailure(response, writer);
    return out;
  }
  const int64_t interval = std::max<int64_t>(1, peers->interval.seconds());
  writer.BeginDictionary().Key("complete").Integer(peers->complete);
  writer.Key("external ip").Text(IpBytes(rendering.asker));
  writer.Key("incomplete").Integer(peers->incomplete);
  writer.Key("interval").Integer(interval);
  writer.Key("min interval").Integer(std::max<int64_t>(1, interval / 2));
  if (rendering.compact) {
    WriteCompactPeers(*peers, writer);
  } else {
    WriteDictionaryPeers(*peers, writer);
  }
  writer.Key("tracker id").Text(absl::StrCat("node-", identity.node.value()));
  if (!response.reason.empty()) writer.Key("warning message").Text(response.reason);
  writer.End();
  return out;
}

// BEP 48.
std::string ScrapeBody(const api::Response& response) {
  std::string out;
  bencode::Writer writer(out);
  const auto* scraped = std::get_if<api::Scraped>(&response.body);
  if (!api::Done(response.outcome) || scraped == nullptr) {
    WriteFailure(response, writer);
    return out;
  }
  std::vector<api::ScrapeEntry> entries = scraped->entries;
  const auto before = [](const api::ScrapeEntry& a, const api::ScrapeEntry& b) {
    return a.info_hash < b.info_hash;
  };
  const auto same = [](const api::ScrapeEntry& a, const api::ScrapeEntry& b) {
    return a.info_hash == b.info_hash;
  };
  std::sort(entries.begin(), entries.end(), before);
  entries.erase(std::unique(entries.begin(), entries.end(), same), entries.end());
  writer.BeginDictionary().Key("files").BeginDictionary();
  for (const api::ScrapeEntry& entry : entries) {
    writer.Key(BytesOf(entry.info_hash));
    writer.BeginDictionary()
        .Key("complete")
        .Integer(entry.complete)
        .Key("downloaded")
        .Integer(entry.complete);
    writer.Key("incomplete").Integer(entry.incomplete).End();
  }
  writer.End().End();
  return out;
}

net::HttpResponse RenderTorrent(const Rendering& rendering, const Metainfo& metainfo,
                                const EdgeIdentity& identity) {
  TorrentFile torrent;
  torrent.metainfo = metainfo;
  torrent.format = rendering.format.value_or(metainfo.Has(TorrentFormat::kHybrid) ? TorrentFormat::kHybrid
                                                                                  : TorrentFormat::kV2);
  if (!metainfo.Has(torrent.format)) {
    return ApiResponse(
        404, WriteError("this torrent was registered without v1 piece hashes: only ?format=v2 exists"));
  }
  for (const ClusterNode& node : identity.nodes) {
    torrent.trackers.push_back(absl::StrCat(identity.tls ? "https://" : "http://", node.client, "/announce"));
  }
  if (rendering.endpoint == Endpoint::kMetainfo) return ApiResponse(200, WriteMetainfo(torrent));
  net::HttpResponse answer = ApiResponse(200, WriteTorrent(torrent), "application/x-bittorrent");
  // A stranger's bytes, at the origin of the console: no browser is to take them for a script.
  answer.headers.push_back({"X-Content-Type-Options", "nosniff"});
  return answer;
}

// A node is ready when it can answer for the cluster: it hears a majority and has applied what it knows
// chosen.
net::HttpResponse RenderReadiness(const api::NodeStatus& node) {
  if (!node.has_quorum) return TextResponse(503, "no quorum\n");
  if (node.applied < node.chosen) return TextResponse(503, "catching up\n");
  return TextResponse(200, "ready\n");
}

net::HttpResponse RenderBody(const Rendering& rendering, const api::Response& response,
                             const EdgeIdentity& identity) {
  const int status = HttpStatus(response.outcome);
  if (const auto* registered = std::get_if<api::Registered>(&response.body)) {
    return ApiResponse(status, WriteRegistered(*registered, rendering.name, response.reason));
  }
  if (const auto* peers = std::get_if<api::Peers>(&response.body)) {
    return ApiResponse(status, WritePeers(*peers, response.reason));
  }
  if (const auto* listing = std::get_if<api::Listing>(&response.body))
    return ApiResponse(status, WriteListing(*listing));
  if (const auto* fetched = std::get_if<api::Fetched>(&response.body)) {
    return RenderTorrent(rendering, fetched->metainfo, identity);
  }
  if (const auto* node = std::get_if<api::NodeStatus>(&response.body)) {
    if (rendering.endpoint == Endpoint::kReady) return RenderReadiness(*node);
    return ApiResponse(status, WriteStatus(*node, identity.cluster, identity.nodes));
  }
  return ApiResponse(status, WriteAccepted(response.reason));
}

}  // namespace

net::HttpResponse RenderResponse(const Rendering& rendering, const api::Response& response,
                                 const EdgeIdentity& identity) {
  net::HttpResponse answer;
  if (rendering.endpoint == Endpoint::kAnnounce || rendering.endpoint == Endpoint::kScrape) {
    answer.content_type = "text/plain";
    answer.body = rendering.endpoint == Endpoint::kAnnounce ? AnnounceBody(rendering, response, identity)
                                                            : ScrapeBody(response);
    return answer;
  }
  answer =
      api::Done(response.outcome)
          ? RenderBody(rendering, response, identity)
          : ApiResponse(HttpStatus(response.outcome),
                        WriteError(response.reason.empty() ? net::HttpReason(HttpStatus(response.outcome))
                                                           : std::string_view(response.reason)));
  if (answer.status == 503) {
    answer.headers.push_back({"Retry-After", absl::StrCat(WholeSecondsUp(response.retry_after))});
  }
  return answer;
}

}  // namespace bt::nodes
