#pragma once

// From what a user says of an offer or a download to what a client machine is made of: reads the torrent, the
// tokens and certificates, and resolves the trackers. Blocks on disks and name services: never on a loop.

#include <absl/status/status.h>

#include <string>

#include "nodes/client/transfer.h"
#include "nodes/client/transfer_options.h"
#include "nodes/shared/exit_status.h"

namespace bt::nodes {

struct Prepared {
  absl::Status status;  // not OK: it cannot be begun, and why
  ExitStatus exit = ExitStatus::kDone;
  TransferSetup setup;
};
Prepared PrepareOffer(const OfferOptions& options);
Prepared PrepareDownload(const DownloadOptions& options);

// Whether `what` of a download can only be the path of a file: a path, or a name that can only be a
// .torrent's. Anything else may be the name of a registered torrent.
bool IsTorrentPath(const std::string& what);

}  // namespace bt::nodes
