// Queries: answers from the state as applied so far.

#include <algorithm>
#include <utility>

#include "core/tracker/draw.h"
#include "core/tracker/registry.h"
#include "core/tracker_api/listed_bytes.h"

namespace bt::tracker {

using tracker_api::NoSuchTorrent;
using tracker_api::Response;

namespace {

// Claims looked at for one lookup, those that have run out and are not dropped yet among them.
constexpr uint32_t kLookupWalk = 1024;

constexpr Duration kYoungFor = Seconds(10 * 60);  // log time, from the registration
constexpr uint32_t kSmallSwarm = 20;              // peers

}  // namespace

// What one answer lists: entries up to a limit of their number and of their bytes, but always one.
class Registry::Page {
 public:
  Page(uint32_t limit, StepWork& work) : limit_(limit), work_(work) {}

  bool full() const { return count_ >= limit_; }
  // False: it does not fit.
  bool Take(uint64_t bytes) {
    if (full() || (count_ > 0 && bytes_ + bytes > tracker_api::kListedBytesLimit)) return false;
    ++count_;
    bytes_ += bytes;
    work_.Bytes(bytes);
    return true;
  }
  void LookAtRow() { work_.Row(); }

 private:
  uint32_t limit_;
  StepWork& work_;
  uint32_t count_ = 0;
  uint64_t bytes_ = 0;
};

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

// False: the page is full, and this claim is not on it.
bool Registry::ListClaim(const Claim& claim, bool pieces, Page& page, tracker_api::Peers& peers) const {
  page.LookAtRow();
  if (!Live(claim)) return !page.full();
  tracker_api::PeerClaim listed{claim.peer, pieces ? claim.pieces : PieceMap(), claim.complete};
  if (!page.Take(tracker_api::ListedBytes(listed))) return false;
  peers.peers.push_back(std::move(listed));
  return true;
}

void Registry::DrawPeers(const tracker_api::Lookup& query, const Torrent& torrent, uint64_t seed,
                         StepWork& work, tracker_api::Peers& peers) const {
  Page page(std::min(query.limit, tracker_api::kLookupLimit), work);
  const uint32_t size = torrent.claims.size();
  const Draw draw(size, seed);
  const uint32_t looked_at_max = std::min(size, kLookupWalk);
  for (uint32_t i = 0; i < looked_at_max; ++i) {
    if (!ListClaim(torrent.claims.at(draw.at(i)), query.pieces, page, peers)) return;
  }
}

// From the last place down to the first. A row leaves its place only for a lower one that somebody has left,
// and newcomers are added at the end: so a row that was not walked over yet stays ahead of the walk.
void Registry::WalkPeers(const tracker_api::Lookup& query, const Torrent& torrent, StepWork& work,
                         tracker_api::Peers& peers) const {
  Page page(std::min(query.limit, tracker_api::kLookupLimit), work);
  uint32_t place = std::min(*query.cursor, torrent.claims.size());
  for (uint32_t i = 0; i < kLookupWalk && place > 0; ++i, --place) {
    if (!ListClaim(torrent.claims.at(place - 1), query.pieces, page, peers)) break;
  }
  if (place > 0) peers.cursor = place;
}

Response Registry::Lookup(const tracker_api::Lookup& query, uint64_t seed, StepWork& work) const {
  work.Answer();
  const Torrent* torrent = Find(query.torrent);
  if (torrent == nullptr) return NoSuchTorrent(query.torrent);
  tracker_api::Peers peers;
  peers.content = torrent->content();
  peers.piece_count = torrent->piece_count();
  peers.complete = torrent->complete;
  peers.incomplete = torrent->incomplete();
  peers.interval = AnnounceInterval(*torrent, limits(), log_time());
  if (const auto listed = info_hashes_of_.find(torrent->number); listed != info_hashes_of_.end()) {
    for (const InfoHash& hash : listed->second) {
      if (peers.info_hashes.size() < tracker_api::kToldInfoHashesLimit) peers.info_hashes.push_back(hash);
    }
  }
  if (query.cursor) {
    WalkPeers(query, *torrent, work, peers);
  } else {
    DrawPeers(query, *torrent, seed, work, peers);
  }
  Response response;
  response.body = std::move(peers);
  return response;
}

Response Registry::List(const tracker_api::List& query, StepWork& work) const {
  work.Answer();
  Page page(std::min(query.limit, tracker_api::kListLimit), work);
  tracker_api::Listing listing;
  const auto& names = state_.names;
  auto at = query.after.empty() ? names.begin() : names.upper_bound(query.after);
  for (; at != names.end() && !page.full(); ++at) {
    page.LookAtRow();
    const Torrent& torrent = this->torrent(at->second.torrent);
    tracker_api::ListEntry entry;
    entry.name = at->first;
    entry.content = torrent.content();
    entry.piece_length = torrent.metainfo.piece_length;
    entry.complete = torrent.complete;
    entry.incomplete = torrent.incomplete();
    if (!page.Take(tracker_api::ListedBytes(entry))) break;
    listing.torrents.push_back(std::move(entry));
  }
  listing.more = at != names.end();
  Response response;
  response.body = std::move(listing);
  return response;
}

Response Registry::Fetch(const tracker_api::Fetch& query, StepWork& work) const {
  work.Answer();
  const Torrent* torrent = Find(query.torrent);
  if (torrent == nullptr) return NoSuchTorrent(query.torrent);
  work.Bytes(AccountedBytes(torrent->metainfo));
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
