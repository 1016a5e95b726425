#include "nodes/client/web_seed_url.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <optional>

#include "core/base/check.h"
#include "core/torrent/bencode.h"
#include "nodes/http_api/uri.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

constexpr std::string_view kHttp = "http://";
constexpr std::string_view kHttps = "https://";
constexpr uint16_t kHttpPort = 80;
constexpr uint16_t kHttpsPort = 443;
constexpr std::string_view kKey = "url-list";
constexpr size_t kShown = 120;  // bytes of an unusable URL that a message repeats

absl::Status Wrong(std::string_view url, const char* why) {
  return absl::InvalidArgumentError(absl::StrCat("web seed ", Printable(url.substr(0, kShown)),
                                                 url.size() > kShown ? "..." : "", ": ", why));
}

// What may stand in a request's first line.
bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

absl::StatusOr<WebSeedUrl> WebSeedUrl::Parse(std::string_view text) {
  WebSeedUrl url;
  url.https = text.starts_with(kHttps);
  if (text.size() > kWebSeedUrlLimit) return Wrong(text, "the URL is too long");
  if (!url.https && !text.starts_with(kHttp)) return Wrong(text, "only http:// and https:// can be asked");
  if (!IsPrintable(text)) return Wrong(text, "it has a space or another character that must be escaped");
  if (text.find('#') != std::string_view::npos) return Wrong(text, "it has a fragment (#)");
  const std::string_view rest = text.substr(url.https ? kHttps.size() : kHttp.size());
  const size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return Wrong(text, "the path is missing; write at least a /");
  std::string authority(rest.substr(0, slash));
  const size_t colon = authority.rfind(':');
  if (colon == std::string::npos || authority.ends_with(']')) {
    absl::StrAppend(&authority, ":", url.https ? kHttpsPort : kHttpPort);
  }
  const absl::StatusOr<net::HostAndPort> host = net::HostAndPort::Parse(authority);
  if (!host.ok() || host->port == 0) {
    return Wrong(text, "the host is no name and no address, or the port is none");
  }
  url.host = *host;
  url.path = std::string(rest.substr(slash));
  return url;
}

absl::StatusOr<std::string> WebSeedUrl::TargetOf(const Metainfo& metainfo, uint32_t file) const {
  const bool directory = path.ends_with('/');
  if (metainfo.tree.empty()) return directory ? path + PercentEncode(metainfo.name) : path;
  if (path.find('?') != std::string::npos) {
    return absl::InvalidArgumentError("its URL has a query (?), which names one file and no directory");
  }
  std::string target = path;
  if (!directory) target += '/';
  target += PercentEncode(metainfo.name);
  for (const std::string& part : metainfo.tree.files()[file].path) {
    target += '/';
    target += PercentEncode(part);
  }
  return target;
}

std::string WebSeedUrl::HostHeader() const {
  return host.port == (https ? kHttpsPort : kHttpPort) ? host.host : host.ToString();
}

std::string WebSeedUrl::Base() const { return absl::StrCat(Absl(https ? kHttps : kHttp), host.ToString()); }

std::vector<std::string> ReadWebSeeds(std::string_view torrent) {
  std::vector<std::string> urls;
  const absl::StatusOr<bencode::Document> document = bencode::Document::Parse(torrent);
  const auto list = document.ok() ? document->root().Find(kKey) : std::nullopt;
  if (!list) return urls;
  if (const auto one = list->text()) {
    if (!one->empty()) urls.emplace_back(*one);
    return urls;
  }
  if (list->kind() != bencode::Kind::kList) return urls;
  for (auto entry = list->first(); entry; entry = entry->next()) {
    if (const auto one = entry->text(); one && !one->empty()) urls.emplace_back(*one);
  }
  return urls;
}

// The key comes behind all that a .torrent of this project has: keys are in order.
std::string WithWebSeeds(std::string torrent, const std::vector<std::string>& urls) {
  if (urls.empty()) return torrent;
  CHECK(torrent.ends_with('e'));
  torrent.pop_back();
  absl::StrAppend(&torrent, kKey.size(), ":", Absl(kKey), "l");
  for (const std::string& url : urls) absl::StrAppend(&torrent, url.size(), ":", url);
  absl::StrAppend(&torrent, "ee");
  return torrent;
}

}  // namespace bt::nodes
