#include "nodes/client/prepare.h"

#include <utility>

#include "net/resolve.h"
#include "nodes/client/magnet_link.h"
#include "nodes/client/web_client.h"
#include "nodes/client/web_seed_url.h"
#include "nodes/shared/files.h"
#include "nodes/shared/text.h"
#include "nodes/shared/torrent_files.h"
#include "nodes/shared/tracker_url.h"

namespace bt::nodes {
namespace {

Prepared Refused(absl::Status why, ExitStatus exit = ExitStatus::kFailed) {
  return {std::move(why), exit, {}};
}

absl::Status UseTorrent(ReadTorrent read, const TrustOptions& trust, TransferSetup& setup,
                        std::vector<std::string>& trackers) {
  absl::StatusOr<WebSeedList> web_seeds = TakeWebSeeds(ReadWebSeeds(read.bytes), trust.authorities_file);
  if (!web_seeds.ok()) return web_seeds.status();
  setup.web_seeds = *std::move(web_seeds);
  setup.config.info = Slice::Copy(read.info());
  // Of a torrent that a tracker has rendered anew nobody knows here whether it is private.
  setup.config.peer_exchange = read.torrent.told_info_hashes.empty();
  setup.config.metainfo = std::move(read.torrent.metainfo);
  setup.config.format = read.torrent.format;
  trackers = std::move(read.torrent.trackers);
  return absl::OkStatus();
}

// A peer whose name has no address is a warning.
void UseMagnetLink(MagnetLink link, TransferSetup& setup, std::vector<std::string>& trackers) {
  setup.config.magnet = swarm::Magnet{link.v1, link.v2};
  setup.what = link.name.empty() ? "the magnet link's torrent" : link.name;
  for (const std::string& text : link.peers) {
    const absl::StatusOr<Address> peer = net::Resolve(text);
    if (peer.ok()) {
      setup.config.peers.push_back(*peer);
    } else {
      setup.trackers.warnings.push_back("peer " + text + ": " + Message(peer.status()));
    }
  }
  trackers = std::move(link.trackers);
}

}  // namespace

bool IsTorrentPath(const std::string& what) {
  return what.find('/') != std::string::npos || what.ends_with(".torrent");
}

Prepared PrepareOffer(const OfferOptions& options) {
  absl::StatusOr<ReadTorrent> read = ReadTorrentAndBytes(options.torrent);
  if (!read.ok()) return Refused(read.status());
  TorrentFile* const torrent = &read->torrent;
  if (torrent->metainfo.tree.empty()) {
    // For the error alone: the machine opens the file itself.
    const absl::StatusOr<InputFile> file = InputFile::Open(options.file);
    if (!file.ok()) return Refused(file.status());
  }
  absl::StatusOr<TrackerList> trackers =
      ResolveTrackers(options.trackers, torrent->trackers, TrackerUse::kTransfer);
  if (!trackers.ok()) return Refused(trackers.status(), TrackersRefused(trackers.status()));
  const absl::Status trust = TakeTrust(options.trust, *trackers);
  if (!trust.ok()) return Refused(trust);
  TransferSetup setup;
  setup.command = "offer";
  setup.what = options.torrent;
  setup.config.role = swarm::Role::kOffer;
  setup.config.metainfo = std::move(torrent->metainfo);
  setup.config.format = torrent->format;
  setup.config.info = Slice::Copy(read->info());
  setup.config.peer_exchange = torrent->told_info_hashes.empty();
  setup.config.skip_verify = options.skip_verify;
  setup.config.upload_limit = options.upload_limit;
  setup.trackers = *std::move(trackers);
  setup.listen = options.listen;
  setup.path = options.file;
  setup.json = options.json;
  return {absl::OkStatus(), ExitStatus::kDone, std::move(setup)};
}

Prepared PrepareDownload(const DownloadOptions& options) {
  TransferSetup setup;
  setup.command = "download";
  setup.what = options.what;
  setup.config.role = swarm::Role::kDownload;
  setup.config.keep_offering = options.keep_offering;
  setup.config.upload_limit = options.upload_limit;
  setup.config.download_limit = options.download_limit;
  setup.config.select = options.select;
  std::vector<std::string> given = options.trackers;
  std::vector<std::string> listed;
  absl::StatusOr<ReadTorrent> read = absl::NotFoundError("");
  if (IsMagnetLink(options.what)) {
    absl::StatusOr<MagnetLink> link = ParseMagnetLink(options.what);
    if (!link.ok()) return Refused(link.status(), ExitStatus::kWrongUsage);
    UseMagnetLink(*std::move(link), setup, listed);
    if (given.empty() && listed.empty() && setup.config.peers.empty()) given = {kDefaultTracker};
  } else if (read = ReadTorrentAndBytes(options.what); read.ok()) {
    const absl::Status used = UseTorrent(*std::move(read), options.trust, setup, listed);
    if (!used.ok()) return Refused(used);
  } else if (IsTorrentPath(options.what)) {
    return Refused(read.status());
  } else {
    const tracker_api::TorrentKey key = tracker_api::ParseTorrentKey(options.what);
    if (std::holds_alternative<std::string>(key)) {
      const absl::Status name = ValidateName(options.what);
      if (!name.ok()) return Refused(name, ExitStatus::kWrongUsage);
    }
    setup.config.key = key;
    if (given.empty()) given = {kDefaultTracker};
  }
  absl::StatusOr<TrackerList> trackers =
      ResolveTrackers(given, listed, setup.config.key ? TrackerUse::kCluster : TrackerUse::kTransfer);
  if (trackers.ok()) {
    std::vector<std::string>& before = setup.trackers.warnings;
    trackers->warnings.insert(trackers->warnings.begin(), before.begin(), before.end());
    setup.trackers = *std::move(trackers);
  } else if ((setup.config.peers.empty() && setup.web_seeds.seeds.empty()) ||
             absl::IsInvalidArgument(trackers.status())) {
    return Refused(trackers.status(), TrackersRefused(trackers.status()));
  } else if (!listed.empty() || !given.empty()) {
    // The peers that the magnet link names, or the web servers of the torrent, may do without.
    setup.trackers.warnings.push_back(Message(trackers.status()));
  }
  const absl::Status trust = TakeTrust(options.trust, setup.trackers);
  if (!trust.ok()) return Refused(trust);
  setup.listen = options.listen;
  setup.path = options.output;
  setup.json = options.json;
  setup.timeout = Seconds(options.timeout_seconds);
  return {absl::OkStatus(), ExitStatus::kDone, std::move(setup)};
}

}  // namespace bt::nodes
