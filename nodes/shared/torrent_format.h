#pragma once

// The words for a torrent's formats, in flags, URLs and output. Pure.

#include <optional>
#include <string_view>

#include "core/torrent/metainfo.h"

namespace bt::nodes {

const char* FormatName(TorrentFormat format);  // "hybrid", "v1", "v2"
std::optional<TorrentFormat> ParseFormat(std::string_view name);

}  // namespace bt::nodes
