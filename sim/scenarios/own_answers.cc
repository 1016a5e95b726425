#include "sim/scenarios/own_answers.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "core/base/overloaded.h"

namespace bt::sim {
namespace {

using tracker::Claim;
using tracker::Registry;
using tracker::Torrent;
using tracker_api::Outcome;
using tracker_api::Response;

tracker_api::Role RoleOf(const paxos::Replica& replica) {
  if (replica.is_leader()) return tracker_api::Role::kLeader;
  return replica.role() == paxos::RoleKind::kFollower ? tracker_api::Role::kFollower
                                                      : tracker_api::Role::kCandidate;
}

const Torrent* Find(const Registry& registry, const tracker_api::TorrentKey& key) {
  for (const Torrent& torrent : registry.state().torrents) {
    if (const auto* content = std::get_if<ContentId>(&key); content && torrent.content() == *content)
      return &torrent;
  }
  if (const auto* hash = std::get_if<InfoHash>(&key)) {
    for (const auto& [bound, binding] : registry.state().info_hashes)
      if (bound == *hash) return &registry.torrent(binding.torrent);
  }
  if (const auto* name = std::get_if<std::string>(&key)) {
    for (const auto& [bound, binding] : registry.state().names)
      if (bound == *name) return &registry.torrent(binding.torrent);
  }
  return nullptr;
}

uint32_t Seeders(const Torrent& torrent) {
  uint32_t seeders = 0;
  for (const Claim& claim : torrent.claims.rows()) seeders += claim.complete ? 1 : 0;
  return seeders;
}

std::string WrongCounts(const Torrent& torrent, uint32_t complete, uint32_t incomplete) {
  const uint32_t seeders = Seeders(torrent);
  if (complete == seeders && complete + incomplete == torrent.claims.rows().size()) return {};
  return absl::StrFormat("%d seeders of %d peers, and it holds claims of %d of %d", complete,
                         complete + incomplete, seeders, torrent.claims.rows().size());
}

std::string WrongPeers(const tracker_api::Lookup& asked, const tracker_api::Peers& peers,
                       const Registry& registry, const Torrent& torrent) {
  uint64_t live = 0;
  for (const Claim& claim : torrent.claims.rows()) live += registry.Live(claim) ? 1 : 0;
  for (const tracker_api::PeerClaim& one : peers.peers) {
    const std::vector<Claim>& rows = torrent.claims.rows();
    const auto claim =
        std::find_if(rows.begin(), rows.end(), [&](const Claim& row) { return row.peer == one.peer; });
    if (claim == rows.end() || !registry.Live(*claim)) return "a peer whose claim it does not hold";
    if (claim->complete != one.complete) return "of a peer that is no seeder that it is one, or the reverse";
    if (one.pieces != (asked.pieces ? claim->pieces : PieceMap())) return "other pieces than are claimed";
  }
  const uint64_t room = std::min(asked.limit, tracker_api::kLookupLimit);
  if (!asked.cursor && peers.peers.size() != std::min(live, room))
    return absl::StrFormat("%d peers of %d, and there is room for %d", peers.peers.size(), live, room);
  if (peers.content != torrent.content() || peers.piece_count != torrent.piece_count())
    return "another content";
  return WrongCounts(torrent, peers.complete, peers.incomplete);
}

std::string WrongListing(const tracker_api::List& asked, const tracker_api::Listing& listing,
                         const Registry& registry) {
  const uint64_t room = std::min(asked.limit, tracker_api::kListLimit);
  size_t at = 0;
  for (const auto& [name, binding] : registry.state().names) {
    if (name <= asked.after) continue;
    if (at == room) return listing.more ? std::string() : "that there are no more names, and there are";
    if (at == listing.torrents.size()) return "fewer names than there are and fit";
    const tracker_api::ListEntry& entry = listing.torrents[at++];
    const Torrent& torrent = registry.torrent(binding.torrent);
    if (entry.name != name || entry.content != torrent.content())
      return "another name, or of another content";
    if (std::string wrong = WrongCounts(torrent, entry.complete, entry.incomplete); !wrong.empty())
      return wrong;
  }
  if (at < listing.torrents.size()) return "more names than there are";
  return listing.more ? "that there are more names, and there are none" : "";
}

std::string WrongFetched(const tracker_api::Fetch& asked, const tracker_api::Fetched& fetched,
                         const Registry& registry, const Torrent& torrent) {
  const Metainfo& metainfo = fetched.metainfo;
  const auto named = registry.state().names.find(metainfo.name);
  if (named == registry.state().names.end() || &registry.torrent(named->second.torrent) != &torrent)
    return "a name that is not bound to it";
  if (const auto* name = std::get_if<std::string>(&asked.torrent); name && *name != metainfo.name)
    return "another name";
  const auto* hash = std::get_if<InfoHash>(&asked.torrent);
  if (hash != nullptr && registry.state().info_hashes.at(*hash).name != metainfo.name)
    return "another name than that with the info-hash";
  Metainfo expected = torrent.metainfo;
  expected.name = metainfo.name;
  expected.foreign_info_hashes = named->second.foreign;
  return metainfo == expected ? "" : "another torrent than is registered";
}

std::string WrongScrape(const tracker_api::Scrape& asked, const tracker_api::Scraped& scraped,
                        const Registry& registry) {
  size_t at = 0;
  for (const InfoHash& hash : asked.info_hashes) {
    const Torrent* const torrent = Find(registry, hash);
    if (torrent == nullptr || at == tracker_api::kScrapeLimit) continue;
    if (at == scraped.entries.size() || scraped.entries[at].info_hash != hash)
      return "fewer torrents than are known, or others";
    const tracker_api::ScrapeEntry& entry = scraped.entries[at++];
    if (std::string wrong = WrongCounts(*torrent, entry.complete, entry.incomplete); !wrong.empty())
      return wrong;
  }
  return at < scraped.entries.size() ? "more torrents than were asked for" : "";
}

// `wrong` is asked what is wrong with a body of this kind about a torrent that is there.
template <class Body, class Query, class Wrong>
std::string About(const Query& query, const Response& response, const Registry& registry, Wrong wrong) {
  const Torrent* const torrent = Find(registry, query.torrent);
  if (torrent == nullptr)
    return response.outcome == Outcome::kNotFound ? "" : "of a torrent that is not there";
  const auto* body = std::get_if<Body>(&response.body);
  if (response.outcome != Outcome::kOk || body == nullptr) return "nothing of a torrent that is there";
  return wrong(query, *body, registry, *torrent);
}

}  // namespace

std::string WrongStatus(const tracker_api::NodeStatus& status, const tracker::TrackerNode& node) {
  const paxos::Replica& replica = node.replica();
  const Registry& registry = node.registry();
  if (status.node != replica.config().self) return "it is another node";
  if (status.role != RoleOf(replica)) return "it has another role";
  if (status.leader != replica.leader()) return "another node leads";
  if (status.has_quorum != replica.leader().has_value()) return "it hears a majority, or does not";
  if (status.ballot_round != replica.ballot().round) return "another ballot is promised";
  if (status.chosen != replica.chosen()) return "another slot is chosen";
  if (status.applied != node.applied()) return "another slot is applied";
  if (status.torrents != registry.state().torrents.size()) return "there are other torrents";
  uint64_t claims = 0;
  for (const Torrent& torrent : registry.state().torrents) claims += torrent.claims.rows().size();
  if (status.claims != claims) return "there are other claims";
  if (status.level != registry.state().level) return "another format level is in force";
  const tracker::LevelRange& levels = node.config().levels;
  if (status.oldest_level != levels.oldest || status.newest_level != levels.newest)
    return "it reads other format levels";
  std::vector<NodeId> members;
  for (const paxos::Member& member : replica.members().membership.members) members.push_back(member.id);
  return status.members == members ? "" : "the members are others";
}

std::string WrongAnswer(const tracker_api::Request& asked, const Response& response,
                        const Registry& registry) {
  if (response.outcome == Outcome::kUnavailable) return {};
  return std::visit(
      Overloaded{
          [&](const tracker_api::Lookup& query) {
            return About<tracker_api::Peers>(query, response, registry, WrongPeers);
          },
          [&](const tracker_api::Fetch& query) {
            return About<tracker_api::Fetched>(query, response, registry, WrongFetched);
          },
          [&](const tracker_api::List& query) {
            const auto* listing = std::get_if<tracker_api::Listing>(&response.body);
            return listing == nullptr ? std::string("no listing") : WrongListing(query, *listing, registry);
          },
          [&](const tracker_api::Scrape& query) {
            const auto* scraped = std::get_if<tracker_api::Scraped>(&response.body);
            return scraped == nullptr ? std::string("no scrape") : WrongScrape(query, *scraped, registry);
          },
          [](const auto&) { return std::string(); },
      },
      asked);
}

}  // namespace bt::sim
