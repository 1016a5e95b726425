#pragma once

// RegistryState: everything the registry has to remember, as plain values that can be encoded. Two replicas
// with equal states answer every further command alike; look-up structures beside it are rebuilt from it.
// Changed by Registry alone, by applying commands.

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
#include "core/tracker/limits.h"

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

  const Address& key() const { return peer; }
  static constexpr void Fields(auto& self, auto&& visit) {
    visit("peer", self.peer);
    visit("expires", self.expires);
    visit("indexed", self.indexed);
    visit("complete", self.complete);
    visit("pieces", self.pieces);
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
  static constexpr void Fields(auto& self, auto&& visit) {
    visit("number", self.number);
    visit("since", self.since);
    visit("metainfo", self.metainfo);
    visit("names", self.names);
    visit("info_hashes", self.info_hashes);
    visit("complete", self.complete);
    visit("claims", self.claims);
  }
};

struct NameBinding {
  TorrentNumber torrent;
  std::vector<InfoHash> foreign;  // info-hashes registered with this name that cannot be derived

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("torrent", self.torrent);
    visit("foreign", self.foreign);
  }
};

struct InfoHashBinding {
  TorrentNumber torrent;
  std::string name;  // under which it was registered

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("torrent", self.torrent);
    visit("name", self.name);
  }
};

struct RegistryState {
  uint64_t limits_version = 0;  // how often the limits were set
  Limits limits;
  Instant log_time{};
  std::vector<Torrent> torrents;  // by number
  absl::btree_map<std::string, NameBinding> names;
  absl::btree_map<InfoHash, InfoHashBinding> info_hashes;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("limits_version", self.limits_version);
    visit("limits", self.limits);
    visit("log_time", self.log_time);
    visit("torrents", self.torrents);
    visit("names", self.names);
    visit("info_hashes", self.info_hashes);
  }
};

}  // namespace bt::tracker
