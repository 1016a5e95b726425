#include "nodes/client/web_seed_url.h"

#include <gtest/gtest.h>

#include "tests/support/sample_content.h"

namespace bt::nodes {
namespace {

WebSeedUrl Url(const std::string& text) { return WebSeedUrl::Parse(text).value(); }

Metainfo Named(const std::string& name) {
  Metainfo metainfo = test::SampleMetainfo(20'000, 16'384);
  metainfo.name = name;
  return metainfo;
}

TEST(WebSeedUrl, ReadsSchemeHostPortAndPath) {
  const WebSeedUrl http = Url("http://files.example/a/b%20c.bin?x=1");
  EXPECT_FALSE(http.https);
  EXPECT_EQ(http.host.ToString(), "files.example:80");
  EXPECT_EQ(http.HostHeader(), "files.example") << "the scheme's own port is left out";
  EXPECT_EQ(http.path, "/a/b%20c.bin?x=1");
  const WebSeedUrl https = Url("https://[::1]:8443/");
  EXPECT_TRUE(https.https);
  EXPECT_EQ(https.HostHeader(), "[::1]:8443");
  EXPECT_EQ(Url("https://files.example/").host.port, 443);
}

TEST(WebSeedUrl, SaysWhatIsWrongWithOneThatCannotBeAsked) {
  const std::pair<std::string, const char*> wrong[] = {
      {"", "only http://"},
      {"ftp://files.example/", "only http://"},
      {"HTTP:/files.example/", "only http://"},
      {"http://files.example", "the path is missing"},
      {"http:///file", "the host is no name"},
      {"http://user:secret@files.example/", "the host is no name"},
      {"http://files.example:0/", "the port is none"},
      {"http://files.example:70000/", "the port is none"},
      {"http://files.example/a b", "must be escaped"},
      {"http://files.example/a\r\nX: y", "must be escaped"},
      {"http://files.example/a#b", "fragment"},
      {"http://files.example/" + std::string(kWebSeedUrlLimit, 'a'), "too long"},
  };
  for (const auto& [text, why] : wrong) {
    const auto url = WebSeedUrl::Parse(text);
    ASSERT_FALSE(url.ok()) << text;
    EXPECT_NE(url.status().message().find(why), std::string::npos) << url.status();
    EXPECT_EQ(url.status().message().find('\n'), std::string::npos);
  }
}

TEST(WebSeedUrl, OfASingleFileAPathThatEndsInASlashGetsTheName) {
  EXPECT_EQ(Url("http://h/where/").TargetOf(Named("a b.bin"), 0).value(), "/where/a%20b.bin");
  EXPECT_EQ(Url("http://h/where/it%20is").TargetOf(Named("a b.bin"), 0).value(), "/where/it%20is");
  EXPECT_EQ(Url("http://h/get?id=7").TargetOf(Named("a"), 0).value(), "/get?id=7");
}

TEST(WebSeedUrl, OfATreeEachFileIsBelowTheTreesName) {
  const FileTree tree({{{"one"}, 5, {}, false}, {{"some where", "two"}, 7, {}, false}}, 16'384);
  MetainfoBuilder builder("the set", tree, 16'384);
  builder.Update(std::string(tree.length(), 't'));
  const Metainfo metainfo = builder.Finish();
  EXPECT_EQ(Url("http://h/").TargetOf(metainfo, 0).value(), "/the%20set/one");
  EXPECT_EQ(Url("http://h/x").TargetOf(metainfo, 1).value(), "/x/the%20set/some%20where/two");
  EXPECT_FALSE(Url("http://h/get?id=7").TargetOf(metainfo, 0).ok()) << "a query names one file";
}

TEST(WebSeedUrl, TheSameServerIsTheSameSchemeHostAndPort) {
  const WebSeedUrl here = Url("http://h/a");
  EXPECT_TRUE(here.SameServer(Url("http://h:80/b")));
  EXPECT_FALSE(here.SameServer(Url("http://other/a")));
  EXPECT_FALSE(here.SameServer(Url("http://h:81/a")));
  EXPECT_FALSE(here.SameServer(Url("https://h:80/a")));
}

TEST(WebSeedList, IsReadAsOneTextAndAsAListWhoeverMadeTheTorrent) {
  EXPECT_EQ(ReadWebSeeds("d8:url-list10:http://h/ae"), std::vector<std::string>{"http://h/a"});
  EXPECT_EQ(ReadWebSeeds("d8:url-listl10:http://h/a0:i7e10:http://h/bee"),
            (std::vector<std::string>{"http://h/a", "http://h/b"}));
  for (const char* without : {"de", "d8:url-list0:e", "d8:url-listlee", "d8:url-listi1ee", "nonsense"}) {
    EXPECT_TRUE(ReadWebSeeds(without).empty()) << without;
  }
}

TEST(WebSeedList, IsReadBackFromATorrentThatItWasAddedToWhichIsElseTheSame) {
  const TorrentFile torrent{Named("it"), TorrentFormat::kHybrid, {"http://127.0.0.1:6969/announce"}};
  const std::string bytes = WriteTorrent(torrent);
  EXPECT_EQ(WithWebSeeds(bytes, {}), bytes);
  const std::vector<std::string> urls = {"http://h/", "https://h/it"};
  const std::string with = WithWebSeeds(bytes, urls);
  EXPECT_EQ(ReadWebSeeds(with), urls);
  const auto read = ParseTorrent(with);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->metainfo, torrent.metainfo);
  EXPECT_EQ(read->trackers, torrent.trackers);
}

}  // namespace
}  // namespace bt::nodes
