#include "core/tracker_api/listed_bytes.h"

#include <algorithm>

namespace bt::tracker_api {
namespace {

// {"peer":"","complete":false,"bitfield":""}, with the longest address.
constexpr uint64_t kPeerBytes = 44 + 47;
// {"name":"","content":"","length":,"piece_length":,"complete":,"incomplete":}, with the longest content id
// and numbers.
constexpr uint64_t kEntryBytes = 77 + 85 + 20 + 3 * 10;

uint64_t Digits(uint32_t number) {
  uint64_t digits = 1;
  for (; number >= 10; number /= 10) ++digits;
  return digits;
}

// [first,count], each.
uint64_t RangesBytes(const PieceMap& pieces) { return pieces.ranges() * (2 * Digits(pieces.size()) + 4); }

uint64_t BitfieldBytes(const PieceMap& pieces) {
  const uint64_t bytes = (uint64_t{pieces.size()} + 7) / 8;
  return (bytes + 2) / 3 * 4;
}

}  // namespace

bool ShorterAsBitfield(const PieceMap& pieces) { return BitfieldBytes(pieces) < RangesBytes(pieces); }

uint64_t ListedBytes(const PeerClaim& claim) {
  // A seeder's pieces are one range of all of them.
  const uint64_t pieces = claim.complete ? 2 * Digits(UINT32_MAX) + 4
                                         : std::min(BitfieldBytes(claim.pieces), RangesBytes(claim.pieces));
  return kPeerBytes + pieces;
}

// Of the characters a name may hold (ValidateName), JSON escapes two, with one more each.
uint64_t ListedBytes(const ListEntry& entry) {
  const auto escaped =
      std::count_if(entry.name.begin(), entry.name.end(), [](char c) { return c == '"' || c == '\\'; });
  return kEntryBytes + entry.name.size() + static_cast<uint64_t>(escaped);
}

}  // namespace bt::tracker_api
