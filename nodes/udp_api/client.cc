// The client's half of udp_api.h.

#include <algorithm>
#include <cstring>

#include "core/base/bytes.h"
#include "core/base/compact_address.h"
#include "nodes/udp_api/layout.h"
#include "nodes/udp_api/udp_api.h"

namespace bt::nodes {

namespace api = tracker_api;

namespace {

std::string RequestHead(uint64_t connection, UdpAction action, uint32_t transaction) {
  std::string out;
  AppendBig(out, connection, 8);
  AppendBig(out, static_cast<uint32_t>(action), 4);
  AppendBig(out, transaction, 4);
  return out;
}

uint32_t Number(std::string_view bytes, size_t at) {
  return static_cast<uint32_t>(LoadBig(bytes.data() + at, 4));
}

api::Peers ReadPeers(std::string_view datagram, bool v4) {
  api::Peers peers;
  peers.interval = Seconds(std::min<uint32_t>(Number(datagram, 8), INT32_MAX));
  peers.incomplete = Number(datagram, 12);
  peers.complete = Number(datagram, 16);
  const size_t each = PeerBytes(v4);
  for (std::string_view rest = datagram.substr(kAnnounceAnswerBytes);
       rest.size() >= each && peers.peers.size() < api::kLookupLimit; rest.remove_prefix(each)) {
    Address address = Address::V4(0, 0, 0, 0, 0);
    std::memcpy(address.ip.data() + (v4 ? 12 : 0), rest.data(), each - 2);
    address.port = static_cast<uint16_t>(LoadBig(rest.data() + each - 2, 2));
    peers.peers.push_back({address, {}, false});
  }
  return peers;
}

UdpScraped ReadScraped(std::string_view rest) {
  UdpScraped scraped;
  for (; rest.size() >= kScrapeEntryBytes && scraped.entries.size() < kUdpScrapeLimit;
       rest.remove_prefix(kScrapeEntryBytes)) {
    scraped.entries.push_back({.complete = Number(rest, 0), .incomplete = Number(rest, 8)});
  }
  return scraped;
}

}  // namespace

std::string RenderUdpConnect(uint32_t transaction) {
  return RequestHead(kConnectMagic, UdpAction::kConnect, transaction);
}

std::string RenderUdpAnnounce(uint64_t connection, uint32_t transaction, const api::Announce& announce,
                              const UdpClient& client) {
  constexpr uint32_t kEvents[] = {0, 2, 1, 3};  // of AnnounceEvent
  std::string out = RequestHead(connection, UdpAction::kAnnounce, transaction);
  out.append(BytesOf(announce.info_hash)).append(BytesOf(client.peer_id));
  AppendBig(out, 0, 8);  // downloaded
  AppendBig(out, announce.left, 8);
  AppendBig(out, 0, 8);  // uploaded
  AppendBig(out, kEvents[static_cast<size_t>(announce.event)], 4);
  if (announce.peer.is_v4()) {
    out.append(IpBytes(announce.peer));
  } else {
    AppendBig(out, 0, 4);
  }
  AppendBig(out, client.key, 4);
  AppendBig(out, announce.numwant, 4);
  AppendBig(out, announce.peer.port, 2);
  return out;
}

std::string RenderUdpScrape(uint64_t connection, uint32_t transaction, const std::vector<InfoHash>& hashes) {
  return RequestHead(connection, UdpAction::kScrape, transaction) + Joined(hashes);
}

std::optional<UdpAnswered> ReadUdpAnswer(std::string_view datagram, bool v4) {
  if (datagram.size() < kAnswerHeadBytes) return std::nullopt;
  UdpAnswered answered{.transaction = Number(datagram, 4), .answer = {}};
  const std::string_view rest = datagram.substr(kAnswerHeadBytes);
  switch (static_cast<UdpAction>(Number(datagram, 0))) {
    case UdpAction::kConnect:
      if (rest.size() < 8) return std::nullopt;
      answered.answer = UdpConnected{LoadBig(rest.data(), 8)};
      return answered;
    case UdpAction::kAnnounce:
      if (datagram.size() < kAnnounceAnswerBytes) return std::nullopt;
      answered.answer = ReadPeers(datagram, v4);
      return answered;
    case UdpAction::kScrape:
      answered.answer = ReadScraped(rest);
      return answered;
    case UdpAction::kError:
      answered.answer = UdpError{std::string(rest.substr(0, kUdpAnswerLimit))};
      return answered;
  }
  return std::nullopt;
}

}  // namespace bt::nodes
