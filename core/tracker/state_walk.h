#pragma once

// StateWalk: the replicated state of one moment, encoded a piece at a time while commands go on changing it.
// At the beginning it freezes the tables whose rows change or leave (dense_table.h). Torrents, names and
// info-hashes are only ever added, each under a running number, so those of later numbers are passed over.
// The pieces are the state as it was then, byte for byte, however many commands were applied meanwhile. Owned
// by ReplicatedState, whose tables it is told to walk over; they must be the same ones each time.

#include <cstddef>
#include <optional>
#include <string>

#include "core/base/fields.h"
#include "core/tracker/registry_state.h"
#include "core/tracker/sessions.h"
#include "core/tracker/state_items.h"

namespace bt::tracker {

class StateWalk {
 public:
  StateWalk(RegistryState& registry, SessionsState& sessions, uint64_t commands, uint64_t digest);

  // The next items, until they are at least `bytes` (one item may be as long as a torrent's metainfo).
  std::string Next(size_t bytes, RegistryState& registry, SessionsState& sessions);
  // Everything has been given, and the tables are let go of.
  bool done() const { return part_ == Part::kDone; }
  // Lets go of the tables before the end.
  static void Abandon(RegistryState& registry, SessionsState& sessions);

 private:
  enum class Part : uint8_t { kHead, kLevel, kTorrents, kNames, kInfoHashes, kSessions, kDone };

  // Each puts one item, or moves on to the next part.
  void PutTorrentOrClaim(RegistryState& registry, Encoder& out);
  void PutName(const RegistryState& registry, Encoder& out);
  void PutInfoHash(const RegistryState& registry, Encoder& out);
  void PutSession(SessionsState& sessions, Encoder& out);

  StateHead head_;
  uint32_t level_;
  size_t torrents_;
  Part part_ = Part::kHead;
  // Where the walk stands within the part.
  size_t torrent_ = 0;
  bool in_claims_ = false;           // of torrent_, whose own item has been put
  uint32_t row_ = 0;                 // of the claims, or of the sessions
  std::optional<std::string> name_;  // at most name_bytes
  std::optional<InfoHash> info_hash_;
};

}  // namespace bt::tracker
