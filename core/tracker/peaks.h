#pragma once

// Peaks: the most that was taken of each agreed limit (limits.h) since this node has had the state, so that
// an operator sees how near a limit the cluster has been. Noted where a table grows. They are a node's own,
// no part of the state, of its digest or of a snapshot: a node that was started later has seen less.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/highest.h"

namespace bt::tracker {

// The limits of what is held. The others are lifetimes, and what one command may do.
enum class Held : uint8_t {
  kPieces,  // of one registration, as the next three
  kPieceLength,
  kNameBytes,
  kForeignInfoHashes,
  kTorrents,
  kNamesPerContent,
  kInfoHashesPerContent,
  kClaimsPerContent,
  kClaims,
  kClaimsPerCommand,
  kBytes,
  kSessions,
  kSourceClaims,
  kSourceClaimsPerContent,
  kSourceClaimBytes,
  kSourceNames,
  kSourceRegisteredBytes,
  kCount
};

class Peaks {
 public:
  void Note(Held what, uint64_t now) { peaks_[static_cast<size_t>(what)].Note(now); }
  // All that the other has seen, too.
  void Note(const Peaks& other) {
    for (size_t i = 0; i < peaks_.size(); ++i) peaks_[i].Note(other.peaks_[i].value());
  }
  uint64_t Of(Held what) const { return peaks_[static_cast<size_t>(what)].value(); }

 private:
  std::array<Highest, static_cast<size_t>(Held::kCount)> peaks_;
};

// By the limit's name (limit_names.h); nullopt: it is no limit of what is held.
constexpr std::optional<Held> HeldNamed(std::string_view limit) {
  constexpr std::array<std::string_view, static_cast<size_t>(Held::kCount)> kNames{
      "metainfo.pieces",
      "metainfo.piece_length",
      "metainfo.name_bytes",
      "metainfo.foreign_info_hashes",
      "torrents",
      "names_per_content",
      "info_hashes_per_content",
      "claims_per_content",
      "claims",
      "claims_per_command",
      "bytes",
      "sessions",
      "source_claims",
      "source_claims_per_content",
      "source_claim_bytes",
      "source_names",
      "source_registered_bytes"};
  for (size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == limit) return static_cast<Held>(i);
  return std::nullopt;
}

}  // namespace bt::tracker
