// ParseResponse: HTTP -> tracker_api::Response.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "core/base/bytes.h"
#include "core/torrent/bencode.h"
#include "nodes/http_api/client.h"
#include "nodes/http_api/form.h"
#include "nodes/http_api/json_api.h"

namespace bt::nodes {

namespace api = tracker_api;

namespace {

int64_t IntegerOf(const bencode::Value& dictionary, std::string_view key) {
  const auto value = dictionary.Find(key);
  return value ? value->integer().value_or(0) : 0;
}

void ReadCompact(std::string_view bytes, size_t ip_size, api::Peers& peers) {
  for (; bytes.size() >= ip_size + 2 && peers.peers.size() < api::kLookupLimit;
       bytes.remove_prefix(ip_size + 2)) {
    Address address = Address::V4(0, 0, 0, 0, 0);
    std::memcpy(address.ip.data() + (16 - ip_size), bytes.data(), ip_size);
    address.port = static_cast<uint16_t>(LoadBig(bytes.data() + ip_size, 2));
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

// Whether the answer is in the cluster's own form (form.h says why that matters).
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

absl::StatusOr<api::Response> ParseResponse(const api::Request& request, const net::HttpResponse& http) {
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
    case 401:
    case 403:
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
