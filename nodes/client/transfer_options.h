#pragma once

// What a user says of an offer or a download.

#include <cstdint>
#include <string>
#include <vector>

#include "nodes/client/trackers.h"

namespace bt::nodes {

// Limits of bytes a second are at most so much, so that what is negative, read as a huge number, is refused.
inline constexpr uint64_t kRateLimitMax = uint64_t{1} << 50;

struct OfferOptions {
  std::string file;
  std::string torrent;
  std::string listen;  // HOST:PORT; empty: every address of this machine, any free port
  std::vector<std::string> trackers;
  TrustOptions trust;
  uint64_t upload_limit = 0;  // bytes a second to all peers together; 0: no limit
  bool skip_verify = false;
  bool json = false;
};

struct DownloadOptions {
  std::string what;    // a .torrent file, a magnet link, a name, a content id or an info-hash
  std::string output;  // a file, or a directory to put it in; empty: the torrent's name, here
  std::string listen;  // HOST:PORT; empty: every address of this machine, any free port
  std::vector<std::string> trackers;
  TrustOptions trust;
  std::vector<std::string> select;  // files of a tree, by path or pattern; none: all
  uint64_t upload_limit = 0;        // bytes a second to all peers together; 0: no limit
  uint64_t download_limit = 0;
  bool keep_offering = false;
  uint32_t timeout_seconds = 0;  // without a byte from anybody: give up; 0: never
  bool json = false;
};

}  // namespace bt::nodes
