#pragma once

// bytetorrent inspect: what a .torrent or a magnet link says, for people or as one line of JSON on stdout.

#include <string>

#include "nodes/shared/exit_status.h"

namespace bt::nodes {

struct InspectOptions {
  std::string torrent;  // a .torrent file or a magnet link
  bool json = false;
};

ExitStatus RunInspect(const InspectOptions& options);

}  // namespace bt::nodes
