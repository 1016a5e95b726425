// RenderResponse: tracker_api::Response -> HTTP.

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "core/base/check.h"
#include "core/torrent/bencode.h"
#include "nodes/http_api/form.h"
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

void Append(std::string_view key, int64_t value, std::string& out) {
  absl::StrAppend(&out, key.size(), ":", std::string(key), "i", value, "e");
}
void Append(std::string_view key, std::string_view value, std::string& out) {
  absl::StrAppend(&out, key.size(), ":", std::string(key), value.size(), ":");
  out.append(value);
}

std::string_view IpBytes(const Address& address) {
  return BytesAsText(address.ip).substr(address.is_v4() ? 12 : 0);
}

void AppendCompact(const api::PeerClaim& claim, std::string& out) {
  out.append(IpBytes(claim.peer));
  out.push_back(static_cast<char>(claim.peer.port >> 8));
  out.push_back(static_cast<char>(claim.peer.port));
}

// BEP 23 and BEP 7: 6 bytes per IPv4 peer, 18 per IPv6 peer, apart.
void AppendCompactPeers(const api::Peers& peers, std::string& out) {
  std::string v4;
  std::string v6;
  for (const api::PeerClaim& claim : peers.peers) AppendCompact(claim, claim.peer.is_v4() ? v4 : v6);
  Append("peers", v4, out);
  if (!v6.empty()) Append("peers6", v6, out);
}

// BEP 3's dictionaries, without "peer id": claims name peers by address alone, and a made-up id would make
// clients drop the connection when they meet the real one.
void AppendDictionaryPeers(const api::Peers& peers, std::string& out) {
  out.append("5:peersl");
  for (const api::PeerClaim& claim : peers.peers) {
    const std::string text = claim.peer.ToString();
    std::string_view host = std::string_view(text).substr(0, text.rfind(':'));
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    out.push_back('d');
    Append("ip", host, out);
    Append("port", int64_t{claim.peer.port}, out);
    out.push_back('e');
  }
  out.push_back('e');
}

// "retry in" (BEP 31) is minutes, or never for what will not get better by asking again.
void AppendFailure(const api::Response& response, std::string& out) {
  Append("failure reason", response.reason.empty() ? "the tracker cannot answer this" : response.reason, out);
  if (response.outcome == api::Outcome::kUnavailable) {
    Append("retry in", (WholeSecondsUp(response.retry_after) + 59) / 60, out);
  } else if (response.outcome == api::Outcome::kInvalid) {
    Append("retry in", "never", out);
  }
}

// Keys in order, as bencode wants them; written straight out because this is the busiest answer.
std::string AnnounceBody(const Rendering& rendering, const api::Response& response,
                         const EdgeIdentity& identity) {
  std::string out = "d";
  const auto* peers = std::get_if<api::Peers>(&response.body);
  if (!api::Done(response.outcome) || peers == nullptr) {
    AppendFailure(response, out);
    return out + "e";
  }
  const int64_t interval = std::max<int64_t>(1, peers->interval.seconds());
  Append("complete", int64_t{peers->complete}, out);
  Append("external ip", IpBytes(rendering.asker), out);
  Append("incomplete", int64_t{peers->incomplete}, out);
  Append("interval", interval, out);
  Append("min interval", std::max<int64_t>(1, interval / 2), out);
  if (rendering.compact) {
    AppendCompactPeers(*peers, out);
  } else {
    AppendDictionaryPeers(*peers, out);
  }
  Append("tracker id", absl::StrCat("node-", identity.node.value()), out);
  if (!response.reason.empty()) Append("warning message", response.reason, out);
  return out + "e";
}

// BEP 48.
std::string ScrapeBody(const api::Response& response) {
  std::string out;
  const auto* scraped = std::get_if<api::Scraped>(&response.body);
  if (!api::Done(response.outcome) || scraped == nullptr) {
    out = "d";
    AppendFailure(response, out);
    return out + "e";
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
  bencode::Writer writer(out);
  writer.BeginDictionary().Key("files").BeginDictionary();
  for (const api::ScrapeEntry& entry : entries) {
    writer.Key(BytesAsText(entry.info_hash));
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
    torrent.trackers.push_back(absl::StrCat("http://", node.client.ToString(), "/announce"));
  }
  return ApiResponse(200, WriteTorrent(torrent), "application/x-bittorrent");
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
    if (rendering.endpoint == Endpoint::kHealth) {
      return TextResponse(node->has_quorum ? 200 : 503, node->has_quorum ? "ok\n" : "no quorum\n");
    }
    net::HttpResponse answer = ApiResponse(status, WriteStatus(*node, identity.cluster, identity.nodes));
    // People's page asks every node of the cluster.
    answer.headers.push_back({"Access-Control-Allow-Origin", "*"});
    return answer;
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
