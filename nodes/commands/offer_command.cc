// bytetorrent offer: proves a file against its torrent, claims it at the trackers and serves it.

#include <utility>

#include "nodes/client/prepare.h"
#include "nodes/client/transfer.h"
#include "nodes/commands/commands.h"

namespace bt::nodes {

ExitStatus RunOffer(const OfferOptions& options) {
  Prepared prepared = PrepareOffer(options);
  if (!prepared.status.ok()) return Refuse("offer", prepared.status, prepared.exit);
  return RunTransfer(std::move(prepared.setup));
}

}  // namespace bt::nodes
