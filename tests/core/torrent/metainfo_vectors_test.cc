// What libtorrent 2.0.8 makes of the same contents: metainfo_vectors.json.

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/torrent/bencode.h"
#include "core/torrent/metainfo.h"
#include "tests/support/sample_content.h"

namespace bt {
namespace {

using nlohmann::json;

std::vector<json> Vectors() {
  std::ifstream file("tests/core/torrent/metainfo_vectors.json");
  return json::parse(file).get<std::vector<json>>();
}

std::vector<std::string> Keys(const std::string& info) {
  const auto document = bencode::Document::Parse(info);
  std::vector<std::string> keys;
  for (auto key = document->root().first(); key; key = key->next()->next()) keys.emplace_back(*key->text());
  return keys;
}

InfoHash Cut(const Sha256Digest& digest) {
  InfoHash hash;
  std::copy_n(digest.begin(), 20, hash.begin());
  return hash;
}

void ExpectFormat(const Metainfo& metainfo, TorrentFormat format, const json& expected) {
  const std::string info = metainfo.InfoBytes(format);
  EXPECT_EQ(info.size(), expected["info_bytes"].get<size_t>());
  EXPECT_EQ(Keys(info), expected["info_keys"].get<std::vector<std::string>>());
  const std::vector<InfoHash> all = metainfo.AllInfoHashes();
  if (expected.contains("infohash_v1")) {
    EXPECT_EQ(Hex(metainfo.InfoHashV1(format)), expected["infohash_v1"]);
    EXPECT_EQ(std::count(all.begin(), all.end(), metainfo.InfoHashV1(format)), 1);
  }
  if (expected.contains("infohash_v2")) {
    EXPECT_EQ(Hex(metainfo.InfoHashV2(format)), expected["infohash_v2"]);
    EXPECT_EQ(std::count(all.begin(), all.end(), Cut(metainfo.InfoHashV2(format))), 1);
  }
  if (expected.contains("piece_layer_entries")) {
    EXPECT_EQ(metainfo.piece_layer.size(), expected["piece_layer_entries"].get<size_t>());
  }
}

class MetainfoVectors : public testing::TestWithParam<json> {};

TEST_P(MetainfoVectors, AreWhatTheBuilderComputesFromTheBytes) {
  const json& vector = GetParam();

  const Metainfo metainfo = test::SampleMetainfo(vector["length"], vector["piece_length"]);

  EXPECT_EQ(metainfo.name, vector["name"]);
  EXPECT_EQ(Hex(metainfo.pieces_root), vector["pieces_root"]);
  EXPECT_TRUE(metainfo.Validate().ok()) << metainfo.Validate();
  ExpectFormat(metainfo, TorrentFormat::kHybrid, vector["hybrid"]);
  ExpectFormat(metainfo, TorrentFormat::kV1, vector["v1"]);
  ExpectFormat(metainfo, TorrentFormat::kV2, vector["v2"]);
}

TEST_P(MetainfoVectors, SurviveATorrentFileOfEachFormat) {
  const json& vector = GetParam();
  const Metainfo metainfo = test::SampleMetainfo(vector["length"], vector["piece_length"]);

  for (const auto format : {TorrentFormat::kHybrid, TorrentFormat::kV1, TorrentFormat::kV2}) {
    const TorrentFile written{
        metainfo, format, {"http://127.0.0.1:1/announce", "http://127.0.0.1:2/announce"}};
    const auto read = ParseTorrent(WriteTorrent(written));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->metainfo, metainfo);
    EXPECT_EQ(read->format, format);
    EXPECT_EQ(read->trackers, written.trackers);
  }
}

INSTANTIATE_TEST_SUITE_P(Libtorrent, MetainfoVectors, testing::ValuesIn(Vectors()),
                         [](const testing::TestParamInfo<json>& info) {
                           return std::to_string(info.param["length"].get<uint64_t>()) + "BytesInPiecesOf" +
                                  std::to_string(info.param["piece_length"].get<uint64_t>());
                         });

TEST(MetainfoVectorsFile, HoldsVectors) { EXPECT_EQ(Vectors().size(), 18u); }

}  // namespace
}  // namespace bt
