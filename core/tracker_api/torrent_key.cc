#include "core/tracker_api/torrent_key.h"

#include <absl/strings/str_cat.h>

#include "core/base/digest.h"
#include "core/torrent/metainfo.h"

namespace bt::tracker_api {

TorrentKey ParseTorrentKey(std::string_view text) {
  if (const auto content = ContentId::Parse(text)) return *content;
  InfoHash hash;
  if (FromHex(text, hash)) return hash;
  Sha256Digest digest;
  if (FromHex(text, digest)) return CutToInfoHash(digest);
  return std::string(text);
}

std::string KeyText(const TorrentKey& key) {
  if (const auto* content = std::get_if<ContentId>(&key)) return content->ToString();
  if (const auto* hash = std::get_if<InfoHash>(&key)) return Hex(*hash);
  return std::get<std::string>(key);
}

std::string Describe(const TorrentKey& key) {
  if (std::holds_alternative<ContentId>(key)) return absl::StrCat("content ", KeyText(key));
  if (std::holds_alternative<InfoHash>(key)) return absl::StrCat("info-hash ", KeyText(key));
  return absl::StrCat("name \"", KeyText(key).substr(0, kNameLimit), "\"");
}

}  // namespace bt::tracker_api
