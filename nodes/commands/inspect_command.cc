#include "nodes/commands/inspect_command.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "nodes/shared/torrent_files.h"
#include "nodes/shared/torrent_format.h"

namespace bt::nodes {
namespace {

// The info-hashes of the file as it is, in hexadecimal; empty where its format has none.
struct OwnHashes {
  std::string v1;
  std::string v2;
};

OwnHashes OwnHashesOf(const TorrentFile& torrent) {
  const Metainfo& metainfo = torrent.metainfo;
  const bool has_v1 = torrent.format != TorrentFormat::kV2;
  const bool has_v2 = torrent.format != TorrentFormat::kV1;
  OwnHashes own;
  if (!metainfo.foreign_info_hashes.empty()) {
    // Kept as handshakes carry them: v1 first, v2 cut to 20 bytes.
    if (has_v1) own.v1 = Hex(metainfo.foreign_info_hashes.front());
    if (has_v2) own.v2 = Hex(metainfo.foreign_info_hashes.back());
    return own;
  }
  if (has_v1) own.v1 = Hex(metainfo.InfoHashV1(torrent.format));
  if (has_v2) own.v2 = Hex(metainfo.InfoHashV2(torrent.format));
  return own;
}

std::string AsJson(const TorrentFile& torrent) {
  const Metainfo& metainfo = torrent.metainfo;
  const OwnHashes own = OwnHashesOf(torrent);
  nlohmann::ordered_json json = {
      {"name", metainfo.name},
      {"format", FormatName(torrent.format)},
      {"length", metainfo.length},
      {"piece_length", metainfo.piece_length},
      {"piece_count", metainfo.piece_count()},
      {"content_id", metainfo.content().ToString()},
  };
  for (const FileTree::File& file : metainfo.tree.files()) {
    json["files"].push_back(
        {{"path", file.Path()}, {"length", file.length}, {"executable", file.executable}});
  }
  if (!own.v1.empty()) json["info_hash_v1"] = own.v1;
  if (!own.v2.empty()) json["info_hash_v2"] = own.v2;
  json["info_hashes"] = nlohmann::ordered_json::array();
  for (const InfoHash& hash : metainfo.AllInfoHashes()) json["info_hashes"].push_back(Hex(hash));
  json["trackers"] = torrent.trackers;
  return json.dump();
}

void PrintForPeople(const TorrentFile& torrent) {
  const Metainfo& metainfo = torrent.metainfo;
  const OwnHashes own = OwnHashesOf(torrent);
  std::printf("name: %s\n", metainfo.name.c_str());
  std::printf("format: %s\n", FormatName(torrent.format));
  std::printf("length: %llu bytes\n", static_cast<unsigned long long>(metainfo.length));
  std::printf("pieces: %u of %u bytes\n", metainfo.piece_count(), metainfo.piece_length);
  std::printf("content-id: %s\n", metainfo.content().ToString().c_str());
  if (!own.v1.empty()) std::printf("info-hash-v1: %s\n", own.v1.c_str());
  if (!own.v2.empty()) std::printf("info-hash-v2: %s\n", own.v2.c_str());
  for (const InfoHash& hash : metainfo.AllInfoHashes()) std::printf("known-as: %s\n", Hex(hash).c_str());
  for (const FileTree::File& file : metainfo.tree.files()) {
    std::printf("file: %s (%llu bytes%s)\n", file.Path().c_str(),
                static_cast<unsigned long long>(file.length), file.executable ? ", executable" : "");
  }
  for (const std::string& tracker : torrent.trackers) std::printf("tracker: %s\n", tracker.c_str());
}

}  // namespace

ExitStatus RunInspect(const InspectOptions& options) {
  const auto torrent = ReadTorrentFile(options.torrent);
  if (!torrent.ok()) return Refuse("inspect", torrent.status());
  if (options.json) {
    std::printf("%s\n", AsJson(*torrent).c_str());
  } else {
    PrintForPeople(*torrent);
  }
  return std::fflush(stdout) == 0 ? ExitStatus::kDone : ExitStatus::kFailed;
}

}  // namespace bt::nodes
