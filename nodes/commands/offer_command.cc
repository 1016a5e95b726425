// bytetorrent offer: proves a file against its torrent, claims it at the trackers and serves it.

#include "nodes/client/transfer.h"
#include "nodes/commands/commands.h"
#include "nodes/shared/files.h"
#include "nodes/shared/torrent_files.h"

namespace bt::nodes {

ExitStatus RunOffer(const OfferOptions& options) {
  absl::StatusOr<ReadTorrent> read = ReadTorrentAndBytes(options.torrent);
  if (!read.ok()) return Refuse("offer", read.status());
  TorrentFile* const torrent = &read->torrent;
  if (torrent->metainfo.tree.empty()) {
    // For the error alone: the machine opens the file itself.
    const absl::StatusOr<InputFile> file = InputFile::Open(options.file);
    if (!file.ok()) return Refuse("offer", file.status());
  }
  absl::StatusOr<TrackerList> trackers =
      ResolveTrackers(options.trackers, torrent->trackers, TrackerUse::kTransfer);
  if (!trackers.ok()) return RefuseTrackers("offer", trackers.status());
  const absl::Status trust = TakeTrust(options.trust, *trackers);
  if (!trust.ok()) return Refuse("offer", trust);
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
  return RunTransfer(std::move(setup));
}

}  // namespace bt::nodes
