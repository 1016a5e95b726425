#pragma once

// StateItem: the replicated state as a sequence of small items, in which it is kept in snapshots and travels.
// A head, the format level unless it is the first, then each torrent and behind it its claims, the names, the
// info-hashes, the sessions, each in the order of its table. Items stand one behind the other, encoded by
// their Fields; a sequence may be cut between any two of them. Counts and indexes are no items: they are
// rebuilt (registry_restore.cc). Equal states give equal items. Written by StateWalk, read by StateBuilder.

#include <cstdint>
#include <string>
#include <variant>

#include "core/tracker/format_level.h"
#include "core/tracker/registry_state.h"
#include "core/tracker/sessions.h"

namespace bt::tracker {

// Format 1 was one encoding of the whole state; format 2 knew no sources. In format 3 the first level is in
// force; in format 4 a LevelItem stands behind the head. StateFormatOf says which one is written.
struct StateHead {
  uint64_t format = kOldestStateFormat;
  uint64_t limits_version = 0;
  Limits limits;
  Instant log_time{};
  uint64_t bindings = 0;
  Instant session_time{};
  uint64_t commands = 0;
  uint64_t digest = 0;  // ReplicatedState::Digest, which covers all other items

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("format", self.format);
    visit("limits_version", self.limits_version);
    visit("limits", self.limits);
    visit("log_time", self.log_time);
    visit("bindings", self.bindings);
    visit("session_time", self.session_time);
    visit("commands", self.commands);
    visit("digest", self.digest);
  }
};

struct TorrentItem {
  TorrentNumber number;
  Instant since;
  Metainfo metainfo;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("number", self.number);
    visit("since", self.since);
    visit("metainfo", self.metainfo);
  }
};

// Of the torrent before it, whose content is a tree.
struct TreeItem {
  FileTree tree;

  static constexpr void Fields(auto& self, auto&& visit) { visit("tree", self.tree); }
};

// Of the torrent before it.
struct ClaimItem {
  Claim claim;

  static constexpr void Fields(auto& self, auto&& visit) { visit("claim", self.claim); }
};

struct NameItem {
  std::string name;
  TorrentNumber torrent;
  uint64_t binding = 0;
  Source source;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("name", self.name);
    visit("torrent", self.torrent);
    visit("binding", self.binding);
    visit("source", self.source);
  }
};

struct InfoHashItem {
  InfoHash hash{};
  InfoHashBinding bound;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("hash", self.hash);
    visit("bound", self.bound);
  }
};

// The format level in force.
struct LevelItem {
  uint32_t level = kFirstLevel;

  static constexpr void Fields(auto& self, auto&& visit) { visit("level", self.level); }
};

// In the order in which they were added to the format.
using StateItem =
    std::variant<StateHead, TorrentItem, ClaimItem, NameItem, InfoHashItem, Session, LevelItem, TreeItem>;

}  // namespace bt::tracker
