// bytetorrent download: fetches a torrent's content from every peer the trackers know.

#include "nodes/client/transfer.h"
#include "nodes/commands/commands.h"
#include "nodes/shared/torrent_files.h"
#include "nodes/shared/tracker_url.h"

namespace bt::nodes {

namespace {

// A path, or a name that can only be a .torrent's; anything else may be the name of a registered torrent.
bool IsPath(const std::string& what) {
  return what.find('/') != std::string::npos || what.ends_with(".torrent");
}

}  // namespace

ExitStatus RunDownload(const DownloadOptions& options) {
  TransferSetup setup;
  setup.command = "download";
  setup.what = options.what;
  setup.config.role = swarm::Role::kDownload;
  setup.config.keep_offering = options.keep_offering;
  std::vector<std::string> given = options.trackers;
  std::vector<std::string> listed;
  absl::StatusOr<TorrentFile> torrent = ReadTorrentFile(options.what);
  if (torrent.ok()) {
    setup.config.metainfo = std::move(torrent->metainfo);
    setup.config.format = torrent->format;
    listed = std::move(torrent->trackers);
  } else if (IsPath(options.what)) {
    return Refuse("download", torrent.status());
  } else {
    const tracker_api::TorrentKey key = tracker_api::ParseTorrentKey(options.what);
    if (std::holds_alternative<std::string>(key)) {
      const absl::Status name = ValidateName(options.what);
      if (!name.ok()) return Refuse("download", name, ExitStatus::kWrongUsage);
    }
    setup.config.key = key;
    if (given.empty()) given = {kDefaultTracker};
  }
  absl::StatusOr<TrackerList> trackers = ResolveTrackers(given, listed);
  if (!trackers.ok()) return RefuseTrackers("download", trackers.status());
  setup.trackers = *std::move(trackers);
  setup.listen = options.listen;
  setup.path = options.output;
  setup.json = options.json;
  setup.timeout = Seconds(options.timeout_seconds);
  return RunTransfer(std::move(setup));
}

}  // namespace bt::nodes
