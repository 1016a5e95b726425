#pragma once

// What a .torrent says, as JSON: for programs and pages that read no bencoding, and without its hashes of
// pieces. Pure.

#include <string>

#include "core/torrent/metainfo.h"

namespace bt::nodes {

// The files of one answer together; what stands around them is below 128 KiB. The rest is counted.
inline constexpr size_t kToldFileBytesLimit = 256 << 10;

// {name, format, content, length, piece_length, piece_count, info_hash_v1?, info_hash_v2?, trackers,
// files: [{path, length}], more_files}. The info-hashes are those of the .torrent in `torrent.format`, in
// hexadecimal; a single file is named by its torrent.
std::string WriteMetainfo(const TorrentFile& torrent);

}  // namespace bt::nodes
