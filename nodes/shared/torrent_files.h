#pragma once

// .torrent files on disk, read with clear errors: each names the path, the reason and what to do. Blocking;
// for the commands, not for a loop.

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "core/torrent/metainfo.h"

namespace bt::nodes {

// A .torrent and the bytes it was read from: its own info dictionary may give info-hashes of its own.
struct ReadTorrent {
  TorrentFile torrent;
  std::string bytes;

  // Of these, the info dictionary: what the info-hashes are hashes of.
  std::string_view info() const;
};

// kNotFound, kPermissionDenied, kFailedPrecondition (a directory, a device, not a usable torrent, too
// large), kUnavailable (reading failed).
absl::StatusOr<ReadTorrent> ReadTorrentAndBytes(const std::string& path);
absl::StatusOr<TorrentFile> ReadTorrentFile(const std::string& path);

}  // namespace bt::nodes
