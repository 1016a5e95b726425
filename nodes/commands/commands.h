#pragma once

// The commands of bytetorrent that talk to trackers and peers, or prepare them. Each returns the exit status;
// results on stdout, progress and errors on stderr.

#include <cstdint>
#include <string>
#include <vector>

#include "nodes/client/trackers.h"
#include "nodes/client/transfer_options.h"
#include "nodes/shared/exit_status.h"

namespace bt::nodes {

struct RegisterOptions {
  std::string torrent;
  std::vector<std::string> trackers;  // before the torrent's own
  TrustOptions trust;
  bool json = false;
};
ExitStatus RunRegister(const RegisterOptions& options);

ExitStatus RunOffer(const OfferOptions& options);

ExitStatus RunDownload(const DownloadOptions& options);

struct StatusOptions {
  std::vector<std::string> trackers;
  TrustOptions trust;
  bool json = false;
};
ExitStatus RunStatus(const StatusOptions& options);

struct TokenNewOptions {
  std::string name;
  std::string roles;
  std::string output;  // empty: NAME.token
};
ExitStatus RunTokenNew(const TokenNewOptions& options);

struct ClusterInitOptions {
  std::string output;
};
ExitStatus RunClusterInit(const ClusterInitOptions& options);

// Of the commands that ask a running node on this machine.
struct ClusterMembersOptions {
  std::string data_dir = "bytetorrent-tracker-data";  // the node's
  std::string node;                                   // of add and replace: ID=REPLICA/CLIENT
  uint32_t old = 0;  // of remove and replace: the member that goes; of transfer: who shall lead, 0: any other
  uint32_t timeout_seconds = 60;
  bool json = false;

  std::string socket() const;
};
struct ClusterLimitsOptions {
  ClusterMembersOptions node;
  std::vector<std::string> set;  // NAME=VALUE
};
ExitStatus RunClusterLimits(const ClusterLimitsOptions& options);
ExitStatus RunClusterLevel(const ClusterMembersOptions& options);
ExitStatus RunClusterStatus(const ClusterMembersOptions& options);
// Also replace: with `old`.
ExitStatus RunClusterAdd(const ClusterMembersOptions& options);
ExitStatus RunClusterRemove(const ClusterMembersOptions& options);
ExitStatus RunClusterTransfer(const ClusterMembersOptions& options);
ExitStatus RunClusterSnapshot(const ClusterMembersOptions& options);

struct ClusterBackupOptions {
  ClusterMembersOptions node;  // of backup; of recover: one that does not run
  std::string output;          // the file to make
};
ExitStatus RunClusterBackup(const ClusterBackupOptions& options);
ExitStatus RunClusterRecover(const ClusterBackupOptions& options);

}  // namespace bt::nodes
