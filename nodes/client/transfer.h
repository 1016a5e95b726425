#pragma once

// RunTransfer: hosts one client machine on this process's loop until it is done or the user stops it: peer
// links, the content file, HTTP to the trackers, signals, and a reporter for its notes.

#include <string>

#include "core/swarm/config.h"
#include "nodes/client/trackers.h"
#include "nodes/client/web_client.h"

namespace bt::nodes {

struct TransferSetup {
  const char* command;   // "offer" or "download"
  std::string what;      // the torrent, as the user names it
  swarm::Config config;  // listen, trackers and web_seeds are filled in here
  TrackerList trackers;
  WebSeedList web_seeds;  // of a download
  std::string listen;     // HOST:PORT; empty: every address of this machine, any free port
  std::string path;       // of the offered file; of a download the file or directory to make, or empty
  bool json = false;
  Duration timeout;  // of a download: without a byte from anybody it gives up; zero: never
};

ExitStatus RunTransfer(TransferSetup setup);

}  // namespace bt::nodes
