#pragma once

// What may be wrong with a .torrent file: edits of its bencoded text, each of which makes it one that nobody
// may accept. For the scenario torrent_files.

#include <optional>
#include <string>
#include <string_view>

#include "core/torrent/metainfo.h"
#include "sim/random_stream.h"

namespace bt::sim {

struct TorrentDamage {
  const char* what;
  // The damaged text; nullopt where this torrent has no such place.
  std::optional<std::string> (*make)(RandomStream& rng, const TorrentFile& torrent, const std::string& text);
};

// One of all kinds, drawn; those that do not fit the torrent make nothing.
const TorrentDamage& DrawTorrentDamage(RandomStream& rng);

}  // namespace bt::sim
