#pragma once

// Small torrents and peers for the tracker's tests.

#include <string>

#include "core/tracker/command.h"
#include "core/tracker/registry.h"
#include "core/tracker_api/tracker_api.h"

namespace bt::tracker {

// A file of `pieces` pieces whose bytes are drawn from `seed`.
inline Metainfo MakeTorrent(const std::string& name, uint8_t seed, uint32_t pieces = 4,
                            uint32_t piece_length = kPieceLengthMin) {
  const uint64_t length = uint64_t{pieces} * kPieceLengthMin;
  std::string bytes(length, '\0');
  for (size_t i = 0; i < length; ++i) bytes[i] = static_cast<char>((i * 7 + seed * 31u + i / 251) & 0xff);
  MetainfoBuilder builder(name, length, piece_length);
  builder.Update(bytes);
  return builder.Finish();
}

inline Address Peer(uint8_t host, uint16_t port = 6881) { return Address::V4(10, 0, 0, host, port); }

inline tracker_api::Register RegisterOf(Metainfo metainfo, tracker_api::MutationId id = {}) {
  return {id, std::move(metainfo)};
}

inline tracker_api::Offer OfferOf(tracker_api::TorrentKey torrent, Address peer,
                                  std::vector<PieceRange> pieces, tracker_api::MutationId id = {}) {
  return {id, std::move(torrent), peer, std::move(pieces)};
}

inline PieceRange Range(uint32_t first, uint32_t count) { return {PieceIndex(first), count}; }

inline const tracker_api::Peers& PeersIn(const tracker_api::Response& response) {
  return std::get<tracker_api::Peers>(response.body);
}

inline tracker_api::Lookup LookupOf(tracker_api::TorrentKey torrent, bool linearizable = false) {
  return {std::move(torrent), linearizable, 200};
}

// An instant of log time.
inline Instant At(int64_t seconds) { return Instant{} + Seconds(seconds); }

}  // namespace bt::tracker
