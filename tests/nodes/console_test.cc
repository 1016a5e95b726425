// The console's files as they are served, and the answers that it alone asks for.

#include "nodes/http_api/console.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/address.h"
#include "nodes/http_api/form.h"
#include "nodes/http_api/metainfo_json.h"
#include "nodes/http_api/server.h"

namespace bt::nodes {
namespace {

const Address kHome = Address::V4(127, 0, 0, 1, 40000);

net::HttpResponse Get(const std::string& target) {
  return ParseRequest({.method = "GET", .target = target}, kHome).answer;
}

TEST(Console, ItsDocumentLoadsOnlyWhatTheNodeServes) {
  const net::HttpResponse page = Get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  const std::string_view policy = page.Header("Content-Security-Policy");
  EXPECT_TRUE(policy.starts_with("default-src 'none'; script-src 'self';")) << policy;
  EXPECT_EQ(policy.find("unsafe"), std::string_view::npos) << policy;
  EXPECT_EQ(page.Header("X-Content-Type-Options"), "nosniff");
  size_t loaded = 0;
  for (const std::string begin : {"src=\"", "rel=\"stylesheet\" href=\""}) {
    for (size_t at = page.body.find(begin); at != std::string::npos; at = page.body.find(begin, at + 1)) {
      const size_t first = at + begin.size();
      const std::string path = page.body.substr(first, page.body.find('"', first) - first);
      EXPECT_EQ(Get("/" + path).status, 200) << path;
      ++loaded;
    }
  }
  EXPECT_EQ(loaded, 2);
}

TEST(Console, ItsModulesImportOnlyEachOther) {
  size_t imports = 0;
  std::vector<std::string> names = {"main.js"};
  for (size_t i = 0; i < names.size(); ++i) {
    const net::HttpResponse file = Get("/console/" + names[i]);
    ASSERT_EQ(file.status, 200) << names[i];
    EXPECT_EQ(file.content_type, "text/javascript; charset=utf-8");
    EXPECT_EQ(file.body.find("innerHTML"), std::string::npos) << names[i];
    const std::string begin = " from '";
    for (size_t at = file.body.find(begin); at != std::string::npos; at = file.body.find(begin, at + 1)) {
      const size_t first = at + begin.size();
      const std::string path = file.body.substr(first, file.body.find('\'', first) - first);
      ASSERT_TRUE(path.starts_with("./")) << path;
      if (++imports < 100) names.push_back(path.substr(2));
    }
  }
  EXPECT_GE(imports, 5);
}

TEST(Console, HasNoOtherFiles) {
  for (const char* target :
       {"/console/", "/console/none.js", "/console/..%2fserver.h", "/console/main.js/x"}) {
    EXPECT_EQ(Get(target).status, 404) << target;
  }
}

Metainfo Tree(size_t files) {
  std::vector<FileTree::File> list;
  for (size_t i = 0; i < files; ++i) {
    std::string name = std::to_string(10000 + i);
    list.push_back({{"folder", name + std::string(95, '"')}, 1, Sha256Digest{1}});
  }
  Metainfo metainfo;
  metainfo.name = "tree";
  metainfo.piece_length = 16384;
  metainfo.tree = FileTree(std::move(list), 16384);
  metainfo.length = metainfo.tree.length();
  return metainfo;
}

TEST(MetainfoJson, TellsAFileOfASingleOneAndTheInfoHashesOfItsFormat) {
  MetainfoBuilder builder("a \"b\" <c>", 100000, 16384);
  builder.Update(std::string(100000, 'm'));
  TorrentFile torrent;
  torrent.metainfo = builder.Finish();
  torrent.format = TorrentFormat::kV2;
  torrent.trackers = {"http://10.0.0.1:6969/announce"};
  const std::string text = WriteMetainfo(torrent);
  EXPECT_NE(text.find(R"("name":"a \"b\" <c>","format":"v2")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("files":[{"path":"a \"b\" <c>","length":100000}],"more_files":0})"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("info_hash_v1"), std::string::npos);
  EXPECT_NE(text.find("\"info_hash_v2\":\""), std::string::npos);
  torrent.format = TorrentFormat::kV1;
  EXPECT_NE(WriteMetainfo(torrent).find("\"info_hash_v1\":\""), std::string::npos);
}

TEST(MetainfoJson, CutsTheListOfFilesAndCountsTheRest) {
  TorrentFile torrent;
  torrent.format = TorrentFormat::kV2;
  torrent.metainfo = Tree(100);
  EXPECT_NE(WriteMetainfo(torrent).find("\"more_files\":0"), std::string::npos);
  torrent.metainfo = Tree(2000);
  const std::string text = WriteMetainfo(torrent);
  size_t told = 0;
  for (size_t at = text.find("\"path\""); at != std::string::npos; at = text.find("\"path\"", at + 1)) ++told;
  EXPECT_GT(told, 1000);
  EXPECT_LT(text.size(), kToldFileBytesLimit + 1024);
  EXPECT_NE(text.find("\"more_files\":" + std::to_string(2000 - told) + "}"), std::string::npos) << told;
}

// A torrent is a stranger's bytes at the console's origin.
TEST(Console, ATorrentIsNotTakenForAScript) {
  MetainfoBuilder builder("main.js", 100, 16384);
  builder.Update(std::string(100, 'm'));
  tracker_api::Response response;
  response.body = tracker_api::Fetched{builder.Finish()};
  const net::HttpResponse answer = RenderResponse({.endpoint = Endpoint::kFetch}, response, {});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("X-Content-Type-Options"), "nosniff");
}

}  // namespace
}  // namespace bt::nodes
