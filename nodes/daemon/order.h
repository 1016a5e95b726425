#pragma once

// Order: what a user has asked a daemon to transfer, complete: with it the transfer begins, now or in a later
// life of the daemon. As JSON it is the body of POST /transfers (docs/daemon.md) and a part of the daemon's
// state file. Pure.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "nodes/client/prepare.h"
#include "nodes/daemon/seed_limits.h"
#include "nodes/shared/json_text.h"

namespace bt::nodes {

// Bounds of what one order keeps in memory and in the state file.
inline constexpr size_t kOrderTextBytesMax = 64 << 10;  // of one text: a magnet link is the longest
inline constexpr size_t kOrderListMax = 64;             // trackers, and patterns

struct Order {
  enum class Kind : uint8_t { kOffer, kDownload };

  Kind kind = Kind::kDownload;
  std::string what;  // of a download: as DownloadOptions; of an offer: its .torrent file
  std::string path;  // of an offer: the file; of a download: the file to make, or a directory to put it in
  std::vector<std::string> trackers;
  TrustOptions trust;
  std::vector<std::string> select;
  uint64_t upload_limit = 0;  // bytes a second; 0: none of its own
  uint64_t download_limit = 0;
  bool keep_offering = false;
  uint32_t timeout_seconds = 0;  // of a download; 0: it waits
  SeedLimits seed;               // of an offer, and of a download that keeps offering

  bool offers() const { return kind == Kind::kOffer; }
  friend bool operator==(const Order&, const Order&) = default;
};

// kInvalidArgument names the field that is wrong. Fields that nobody knows are refused: an order that means
// more than it says must not be carried out in part.
absl::StatusOr<Order> ParseOrder(const Json& json);
Json OrderJson(const Order& order);

// Whether `what` is a .torrent file, and not a name or a link.
bool NamesTorrentFile(const Order& order);

// What the transfer is made of. `torrent`: the file to read in place of the one that the order names. Blocks,
// see prepare.h.
Prepared Prepare(const Order& order, const std::string& torrent);

}  // namespace bt::nodes
