#pragma once

// Magnet links (BEP 9, BEP 53's x.pe): read from a command line, and written for a .torrent. Nothing is
// resolved here. Pure.

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/digest.h"
#include "core/torrent/metainfo.h"
#include "core/torrent/sha1.h"

namespace bt::nodes {

inline constexpr size_t kMagnetPeersLimit = 50;

struct MagnetLink {
  std::optional<Sha1Digest> v1;    // xt=urn:btih:, 40 hexadecimal digits or 32 of base32
  std::optional<Sha256Digest> v2;  // xt=urn:btmh:1220, 64 hexadecimal digits
  std::string name;                // dn: a hint, for messages alone
  std::vector<std::string> trackers;
  std::vector<std::string> peers;  // x.pe: HOST:PORT
};

// Whether it is meant as one.
bool IsMagnetLink(std::string_view text);
// kInvalidArgument: one line that says what is wrong. What has another name than those above is left out.
absl::StatusOr<MagnetLink> ParseMagnetLink(std::string_view text);
// Of a .torrent whose info dictionary has these bytes.
std::string WriteMagnetLink(const TorrentFile& torrent, std::string_view info);

}  // namespace bt::nodes
