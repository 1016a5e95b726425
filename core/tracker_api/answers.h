#pragma once

// What a tracker answers. An Outcome says what became of the request, in a type; the reason beside it is for
// people, and no code compares it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "core/base/time.h"
#include "core/torrent/content_id.h"
#include "core/torrent/metainfo.h"
#include "core/torrent/piece_map.h"
#include "core/tracker_api/torrent_key.h"

namespace bt::tracker_api {

enum class Outcome : uint8_t {
  kOk,           // 200
  kCreated,      // 201
  kInvalid,      // 400
  kNotFound,     // 404
  kConflict,     // 409
  kTooLarge,     // 413
  kUnavailable,  // 503: not done as far as this node knows; ask again after retry_after
  // 410: not done, and under this id it never will be: the cluster does not know (any more) the session of a
  // mutation that is not its first. Repeat it as the first of a new session.
  kSessionExpired,
  kLast = kSessionExpired,
};
// True of what is done; a mutation is then durable.
constexpr bool Done(Outcome outcome) { return outcome == Outcome::kOk || outcome == Outcome::kCreated; }
// True when the command left no trace in the replicated state, not even in its session's row: the caller may
// repeat the mutation and it takes effect once.
constexpr bool LeftNoTrace(Outcome outcome) {
  return outcome == Outcome::kUnavailable || outcome == Outcome::kSessionExpired;
}

struct PeerClaim {
  Address peer;
  PieceMap pieces;  // of size 0 when complete, when the peer has none, and when they were not asked for
  bool complete = false;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("peer", self.peer);
    visit("pieces", self.pieces);
    visit("complete", self.complete);
  }
  friend bool operator==(const PeerClaim&, const PeerClaim&) = default;
};
// What the peer has, of a content of `piece_count` pieces.
PieceMap PiecesOf(const PeerClaim& claim, uint32_t piece_count);
// Info-hashes in one answer at most.
inline constexpr size_t kToldInfoHashesLimit = 64;
struct Peers {
  ContentId content;
  uint32_t piece_count = 0;
  std::vector<PeerClaim> peers;
  // Of a content that is registered under several names, or with info-hashes that cannot be derived: all it
  // has. Its peers know it by the one or the other.
  std::vector<InfoHash> info_hashes;
  uint32_t complete = 0;    // seeders in all
  uint32_t incomplete = 0;  // other peers in all
  Duration interval;        // announce again after
  // Of a walk (Lookup::cursor): the cursor of its next page, none when this was the last one.
  std::optional<uint32_t> cursor;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("content", self.content);
    visit("piece_count", self.piece_count);
    visit("peers", self.peers);
    visit("info_hashes", self.info_hashes);
    visit("complete", self.complete);
    visit("incomplete", self.incomplete);
    visit("interval", self.interval);
    visit("cursor", self.cursor);
  }
  friend bool operator==(const Peers&, const Peers&) = default;
};
struct ListEntry {
  std::string name;
  ContentId content;
  uint32_t piece_length = 0;
  uint32_t complete = 0;
  uint32_t incomplete = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("name", self.name);
    visit("content", self.content);
    visit("piece_length", self.piece_length);
    visit("complete", self.complete);
    visit("incomplete", self.incomplete);
  }
  friend bool operator==(const ListEntry&, const ListEntry&) = default;
};
struct Listing {
  std::vector<ListEntry> torrents;
  bool more = false;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("torrents", self.torrents);
    visit("more", self.more);
  }
  friend bool operator==(const Listing&, const Listing&) = default;
};
struct Registered {
  ContentId content;

  static constexpr void Fields(auto& self, auto&& visit) { visit("content", self.content); }
  friend bool operator==(const Registered&, const Registered&) = default;
};
struct Fetched {
  Metainfo metainfo;

  static constexpr int kMembersApart = -1;  // the metainfo's tree
  static constexpr void Fields(auto& self, auto&& visit) {
    visit("metainfo", self.metainfo);
    visit("tree", self.metainfo.tree);
  }
  friend bool operator==(const Fetched&, const Fetched&) = default;
};
// What a node is in its cluster; a pre-candidate counts as a candidate.
enum class Role : uint8_t { kFollower, kCandidate, kLeader, kLast = kLeader };
inline constexpr Role kRoles[] = {Role::kLeader, Role::kFollower, Role::kCandidate};
// "follower", "candidate", "leader".
std::string_view RoleName(Role role);
std::optional<Role> ParseRole(std::string_view name);

// Why a node refuses while it takes up its journal, with how much of that is done.
std::string RecoveringReason(uint32_t percent);

// What the operator should look at.
struct Alarm {
  std::string name;  // for programs: the same as long as it lasts
  std::string text;  // a sentence: what is wrong, by whom, and what follows

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("name", self.name);
    visit("text", self.text);
  }
  friend bool operator==(const Alarm&, const Alarm&) = default;
};

struct NodeStatus {
  NodeId node;
  Role role = Role::kFollower;
  std::optional<NodeId> leader;
  uint64_t ballot_round = 0;
  Slot chosen;   // highest slot known chosen, with all before it
  Slot applied;  // highest slot executed by the registry
  uint64_t registry_digest = 0;
  uint64_t torrents = 0;
  uint64_t claims = 0;
  std::vector<NodeId> members;
  bool has_quorum = false;  // a leader that hears a majority, or a follower that hears such a leader
  std::vector<Alarm> alarms;
  std::string program;        // the version it runs
  uint32_t level = 0;         // the format level in force (core/tracker/format_level.h)
  uint32_t oldest_level = 0;  // of those that the program reads
  uint32_t newest_level = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("node", self.node);
    visit("role", self.role);
    visit("leader", self.leader);
    visit("ballot_round", self.ballot_round);
    visit("chosen", self.chosen);
    visit("applied", self.applied);
    visit("registry_digest", self.registry_digest);
    visit("torrents", self.torrents);
    visit("claims", self.claims);
    visit("members", self.members);
    visit("has_quorum", self.has_quorum);
    visit("alarms", self.alarms);
    visit("program", self.program);
    visit("level", self.level);
    visit("oldest_level", self.oldest_level);
    visit("newest_level", self.newest_level);
  }
  friend bool operator==(const NodeStatus&, const NodeStatus&) = default;
};
struct ScrapeEntry {
  InfoHash info_hash{};
  uint32_t complete = 0;
  uint32_t incomplete = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("info_hash", self.info_hash);
    visit("complete", self.complete);
    visit("incomplete", self.incomplete);
  }
  friend bool operator==(const ScrapeEntry&, const ScrapeEntry&) = default;
};
struct Scraped {
  std::vector<ScrapeEntry> entries;

  static constexpr void Fields(auto& self, auto&& visit) { visit("entries", self.entries); }
  friend bool operator==(const Scraped&, const Scraped&) = default;
};

struct Response {
  Outcome outcome = Outcome::kOk;
  std::string reason;    // for people; empty when all is well, or a warning beside a good answer
  Duration retry_after;  // with kUnavailable
  std::variant<std::monostate, Registered, Peers, Listing, Fetched, NodeStatus, Scraped> body;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("outcome", self.outcome);
    visit("reason", self.reason);
    visit("retry_after", self.retry_after);
    visit("body", self.body);
  }
  friend bool operator==(const Response&, const Response&) = default;
};

// Responses without a body.
Response Refuse(Outcome outcome, std::string reason);
Response Unavailable(std::string reason, Duration retry_after = Seconds(5));
// kNotFound for a torrent nobody has registered.
Response NoSuchTorrent(const TorrentKey& key);

}  // namespace bt::tracker_api
