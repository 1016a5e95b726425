#include "nodes/http_api/access.h"

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include "nodes/http_api/client.h"
#include "nodes/http_api/form.h"

namespace bt::nodes {
namespace {

const EdgeIdentity kCluster = {
    NodeId(1), "c1", {{NodeId(1), "tracker.example:6969"}, {NodeId(2), "10.0.0.2:6969"}}};

net::HttpRequest Request(const char* method, const char* target, std::vector<net::HttpHeader> headers = {}) {
  return {.method = method, .target = target, .headers = std::move(headers)};
}

class Guarded : public testing::Test {
 protected:
  // The status of the refusal of what that token asks; 0: it may go on. `token` nullptr: none is shown.
  int Ask(const char* method, const char* target, const std::string* token) {
    net::HttpRequest request = Request(method, target);
    if (token != nullptr) AddToken(*token, request);
    last_ = JudgeAccess(table_, EndpointOf(request), request);
    return last_.refusal ? last_.refusal->status : 0;
  }
  std::string LastReason() const { return ParseReason(last_.refusal->body, "error"); }

  static TokenTable Table(const std::string& more) {
    std::string text = more;
    for (const auto& [name, token] :
         {std::pair{"read", kReader}, {"offer", kOfferer}, {"register", kRegistrar}}) {
      text += TokenLine(name, TokenRoles::Parse(name).value(), token) + "\n";
    }
    return TokenTable::Parse(text, "tokens").value();
  }

  inline static const std::string kReader = "btt_reader", kOfferer = "btt_offerer",
                                  kRegistrar = "btt_registrar";
  TokenTable table_ = Table("");
  Access last_;
};

TEST_F(Guarded, EachRoleMayWhatItsNameSays) {
  struct Row {
    const char* method;
    const char* target;
    int nobody, reader, offerer, registrar;
  };
  for (const Row& row : {Row{"PUT", "/torrents", 401, 403, 403, 0},
                         {"POST", "/torrents/a/offers", 401, 403, 0, 403},
                         {"DELETE", "/torrents/a/offers", 401, 403, 0, 403},
                         {"GET", "/torrents", 401, 0, 0, 0},
                         {"HEAD", "/torrents/a", 401, 0, 0, 0},
                         {"GET", "/torrents/a/peers", 401, 0, 0, 0},
                         {"GET", "/torrents/a/metainfo", 401, 0, 0, 0},
                         {"GET", "/status", 401, 0, 0, 0},
                         {"GET", "/cluster", 401, 0, 0, 0},
                         {"GET", "/metrics", 401, 0, 0, 0},
                         {"GET", "/announce?info_hash=x", 0, 0, 0, 0},
                         {"GET", "/scrape", 0, 0, 0, 0},
                         {"GET", "/healthz", 0, 0, 0, 0},
                         {"GET", "/readyz", 0, 0, 0, 0},
                         {"GET", "/", 0, 0, 0, 0},
                         {"GET", "/console/main.js", 0, 0, 0, 0}}) {
    EXPECT_EQ(Ask(row.method, row.target, nullptr), row.nobody) << row.target;
    EXPECT_EQ(Ask(row.method, row.target, &kReader), row.reader) << row.target;
    EXPECT_EQ(Ask(row.method, row.target, &kOfferer), row.offerer) << row.target;
    EXPECT_EQ(Ask(row.method, row.target, &kRegistrar), row.registrar) << row.target;
  }
}

TEST_F(Guarded, ARefusalIsTheClustersWordAndSaysWhatIsMissing) {
  ASSERT_EQ(Ask("PUT", "/torrents", nullptr), 401);
  EXPECT_EQ(last_.refusal->Header(kApiHeader), kApiVersion);
  EXPECT_EQ(last_.refusal->Header("WWW-Authenticate"), "Bearer realm=\"bytetorrent\"");
  EXPECT_NE(LastReason().find("a token with the role register"), std::string::npos);
  const auto told = ParseResponse(tracker_api::Register{}, *last_.refusal);
  ASSERT_TRUE(told.ok()) << told.status();
  EXPECT_EQ(told->outcome, tracker_api::Outcome::kInvalid);

  const std::string stranger = "btt_stranger";
  ASSERT_EQ(Ask("PUT", "/torrents", &stranger), 401);
  EXPECT_NE(last_.refusal->Header("WWW-Authenticate").find("invalid_token"), std::string_view::npos);
  EXPECT_EQ(LastReason().find(stranger), std::string::npos);
  ASSERT_EQ(Ask("PUT", "/torrents", &kOfferer), 403);
  EXPECT_EQ(last_.who, "offer");
  EXPECT_EQ(LastReason(), "the token of offer is for offer; this needs the role register");
}

TEST_F(Guarded, WhoShowsAWrongTokenIsNotTakenForAnybody) {
  table_ = Table("anybody read -\n");
  EXPECT_EQ(Ask("GET", "/torrents", nullptr), 0);
  EXPECT_EQ(Ask("POST", "/torrents/a/offers", nullptr), 401);
  for (const std::string& token : {std::string("btt_mistyped"), std::string(kTokenBytesMax + 1, 'a')}) {
    EXPECT_EQ(Ask("GET", "/torrents", &token), 401);
  }
}

TEST_F(Guarded, OtherFormsOfTheHeaderAreReadAsTheStandardSays) {
  const auto ask = [&](const std::string& value) {
    const net::HttpRequest request = Request("PUT", "/torrents", {{"authorization", value}});
    const Access access = JudgeAccess(table_, Endpoint::kRegister, request);
    return access.refusal ? access.refusal->status : 0;
  };
  EXPECT_EQ(ask("bearer  " + kRegistrar), 0);
  EXPECT_EQ(ask("Bearer"), 401);
  EXPECT_EQ(ask("Basic " + kRegistrar), 401);
  EXPECT_EQ(ask(kRegistrar), 401);
}

// --- pages in browsers ---

bool Foreign(const char* method, const char* target, std::vector<net::HttpHeader> headers) {
  const net::HttpRequest request = Request(method, target, std::move(headers));
  return RefuseForeignPage(EndpointOf(request), request, kCluster).has_value();
}

TEST(ForeignPages, DoNotWrite) {
  const auto from = [](const char* origin, const char* host = "10.0.0.1:6969") {
    return std::vector<net::HttpHeader>{{"Host", host}, {"Origin", origin}};
  };
  for (const char* target : {"/torrents/a/offers", "http://10.0.0.1:6969/torrents/a/offers?by=name"}) {
    EXPECT_TRUE(Foreign("POST", target, from("http://evil.example")));
    EXPECT_TRUE(Foreign("POST", target, from("null")));
    EXPECT_TRUE(Foreign("POST", target, from("http://10.0.0.1:8080")));
    EXPECT_TRUE(Foreign("POST", target, {{"Origin", "http://10.0.0.1:6969"}}));  // it names no host
    EXPECT_FALSE(Foreign("POST", target, from("http://10.0.0.1:6969")));
  }
  EXPECT_TRUE(Foreign("PUT", "/torrents", from("http://evil.example")));
  EXPECT_TRUE(Foreign("DELETE", "/torrents/a/offers", from("http://evil.example")));
  EXPECT_TRUE(Foreign("GET", "/announce?x=y", from("http://evil.example")));
  EXPECT_TRUE(Foreign("GET", "/announce?x=y", {{"Host", "localhost"}, {"Sec-Fetch-Site", "cross-site"}}));
  EXPECT_FALSE(Foreign("GET", "/announce?x=y", {{"Host", "localhost"}, {"Sec-Fetch-Site", "none"}}));
  EXPECT_FALSE(Foreign("GET", "/torrents", from("http://evil.example")));
}

// To the browser a page of evil.example, whose name was made to lead to this node, is of the same origin.
TEST(ForeignPages, DoNotWriteUnderANameMadeToLeadHere) {
  const auto page = [](const char* host) {
    return Foreign("POST", "/torrents/a/offers", {{"Host", host}, {"Origin", absl::StrCat("http://", host)}});
  };
  EXPECT_TRUE(page("evil.example:6969"));
  EXPECT_TRUE(page("tracker.example.evil.example:6969"));
  for (const char* host :
       {"tracker.example:6969", "Tracker.Example", "localhost:6969", "127.0.0.1", "[::1]:6969"}) {
    EXPECT_FALSE(page(host)) << host;
  }
}

TEST(ForeignPages, ProgramsThatAreNoBrowsersAreNotConcerned) {
  EXPECT_FALSE(Foreign("PUT", "/torrents", {{"Host", "whatever.example"}}));
  EXPECT_FALSE(Foreign("PUT", "/torrents", {}));
}

// Why that announce is refused where keys are asked for; empty: it may go on.
std::string LackOfKey(const char* target, std::string_view more = "") {
  static const std::string lines =
      absl::StrCat(TokenLine("alice", TokenRoles::Parse("announce").value(), "btt_alice"), "\n",
                   TokenLine("bob", TokenRoles::Parse("read,offer").value(), "btt_bob"), "\n");
  const TokenTable keys = TokenTable::Parse(lines + std::string(more), "keys").value();
  const net::HttpRequest request = Request("GET", target);
  std::string who;
  const std::string why = RefuseWithoutKey(keys, EndpointOf(request), request, who).value_or("");
  EXPECT_EQ(who, why.empty() && target[1] == 'b' ? "alice" : "");
  return why;
}

TEST(AnnounceKeys, StandInThePathOfAnnouncesAndScrapes) {
  for (const char* target :
       {"/btt_alice/announce?info_hash=a", "/btt_alice/scrape", "/btt_%61lice/announce"}) {
    EXPECT_EQ(LackOfKey(target), "") << target;
  }
  for (const char* target : {"/announce?info_hash=a", "/scrape", "/announce?key=btt_alice"}) {
    EXPECT_NE(LackOfKey(target).find("wants a key"), std::string::npos) << target;
  }
  // bob's is for something else.
  for (const char* target :
       {"/btt_alic/announce", "/btt_alicee/scrape", "/btt_bob/announce", "/alice/announce"}) {
    EXPECT_NE(LackOfKey(target).find("is nobody's"), std::string::npos) << target;
  }
  EXPECT_EQ(LackOfKey("/status"), "");
  EXPECT_EQ(LackOfKey("/torrents/announce"), "");
  EXPECT_EQ(LackOfKey("/announce", "anybody announce -\n"), "");
}

TEST(AnnounceKeys, AreNoPartOfWhatIsAsked) {
  const std::string query = "?info_hash=aaaaaaaaaaaaaaaaaaaa&port=1";
  for (const char* path : {"/announce", "/btt_alice/announce"}) {
    const ParsedRequest parsed =
        ParseRequest(Request("GET", (path + query).c_str()), Address::V4(10, 0, 0, 9, 1));
    EXPECT_EQ(parsed.rendering.endpoint, Endpoint::kAnnounce);
    EXPECT_TRUE(parsed.request.has_value()) << path;
  }
}

// The table of docs/http_api.md is walked on a real node by tests/end_to_end/tokens_test.py.
TEST(ForeignPages, NoAnswerToOneSaysThatItMayBeRead) {
  const tracker_api::Response answers[] = {{.body = tracker_api::NodeStatus{}},
                                           {.body = tracker_api::Peers{}},
                                           {.body = tracker_api::Listing{}},
                                           {}};
  for (const char* origin : {"http://evil.example", "null", "http://10.0.0.2:6969"}) {
    for (const char* target :
         {"/status", "/torrents", "/torrents/a/peers", "/announce?info_hash=a", "/readyz"}) {
      const net::HttpRequest request = Request("GET", target, {{"Origin", origin}});
      const ParsedRequest parsed = ParseRequest(request, Address::V4(10, 0, 0, 9, 1));
      for (const tracker_api::Response& response : answers) {
        const net::HttpResponse said =
            parsed.request ? RenderResponse(parsed.rendering, response, kCluster) : parsed.answer;
        EXPECT_EQ(said.Header("Access-Control-Allow-Origin"), "") << target << " " << origin;
      }
    }
  }
}

TEST(EndpointOf, AgreesWithWhatIsParsed) {
  for (const char* method : {"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"}) {
    for (const char* target : {"/",
                               "/status",
                               "/torrents",
                               "/torrents/a",
                               "/torrents/a/peers",
                               "/torrents/a/offers",
                               "/torrents/",
                               "/torrents/a/b",
                               "/torrents/a/offers/c",
                               "/announce",
                               "/announce/x",
                               "/nothing",
                               "/%zz",
                               "/metrics?x",
                               "/cluster",
                               "/torrents/a/metainfo",
                               "/console/main.js",
                               "/console/none.js",
                               "/console",
                               "/healthz",
                               "/readyz",
                               "/scrape"}) {
      const net::HttpRequest request = Request(method, target);
      EXPECT_EQ(ParseRequest(request, Address::V4(10, 0, 0, 9, 1)).rendering.endpoint, EndpointOf(request))
          << method << " " << target;
    }
  }
}

TEST(EndpointOf, AnotherMethodIsToldWhichOnesThereAre) {
  const auto allow = [](const char* method, const char* target) {
    const ParsedRequest parsed = ParseRequest(Request(method, target), Address::V4(10, 0, 0, 9, 1));
    return absl::StrCat(parsed.answer.status, " ", std::string(parsed.answer.Header("Allow")));
  };
  EXPECT_EQ(allow("POST", "/torrents"), "405 GET, PUT");
  EXPECT_EQ(allow("GET", "/torrents/a/offers"), "405 POST, DELETE");
  EXPECT_EQ(allow("PUT", "/status"), "405 GET");
  EXPECT_EQ(allow("PUT", "/nothing"), "404 ");
}

}  // namespace
}  // namespace bt::nodes
