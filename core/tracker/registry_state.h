#pragma once

// RegistryState: everything the registry has to remember, as plain values. Two replicas with equal states
// answer every further command alike; look-up structures beside it are rebuilt from it. state_items.h says
// how it is encoded. Changed by Registry alone, by applying commands.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/address.h"
#include "core/base/time.h"
#include "core/torrent/metainfo.h"
#include "core/torrent/piece_map.h"
#include "core/tracker/command.h"
#include "core/tracker/dense_table.h"
#include "core/tracker/format_level.h"
#include "core/tracker/limits.h"
#include "core/tracker/source.h"

namespace bt::tracker {

// "Peer has these pieces", until it expires.
struct Claim {
  Address peer;
  Instant expires;  // log time
  // Where the expiry index has it: at most `expires`, because renewals do not move it. It decides which
  // claims a command drops, so it is part of what replicas must agree on.
  Instant indexed;
  bool complete = false;
  PieceMap pieces;  // of size 0 when complete or when the peer has none
  Source source;    // whose share it counts to: who made it, whoever renews it

  const Address& key() const { return peer; }
  static constexpr void Fields(auto& self, auto&& visit) {
    visit("peer", self.peer);
    visit("expires", self.expires);
    visit("indexed", self.indexed);
    visit("complete", self.complete);
    visit("pieces", self.pieces);
    visit("source", self.source);
  }
};

struct Torrent {
  TorrentNumber number;
  Instant since;             // log time of its registration
  Metainfo metainfo;         // under the first name it was registered with, without foreign info-hashes
  uint32_t names = 0;        // bound to it
  uint32_t info_hashes = 0;  // bound to it
  uint32_t complete = 0;     // claims of all pieces
  DenseTable<Claim> claims;

  ContentId content() const { return metainfo.content(); }
  uint32_t piece_count() const { return metainfo.piece_count(); }
  uint32_t incomplete() const { return claims.size() - complete; }
};

struct NameBinding {
  TorrentNumber torrent;
  uint64_t binding = 0;           // its running number
  Source source;                  // who registered it
  std::vector<InfoHash> foreign;  // info-hashes registered with this name that cannot be derived
};

struct InfoHashBinding {
  TorrentNumber torrent;
  std::string name;      // under which it was registered
  bool foreign = false;  // it cannot be derived from the torrent
  uint64_t binding = 0;  // its running number

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("torrent", self.torrent);
    visit("name", self.name);
    visit("foreign", self.foreign);
    visit("binding", self.binding);
  }
};

struct RegistryState {
  uint32_t level = kFirstLevel;  // the format level in force
  uint64_t limits_version = 0;   // how often the limits were set
  Limits limits;
  Instant log_time{};
  uint64_t bindings = 0;          // names and info-hashes bound so far
  std::vector<Torrent> torrents;  // by number
  absl::btree_map<std::string, NameBinding> names;
  absl::btree_map<InfoHash, InfoHashBinding> info_hashes;
};

}  // namespace bt::tracker
