#include "nodes/commands/inspect_command.h"

#include <cstdio>
#include <vector>

#include "nodes/client/magnet_link.h"
#include "nodes/client/web_seed_url.h"
#include "nodes/shared/json_text.h"
#include "nodes/shared/text.h"
#include "nodes/shared/torrent_files.h"
#include "nodes/shared/torrent_format.h"
#include "nodes/shared/tracker_url.h"

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

std::string AsJson(const ReadTorrent& read) {
  const TorrentFile& torrent = read.torrent;
  const Metainfo& metainfo = torrent.metainfo;
  const OwnHashes own = OwnHashesOf(torrent);
  Json json = {
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
  json["info_hashes"] = Json::array();
  for (const InfoHash& hash : metainfo.AllInfoHashes()) json["info_hashes"].push_back(Hex(hash));
  json["trackers"] = torrent.trackers;
  json["web_seeds"] = ReadWebSeeds(read.bytes);
  json["magnet"] = WriteMagnetLink(torrent, read.info());
  return JsonText(json);
}

void PrintForPeople(const ReadTorrent& read) {
  const TorrentFile& torrent = read.torrent;
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
  for (const std::string& url : ReadWebSeeds(read.bytes)) {
    const absl::Status usable = WebSeedUrl::Parse(url).status();
    std::printf("web-seed: %s%s\n", Printable(url).c_str(), usable.ok() ? "" : " (not asked by this client)");
  }
  std::printf("magnet: %s\n", WriteMagnetLink(torrent, read.info()).c_str());
}

std::string AsJson(const MagnetLink& link) {
  Json json;
  if (!link.name.empty()) json["name"] = link.name;
  if (link.v1) json["info_hash_v1"] = Hex(*link.v1);
  if (link.v2) json["info_hash_v2"] = Hex(*link.v2);
  json["trackers"] = link.trackers;
  json["peers"] = link.peers;
  return JsonText(json);
}

void PrintForPeople(const MagnetLink& link) {
  if (!link.name.empty()) std::printf("name: %s\n", link.name.c_str());
  if (link.v1) std::printf("info-hash-v1: %s\n", Hex(*link.v1).c_str());
  if (link.v2) std::printf("info-hash-v2: %s\n", Hex(*link.v2).c_str());
  for (const std::string& tracker : link.trackers) {
    const absl::Status usable = ParseTrackerUrl(tracker).status();
    std::printf("tracker: %s%s\n", Printable(tracker).c_str(),
                usable.ok() ? "" : " (not asked by this client)");
  }
  for (const std::string& peer : link.peers) std::printf("peer: %s\n", peer.c_str());
}

}  // namespace

ExitStatus RunInspect(const InspectOptions& options) {
  if (IsMagnetLink(options.torrent)) {
    const auto link = ParseMagnetLink(options.torrent);
    if (!link.ok()) return Refuse("inspect", link.status(), ExitStatus::kWrongUsage);
    options.json ? static_cast<void>(std::printf("%s\n", AsJson(*link).c_str())) : PrintForPeople(*link);
    return std::fflush(stdout) == 0 ? ExitStatus::kDone : ExitStatus::kFailed;
  }
  const auto read = ReadTorrentAndBytes(options.torrent);
  if (!read.ok()) return Refuse("inspect", read.status());
  if (options.json) {
    std::printf("%s\n", AsJson(*read).c_str());
  } else {
    PrintForPeople(*read);
  }
  return std::fflush(stdout) == 0 ? ExitStatus::kDone : ExitStatus::kFailed;
}

}  // namespace bt::nodes
