#pragma once

// What a client asks a tracker: mutations, which are answered after they are chosen and durable, and queries,
// which are answered from applied state. nodes/ translates each from and to HTTP.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "core/torrent/metainfo.h"
#include "core/torrent/piece_map.h"
#include "core/tracker_api/torrent_key.h"

namespace bt::tracker_api {

// Exactly once: a retry of one mutation carries the same pair. Within a session sequences start at 1 and
// there is one mutation outstanding at a time. session 0: none given, the node supplies one of its own.
struct MutationId {
  SessionId session;
  uint64_t sequence = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
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

  static constexpr int kMembersApart = -1;  // the metainfo's tree
  static constexpr void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("metainfo", self.metainfo);
    visit("tree", self.metainfo.tree);
  }
  friend bool operator==(const Register&, const Register&) = default;
};
// Adds pieces to the claim of `peer` and renews it.
struct Offer {
  MutationId id;
  TorrentKey torrent;
  Address peer;
  std::vector<PieceRange> pieces;  // may be empty: renews only

  static constexpr void Fields(auto& self, auto&& visit) {
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

  static constexpr void Fields(auto& self, auto&& visit) {
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
  uint32_t limit = 50;  // peers; at most kLookupLimit
  bool pieces = true;   // also which pieces each peer has
  // None: the peers are drawn anew for each lookup. Else the next page of a walk through all of them, which
  // begins with kWalkStart and goes on with the cursor of the answer before: who is there during the whole
  // walk is told at least once.
  std::optional<uint32_t> cursor;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("torrent", self.torrent);
    visit("linearizable", self.linearizable);
    visit("limit", self.limit);
    visit("pieces", self.pieces);
    visit("cursor", self.cursor);
  }
  friend bool operator==(const Lookup&, const Lookup&) = default;
};
struct List {
  std::string after;  // name to continue after, exclusive; empty: from the start
  uint32_t limit = 100;
  bool linearizable = false;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("after", self.after);
    visit("limit", self.limit);
    visit("linearizable", self.linearizable);
  }
  friend bool operator==(const List&, const List&) = default;
};
struct Fetch {
  TorrentKey torrent;
  bool linearizable = false;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("torrent", self.torrent);
    visit("linearizable", self.linearizable);
  }
  friend bool operator==(const Fetch&, const Fetch&) = default;
};
struct Status {
  static constexpr void Fields(auto&, auto&&) {}
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

  static constexpr void Fields(auto& self, auto&& visit) {
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

  static constexpr void Fields(auto& self, auto&& visit) { visit("info_hashes", self.info_hashes); }
  friend bool operator==(const Scrape&, const Scrape&) = default;
};

using Request = std::variant<Register, Offer, Withdraw, Lookup, List, Fetch, Status, Announce, Scrape>;

inline constexpr uint32_t kWalkStart = UINT32_MAX;
inline constexpr uint32_t kLookupLimit = 200;
inline constexpr uint32_t kListLimit = 1000;
inline constexpr uint32_t kScrapeLimit = 64;

}  // namespace bt::tracker_api
