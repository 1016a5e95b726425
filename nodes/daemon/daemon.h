#pragma once

// RunDaemon: many transfers in one process, on one loop, told what to do through a control socket. It ends by
// SIGINT, SIGTERM or POST /shutdown, and goes on where it was when it is started again.

#include <cstdint>
#include <string>

#include "nodes/daemon/seed_limits.h"
#include "nodes/shared/exit_status.h"

namespace bt::nodes {

struct DaemonOptions {
  std::string state_dir;
  std::string control;        // the socket; empty: as DefaultControlSocket, or in the state directory
  std::string listen;         // HOST:PORT of the peers; empty: every address, any free port
  uint64_t upload_limit = 0;  // bytes a second of all transfers together; 0: what was said last
  uint64_t download_limit = 0;
  SeedLimits seed;          // likewise
  std::string serve_data;   // HOST:PORT, see DataEdge; empty: nowhere
  std::string on_complete;  // a program, see CompletionHook; empty: none
};
ExitStatus RunDaemon(const DaemonOptions& options);

// $XDG_RUNTIME_DIR/bytetorrent/control.sock; empty where that variable is not set.
std::string DefaultControlSocket();

}  // namespace bt::nodes
