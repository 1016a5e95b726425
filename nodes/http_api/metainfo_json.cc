#include "nodes/http_api/metainfo_json.h"

#include "nodes/shared/json_text.h"
#include "nodes/shared/text.h"
#include "nodes/shared/torrent_format.h"

namespace bt::nodes {
namespace {

// {"path":"","length":}, and a comma, with the longest length.
constexpr size_t kFileBytes = 22 + 20;

Json FileJson(const std::string& path, uint64_t length) { return {{"path", path}, {"length", length}}; }

// Of the characters a path may hold, JSON escapes two, with one more each.
size_t FileBytes(const std::string& path) { return kFileBytes + 2 * path.size(); }

}  // namespace

std::string WriteMetainfo(const TorrentFile& torrent) {
  const Metainfo& metainfo = torrent.metainfo;
  Json json = {{"name", metainfo.name},
               {"format", FormatName(torrent.format)},
               {"content", metainfo.content().ToString()},
               {"length", metainfo.length},
               {"piece_length", metainfo.piece_length},
               {"piece_count", metainfo.piece_count()}};
  if (torrent.format != TorrentFormat::kV2) json["info_hash_v1"] = Hex(metainfo.InfoHashV1(torrent.format));
  if (torrent.format != TorrentFormat::kV1) json["info_hash_v2"] = Hex(metainfo.InfoHashV2(torrent.format));
  json["trackers"] = torrent.trackers;
  json["files"] = Json::array();
  size_t bytes = 0;
  size_t told = 0;
  for (const FileTree::File& file : metainfo.tree.files()) {
    const std::string path = file.Path();
    bytes += FileBytes(path);
    if (bytes > kToldFileBytesLimit) break;
    json["files"].push_back(FileJson(path, file.length));
    ++told;
  }
  if (metainfo.tree.empty()) json["files"].push_back(FileJson(metainfo.name, metainfo.length));
  json["more_files"] = metainfo.tree.files().size() - told;
  return JsonText(json) + "\n";
}

}  // namespace bt::nodes
