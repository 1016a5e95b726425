#pragma once

// The commands of bytetorrent that talk to trackers and peers, or prepare them. Each returns the exit status:
// 0 done, 1 failed, 2 wrong usage; results on stdout, progress and errors on stderr.

#include <string>
#include <vector>

namespace bt::nodes {

struct RegisterOptions {
  std::string torrent;
  std::vector<std::string> trackers;  // before the torrent's own
  bool json = false;
};
int RunRegister(const RegisterOptions& options);

struct OfferOptions {
  std::string file;
  std::string torrent;
  std::string listen = "0.0.0.0:0";
  std::vector<std::string> trackers;
  bool skip_verify = false;
  bool json = false;
};
int RunOffer(const OfferOptions& options);

struct DownloadOptions {
  std::string what;    // a .torrent file, a name, a content id or an info-hash
  std::string output;  // a file, or a directory to put it in; empty: the torrent's name, here
  std::string listen = "0.0.0.0:0";
  std::vector<std::string> trackers;
  bool keep_offering = false;
  bool json = false;
};
int RunDownload(const DownloadOptions& options);

struct StatusOptions {
  std::vector<std::string> trackers;
  bool json = false;
};
int RunStatus(const StatusOptions& options);

struct ClusterInitOptions {
  std::string output;
};
int RunClusterInit(const ClusterInitOptions& options);

}  // namespace bt::nodes
