#pragma once

// bytetorrent create: a .torrent from a data file or a directory of them. Results go to stdout, errors to
// stderr in one line.

#include <cstdint>
#include <string>
#include <vector>

#include "nodes/shared/exit_status.h"

namespace bt::nodes {

struct CreateOptions {
  std::string file;
  std::string name;                    // empty: the last part of `file`
  std::vector<std::string> trackers;   // http://HOST:PORT; empty: kDefaultTracker of tracker_url.h
  std::vector<std::string> web_seeds;  // http:// or https://, of servers that have the file (BEP 19)
  uint64_t piece_length = 0;           // 0: DefaultPieceLength of the file's length
  std::string format = "hybrid";       // hybrid, v1 or v2
  std::string output;                  // empty: `name`.torrent in the working directory
};

ExitStatus RunCreate(const CreateOptions& options);

}  // namespace bt::nodes
