#include "nodes/shared/tracker_url.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/torrent/metainfo.h"
#include "net/resolve.h"
#include "nodes/shared/text.h"

namespace bt::nodes {

namespace {

constexpr size_t kShown = 120;  // bytes of an unusable URL that a message repeats

// What a key may be made of needs no escape in a URL.
std::optional<std::string_view> KeyOf(std::string_view path) {
  constexpr std::string_view kEnd = "/announce";
  if (!path.ends_with(kEnd)) return std::nullopt;
  const std::string_view key = path.substr(1, path.size() - 1 - kEnd.size());
  const bool fits = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  });
  return fits ? std::optional(key) : std::nullopt;
}

}  // namespace

std::string_view SchemePrefix(TrackerScheme scheme) {
  switch (scheme) {
    case TrackerScheme::kHttp:
      return "http://";
    case TrackerScheme::kHttps:
      return "https://";
    case TrackerScheme::kUdp:
      break;
  }
  return "udp://";
}

std::string TrackerUrl::HostAndPort() const { return absl::StrCat(host, ":", port); }
std::string TrackerUrl::Base() const { return absl::StrCat(Absl(SchemePrefix(scheme)), HostAndPort()); }
std::string TrackerUrl::Announce() const {
  return absl::StrCat(Base(), key.empty() ? "" : "/", key, "/announce");
}

absl::StatusOr<TrackerUrl> ParseTrackerUrl(std::string_view text) {
  const auto wrong = [&](const char* why) {
    const std::string shown = Printable(text.substr(0, kShown));
    return absl::InvalidArgumentError(absl::StrCat("tracker ", shown, text.size() > kShown ? "..." : "", ": ",
                                                   why, "; write http://HOST:PORT, such as ",
                                                   kDefaultTracker));
  };
  // Announce() must fit into a .torrent again.
  if (text.size() > kTrackerUrlLimit - 16) return wrong("the URL is too long");
  TrackerUrl url;
  for (const TrackerScheme scheme : {TrackerScheme::kHttp, TrackerScheme::kHttps, TrackerScheme::kUdp}) {
    url.scheme = scheme;
    if (text.starts_with(SchemePrefix(scheme))) break;
  }
  const std::string_view scheme = SchemePrefix(url.scheme);
  if (!text.starts_with(scheme)) return wrong("only http://, https:// and udp:// can be asked");
  const std::string_view rest = text.substr(scheme.size());
  const size_t slash = rest.find('/');
  const std::string_view path = slash == std::string_view::npos ? "" : rest.substr(slash);
  const std::string_view authority = rest.substr(0, slash);
  if (!path.empty() && path != "/" && path != "/announce") {
    const std::optional<std::string_view> key = KeyOf(path);
    if (!key) return wrong("the path is not /announce, and not /KEY/announce");
    if (url.scheme == TrackerScheme::kUdp) return wrong("over UDP no key can be shown");
    url.key = std::string(*key);
  }
  const size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos || authority.ends_with(']')) return wrong("the port is missing");
  url.host = std::string(authority.substr(0, colon));
  if (!net::IsHost(url.host)) return wrong("the host is no name and no address");
  const std::string_view port = authority.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
  // A leading zero is refused: "06969" would name the same tracker a second time.
  if (error != std::errc() || end != port.data() + port.size() || port.front() == '0') {
    return wrong("the port is not a number from 1 to 65535");
  }
  return url;
}

}  // namespace bt::nodes
