#include "nodes/shared/torrent_format.h"

namespace bt::nodes {

const char* FormatName(TorrentFormat format) {
  switch (format) {
    case TorrentFormat::kHybrid:
      return "hybrid";
    case TorrentFormat::kV1:
      return "v1";
    case TorrentFormat::kV2:
      return "v2";
  }
  return "?";
}

std::optional<TorrentFormat> ParseFormat(std::string_view name) {
  for (const auto format : {TorrentFormat::kHybrid, TorrentFormat::kV1, TorrentFormat::kV2}) {
    if (name == FormatName(format)) return format;
  }
  return std::nullopt;
}

}  // namespace bt::nodes
