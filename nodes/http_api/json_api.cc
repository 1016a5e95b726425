#include "nodes/http_api/json_api.h"

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "core/base/bytes.h"
#include "core/tracker_api/listed_bytes.h"
#include "net/resolve.h"
#include "nodes/http_api/plain_offer.h"
#include "nodes/shared/json_text.h"
#include "nodes/shared/text.h"

namespace bt::nodes {

namespace api = tracker_api;

namespace {

std::string Dump(const Json& json) { return JsonText(json) + "\n"; }

// Brackets outside strings, counted before the library sees the text.
bool TooDeep(std::string_view text) {
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kJsonDepthLimit) return true;
    } else if (c == ']' || c == '}') {
      if (depth > 0) --depth;
    }
  }
  return false;
}

absl::StatusOr<Json> ParseObject(std::string_view text) {
  if (TooDeep(text)) return absl::InvalidArgumentError("the JSON is nested too deep");
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return absl::InvalidArgumentError("the body is not JSON");
  if (!json.is_object()) return absl::InvalidArgumentError("the body is not a JSON object");
  return json;
}

// Reads fields of one object and remembers the first that was missing or wrong.
class Reader {
 public:
  explicit Reader(const Json& json) : json_(json) {}

  template <class T>
  T Unsigned(const char* name) {
    const Json* value = Find(name);
    return value == nullptr ? T{} : AsUnsigned<T>(*value, name);
  }
  template <class T>
  T AsUnsigned(const Json& value, const char* name) {
    if (!value.is_number_unsigned()) return Wrong<T>(name, "is not a whole number");
    const uint64_t number = value.template get<uint64_t>();
    if (number > std::numeric_limits<T>::max()) return Wrong<T>(name, "is too large");
    return static_cast<T>(number);
  }
  std::string Text(const char* name) {
    const Json* value = Find(name);
    if (value == nullptr) return {};
    if (!value->is_string()) return Wrong<std::string>(name, "is not a string");
    return value->get<std::string>();
  }
  bool Flag(const char* name) {
    const Json* value = Find(name);
    if (value == nullptr) return false;
    if (!value->is_boolean()) return Wrong<bool>(name, "is not true or false");
    return value->get<bool>();
  }
  const Json* Array(const char* name) {
    const Json* value = Find(name);
    if (value == nullptr) return nullptr;
    if (!value->is_array()) return Wrong<const Json*>(name, "is not an array");
    return value;
  }
  Address Peer(const char* name) {
    const std::string text = Text(name);
    const std::optional<Address> address = Address::Parse(text);
    if (!address) return Wrong<Address>(name, "is not HOST:PORT");
    return *address;
  }
  // Of a peer's claim: "pieces" or "bitfield"; neither, if they were not asked for.
  PieceMap ClaimedPieces(uint32_t piece_count) {
    if (Has("bitfield")) {
      std::string bytes;
      if (!absl::Base64Unescape(Text("bitfield"), &bytes))
        return Wrong<PieceMap>("bitfield", "is not base64");
      const auto map = PieceMap::FromBitfield(bytes, piece_count);
      return map ? *map : Wrong<PieceMap>("bitfield", "does not fit the number of pieces");
    }
    if (!Has("pieces")) return PieceMap();
    const std::vector<PieceRange> ranges = Pieces("pieces");
    if (ranges.empty()) return PieceMap();
    const auto map = PieceMap::FromRanges(ranges, piece_count);
    return map ? *map : Wrong<PieceMap>("pieces", "is not sorted, disjoint ranges of the pieces there are");
  }
  ContentId Content(const char* name) {
    const std::optional<ContentId> content = ContentId::Parse(Text(name));
    return content ? *content : Wrong<ContentId>(name, "is not a content id");
  }
  std::vector<PieceRange> Pieces(const char* name) {
    std::vector<PieceRange> ranges;
    const Json* array = Array(name);
    if (array == nullptr) return ranges;
    if (array->size() > kPieceCountLimit) return Wrong<std::vector<PieceRange>>(name, "has too many ranges");
    for (const Json& range : *array) {
      if (!range.is_array() || range.size() != 2) {
        return Wrong<std::vector<PieceRange>>(name, "is not a list of [first, count]");
      }
      ranges.push_back(
          {PieceIndex(AsUnsigned<uint32_t>(range[0], name)), AsUnsigned<uint32_t>(range[1], name)});
    }
    return ranges;
  }
  bool Has(const char* name) const { return json_.contains(name) && !json_[name].is_null(); }

  bool ok() const { return error_.empty(); }
  absl::Status status() const { return ok() ? absl::OkStatus() : absl::InvalidArgumentError(error_); }

 private:
  const Json* Find(const char* name) {
    const auto found = json_.find(name);
    if (found == json_.end()) return Wrong<const Json*>(name, "is missing");
    return &*found;
  }
  template <class T>
  T Wrong(const char* name, const char* what) {
    if (error_.empty()) error_ = absl::StrCat("\"", name, "\" ", what);
    return T{};
  }

  const Json& json_;
  std::string error_;
};

Json WriteRanges(const std::vector<PieceRange>& pieces) {
  Json ranges = Json::array();
  for (const PieceRange& range : pieces) ranges.push_back({range.first.value(), range.count});
  return ranges;
}

// What every JSON string may hold as it is.
bool IsPlain(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

void AppendQuoted(std::string_view text, std::string& out) {
  if (std::all_of(text.begin(), text.end(), IsPlain)) {
    absl::StrAppend(&out, "\"", Absl(text), "\"");
  } else {
    out += JsonText(Json(text));
  }
}

void AppendPieces(const api::PeerClaim& claim, uint32_t piece_count, std::string& out) {
  if (!claim.complete && api::ShorterAsBitfield(claim.pieces)) {
    absl::StrAppend(&out, ",\"bitfield\":\"", absl::Base64Escape(claim.pieces.ToBitfield()), "\"");
    return;
  }
  out += ",\"pieces\":[";
  const std::vector<PieceRange> ranges =
      claim.complete ? std::vector<PieceRange>{{PieceIndex(0), piece_count}} : claim.pieces.ToRanges();
  for (const PieceRange& range : ranges) {
    absl::StrAppend(&out, &range == &ranges.front() ? "[" : ",[", range.first.value(), ",", range.count, "]");
  }
  out += "]";
}

void AddWarning(std::string_view warning, Json& json) {
  if (!warning.empty()) json["warning"] = std::string(warning);
}

template <class T>
absl::StatusOr<T> Checked(const Reader& reader, T value) {
  if (!reader.ok()) return reader.status();
  return value;
}

}  // namespace

absl::StatusOr<OfferBody> ParseOfferBody(std::string_view text) {
  if (text.size() > kOfferBodyLimit) return absl::InvalidArgumentError("the body is too large");
  if (std::optional<OfferBody> plain = ReadPlainOffer(text)) return *std::move(plain);
  absl::StatusOr<Json> json = ParseObject(text);
  if (!json.ok()) return json.status();
  Reader reader(*json);
  OfferBody body;
  body.peer = reader.Peer("peer");
  if (reader.Has("pieces")) body.pieces = reader.Pieces("pieces");
  if (reader.Has("session")) body.id.session = SessionId(reader.Unsigned<uint64_t>("session"));
  if (reader.Has("sequence")) body.id.sequence = reader.Unsigned<uint64_t>("sequence");
  return Checked(reader, std::move(body));
}

std::string WriteOfferBody(const OfferBody& body) {
  Json json;
  json["peer"] = body.peer.ToString();
  json["pieces"] = WriteRanges(body.pieces);
  if (body.id.session.value() != 0) {
    json["session"] = body.id.session.value();
    json["sequence"] = body.id.sequence;
  }
  return Dump(json);
}

std::string WriteError(std::string_view reason) {
  Json json;
  json["error"] = std::string(reason);
  return Dump(json);
}

std::string WriteAccepted(std::string_view warning) {
  if (warning.empty()) return "{\"ok\":true}\n";
  Json json;
  json["ok"] = true;
  AddWarning(warning, json);
  return Dump(json);
}

std::string WriteRegistered(const api::Registered& registered, std::string_view name,
                            std::string_view warning) {
  Json json;
  json["content"] = registered.content.ToString();
  json["name"] = std::string(name);
  AddWarning(warning, json);
  return Dump(json);
}

// Answers that list are written as text at once: as a tree of a thousand objects they would take some ten
// times as long, on the one thread that also sends heartbeats.
std::string WriteListing(const api::Listing& listing) {
  uint64_t length = 64;
  for (const api::ListEntry& entry : listing.torrents) length += api::ListedBytes(entry);
  std::string text;
  text.reserve(length);
  text = "{\"torrents\":[";
  for (const api::ListEntry& entry : listing.torrents) {
    text += &entry == &listing.torrents.front() ? "{\"name\":" : ",{\"name\":";
    AppendQuoted(entry.name, text);
    absl::StrAppend(&text, ",\"content\":\"", entry.content.ToString(),
                    "\",\"length\":", entry.content.length, ",\"piece_length\":", entry.piece_length,
                    ",\"complete\":", entry.complete, ",\"incomplete\":", entry.incomplete, "}");
  }
  absl::StrAppend(&text, "],\"more\":", listing.more ? "true" : "false", "}\n");
  return text;
}

std::string WritePeers(const api::Peers& peers, std::string_view warning) {
  uint64_t length = 1024;
  for (const api::PeerClaim& claim : peers.peers) length += api::ListedBytes(claim);
  std::string text;
  text.reserve(length);
  absl::StrAppend(&text, "{\"content\":\"", peers.content.ToString(),
                  "\",\"piece_count\":", peers.piece_count, ",\"complete\":", peers.complete,
                  ",\"incomplete\":", peers.incomplete,
                  ",\"interval_seconds\":", std::max<int64_t>(0, peers.interval.seconds()), ",\"peers\":[");
  for (const api::PeerClaim& claim : peers.peers) {
    absl::StrAppend(&text, &claim == &peers.peers.front() ? "" : ",", "{\"peer\":\"", claim.peer.ToString(),
                    "\",\"complete\":", claim.complete ? "true" : "false");
    AppendPieces(claim, peers.piece_count, text);
    text += "}";
  }
  text += "]";
  for (const InfoHash& hash : peers.info_hashes) {
    absl::StrAppend(&text, &hash == &peers.info_hashes.front() ? ",\"info_hashes\":[\"" : ",\"", Hex(hash),
                    "\"", &hash == &peers.info_hashes.back() ? "]" : "");
  }
  if (peers.cursor) absl::StrAppend(&text, ",\"cursor\":", *peers.cursor);
  if (!warning.empty()) {
    text += ",\"warning\":";
    AppendQuoted(warning, text);
  }
  text += "}\n";
  return text;
}

std::string WriteStatus(const api::NodeStatus& status, std::string_view cluster,
                        const std::vector<ClusterNode>& nodes) {
  Json json;
  json["cluster"] = std::string(cluster);
  json["node"] = status.node.value();
  json["role"] = std::string(api::RoleName(status.role));
  json["leader"] = status.leader ? Json(status.leader->value()) : Json(nullptr);
  json["has_quorum"] = status.has_quorum;
  json["ballot_round"] = status.ballot_round;
  json["chosen"] = status.chosen.value();
  json["applied"] = status.applied.value();
  // A string: 64 bits do not fit a number of JavaScript.
  json["registry_digest"] = absl::StrCat(absl::Hex(status.registry_digest, absl::kZeroPad16));
  json["torrents"] = status.torrents;
  json["claims"] = status.claims;
  json["version"] = status.program;
  json["level"] = status.level;
  json["oldest_level"] = status.oldest_level;
  json["newest_level"] = status.newest_level;
  json["alarms"] = Json::array();
  for (const api::Alarm& alarm : status.alarms) {
    Json item;
    item["name"] = alarm.name;
    item["text"] = alarm.text;
    json["alarms"].push_back(std::move(item));
  }
  json["members"] = Json::array();
  for (const NodeId member : status.members) json["members"].push_back(member.value());
  json["nodes"] = Json::array();
  for (const ClusterNode& node : nodes) {
    Json item;
    item["id"] = node.id.value();
    item["client"] = node.client;
    json["nodes"].push_back(std::move(item));
  }
  return Dump(json);
}

std::string ParseReason(std::string_view text, const char* field) {
  const absl::StatusOr<Json> json = ParseObject(text);
  if (!json.ok()) return {};
  const auto found = json->find(field);
  return found != json->end() && found->is_string() ? found->get<std::string>() : std::string();
}

absl::StatusOr<api::Registered> ParseRegistered(std::string_view text) {
  const absl::StatusOr<Json> json = ParseObject(text);
  if (!json.ok()) return json.status();
  Reader reader(*json);
  return Checked(reader, api::Registered{reader.Content("content")});
}

absl::StatusOr<api::Listing> ParseListing(std::string_view text) {
  const absl::StatusOr<Json> json = ParseObject(text);
  if (!json.ok()) return json.status();
  Reader reader(*json);
  api::Listing listing;
  listing.more = reader.Flag("more");
  const Json* torrents = reader.Array("torrents");
  if (torrents == nullptr) return reader.status();
  if (torrents->size() > api::kListLimit)
    return absl::InvalidArgumentError("the list is longer than allowed");
  for (const Json& item : *torrents) {
    if (!item.is_object())
      return absl::InvalidArgumentError("\"torrents\" holds something else than objects");
    Reader fields(item);
    api::ListEntry entry;
    entry.name = fields.Text("name");
    entry.content = fields.Content("content");
    entry.piece_length = fields.Unsigned<uint32_t>("piece_length");
    entry.complete = fields.Unsigned<uint32_t>("complete");
    entry.incomplete = fields.Unsigned<uint32_t>("incomplete");
    if (!fields.ok()) return fields.status();
    listing.torrents.push_back(std::move(entry));
  }
  return Checked(reader, std::move(listing));
}

absl::StatusOr<api::Peers> ParsePeers(std::string_view text) {
  const absl::StatusOr<Json> json = ParseObject(text);
  if (!json.ok()) return json.status();
  Reader reader(*json);
  api::Peers peers;
  peers.content = reader.Content("content");
  peers.piece_count = reader.Unsigned<uint32_t>("piece_count");
  peers.complete = reader.Unsigned<uint32_t>("complete");
  peers.incomplete = reader.Unsigned<uint32_t>("incomplete");
  peers.interval = Seconds(reader.Unsigned<uint32_t>("interval_seconds"));
  if (reader.Has("cursor")) peers.cursor = reader.Unsigned<uint32_t>("cursor");
  if (peers.piece_count > kPieceCountLimit) return absl::InvalidArgumentError("more pieces than allowed");
  if (reader.Has("info_hashes")) {
    const Json* hashes = reader.Array("info_hashes");
    if (hashes == nullptr) return reader.status();
    if (hashes->size() > api::kToldInfoHashesLimit) {
      return absl::InvalidArgumentError("more info-hashes than allowed");
    }
    for (const Json& hash : *hashes) {
      if (!hash.is_string() || !FromHex(hash.get<std::string>(), peers.info_hashes.emplace_back())) {
        return absl::InvalidArgumentError("\"info_hashes\" holds something else than 40 hexadecimal digits");
      }
    }
  }
  const Json* items = reader.Array("peers");
  if (items == nullptr) return reader.status();
  if (items->size() > api::kLookupLimit) return absl::InvalidArgumentError("more peers than allowed");
  for (const Json& item : *items) {
    if (!item.is_object()) return absl::InvalidArgumentError("\"peers\" holds something else than objects");
    Reader fields(item);
    api::PeerClaim claim;
    claim.peer = fields.Peer("peer");
    claim.complete = fields.Flag("complete");
    if (!claim.complete) claim.pieces = fields.ClaimedPieces(peers.piece_count);
    if (!fields.ok()) return fields.status();
    peers.peers.push_back(std::move(claim));
  }
  return Checked(reader, std::move(peers));
}

absl::StatusOr<api::NodeStatus> ParseStatus(std::string_view text) {
  const absl::StatusOr<Json> json = ParseObject(text);
  if (!json.ok()) return json.status();
  Reader reader(*json);
  api::NodeStatus status;
  status.node = NodeId(reader.Unsigned<uint32_t>("node"));
  const std::optional<api::Role> role = api::ParseRole(reader.Text("role"));
  if (reader.ok() && !role) return absl::InvalidArgumentError("\"role\" is not the name of one");
  status.role = role.value_or(api::Role::kFollower);
  if (reader.Has("leader")) status.leader = NodeId(reader.Unsigned<uint32_t>("leader"));
  status.has_quorum = reader.Flag("has_quorum");
  status.ballot_round = reader.Unsigned<uint64_t>("ballot_round");
  status.chosen = Slot(reader.Unsigned<uint64_t>("chosen"));
  status.applied = Slot(reader.Unsigned<uint64_t>("applied"));
  const std::string digest = reader.Text("registry_digest");
  std::array<uint8_t, 8> bytes{};
  if (!FromHex(digest, bytes))
    return absl::InvalidArgumentError("\"registry_digest\" is not 16 hexadecimal digits");
  status.registry_digest = LoadBig(BytesOf(bytes).data(), 8);
  status.torrents = reader.Unsigned<uint64_t>("torrents");
  status.claims = reader.Unsigned<uint64_t>("claims");
  if (reader.Has("level")) {  // nodes of the first releases do not say it
    status.program = reader.Text("version");
    status.level = reader.Unsigned<uint32_t>("level");
    status.oldest_level = reader.Unsigned<uint32_t>("oldest_level");
    status.newest_level = reader.Unsigned<uint32_t>("newest_level");
  }
  const Json* alarms = reader.Array("alarms");
  if (alarms == nullptr) return reader.status();
  for (const Json& item : *alarms) {
    Reader fields(item);
    status.alarms.push_back({fields.Text("name"), fields.Text("text")});
    if (!fields.ok()) return fields.status();
  }
  const Json* members = reader.Array("members");
  if (members == nullptr) return reader.status();
  for (const Json& member : *members)
    status.members.push_back(NodeId(reader.AsUnsigned<uint32_t>(member, "members")));
  return Checked(reader, std::move(status));
}

std::string ParseClusterId(std::string_view text) { return ParseReason(text, "cluster"); }

std::vector<ClusterNode> ParseClusterNodes(std::string_view text) {
  std::vector<ClusterNode> nodes;
  const absl::StatusOr<Json> json = ParseObject(text);
  if (!json.ok()) return nodes;
  Reader reader(*json);
  const Json* items = reader.Array("nodes");
  if (items == nullptr) return nodes;
  for (const Json& item : *items) {
    if (!item.is_object() || nodes.size() == kClusterNodesLimit) break;
    Reader fields(item);
    const ClusterNode node{NodeId(fields.Unsigned<uint32_t>("id")), fields.Text("client")};
    if (fields.ok() && net::HostAndPort::Parse(node.client).ok()) nodes.push_back(node);
  }
  return nodes;
}

}  // namespace bt::nodes
