#pragma once

// RunTransfer: hosts one client machine (hosted_transfer.h) on this process's loop until it is done or the
// user stops it: signals, and a reporter for its notes.

#include <string>

#include "core/base/time.h"
#include "nodes/client/hosted_transfer.h"
#include "nodes/shared/exit_status.h"

namespace bt::nodes {

struct TransferSetup : HostedSetup {
  const char* command = "";  // "offer" or "download"
  std::string what;          // the torrent, as the user names it
  std::string listen;        // HOST:PORT; empty: every address of this machine, any free port
  bool json = false;
  Duration timeout;  // of a download: without a byte from anybody it gives up; zero: never
};

ExitStatus RunTransfer(TransferSetup setup);

}  // namespace bt::nodes
