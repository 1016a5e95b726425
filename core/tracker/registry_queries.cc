// Queries: answers from the state as applied so far.

#include <algorithm>
#include <utility>

#include "core/tracker/registry.h"

namespace bt::tracker {

using tracker_api::NoSuchTorrent;
using tracker_api::Response;

namespace {

tracker_api::PeerClaim ToPeerClaim(const Claim& claim, uint32_t piece_count) {
  tracker_api::PeerClaim out;
  out.peer = claim.peer;
  out.complete = claim.complete;
  if (claim.complete) {
    out.pieces.push_back({PieceIndex(0), piece_count});
  } else {
    out.pieces = claim.pieces.ToRanges();
  }
  return out;
}

constexpr Duration kYoungFor = Seconds(10 * 60);  // log time, from the registration
constexpr uint32_t kSmallSwarm = 20;              // peers

}  // namespace

Duration AnnounceInterval(const Torrent& torrent, const Limits& limits, Instant log_time) {
  const bool young = torrent.claims.size() < kSmallSwarm || log_time - torrent.since < kYoungFor;
  return young ? std::min(kYoungRenewInterval, limits.renew_interval) : limits.renew_interval;
}

const Torrent* Registry::Find(const tracker_api::TorrentKey& key) const {
  if (const auto* content = std::get_if<ContentId>(&key)) {
    const auto found = contents_.find(*content);
    return found == contents_.end() ? nullptr : &torrent(found->second);
  }
  if (const auto* hash = std::get_if<InfoHash>(&key)) return FindInfoHash(*hash);
  const auto found = state_.names.find(std::get<std::string>(key));
  return found == state_.names.end() ? nullptr : &torrent(found->second.torrent);
}

const Torrent* Registry::FindInfoHash(const InfoHash& hash) const {
  const auto found = state_.info_hashes.find(hash);
  return found == state_.info_hashes.end() ? nullptr : &torrent(found->second.torrent);
}

Response Registry::Lookup(const tracker_api::Lookup& query, uint64_t rotation) const {
  const Torrent* torrent = Find(query.torrent);
  if (torrent == nullptr) return NoSuchTorrent(query.torrent);
  tracker_api::Peers peers;
  peers.content = torrent->content();
  peers.piece_count = torrent->piece_count();
  peers.complete = torrent->complete;
  peers.incomplete = torrent->incomplete();
  peers.interval = AnnounceInterval(*torrent, limits(), log_time());
  const uint32_t limit = std::min(query.limit, tracker_api::kLookupLimit);
  const uint32_t size = torrent->claims.size();
  const uint32_t start = size == 0 ? 0 : static_cast<uint32_t>(rotation % size);
  for (uint32_t i = 0; i < size && peers.peers.size() < limit; ++i) {
    const Claim& claim = torrent->claims.at((start + i) % size);
    if (Live(claim)) peers.peers.push_back(ToPeerClaim(claim, torrent->piece_count()));
  }
  Response response;
  response.body = std::move(peers);
  return response;
}

Response Registry::List(const tracker_api::List& query) const {
  const uint32_t limit = std::min(query.limit, tracker_api::kListLimit);
  tracker_api::Listing listing;
  const auto& names = state_.names;
  auto at = query.after.empty() ? names.begin() : names.upper_bound(query.after);
  for (; at != names.end() && listing.torrents.size() < limit; ++at) {
    const Torrent& torrent = this->torrent(at->second.torrent);
    tracker_api::ListEntry& entry = listing.torrents.emplace_back();
    entry.name = at->first;
    entry.content = torrent.content();
    entry.piece_length = torrent.metainfo.piece_length;
    entry.complete = torrent.complete;
    entry.incomplete = torrent.incomplete();
  }
  listing.more = at != names.end();
  Response response;
  response.body = std::move(listing);
  return response;
}

Response Registry::Fetch(const tracker_api::Fetch& query) const {
  const Torrent* torrent = Find(query.torrent);
  if (torrent == nullptr) return NoSuchTorrent(query.torrent);
  tracker_api::Fetched fetched{torrent->metainfo};
  if (const auto* name = std::get_if<std::string>(&query.torrent)) fetched.metainfo.name = *name;
  if (const auto* hash = std::get_if<InfoHash>(&query.torrent)) {
    fetched.metainfo.name = state_.info_hashes.at(*hash).name;
  }
  const std::vector<InfoHash>& foreign = state_.names.at(fetched.metainfo.name).foreign;
  const size_t count = std::min<size_t>(foreign.size(), MetainfoLimits().foreign_info_hashes);
  fetched.metainfo.foreign_info_hashes.assign(foreign.begin(),
                                              foreign.begin() + static_cast<ptrdiff_t>(count));
  Response response;
  response.body = std::move(fetched);
  return response;
}

}  // namespace bt::tracker
