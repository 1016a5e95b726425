#pragma once

// Web servers that have a torrent's files, as a .torrent names them ("url-list", BEP 19), and where on them a
// file is. Pure.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/torrent/metainfo.h"
#include "net/resolve.h"

namespace bt::nodes {

inline constexpr size_t kWebSeedUrlLimit = 2048;  // bytes of one URL
inline constexpr size_t kWebSeedsMax = 16;        // of a torrent; a client asks no others

struct WebSeedUrl {
  bool https = false;
  net::HostAndPort host;
  std::string path;  // from / on, with its query, escaped as it was given

  // "http://HOST[:PORT]/PATH", or https://. kInvalidArgument: one line that shows the URL and says why not.
  static absl::StatusOr<WebSeedUrl> Parse(std::string_view text);
  // What a request's first line says of the `file`-th file: below a path that ends with / its name; of a tree
  // the tree's name and the file's path in any case; else the path itself is the file's.
  // kInvalidArgument: of a tree, and the URL has a query.
  absl::StatusOr<std::string> TargetOf(const Metainfo& metainfo, uint32_t file) const;
  // "HOST", with the port where it is not the scheme's own.
  std::string HostHeader() const;
  // "http://HOST:PORT", or https://.
  std::string Base() const;
  // It is the same server, asked in the same way.
  bool SameServer(const WebSeedUrl& other) const { return https == other.https && host == other.host; }
};

// What a .torrent lists, in order: one text or a list of them; what is no text is left out.
std::vector<std::string> ReadWebSeeds(std::string_view torrent);
// The .torrent of this project with this list, in which there is none yet.
std::string WithWebSeeds(std::string torrent, const std::vector<std::string>& urls);

}  // namespace bt::nodes
