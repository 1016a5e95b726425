#pragma once

// The one reader of tracker URLs: what the user gives with --tracker, what a .torrent lists, and what
// `create` writes into one are judged alike. Nothing is resolved here. Pure.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace bt::nodes {

inline constexpr char kDefaultTracker[] = "http://127.0.0.1:6969";

// How a tracker is asked. Over UDP (BEP 15) it takes announces and nothing else.
enum class TrackerScheme : uint8_t { kHttp, kHttps, kUdp };
// "https://".
std::string_view SchemePrefix(TrackerScheme scheme);

struct TrackerUrl {
  TrackerScheme scheme = TrackerScheme::kHttp;
  std::string host;  // a name, an IPv4 address, or an IPv6 address in brackets
  uint16_t port = 0;
  std::string key;  // for announces (nodes/http_api/access.h); empty: none, and never over UDP

  std::string HostAndPort() const;  // "HOST:PORT"
  std::string Base() const;         // "http://HOST:PORT", or with https:// or udp://; no key
  std::string Announce() const;  // Base(), the key if there is one, and "/announce", as a .torrent lists it
};

// "http://HOST:PORT", "https://HOST:PORT" or "udp://HOST:PORT", also followed by "/", "/announce" or, of the
// former two,
// "/KEY/announce".
// kInvalidArgument: one line that shows the URL and says what is wrong with it.
absl::StatusOr<TrackerUrl> ParseTrackerUrl(std::string_view text);

}  // namespace bt::nodes
