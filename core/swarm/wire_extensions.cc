#include "core/swarm/wire_extensions.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/compact_address.h"
#include "core/torrent/bencode.h"

namespace bt::swarm::wire {
namespace {

constexpr size_t kClientNameLimit = 64;
constexpr std::string_view kMetadataName = "ut_metadata";
constexpr std::string_view kPeerExchangeName = "ut_pex";
constexpr uint8_t kCompleteFlag = 0x02;  // BEP 11

// Peer exchanges carry the families apart.
void PutCompact(const Address& address, std::string& v4, std::string& v6) {
  AppendCompact(address, address.is_v4() ? v4 : v6);
}

// Where the bencoded value at the start of `bytes` ends; 0: nowhere. A message of BEP 9 has bytes behind its
// dictionary.
size_t ValueEnd(std::string_view bytes) {
  uint32_t depth = 0;
  size_t at = 0;
  do {
    if (at >= bytes.size()) return 0;
    const char c = bytes[at];
    if (c == 'e') {
      if (depth == 0) return 0;
      --depth;
      ++at;
    } else if (c == 'd' || c == 'l') {
      ++depth;
      ++at;
    } else if (c == 'i') {
      const size_t end = bytes.find('e', at);
      if (end == std::string_view::npos) return 0;
      at = end + 1;
    } else {
      size_t length = 0;
      for (; at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '9' && length <= bytes.size(); ++at) {
        length = length * 10 + static_cast<size_t>(bytes[at] - '0');
      }
      if (at >= bytes.size() || bytes[at] != ':' || length > bytes.size() - at - 1) return 0;
      at += 1 + length;
    }
  } while (depth > 0);
  return at;
}

// What this client cannot read, or has no use for, is kOther.
Metadata ParseMetadata(const Slice& body) {
  Metadata metadata;
  metadata.kind = Metadata::Kind::kOther;
  const size_t end = ValueEnd(body.view());
  const absl::StatusOr<bencode::Document> document = bencode::Document::Parse(body.view().substr(0, end));
  if (end == 0 || !document.ok()) return metadata;
  const auto number = [&](std::string_view key) -> int64_t {
    const auto value = document->root().Find(key);
    return value ? value->integer().value_or(-1) : -1;
  };
  const int64_t kind = number("msg_type");
  const int64_t piece = number("piece");
  const int64_t size = number("total_size");
  if (kind < 0 || kind >= static_cast<int64_t>(Metadata::Kind::kOther)) return metadata;
  if (piece < 0 || piece > UINT32_MAX || size > UINT32_MAX) return metadata;
  metadata.kind = static_cast<Metadata::Kind>(kind);
  metadata.piece = static_cast<uint32_t>(piece);
  if (metadata.kind != Metadata::Kind::kData) return metadata;
  metadata.total_size = static_cast<uint32_t>(std::max<int64_t>(0, size));
  metadata.bytes = body.From(end);
  return metadata;
}

// Calls take(address, index) for each address of a compact list.
template <class Take>
void EachCompact(std::string_view bytes, size_t ip_size, Take&& take) {
  for (size_t i = 0; bytes.size() >= ip_size + 2; ++i, bytes.remove_prefix(ip_size + 2)) {
    Address address = Address::V4(0, 0, 0, 0, 0);
    std::memcpy(address.ip.data() + (16 - ip_size), bytes.data(), ip_size);
    address.port = static_cast<uint16_t>(LoadBig(bytes.data() + ip_size, 2));
    take(address, i);
  }
}

PeerExchange ParseExchange(std::string_view bytes) {
  PeerExchange exchange;
  const absl::StatusOr<bencode::Document> document = bencode::Document::Parse(bytes);
  if (!document.ok()) return exchange;
  const auto text = [&](const char* key) -> std::string_view {
    const auto value = document->root().Find(key);
    return value ? value->text().value_or(std::string_view()) : std::string_view();
  };
  const auto read = [&](size_t ip_size, const char* added, const char* added_flags, const char* dropped) {
    const std::string_view flags = text(added_flags);
    EachCompact(text(added), ip_size, [&](const Address& address, size_t i) {
      if (exchange.added.size() == kExchangeLimit) return;
      exchange.added.push_back({address, i < flags.size() && (flags[i] & kCompleteFlag) != 0});
    });
    EachCompact(text(dropped), ip_size, [&](const Address& address, size_t) {
      if (exchange.dropped.size() < kExchangeLimit) exchange.dropped.push_back(address);
    });
  };
  read(4, "added", "added.f", "dropped");
  read(16, "added6", "added6.f", "dropped6");
  return exchange;
}

// BEP 10. What cannot be read is as good as not sent: not every client writes canonical bencode.
ExtendedHandshake ParseExtendedHandshake(std::string_view bytes) {
  ExtendedHandshake handshake;
  const absl::StatusOr<bencode::Document> document = bencode::Document::Parse(bytes);
  if (!document.ok()) return handshake;
  const auto number = [&](std::string_view key) -> std::optional<int64_t> {
    const auto value = document->root().Find(key);
    return value ? value->integer() : std::nullopt;
  };
  const auto text = [&](std::string_view key) -> std::string_view {
    const auto value = document->root().Find(key);
    return value ? value->text().value_or(std::string_view()) : std::string_view();
  };
  if (const auto port = number("p"); port && *port > 0 && *port <= 65535) {
    handshake.port = static_cast<uint16_t>(*port);
  }
  if (const auto reqq = number("reqq"); reqq && *reqq > 0) {
    handshake.reqq = static_cast<uint32_t>(std::min<int64_t>(*reqq, UINT32_MAX));
  }
  if (const auto size = number("metadata_size"); size && *size > 0 && *size <= UINT32_MAX) {
    handshake.metadata_size = static_cast<uint32_t>(*size);
  }
  if (const auto names = document->root().Find("m")) {
    const auto id = [&](std::string_view name) -> uint8_t {
      const auto value = names->Find(name);
      const int64_t number = value ? value->integer().value_or(0) : 0;
      return number > 0 && number <= UINT8_MAX ? static_cast<uint8_t>(number) : uint8_t{0};
    };
    handshake.metadata_id = id(kMetadataName);
    handshake.peer_exchange_id = id(kPeerExchangeName);
  }
  handshake.client = text("v").substr(0, kClientNameLimit);
  if (const std::string_view ip = text("yourip"); ip.size() == 4 || ip.size() == 16) handshake.your_ip = ip;
  return handshake;
}

}  // namespace

std::string ExtensionText(const ExtendedHandshake& handshake) {
  std::string dict;
  bencode::Writer writer(dict);
  writer.BeginDictionary().Key("m").BeginDictionary();
  if (handshake.metadata_id != 0) writer.Key(kMetadataName).Integer(handshake.metadata_id);
  if (handshake.peer_exchange_id != 0) writer.Key(kPeerExchangeName).Integer(handshake.peer_exchange_id);
  writer.End();
  if (handshake.metadata_size != 0) writer.Key("metadata_size").Integer(handshake.metadata_size);
  if (handshake.port) writer.Key("p").Integer(*handshake.port);
  if (handshake.reqq) writer.Key("reqq").Integer(*handshake.reqq);
  if (!handshake.client.empty()) writer.Key("v").Text(handshake.client);
  if (!handshake.your_ip.empty()) writer.Key("yourip").Text(handshake.your_ip);
  writer.End();
  return dict;
}

std::string ExtensionText(const Metadata& metadata) {
  std::string dict;
  bencode::Writer writer(dict);
  writer.BeginDictionary().Key("msg_type").Integer(static_cast<int64_t>(metadata.kind));
  writer.Key("piece").Integer(metadata.piece);
  if (metadata.kind == Metadata::Kind::kData) writer.Key("total_size").Integer(metadata.total_size);
  writer.End();
  return dict;
}

std::string ExtensionText(const PeerExchange& exchange) {
  std::string added, added6, flags, flags6, dropped, dropped6;
  for (const PeerExchange::Added& peer : exchange.added) {
    PutCompact(peer.peer, added, added6);
    (peer.peer.is_v4() ? flags : flags6).push_back(static_cast<char>(peer.complete ? kCompleteFlag : 0));
  }
  for (const Address& address : exchange.dropped) PutCompact(address, dropped, dropped6);
  std::string dict;
  bencode::Writer writer(dict);
  writer.BeginDictionary();
  writer.Key("added").Text(added).Key("added.f").Text(flags);
  writer.Key("added6").Text(added6).Key("added6.f").Text(flags6);
  writer.Key("dropped").Text(dropped).Key("dropped6").Text(dropped6);
  writer.End();
  return dict;
}

const char* ParseExtension(const Slice& body, Message& message) {
  if (body.empty()) return "extension message without an id";
  const std::string_view rest = body.view().substr(1);
  switch (static_cast<uint8_t>(body.view()[0])) {
    case 0:
      message = ParseExtendedHandshake(rest);
      return nullptr;
    case kMetadataId:
      message = ParseMetadata(body.From(1));
      return nullptr;
    case kPeerExchangeId:
      message = ParseExchange(rest);
      return nullptr;
    default:
      message = Ignored{kExtendedId};  // never announced
      return nullptr;
  }
}

}  // namespace bt::swarm::wire
