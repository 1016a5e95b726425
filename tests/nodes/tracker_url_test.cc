#include "nodes/shared/tracker_url.h"

#include <gtest/gtest.h>

namespace bt::nodes {
namespace {

TEST(ParseTrackerUrl, ReadsEveryFormOfOneTracker) {
  for (const char* text :
       {"http://10.0.0.1:6969", "http://10.0.0.1:6969/", "http://10.0.0.1:6969/announce"}) {
    const auto url = ParseTrackerUrl(text);
    ASSERT_TRUE(url.ok()) << url.status();
    EXPECT_EQ(url->HostAndPort(), "10.0.0.1:6969");
    EXPECT_EQ(url->Announce(), "http://10.0.0.1:6969/announce");
  }
  EXPECT_EQ(ParseTrackerUrl("http://[::1]:80")->Base(), "http://[::1]:80");
  EXPECT_EQ(ParseTrackerUrl("http://tracker-1.example:1")->host, "tracker-1.example");
  EXPECT_EQ(ParseTrackerUrl("http://[::1]:80")->scheme, TrackerScheme::kHttp);
  const auto https = ParseTrackerUrl("https://tracker.example:443/announce");
  ASSERT_TRUE(https.ok()) << https.status();
  EXPECT_EQ(https->scheme, TrackerScheme::kHttps);
  EXPECT_EQ(https->Announce(), "https://tracker.example:443/announce");
  const auto udp = ParseTrackerUrl("udp://10.0.0.1:6969/announce");
  ASSERT_TRUE(udp.ok()) << udp.status();
  EXPECT_EQ(udp->scheme, TrackerScheme::kUdp);
  EXPECT_EQ(udp->Base(), "udp://10.0.0.1:6969");
  EXPECT_EQ(udp->Announce(), "udp://10.0.0.1:6969/announce");
}

TEST(ParseTrackerUrl, KeepsTheKeyForAnnouncesAlone) {
  const auto url = ParseTrackerUrl("https://10.0.0.1:6969/btt_0aZ.-/announce");
  ASSERT_TRUE(url.ok()) << url.status();
  EXPECT_EQ(url->key, "btt_0aZ.-");
  EXPECT_EQ(url->Base(), "https://10.0.0.1:6969");
  EXPECT_EQ(url->Announce(), "https://10.0.0.1:6969/btt_0aZ.-/announce");
}

TEST(ParseTrackerUrl, SaysWhatIsWrongWithAUrlThatCannotBeAsked) {
  const std::pair<std::string, const char*> wrong[] = {
      {"", "only http://, https:// and udp://"},
      {"udp://10.0.0.1", "port is missing"},
      {"udp:/10.0.0.1:6969", "only http://, https:// and udp://"},
      {"ftp://10.0.0.1:6969", "only http://, https:// and udp://"},
      {"https://10.0.0.1", "port is missing"},
      {"http://10.0.0.1", "port is missing"},
      {"http://[::1]", "port is missing"},
      {"http://10.0.0.1:", "port is not"},
      {"http://10.0.0.1:0", "port is not"},
      {"http://10.0.0.1:06969", "port is not"},
      {"http://10.0.0.1:65536", "port is not"},
      {"http://10.0.0.1:80x", "port is not"},
      {"http://:80", "host is no"},
      {"http://[]:80", "host is no"},
      {"http://bad host:80", "host is no"},
      {"http://user@host:80", "host is no"},
      {"http://::1:80", "host is no"},
      {"http://10.0.0.1:6969/private/announce?pass=1", "path is not"},
      {"http://10.0.0.1:6969/a%20b/announce", "path is not"},
      {"http://10.0.0.1:6969//announce", "path is not"},
      {"http://10.0.0.1:6969/a/b/announce", "path is not"},
      {"udp://10.0.0.1:6969/key/announce", "no key can be shown"},
      {"http://10.0.0.1:6969?x", "port is not"},
      {"http://" + std::string(3000, 'h') + ":80", "too long"},
  };
  for (const auto& [text, why] : wrong) {
    const auto url = ParseTrackerUrl(text);
    ASSERT_EQ(url.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(std::string(url.status().message()).find(why), std::string::npos) << url.status();
    EXPECT_LT(url.status().message().size(), 400u);
  }
}

}  // namespace
}  // namespace bt::nodes
