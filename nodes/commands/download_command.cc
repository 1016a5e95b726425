// bytetorrent download: fetches a torrent's content from every peer the trackers know.

#include <utility>

#include "nodes/client/prepare.h"
#include "nodes/client/transfer.h"
#include "nodes/commands/commands.h"

namespace bt::nodes {

ExitStatus RunDownload(const DownloadOptions& options) {
  Prepared prepared = PrepareDownload(options);
  if (!prepared.status.ok()) return Refuse("download", prepared.status, prepared.exit);
  return RunTransfer(std::move(prepared.setup));
}

}  // namespace bt::nodes
