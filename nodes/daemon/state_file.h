#pragma once

// What a daemon still knows after kill -9: the file `transfers` in its state directory, JSON of format 1
// (docs/formats.md), replaced as a whole at each change. Beside it ID.torrent, the daemon's own copy of each
// torrent file that an order named, and `lock`, which a daemon holds while it runs.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/fd.h"
#include "nodes/daemon/order.h"

namespace bt::nodes {

inline constexpr size_t kTransfersMax = 256;
inline constexpr size_t kStateBytesMax = 64 << 20;

struct SavedTransfer {
  uint64_t id = 0;  // from 1, never used again
  Order order;
  bool paused = false;
  bool complete = false;         // a download that is done, and does not go on offering; or `seeded`
  bool seeded = false;           // it has reached its seed limits
  bool completed = false;        // a download has been whole, and its completion was told, or about to be
  uint64_t sent = 0;             // bytes to peers, and
  uint64_t offered_seconds = 0;  // how long it was offered whole, as of the last save

  friend bool operator==(const SavedTransfer&, const SavedTransfer&) = default;
};

struct DaemonState {
  uint64_t next_id = 1;
  uint64_t upload_limit = 0;  // bytes a second, all transfers together; 0: none
  uint64_t download_limit = 0;
  SeedLimits seed;                       // of transfers that say none of their own
  std::vector<SavedTransfer> transfers;  // by ascending id

  friend bool operator==(const DaemonState&, const DaemonState&) = default;
};

std::string StateText(const DaemonState& state);
// kFailedPrecondition: it is not a state of format 1, and what is wrong with it.
absl::StatusOr<DaemonState> ParseState(std::string_view text);

// The directory is made if it is not there, for this user alone; the lock is held as long as the descriptor
// is open. kAlreadyExists: another process holds it. Blocks.
absl::StatusOr<net::Fd> LockStateDirectory(const std::string& directory);
// An empty state where there is no file yet. Blocks.
absl::StatusOr<DaemonState> LoadState(const std::string& directory);
// Durable when it returns. Blocks.
absl::Status SaveState(const std::string& directory, std::string_view text);

// Takes away the copies of torrent files that no transfer of `state` has: a daemon was killed while it began
// or forgot one. Blocks.
void RemoveLeftovers(const std::string& directory, const DaemonState& state);

std::string TorrentCopy(const std::string& directory, uint64_t id);

}  // namespace bt::nodes
