#include "net/http/codec.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/base/rng.h"

namespace bt::net {
namespace {

// Everything a reader makes of `bytes` given in parts of `cut` bytes.
struct Outcome {
  std::vector<HttpRequest> requests;
  HttpRead last = HttpRead::kMore;
};

Outcome ReadAll(std::string_view bytes, size_t cut) {
  Outcome outcome;
  HttpRequestReader reader;
  for (size_t at = 0; at < bytes.size(); at += cut) {
    std::string_view part = bytes.substr(at, cut);
    while (true) {
      outcome.last = reader.Read(part);
      if (outcome.last == HttpRead::kDone) {
        outcome.requests.push_back(reader.Take());
        continue;
      }
      if (outcome.last != HttpRead::kMore) return outcome;
      break;
    }
  }
  return outcome;
}

TEST(HttpRequestReader, ReadsPipelinedRequestsInAnyCut) {
  const std::string bytes =
      "GET /announce?info_hash=%aB%Cd(x) HTTP/1.1\r\nHost: a\r\n\r\n"
      "PUT /torrents HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
      "\r\nPOST /x HTTP/1.1\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n10;ext=1\r\n0123456789abcdef\r\n0\r\n\r\n"
      "GET /status HTTP/1.0\r\n\r\n";
  for (size_t cut = 1; cut <= bytes.size(); ++cut) {
    const Outcome outcome = ReadAll(bytes, cut);
    ASSERT_EQ(outcome.requests.size(), 4u) << "cut " << cut;
    EXPECT_EQ(outcome.requests[0].target, "/announce?info_hash=%aB%Cd(x)");
    EXPECT_TRUE(outcome.requests[0].keep_alive);
    EXPECT_EQ(outcome.requests[1].body, "hello");
    EXPECT_EQ(outcome.requests[2].body, "abc0123456789abcdef");
    EXPECT_EQ(outcome.requests[2].Header("HOST"), "");
    EXPECT_TRUE(outcome.requests[3].http_1_0);
    EXPECT_FALSE(outcome.requests[3].keep_alive);
  }
}

TEST(HttpRequestReader, FindsHeadersWhateverTheirCase) {
  const Outcome outcome = ReadAll("GET / HTTP/1.1\r\nX-Some-Thing: value\r\nConnection: close\r\n\r\n", 1000);
  ASSERT_EQ(outcome.requests.size(), 1u);
  EXPECT_EQ(outcome.requests[0].Header("x-some-thing"), "value");
  EXPECT_FALSE(outcome.requests[0].keep_alive);
}

TEST(HttpRequestReader, RefusesWhatIsNotHttp) {
  for (const std::string_view bytes :
       {"\x13"
        "BitTorrent protocol and more\r\n\r\n",
        "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nbad header\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    EXPECT_EQ(ReadAll(bytes, 1000).last, HttpRead::kMalformed) << bytes;
    EXPECT_EQ(ReadAll(bytes, 1).last, HttpRead::kMalformed) << bytes;
  }
}

TEST(HttpRequestReader, RefusesHeadersOverTheLimitHoweverTheyArrive) {
  const std::string endless = "GET / HTTP/1.1\r\nX: " + std::string(kHttpHeaderLimit + 100, 'a');
  EXPECT_EQ(ReadAll(endless, 100000).last, HttpRead::kHeaderTooLarge);
  EXPECT_EQ(ReadAll(endless, 7).last, HttpRead::kHeaderTooLarge);
}

TEST(HttpRequestReader, RefusesBodiesOverTheLimitBeforeReadingThem) {
  const std::string huge =
      "PUT / HTTP/1.1\r\nContent-Length: " + std::to_string(kHttpBodyLimit + 1) + "\r\n\r\n";
  EXPECT_EQ(ReadAll(huge, 100000).last, HttpRead::kBodyTooLarge);
  std::string chunked = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string chunk = "100000\r\n" + std::string(0x100000, 'x') + "\r\n";
  for (int i = 0; i < 9; ++i) chunked += chunk;
  EXPECT_EQ(ReadAll(chunked, 65536).last, HttpRead::kBodyTooLarge);
}

TEST(HttpRequestReader, TellsOnceThatTheSenderWaitsForContinue) {
  HttpRequestReader reader;
  std::string_view head = "PUT / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  EXPECT_EQ(reader.Read(head), HttpRead::kMore);
  EXPECT_TRUE(reader.TakeExpectContinue());
  EXPECT_FALSE(reader.TakeExpectContinue());
  std::string_view body = "ok";
  EXPECT_EQ(reader.Read(body), HttpRead::kDone);
  EXPECT_EQ(reader.Take().body, "ok");
}

TEST(HttpRequestReader, SurvivesDamagedRequests) {
  Rng rng(7);
  const std::string good =
      "POST /torrents/a/offers HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: "
      "keep-alive\r\n\r\n"
      "4\r\nabcd\r\n0\r\n\r\nGET /announce?info_hash=%00 HTTP/1.0\r\n\r\n";
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = good;
    for (uint64_t n = rng.Below(6); n > 0; --n)
      bytes[rng.Below(bytes.size())] = static_cast<char>(rng.Next());
    if (rng.Chance(1, 3)) bytes.resize(rng.Below(bytes.size()));
    ReadAll(bytes, 1 + rng.Below(bytes.size() + 1));
  }
}

TEST(HttpResponseReader, ReadsWhatTheWriterWrote) {
  HttpResponse sent;
  sent.status = 409;
  sent.content_type = "application/json";
  sent.headers.push_back({"Retry-After", "3"});
  sent.body = "{}";
  std::string bytes;
  WriteHttpResponse(sent, false, true, false, bytes);
  WriteHttpResponse(sent, false, false, false, bytes);
  HttpResponseReader reader;
  std::string_view rest = bytes;
  ASSERT_EQ(reader.Read(rest), HttpRead::kDone);
  const HttpResponse first = reader.Take();
  EXPECT_EQ(first.status, 409);
  EXPECT_EQ(first.body, "{}");
  EXPECT_EQ(first.content_type, "application/json");
  EXPECT_EQ(first.Header("retry-after"), "3");
  EXPECT_TRUE(first.keep_alive);
  ASSERT_EQ(reader.Read(rest), HttpRead::kDone);
  EXPECT_FALSE(reader.Take().keep_alive);
  EXPECT_TRUE(rest.empty());
}

TEST(HttpResponseReader, TakesTheEndOfTheConnectionAsTheEndOfABodyWithoutLength) {
  HttpResponseReader reader;
  std::string_view bytes = "HTTP/1.0 200 OK\r\n\r\nsome text";
  EXPECT_EQ(reader.Read(bytes), HttpRead::kMore);
  EXPECT_EQ(reader.End(), HttpRead::kDone);
  const HttpResponse response = reader.Take();
  EXPECT_EQ(response.body, "some text");
  EXPECT_FALSE(response.keep_alive);
}

TEST(HttpResponseReader, CallsACutResponseMalformed) {
  HttpResponseReader reader;
  std::string_view bytes = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort";
  EXPECT_EQ(reader.Read(bytes), HttpRead::kMore);
  EXPECT_EQ(reader.End(), HttpRead::kMalformed);
}

TEST(WriteHttpRequest, NamesOneHostAlone) {
  const auto hosts = [](std::vector<HttpHeader> headers) {
    std::string bytes;
    WriteHttpRequest({.method = "GET", .target = "/", .headers = std::move(headers)}, "10.0.0.1:6969", bytes);
    return bytes;
  };
  EXPECT_EQ(hosts({}), "GET / HTTP/1.1\r\nHost: 10.0.0.1:6969\r\n\r\n");
  EXPECT_EQ(hosts({{"Host", "tracker.example"}}), "GET / HTTP/1.1\r\nHost: tracker.example\r\n\r\n");
}

TEST(WriteHttpRequest, IsReadBackAsItWas) {
  HttpRequest sent;
  sent.method = "PUT";
  sent.target = "/torrents";
  sent.body = std::string("\0\1\2", 3);
  std::string bytes;
  WriteHttpRequest(sent, "127.0.0.1:6969", bytes);
  const Outcome outcome = ReadAll(bytes, 5);
  ASSERT_EQ(outcome.requests.size(), 1u);
  EXPECT_EQ(outcome.requests[0].method, "PUT");
  EXPECT_EQ(outcome.requests[0].body, sent.body);
  EXPECT_EQ(outcome.requests[0].Header("host"), "127.0.0.1:6969");
}

}  // namespace
}  // namespace bt::net
