#pragma once

// bytetorrent inspect: what a .torrent says, for people or as one line of JSON on stdout.

#include <string>

namespace bt::nodes {

struct InspectOptions {
  std::string torrent;
  bool json = false;
};

// The exit status: 0 done, 1 failed.
int RunInspect(const InspectOptions& options);

}  // namespace bt::nodes
