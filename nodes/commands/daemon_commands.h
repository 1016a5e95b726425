#pragma once

// The commands that speak with a daemon on this machine (nodes/daemon): its transfers, and offers and
// downloads that are its matter and not this process's.

#include <cstdint>
#include <optional>
#include <string>

#include "nodes/client/transfer_options.h"
#include "nodes/daemon/seed_limits.h"
#include "nodes/shared/exit_status.h"

namespace bt::nodes {

// Which daemon, of the commands that need one and of those that also work alone.
struct ControlOptions {
  std::string socket;  // empty: DefaultControlSocket, when somebody serves it
  bool alone = false;
  SeedLimits seed;  // of an offer or a download; a daemon's matter
};

struct TransferCommandOptions {
  ControlOptions control;
  uint64_t id = 0;
  bool json = false;
};
ExitStatus RunList(const TransferCommandOptions& options);
ExitStatus RunWatch(const TransferCommandOptions& options);
ExitStatus RunPause(const TransferCommandOptions& options);
ExitStatus RunResume(const TransferCommandOptions& options);
ExitStatus RunRemove(const TransferCommandOptions& options);

struct LimitOptions {
  TransferCommandOptions transfer;  // without an id: all together
  std::optional<uint64_t> upload;   // bytes a second; 0: none
  std::optional<uint64_t> download;
  SeedLimits seed;
};
ExitStatus RunLimit(const LimitOptions& options);

// nullopt: no daemon is there, or the command shall work alone. Seed limits are refused then.
std::optional<ExitStatus> OfferThroughDaemon(const ControlOptions& control, const OfferOptions& options);
std::optional<ExitStatus> DownloadThroughDaemon(const ControlOptions& control,
                                                const DownloadOptions& options);

}  // namespace bt::nodes
