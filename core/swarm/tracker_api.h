#pragma once

// What a client asks a tracker, and the answers: the vocabulary shared by the client machine, the
// tracker machine, and the HTTP translation in nodes/. swarm.md's endpoint table is its HTTP form.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/base/time.h"
#include "core/torrent/content_id.h"
#include "core/torrent/metainfo.h"
#include "core/torrent/piece_map.h"

namespace bt::tracker_api {

// How a torrent is named in a request.
using TorrentKey = std::variant<ContentId, InfoHash, std::string /* name */>;

// Exactly once: a retry of one mutation carries the same pair. Within a session sequences start at 1 and
// there is one mutation outstanding at a time. session 0: none given, the node supplies one of its own.
struct MutationId {
  SessionId session;
  uint64_t sequence = 0;

  static void Fields(auto& self, auto&& visit) {
    visit("session", self.session);
    visit("sequence", self.sequence);
  }
  friend bool operator==(const MutationId&, const MutationId&) = default;
  template <class H>
  friend H AbslHashValue(H state, const MutationId& id) {
    return H::combine(std::move(state), id.session, id.sequence);
  }
};

// --- mutations: answered after they are chosen and durable on a majority ---

struct Register {
  MutationId id;
  Metainfo metainfo;

  static void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("metainfo", self.metainfo);
  }
  friend bool operator==(const Register&, const Register&) = default;
};
// Adds pieces to the claim of `peer` and renews it.
struct Offer {
  MutationId id;
  TorrentKey torrent;
  Address peer;
  std::vector<PieceRange> pieces;  // may be empty: renews only

  static void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("torrent", self.torrent);
    visit("peer", self.peer);
    visit("pieces", self.pieces);
  }
  friend bool operator==(const Offer&, const Offer&) = default;
};
// Removes pieces from the claim of `peer`; empty `pieces` removes the whole claim.
struct Withdraw {
  MutationId id;
  TorrentKey torrent;
  Address peer;
  std::vector<PieceRange> pieces;

  static void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("torrent", self.torrent);
    visit("peer", self.peer);
    visit("pieces", self.pieces);
  }
  friend bool operator==(const Withdraw&, const Withdraw&) = default;
};

// --- queries ---

struct Lookup {
  TorrentKey torrent;
  bool linearizable = false;
  uint32_t limit = 200;  // peers; at most kLookupLimit

  static void Fields(auto& self, auto&& visit) {
    visit("torrent", self.torrent);
    visit("linearizable", self.linearizable);
    visit("limit", self.limit);
  }
  friend bool operator==(const Lookup&, const Lookup&) = default;
};
struct List {
  std::string after;  // name to continue after, exclusive; empty: from the start
  uint32_t limit = 100;
  bool linearizable = false;

  static void Fields(auto& self, auto&& visit) {
    visit("after", self.after);
    visit("limit", self.limit);
    visit("linearizable", self.linearizable);
  }
  friend bool operator==(const List&, const List&) = default;
};
struct Fetch {
  TorrentKey torrent;
  bool linearizable = false;

  static void Fields(auto& self, auto&& visit) {
    visit("torrent", self.torrent);
    visit("linearizable", self.linearizable);
  }
  friend bool operator==(const Fetch&, const Fetch&) = default;
};
struct Status {
  static void Fields(auto&, auto&&) {}
  friend bool operator==(const Status&, const Status&) = default;
};
// BEP 3 announce: answered at once from local applied state, the claim replicated behind it.
enum class AnnounceEvent : uint8_t { kNone, kStarted, kCompleted, kStopped, kLast = kStopped };
struct Announce {
  InfoHash info_hash{};
  Address peer;
  uint64_t left = 0;
  AnnounceEvent event = AnnounceEvent::kNone;
  uint32_t numwant = 50;

  static void Fields(auto& self, auto&& visit) {
    visit("info_hash", self.info_hash);
    visit("peer", self.peer);
    visit("left", self.left);
    visit("event", self.event);
    visit("numwant", self.numwant);
  }
  friend bool operator==(const Announce&, const Announce&) = default;
};
struct Scrape {
  std::vector<InfoHash> info_hashes;  // at most kScrapeLimit

  static void Fields(auto& self, auto&& visit) { visit("info_hashes", self.info_hashes); }
  friend bool operator==(const Scrape&, const Scrape&) = default;
};

using Request = std::variant<Register, Offer, Withdraw, Lookup, List, Fetch, Status, Announce, Scrape>;

inline constexpr uint32_t kLookupLimit = 1000;
inline constexpr uint32_t kListLimit = 1000;
inline constexpr uint32_t kScrapeLimit = 64;

// --- answers ---

enum class Outcome : uint8_t {
  kOk,           // 200
  kCreated,      // 201
  kInvalid,      // 400
  kNotFound,     // 404
  kConflict,     // 409
  kTooLarge,     // 413
  kUnavailable,  // 503: not done as far as this node knows; ask again after retry_after
  kLast = kUnavailable,
};

// The reason given with kUnavailable when the cluster does not know (any more) the session of a mutation
// that is not its first: repeat it as the first of a new session.
inline constexpr const char* kSessionExpired = "session expired: open a new one, with sequence 1";

struct PeerClaim {
  Address peer;
  std::vector<PieceRange> pieces;
  bool complete = false;

  static void Fields(auto& self, auto&& visit) {
    visit("peer", self.peer);
    visit("pieces", self.pieces);
    visit("complete", self.complete);
  }
  friend bool operator==(const PeerClaim&, const PeerClaim&) = default;
};
struct Peers {
  ContentId content;
  uint32_t piece_count = 0;
  std::vector<PeerClaim> peers;
  uint32_t complete = 0;    // seeders in all
  uint32_t incomplete = 0;  // other peers in all
  Duration interval;        // announce again after

  static void Fields(auto& self, auto&& visit) {
    visit("content", self.content);
    visit("piece_count", self.piece_count);
    visit("peers", self.peers);
    visit("complete", self.complete);
    visit("incomplete", self.incomplete);
    visit("interval", self.interval);
  }
  friend bool operator==(const Peers&, const Peers&) = default;
};
struct ListEntry {
  std::string name;
  ContentId content;
  uint32_t piece_length = 0;
  uint32_t complete = 0;
  uint32_t incomplete = 0;

  static void Fields(auto& self, auto&& visit) {
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

  static void Fields(auto& self, auto&& visit) {
    visit("torrents", self.torrents);
    visit("more", self.more);
  }
  friend bool operator==(const Listing&, const Listing&) = default;
};
struct Registered {
  ContentId content;

  static void Fields(auto& self, auto&& visit) { visit("content", self.content); }
  friend bool operator==(const Registered&, const Registered&) = default;
};
struct Fetched {
  Metainfo metainfo;

  static void Fields(auto& self, auto&& visit) { visit("metainfo", self.metainfo); }
  friend bool operator==(const Fetched&, const Fetched&) = default;
};
struct NodeStatus {
  NodeId node;
  std::string role;  // "leader", "follower", "candidate"
  std::optional<NodeId> leader;
  uint64_t ballot_round = 0;
  Slot chosen;   // highest slot known chosen, with all before it
  Slot applied;  // highest slot executed by the registry
  uint64_t registry_digest = 0;
  uint64_t torrents = 0;
  uint64_t claims = 0;
  std::vector<NodeId> members;
  bool has_quorum = false;  // a leader that hears a majority, or a follower that hears such a leader

  static void Fields(auto& self, auto&& visit) {
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
  }
  friend bool operator==(const NodeStatus&, const NodeStatus&) = default;
};
struct ScrapeEntry {
  InfoHash info_hash{};
  uint32_t complete = 0;
  uint32_t incomplete = 0;

  static void Fields(auto& self, auto&& visit) {
    visit("info_hash", self.info_hash);
    visit("complete", self.complete);
    visit("incomplete", self.incomplete);
  }
  friend bool operator==(const ScrapeEntry&, const ScrapeEntry&) = default;
};
struct Scraped {
  std::vector<ScrapeEntry> entries;

  static void Fields(auto& self, auto&& visit) { visit("entries", self.entries); }
  friend bool operator==(const Scraped&, const Scraped&) = default;
};

struct Response {
  Outcome outcome = Outcome::kOk;
  std::string reason;    // for people; empty when all is well, or a warning beside a good answer
  Duration retry_after;  // with kUnavailable
  std::variant<std::monostate, Registered, Peers, Listing, Fetched, NodeStatus, Scraped> body;

  static void Fields(auto& self, auto&& visit) {
    visit("outcome", self.outcome);
    visit("reason", self.reason);
    visit("retry_after", self.retry_after);
    visit("body", self.body);
  }
  friend bool operator==(const Response&, const Response&) = default;
};

// --- the client machine's messages: one request to, and one answer from, a tracker node ---

struct Ask {
  uint64_t id = 0;  // unique within the client
  Request request;

  static void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("request", self.request);
  }
  friend bool operator==(const Ask&, const Ask&) = default;
};
struct Answer {
  uint64_t id = 0;
  Response response;

  static void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("response", self.response);
  }
  friend bool operator==(const Answer&, const Answer&) = default;
};
// The node could not be asked (refused, reset, timed out): the edge's word for it.
struct Unreachable {
  uint64_t id = 0;
  std::string why;

  static void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("why", self.why);
  }
  friend bool operator==(const Unreachable&, const Unreachable&) = default;
};

}  // namespace bt::tracker_api
