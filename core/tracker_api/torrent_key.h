#pragma once

// TorrentKey: how a request names a torrent: by content, by info-hash or by name. Reading, printing and
// cutting of keys stand here once. Used by clients, trackers and their edges.

#include <string>
#include <string_view>
#include <variant>

#include "core/torrent/content_id.h"

namespace bt::tracker_api {

using TorrentKey = std::variant<ContentId, InfoHash, std::string /* name */>;

// A content id, 40 or 64 hexadecimal digits of an info-hash (the longer cut to 20 bytes, BEP 52), or else a
// name: every text is a key.
TorrentKey ParseTorrentKey(std::string_view text);
// The inverse, but for names that look like one of the others.
std::string KeyText(const TorrentKey& key);
// For people: "name \"x\"" (of at most kNameLimit bytes), "content <id>" or "info-hash <hex>".
std::string Describe(const TorrentKey& key);

}  // namespace bt::tracker_api
