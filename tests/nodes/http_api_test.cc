#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/base/fields.h"
#include "core/base/rng.h"
#include "core/torrent/bencode.h"
#include "core/tracker_api/listed_bytes.h"
#include "nodes/http_api/client.h"
#include "nodes/http_api/form.h"
#include "nodes/http_api/server.h"
#include "nodes/http_api/uri.h"

namespace bt::nodes {
namespace {

namespace api = tracker_api;

const Address kHome = Address::V4(127, 0, 0, 1, 40000);
const Address kStranger = Address::V4(203, 0, 113, 9, 40000);
const std::string kHashText = "%00%01%02%03%04%05%06%07%08%09%0a%0B%0c%0D%0e%0fABC(";

ParsedRequest Parse(const std::string& method, const std::string& target, const std::string& body = "",
                    const Address& from = kHome) {
  net::HttpRequest request;
  request.method = method;
  request.target = target;
  request.body = body;
  return ParseRequest(request, from);
}

template <class T>
T Asked(const ParsedRequest& call) {
  EXPECT_TRUE(call.request.has_value()) << call.answer.status << " " << call.answer.body;
  if (!call.request) return T{};
  EXPECT_TRUE(std::holds_alternative<T>(*call.request));
  return std::get<T>(*call.request);
}

Metainfo SomeTorrent() {
  MetainfoBuilder builder("music (live) 100%.mp3", 100000, 16384);
  builder.Update(std::string(100000, 'm'));
  return builder.Finish();
}

// Every other one of so many pieces that a bitfield is shorter than ranges, on a page that is not the last.
api::Peers ScatteredPeers() {
  api::Peers peers;
  peers.content = {.root = {1, 2, 3}, .length = 1'600'000};
  peers.piece_count = 100;
  PieceMap pieces(100);
  for (uint32_t i = 0; i < 100; i += 2) pieces.Add(PieceIndex(i));
  peers.peers.push_back({Address::V4(10, 0, 0, 1, 6881), pieces, false});
  peers.cursor = 17;
  peers.info_hashes = {InfoHash{1}, InfoHash{2, 3}};
  return peers;
}

api::Peers SomePeers() {
  api::Peers peers;
  peers.content = {.root = {1, 2, 3}, .length = 100000};
  peers.piece_count = 7;
  peers.peers.push_back({Address::V4(10, 0, 0, 1, 6881),
                         *PieceMap::FromRanges({{PieceIndex(0), 3}, {PieceIndex(5), 1}}, 7), false});
  peers.peers.push_back({*Address::Parse("[2001:db8::5]:51413"), {}, true});
  peers.complete = 1;
  peers.incomplete = 1;
  peers.interval = Seconds(120);
  return peers;
}

// What a client understands after its request and the answer have crossed the wire.
api::Response Cross(const api::Request& request, const api::Response& response) {
  const ParsedRequest call = ParseRequest(RenderRequest(request), kHome);
  EXPECT_TRUE(call.request.has_value()) << call.answer.body;
  const net::HttpResponse http = RenderResponse(call.rendering, response, {NodeId(1), "c1", {}});
  absl::StatusOr<api::Response> back = ParseResponse(request, http);
  EXPECT_TRUE(back.ok()) << back.status();
  return back.ok() ? *back : api::Response{};
}

TEST(HttpApi, EveryRequestOfAClientIsReadBackAsItWas) {
  const Metainfo metainfo = SomeTorrent();
  const InfoHash hash = metainfo.AllInfoHashes()[0];
  const std::vector<api::TorrentKey> keys = {metainfo.content(), hash, metainfo.name, std::string(40, 'a'),
                                             std::string("a/b?c#d e+f&g=%zz")};
  const api::MutationId id{SessionId(~uint64_t{0}), 7};
  std::vector<api::Request> requests = {
      api::Register{id, metainfo},
      api::Register{{}, metainfo},
      api::Status{},
      api::List{"x y", 5, true},
      api::List{},
      api::Announce{hash, Address::V4(10, 1, 2, 3, 6881), 12, api::AnnounceEvent::kStopped, 9},
      api::Scrape{{hash, InfoHash{}}}};
  for (const api::TorrentKey& key : keys) {
    requests.push_back(api::Offer{id, key, Address::V4(127, 0, 0, 1, 6881), {{PieceIndex(2), 4}}});
    requests.push_back(api::Withdraw{id, key, Address::V4(127, 0, 0, 1, 6881), {}});
    requests.push_back(api::Lookup{key, true, 17});
    requests.push_back(api::Lookup{key, false, 200, false, api::kWalkStart});
    requests.push_back(api::Lookup{key, false, 200, true, 951});
    requests.push_back(api::Fetch{key, false});
  }
  for (const api::Request& request : requests) {
    const ParsedRequest call = ParseRequest(RenderRequest(request), kHome);
    ASSERT_TRUE(call.request.has_value()) << call.answer.body;
    EXPECT_TRUE(*call.request == request) << RenderRequest(request).target;
  }
}

TEST(HttpApi, EveryAnswerIsUnderstoodByTheClientAsItWasGiven) {
  const Metainfo metainfo = SomeTorrent();
  api::NodeStatus status{NodeId(2), api::Role::kLeader,  NodeId(2), 9, Slot(100),
                         Slot(99),  0xfedcba9876543210u, 3,         4, {NodeId(1), NodeId(2)},
                         true};
  status.program = "1.2.3";
  status.level = 2;
  status.oldest_level = 1;
  status.newest_level = 3;
  const std::vector<std::pair<api::Request, api::Response>> pairs = {
      {api::Register{{}, metainfo}, {api::Outcome::kCreated, "", {}, api::Registered{metainfo.content()}}},
      {api::Register{{}, metainfo}, {api::Outcome::kConflict, "the name is taken", {}, {}}},
      {api::Lookup{metainfo.name}, {api::Outcome::kOk, "", {}, SomePeers()}},
      {api::Lookup{metainfo.name}, {api::Outcome::kOk, "", {}, ScatteredPeers()}},
      {api::Lookup{metainfo.name}, {api::Outcome::kUnavailable, "no quorum", Seconds(3), {}}},
      {api::Fetch{metainfo.name}, {api::Outcome::kOk, "", {}, api::Fetched{metainfo}}},
      {api::Fetch{metainfo.name}, {api::Outcome::kNotFound, "no such torrent", {}, {}}},
      {api::List{},
       {api::Outcome::kOk, "", {}, api::Listing{{{"a", metainfo.content(), 16384, 1, 2}}, true}}},
      {api::List{},
       {api::Outcome::kOk,
        "",
        {},
        api::Listing{
            {{"a \"b\" \\c", metainfo.content(), 16384, 0, 0}, {"m\u00fcsli", metainfo.content(), 32768}},
            false}}},
      {api::List{}, {api::Outcome::kOk, "", {}, api::Listing{}}},
      {api::Status{}, {api::Outcome::kOk, "", {}, status}},
      {api::Offer{{}, metainfo.name, kHome, {}}, {api::Outcome::kOk, "late", {}, {}}},
      {api::Offer{{}, metainfo.name, kHome, {}}, {api::Outcome::kSessionExpired, "forgotten", {}, {}}},
  };
  for (const auto& [request, response] : pairs) {
    EXPECT_TRUE(Cross(request, response) == response) << TraceText(Cross(request, response));
  }
}

TEST(HttpApi, NoEntryOfAListTakesMoreBytesThanItIsCountedFor) {
  Rng rng(5);
  for (int round = 0; round < 300; ++round) {
    api::Peers peers;
    peers.piece_count = static_cast<uint32_t>(rng.Between(1, 3000));
    const size_t around = WritePeers(peers, "").size();
    EXPECT_LT(around, 1024u);
    api::PeerClaim claim;
    for (uint8_t& byte : claim.peer.ip) byte = static_cast<uint8_t>(rng.Between(0x10, 0xff));
    claim.peer.port = 65'535;
    claim.complete = rng.Chance(1, 5);
    if (!claim.complete) claim.pieces = PieceMap(peers.piece_count);
    const uint64_t density = rng.Between(1, 1000);
    for (uint32_t i = 0; i < claim.pieces.size(); ++i) {
      if (rng.Chance(density, 1000)) claim.pieces.Add(PieceIndex(i));
    }
    peers.peers = {claim};
    EXPECT_LE(WritePeers(peers, "").size() - around, api::ListedBytes(claim));
    peers.peers = {claim, claim};
    EXPECT_LE(WritePeers(peers, "").size() - around, 2 * api::ListedBytes(claim));

    api::ListEntry entry;
    entry.name = std::string(rng.Between(1, 255), rng.Chance(1, 2) ? '"' : '\\');
    entry.content.root.fill(0xff);
    entry.content.length = UINT64_MAX;
    entry.piece_length = entry.complete = entry.incomplete = UINT32_MAX;
    const size_t around_list = WriteListing({{}, false}).size();
    EXPECT_LE(WriteListing({{entry, entry}, false}).size() - around_list, 2 * api::ListedBytes(entry));
  }
}

TEST(HttpApi, AStatusNamesItsCluster) {
  EdgeIdentity identity;
  identity.cluster = "c1";
  const ParsedRequest call = Parse("GET", "/status");
  const std::string body =
      RenderResponse(call.rendering, {api::Outcome::kOk, "", {}, api::NodeStatus{}}, identity).body;
  EXPECT_EQ(ParseClusterId(body), "c1") << body;
  EXPECT_EQ(ParseClusterId("{}"), "");
}

TEST(HttpApi, ReadsAnAnnounceAsClientsSendIt) {
  const auto announce = Asked<api::Announce>(
      Parse("GET", "/announce?info_hash=" + kHashText +
                       "&peer_id=-TR3000-abcdefghijkl&port=51413&uploaded=0&downloaded=0"
                       "&left=1234&numwant=80&key=1a2b&compact=1&supportcrypto=1&event=started"));
  EXPECT_EQ(announce.info_hash[11], 0x0b);
  EXPECT_EQ(announce.info_hash[19], '(');
  EXPECT_EQ(announce.peer, Address::V4(127, 0, 0, 1, 51413));
  EXPECT_EQ(announce.left, 1234u);
  EXPECT_EQ(announce.numwant, 80u);
  EXPECT_EQ(announce.event, api::AnnounceEvent::kStarted);
}

TEST(HttpApi, AnswersAnnouncesInStrictBencodeWithBothFamiliesOfPeers) {
  const ParsedRequest call = Parse("GET", "/announce?info_hash=" + kHashText + "&port=1");
  const net::HttpResponse http =
      RenderResponse(call.rendering, {api::Outcome::kOk, "no quorum", {}, SomePeers()}, {NodeId(3), {}});
  const auto document = bencode::Document::Parse(http.body);
  ASSERT_TRUE(document.ok()) << document.status() << http.body;
  const bencode::Value root = document->root();
  EXPECT_EQ(root.Find("interval")->integer(), 120);
  EXPECT_EQ(root.Find("min interval")->integer(), 60);
  EXPECT_EQ(root.Find("complete")->integer(), 1);
  EXPECT_EQ(root.Find("peers")->text(), std::string_view("\x0a\0\0\1\x1a\xe1", 6));
  EXPECT_EQ(root.Find("peers6")->text()->size(), 18u);
  EXPECT_EQ(root.Find("external ip")->text(), std::string_view("\x7f\0\0\1", 4));
  EXPECT_EQ(root.Find("tracker id")->text(), "node-3");
  EXPECT_EQ(root.Find("warning message")->text(), "no quorum");
}

TEST(HttpApi, AnswersWithDictionariesWhenCompactIsNotWanted) {
  const ParsedRequest call = Parse("GET", "/announce?info_hash=" + kHashText + "&port=1&compact=0");
  const net::HttpResponse http =
      RenderResponse(call.rendering, {api::Outcome::kOk, "", {}, SomePeers()}, {NodeId(3), {}});
  const auto document = bencode::Document::Parse(http.body);
  ASSERT_TRUE(document.ok()) << document.status();
  const auto first = document->root().Find("peers")->first();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->Find("ip")->text(), "10.0.0.1");
  EXPECT_EQ(first->Find("port")->integer(), 6881);
  EXPECT_EQ(first->next()->Find("ip")->text(), "2001:db8::5");
}

TEST(HttpApi, FailsAnnouncesInBencodeAndSaysWhenToRetry) {
  for (const std::string target :
       {"/announce", "/announce?info_hash=short&port=1", "/announce?info_hash=AAAAAAAAAAAAAAAAAAAA",
        "/announce?info_hash=AAAAAAAAAAAAAAAAAAAA&port=0",
        "/announce?info_hash=AAAAAAAAAAAAAAAAAAAA&port=99999",
        "/announce?info_hash=AAAAAAAAAAAAAAAAAAAA&port=1&left=x", "/scrape"}) {
    const ParsedRequest call = Parse("GET", target);
    EXPECT_FALSE(call.request.has_value());
    EXPECT_EQ(call.answer.status, 200);
    const auto document = bencode::Document::Parse(call.answer.body);
    ASSERT_TRUE(document.ok()) << call.answer.body;
    EXPECT_TRUE(document->root().Find("failure reason").has_value()) << target;
    EXPECT_EQ(document->root().Find("retry in")->text(), "never");
  }
  const ParsedRequest call = Parse("GET", "/announce?info_hash=" + kHashText + "&port=1");
  const std::string body =
      RenderResponse(call.rendering, {api::Outcome::kUnavailable, "starting", Seconds(61), {}}, {}).body;
  EXPECT_EQ(body, "d14:failure reason8:starting8:retry ini2ee");
}

TEST(HttpApi, ClaimsTheConnectionsAddressOrALocalOneInOffersAndAnnounces) {
  const std::string announce = "/announce?info_hash=" + kHashText + "&port=5&ip=";
  EXPECT_EQ(Asked<api::Announce>(Parse("GET", announce + "10.0.0.9", "", kHome)).peer,
            Address::V4(10, 0, 0, 9, 5));
  EXPECT_EQ(Asked<api::Announce>(Parse("GET", announce + "10.0.0.9", "", kStranger)).peer,
            Address::V4(203, 0, 113, 9, 5));
  EXPECT_EQ(Asked<api::Announce>(Parse("GET", announce + "example.org", "", kHome)).peer,
            Address::V4(127, 0, 0, 1, 5));
  const ParsedRequest refused =
      Parse("POST", "/torrents/x/offers", R"({"peer":"198.51.100.7:80","pieces":[[0,1]]})", kStranger);
  EXPECT_FALSE(refused.request.has_value());
  EXPECT_EQ(refused.answer.status, 400);
  const auto offer = Asked<api::Offer>(
      Parse("POST", "/torrents/x/offers", R"({"peer":"0.0.0.0:80","pieces":[[0,1]]})", kStranger));
  EXPECT_EQ(offer.peer, Address::V4(203, 0, 113, 9, 80));
}

TEST(HttpApi, ReadsEveryNameOfATorrent) {
  const ContentId content{.root = {9}, .length = 5};
  const auto key = [](const std::string& id) {
    return Asked<api::Fetch>(Parse("GET", "/torrents/" + id)).torrent;
  };
  EXPECT_EQ(key(content.ToString()), api::TorrentKey(content));
  EXPECT_EQ(std::get<InfoHash>(key(std::string(39, '0') + "F"))[19], 0x0f);
  EXPECT_EQ(std::get<InfoHash>(key("AB" + std::string(62, '0')))[0], 0xab);
  EXPECT_EQ(key("music%2Fx%20(1).mp3"), api::TorrentKey(std::string("music/x (1).mp3")));
  EXPECT_EQ(key(std::string(40, 'a') + "?by=name"), api::TorrentKey(std::string(40, 'a')));
}

TEST(HttpApi, RendersTheFormatThatWasAskedFor) {
  const Metainfo metainfo = SomeTorrent();
  for (const auto& [name, format] : {std::pair{"v1", TorrentFormat::kV1},
                                     {"v2", TorrentFormat::kV2},
                                     {"hybrid", TorrentFormat::kHybrid}}) {
    const ParsedRequest call = Parse("GET", std::string("/torrents/x?format=") + name);
    const net::HttpResponse http =
        RenderResponse(call.rendering, {api::Outcome::kOk, "", {}, api::Fetched{metainfo}},
                       {NodeId(1), "c1", {{NodeId(1), "127.0.0.1:6969"}}});
    EXPECT_EQ(http.content_type, "application/x-bittorrent");
    const auto torrent = ParseTorrent(http.body);
    ASSERT_TRUE(torrent.ok()) << torrent.status();
    EXPECT_EQ(torrent->format, format);
    EXPECT_EQ(torrent->metainfo.content(), metainfo.content());
    EXPECT_EQ(torrent->trackers, std::vector<std::string>{"http://127.0.0.1:6969/announce"});
  }
  Metainfo foreign = metainfo;
  foreign.v1_pieces.clear();
  const ParsedRequest call = Parse("GET", "/torrents/x?format=v1");
  EXPECT_EQ(RenderResponse(call.rendering, {api::Outcome::kOk, "", {}, api::Fetched{foreign}}, {}).status,
            404);
}

TEST(HttpApi, ANodeIsAliveWhenItAnswersAndReadyWhenItHasAQuorumAndHasAppliedWhatItKnows) {
  const ParsedRequest alive = Parse("GET", "/healthz");
  EXPECT_FALSE(alive.request.has_value());
  EXPECT_EQ(alive.answer.status, 200);

  const ParsedRequest call = Parse("GET", "/readyz");
  ASSERT_TRUE(call.request.has_value());
  api::NodeStatus status;
  status.has_quorum = true;
  status.chosen = status.applied = Slot(7);
  EXPECT_EQ(RenderResponse(call.rendering, {api::Outcome::kOk, "", {}, status}, {}).status, 200);
  status.chosen = Slot(8);
  EXPECT_EQ(RenderResponse(call.rendering, {api::Outcome::kOk, "", {}, status}, {}).status, 503);
  status.applied = Slot(8);
  status.has_quorum = false;
  const net::HttpResponse sick = RenderResponse(call.rendering, {api::Outcome::kOk, "", {}, status}, {});
  EXPECT_EQ(sick.status, 503);
  EXPECT_FALSE(sick.Header("Retry-After").empty());
}

TEST(HttpApi, AnswersWrongPathsMethodsAndBodiesWithTheRightStatus) {
  const std::vector<std::tuple<std::string, std::string, std::string, int>> cases = {
      {"GET", "/nothing", "", 404},
      {"GET", "/announce/more", "", 404},
      {"GET", "/torrents/a/b", "", 404},
      {"GET", "/torrents/%", "", 400},
      {"GET", "nonsense", "", 400},
      {"POST", "/announce", "", 405},
      {"DELETE", "/torrents", "", 405},
      {"GET", "/torrents/a/offers", "", 405},
      {"PUT", "/torrents", "not a torrent", 400},
      {"PUT", "/torrents", std::string(kTorrentFileLimit + 1, 'x'), 413},
      {"POST", "/torrents/a/offers", "", 400},
      {"POST", "/torrents/a/offers", "[]", 400},
      {"POST", "/torrents/a/offers", R"({"peer":"nowhere"})", 400},
      {"POST", "/torrents/a/offers", R"({"peer":"127.0.0.1:0"})", 400},
      {"POST", "/torrents/a/offers", R"({"peer":"127.0.0.1:1","pieces":[[1]]})", 400},
      {"POST", "/torrents/a/offers", R"({"peer":"127.0.0.1:1","pieces":[[-1,2]]})", 400},
      {"POST", "/torrents/a/offers", R"({"peer":"127.0.0.1:1","pieces":[[1,99999999999]]})", 400},
      {"POST", "/torrents/a/offers", R"({"peer":"127.0.0.1:1","session":4,"sequence":0})", 400},
      {"POST", "/torrents/a/offers", std::string(kOfferBodyLimit + 1, ' '), 413},
      {"POST", "/torrents/a/offers", std::string(200000, '['), 400},
      {"POST", "/torrents/a/offers",
       R"({"peer":"127.0.0.1:1","x":)" + std::string(100000, '[') + std::string(100000, ']') + "}", 400},
      {"GET", "/torrents?limit=0", "", 400},
      {"GET", "/torrents/a?format=v3", "", 400},
      {"GET", "/torrents/a/peers?cursor=-1", "", 400},
      {"GET", "/torrents/a/peers?cursor=", "", 400},
  };
  for (const auto& [method, target, body, status] : cases) {
    const ParsedRequest call = Parse(method, target, body);
    EXPECT_FALSE(call.request.has_value()) << method << " " << target;
    EXPECT_EQ(call.answer.status, status) << method << " " << target << " " << body.substr(0, 80);
  }
}

// What the rows of a page's table begin with, "`GET /status`" say, without the quotes.
std::vector<std::string> RowsOf(const std::string& page) {
  std::vector<std::string> rows;
  std::ifstream in(page);
  EXPECT_TRUE(in.is_open()) << page;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("| `")) rows.push_back(line.substr(3, line.find('`', 3) - 3));
  }
  return rows;
}

TEST(HttpApi, ItsPageNamesEveryEndpointWithItsMethodAndNoOther) {
  std::map<std::string, std::set<std::string>> methods;  // of each path
  std::set<Endpoint> named;
  for (std::string row : RowsOf("docs/http_api.md")) {
    const size_t space = row.find(' ');
    const size_t id = row.find("{id}");
    if (id != std::string::npos) row.replace(id, 4, "music.mp3");
    const std::string path = row.substr(space + 1);
    methods[path].insert(row.substr(0, space));
    const ParsedRequest parsed = Parse(row.substr(0, space), path);
    EXPECT_TRUE(named.insert(parsed.rendering.endpoint).second) << row << " is there twice";
    EXPECT_NE(parsed.rendering.endpoint, Endpoint::kOther) << row << ": " << parsed.answer.body;
  }
  for (size_t i = 0; i < static_cast<size_t>(Endpoint::kCount); ++i) {
    const Endpoint endpoint = static_cast<Endpoint>(i);
    EXPECT_EQ(named.contains(endpoint), endpoint != Endpoint::kOther) << EndpointName(endpoint);
  }
  for (const auto& [path, allowed] : methods) {
    for (const std::string method : {"GET", "PUT", "POST", "DELETE", "PATCH"}) {
      EXPECT_EQ(Parse(method, path).answer.status == 405, !allowed.contains(method)) << method << " " << path;
    }
  }
}

TEST(HttpApi, RefusesAnswersNoTrackerWouldGive) {
  net::HttpResponse http;
  http.body = "<html>";
  EXPECT_FALSE(ParseResponse(api::Status{}, http).ok());
  EXPECT_FALSE(ParseResponse(api::Lookup{}, http).ok());
  EXPECT_FALSE(ParseResponse(api::Fetch{}, http).ok());
  EXPECT_FALSE(ParseResponse(api::Announce{}, http).ok());
  http.status = 302;
  EXPECT_FALSE(ParseResponse(api::Status{}, http).ok());
  http.status = 200;
  http.body = R"({"content":"x","peers":[{"peer":1}]})";
  EXPECT_FALSE(ParseResponse(api::Lookup{}, http).ok());
}

TEST(HttpApi, TakesNoAnswerOfAStrangersWebServerForTheClustersWord) {
  const Metainfo metainfo = SomeTorrent();
  const std::vector<api::Request> requests = {api::Register{{}, metainfo},
                                              api::Offer{{}, metainfo.name, kHome, {}},
                                              api::Withdraw{{}, metainfo.name, kHome, {}},
                                              api::Lookup{metainfo.name},
                                              api::Fetch{metainfo.name},
                                              api::List{},
                                              api::Status{},
                                              api::Announce{},
                                              api::Scrape{}};
  const std::vector<std::string> pages = {"<html>an ordinary page</html>", R"({"error":"not found"})",
                                          R"({"ok":true,"peers":[],"torrents":[],"more":false})", "", "de"};
  for (const api::Request& request : requests) {
    for (const int status : {200, 201, 301, 400, 403, 404, 409, 413, 502, 503}) {
      for (const std::string& page : pages) {
        net::HttpResponse http;
        http.status = status;
        http.body = page;
        EXPECT_FALSE(ParseResponse(request, http).ok()) << request.index() << " " << status << " " << page;
      }
    }
  }
  net::HttpResponse not_found;
  not_found.status = 404;
  EXPECT_NE(std::string(ParseResponse(api::Status{}, not_found).status().message()).find("HTTP 404"),
            std::string::npos);
}

TEST(HttpApi, SaysWhenATrackerSpeaksAnotherVersionOfTheApi) {
  net::HttpResponse http = ApiResponse(404, R"({"error":"no such torrent"})");
  EXPECT_TRUE(ParseResponse(api::Lookup{}, http).ok());
  http.headers[0].value = "2";
  EXPECT_NE(std::string(ParseResponse(api::Lookup{}, http).status().message()).find("another version"),
            std::string::npos);
}

TEST(HttpApi, SurvivesRandomRequestsAndAnswers) {
  Rng rng(11);
  const std::vector<std::string> seeds = {
      "/announce?info_hash=" + kHashText + "&port=6881&left=0&compact=0&ip=::1&numwant=-1",
      "/scrape?info_hash=" + kHashText,
      "/torrents?after=%41&limit=3",
      "/torrents/name%20x/peers?linearizable=1",
      "/torrents/" + std::string(64, 'a') + "-77?format=v2",
      "http://host/torrents/x/offers?by=name",
      "/status"};
  const std::vector<std::string> bodies = {
      R"({"peer":"127.0.0.1:1","pieces":[[0,3],[5,1]],"session":1,"sequence":2})",
      WriteTorrent({SomeTorrent(), TorrentFormat::kHybrid, {}}), WritePeers(SomePeers(), "w"),
      "d5:filesd20:AAAAAAAAAAAAAAAAAAAAd8:completei1eeee"};
  const std::vector<std::string> methods = {"GET", "PUT", "POST", "DELETE", "HEAD"};
  const auto damage = [&rng](std::string text) {
    for (uint64_t n = rng.Below(5); n > 0 && !text.empty(); --n)
      text[rng.Below(text.size())] = static_cast<char>(rng.Next());
    if (rng.Chance(1, 4)) text.resize(rng.Below(text.size() + 1));
    return text;
  };
  const std::vector<api::Request> asks = {api::Register{}, api::Lookup{},   api::List{},  api::Fetch{},
                                          api::Status{},   api::Announce{}, api::Scrape{}};
  for (int round = 0; round < 20000; ++round) {
    const std::string body = damage(bodies[rng.Below(bodies.size())]);
    Parse(methods[rng.Below(methods.size())], damage(seeds[rng.Below(seeds.size())]), body,
          rng.Chance(1, 2) ? kHome : kStranger);
    net::HttpResponse http;
    http.status = rng.Chance(1, 4) ? 503 : 200;
    http.body = body;
    ParseResponse(asks[rng.Below(asks.size())], http).IgnoreError();
  }
}

TEST(Uri, DecodesEitherCaseAndRefusesBadEscapes) {
  EXPECT_EQ(PercentDecode("%aB%Cd()+", false), "\xab\xcd()+");
  EXPECT_EQ(PercentDecode("a+b", true), "a b");
  EXPECT_EQ(PercentDecode("%4", false), std::nullopt);
  EXPECT_EQ(PercentDecode("%g0", false), std::nullopt);
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  EXPECT_EQ(PercentDecode(PercentEncode(all), true), all);
}

TEST(Uri, BoundsWhatATargetMayHold) {
  std::string many = "/announce?";
  for (size_t i = 0; i <= kQueryFieldLimit; ++i) many += "a=b&";
  EXPECT_FALSE(ParseTarget(many).has_value());
  std::string deep;
  for (size_t i = 0; i <= kPathSegmentLimit; ++i) deep += "/x";
  EXPECT_FALSE(ParseTarget(deep).has_value());
  EXPECT_EQ(ParseTarget("http://host:1/status?x#y")->path.at(0), "status");
}

}  // namespace
}  // namespace bt::nodes
