#include "nodes/client/magnet_link.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cctype>

#include "core/base/digest.h"
#include "core/torrent/sha1.h"
#include "net/resolve.h"
#include "nodes/http_api/uri.h"
#include "nodes/shared/text.h"

namespace bt::nodes {

namespace {

constexpr std::string_view kScheme = "magnet:?";
constexpr std::string_view kV1 = "urn:btih:";
constexpr std::string_view kV2 = "urn:btmh:";
constexpr std::string_view kSha256 = "1220";  // multihash: SHA-256, 32 bytes
constexpr size_t kLinkLimit = 64 << 10;

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

template <class Digest>
std::optional<Digest> ReadHex(const std::string& digits) {
  Digest digest{};
  return FromHex(digits, digest) ? std::optional(digest) : std::nullopt;
}

// RFC 4648: 32 characters are 20 bytes.
std::optional<Sha1Digest> FromBase32(const std::string& text) {
  constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
  Sha1Digest digest{};
  if (text.size() != 32) return std::nullopt;
  uint64_t bits = 0;
  size_t held = 0;
  size_t at = 0;
  for (const char c : text) {
    const size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 5 | value;
    held += 5;
    if (held < 8) continue;
    held -= 8;
    digest[at++] = static_cast<uint8_t>(bits >> held);
  }
  return digest;
}

// False: the info-hash cannot be read.
bool ReadTopic(const std::string& topic, MagnetLink& link) {
  const std::string lower = Lower(topic);
  if (lower.starts_with(kV1)) {
    const std::string digits = lower.substr(kV1.size());
    link.v1 = digits.size() == 32 ? FromBase32(digits) : ReadHex<Sha1Digest>(digits);
    return link.v1.has_value();
  }
  if (lower.starts_with(kV2)) {
    const std::string digits = lower.substr(kV2.size());
    if (!digits.starts_with(kSha256)) return false;
    link.v2 = ReadHex<Sha256Digest>(digits.substr(kSha256.size()));
    return link.v2.has_value();
  }
  return true;  // a topic of other networks
}

// "tr" and "tr.1" mean the same.
bool IsParameter(const std::string& name, std::string_view wanted) {
  if (!name.starts_with(wanted)) return false;
  const std::string_view rest = std::string_view(name).substr(wanted.size());
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return rest.empty() || (rest[0] == '.' && std::all_of(rest.begin() + 1, rest.end(), is_digit));
}

}  // namespace

bool IsMagnetLink(std::string_view text) { return Lower(text.substr(0, 7)) == "magnet:"; }

absl::StatusOr<MagnetLink> ParseMagnetLink(std::string_view text) {
  const auto wrong = [](const std::string& why) {
    return absl::InvalidArgumentError(
        absl::StrCat("magnet link: ", why, "; write magnet:?xt=urn:btih:<40 hexadecimal digits>"));
  };
  if (text.size() > kLinkLimit) return wrong("it is too long");
  if (Lower(text.substr(0, kScheme.size())) != kScheme) return wrong("it does not begin with magnet:?");
  const std::optional<Target> target =
      ParseTarget(absl::StrCat("/?", absl::string_view(text.data(), text.size()).substr(kScheme.size())));
  if (!target) return wrong("a % is not followed by two hexadecimal digits, or it has too many parameters");
  MagnetLink link;
  for (const auto& [name, value] : target->query) {
    if (IsParameter(name, "xt")) {
      if (!ReadTopic(value, link)) return wrong(absl::StrCat(Printable(value), " is no info-hash"));
    } else if (IsParameter(name, "tr")) {
      if (link.trackers.size() < kTrackerCountLimit) link.trackers.push_back(value);
    } else if (name == "dn") {
      link.name = Printable(value).substr(0, kNameLimit);
    } else if (name == "x.pe") {
      if (!net::HostAndPort::Parse(value).ok()) {
        return wrong(absl::StrCat("x.pe=", Printable(value), " is no HOST:PORT"));
      }
      if (link.peers.size() < kMagnetPeersLimit) link.peers.push_back(value);
    }
  }
  if (!link.v1 && !link.v2) return wrong("it names no BitTorrent info-hash (xt=urn:btih: or xt=urn:btmh:)");
  return link;
}

std::string WriteMagnetLink(const TorrentFile& torrent, std::string_view info) {
  std::string link = "magnet:?";
  const char* separator = "";
  const auto add = [&](const char* name, const std::string& value) {
    absl::StrAppend(&link, separator, name, "=", value);
    separator = "&";
  };
  if (torrent.format != TorrentFormat::kV2) add("xt", absl::StrCat("urn:btih:", Hex(Sha1(info))));
  if (torrent.format != TorrentFormat::kV1) add("xt", absl::StrCat("urn:btmh:1220", Hex(Sha256(info))));
  add("dn", PercentEncode(torrent.metainfo.name));
  for (const std::string& tracker : torrent.trackers) add("tr", PercentEncode(tracker));
  return link;
}

}  // namespace bt::nodes
