// The server's half of udp_api.h.

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstring>

#include "core/base/bytes.h"
#include "core/base/compact_address.h"
#include "nodes/http_api/claim_address.h"
#include "nodes/udp_api/layout.h"
#include "nodes/udp_api/udp_api.h"

namespace bt::nodes {

namespace api = tracker_api;

namespace {

api::Announce ReadAnnounce(std::string_view datagram, const Address& from) {
  const auto number = [&](size_t at, int width) { return LoadBig(datagram.data() + at, width); };
  api::Announce announce;
  std::memcpy(announce.info_hash.data(), datagram.data() + 16, announce.info_hash.size());
  announce.left = number(64, 8);
  constexpr api::AnnounceEvent kEvents[] = {api::AnnounceEvent::kNone, api::AnnounceEvent::kCompleted,
                                            api::AnnounceEvent::kStarted, api::AnnounceEvent::kStopped};
  const uint64_t event = number(80, 4);
  announce.event = event < std::size(kEvents) ? kEvents[event] : api::AnnounceEvent::kNone;
  const auto wanted = static_cast<int32_t>(number(92, 4));
  const size_t most = (kUdpAnswerLimit - kAnnounceAnswerBytes) / PeerBytes(from.is_v4());
  announce.numwant = std::min(wanted < 0 ? announce.numwant : static_cast<uint32_t>(wanted),
                              std::min(static_cast<uint32_t>(most), api::kLookupLimit));
  announce.peer = from;
  announce.peer.port = static_cast<uint16_t>(number(96, 2));
  // 32 bits have no room for an IPv6 address, and an IPv6 client leaves them empty or says nonsense.
  if (from.is_v4()) {
    Address asked = announce.peer;
    std::memcpy(asked.ip.data() + 12, datagram.data() + 84, 4);
    // An address that may not be claimed from here: the sender's stands, as over HTTP.
    announce.peer = ClaimAddress(asked, from).value_or(announce.peer);
  }
  return announce;
}

}  // namespace

std::optional<UdpHead> ReadUdpHead(std::string_view datagram) {
  if (datagram.size() < kRequestHeadBytes) return std::nullopt;
  UdpHead head{LoadBig(datagram.data(), 8), static_cast<UdpAction>(LoadBig(datagram.data() + 8, 4)),
               static_cast<uint32_t>(LoadBig(datagram.data() + 12, 4))};
  switch (head.action) {
    case UdpAction::kConnect:
      if (head.connection != kConnectMagic) return std::nullopt;
      return head;
    case UdpAction::kAnnounce:
      return datagram.size() < kAnnounceBytes ? std::nullopt : std::optional(head);
    case UdpAction::kScrape:
      return datagram.size() < kRequestHeadBytes + sizeof(InfoHash) ? std::nullopt : std::optional(head);
    case UdpAction::kError:
      break;
  }
  return std::nullopt;
}

absl::StatusOr<UdpRequest> ReadUdpRequest(const UdpHead& head, std::string_view datagram,
                                          const Address& from) {
  if (head.action == UdpAction::kAnnounce) {
    api::Announce announce = ReadAnnounce(datagram, from);
    if (announce.peer.port == 0) return absl::InvalidArgumentError("port must be a number from 1 to 65535");
    return announce;
  }
  std::string_view rest = datagram.substr(kRequestHeadBytes);
  if (rest.size() % sizeof(InfoHash) != 0) return absl::InvalidArgumentError("info_hash must be 20 bytes");
  UdpScrapeRequest scrape;
  scrape.info_hashes.resize(rest.size() / sizeof(InfoHash));
  if (scrape.info_hashes.size() > kUdpScrapeLimit) {
    return absl::InvalidArgumentError(
        absl::StrCat("at most ", kUdpScrapeLimit, " info hashes in one scrape"));
  }
  for (InfoHash& hash : scrape.info_hashes) {
    std::memcpy(hash.data(), rest.data(), hash.size());
    rest.remove_prefix(hash.size());
  }
  return scrape;
}

std::string RenderUdpConnected(uint32_t transaction, uint64_t connection) {
  std::string out = AnswerHead(UdpAction::kConnect, transaction);
  AppendBig(out, connection, 8);
  return out;
}

std::string RenderUdpAnnounced(uint32_t transaction, const api::Response& response, bool v4) {
  const auto* peers = std::get_if<api::Peers>(&response.body);
  if (!api::Done(response.outcome) || peers == nullptr) {
    return RenderUdpError(transaction, response.reason.empty() ? "the tracker cannot answer this"
                                                               : std::string_view(response.reason));
  }
  std::string out = AnswerHead(UdpAction::kAnnounce, transaction);
  AppendBig(out, static_cast<uint64_t>(std::clamp<int64_t>(peers->interval.seconds(), 1, INT32_MAX)), 4);
  AppendBig(out, peers->incomplete, 4);
  AppendBig(out, peers->complete, 4);
  for (const api::PeerClaim& claim : peers->peers) {
    if (claim.peer.is_v4() != v4) continue;
    if (out.size() + PeerBytes(v4) > kUdpAnswerLimit) break;
    AppendCompact(claim.peer, out);
  }
  return out;
}

std::string RenderUdpScraped(uint32_t transaction, const std::vector<InfoHash>& asked,
                             const std::vector<api::ScrapeEntry>& entries) {
  std::string out = AnswerHead(UdpAction::kScrape, transaction);
  for (const InfoHash& hash : asked) {
    const auto found = std::find_if(entries.begin(), entries.end(),
                                    [&](const api::ScrapeEntry& entry) { return entry.info_hash == hash; });
    const api::ScrapeEntry entry = found == entries.end() ? api::ScrapeEntry{} : *found;
    AppendBig(out, entry.complete, 4);
    AppendBig(out, entry.complete, 4);  // "completed": downloads are not counted, seeders are
    AppendBig(out, entry.incomplete, 4);
  }
  return out;
}

std::string RenderUdpError(uint32_t transaction, std::string_view why) {
  std::string out = AnswerHead(UdpAction::kError, transaction);
  out.append(why.substr(0, kUdpAnswerLimit - out.size()));
  return out;
}

}  // namespace bt::nodes
