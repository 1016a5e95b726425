// Reading hostile, foreign and damaged .torrent files.

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <functional>
#include <map>

#include "core/torrent/bencode.h"
#include "core/torrent/metainfo.h"
#include "core/torrent/sha1.h"
#include "tests/support/sample_content.h"

namespace bt {
namespace {

constexpr uint32_t kPiece = 16 * 1024;
constexpr uint64_t kLength = 3 * kPiece + 100;

std::string Text(std::string_view text) { return std::to_string(text.size()) + ":" + std::string(text); }
std::string Number(int64_t number) { return "i" + std::to_string(number) + "e"; }

using Dictionary = std::map<std::string, std::string>;  // values bencoded

std::string Bencoded(const Dictionary& dictionary) {
  std::string out = "d";
  for (const auto& [key, value] : dictionary) out += Text(key) + value;
  return out + "e";
}

Dictionary Members(std::string_view bencoded) {
  const auto document = bencode::Document::Parse(bencoded);
  Dictionary members;
  for (auto key = document->root().first(); key; key = key->next()->next()) {
    members[std::string(*key->text())] = std::string(key->next()->raw());
  }
  return members;
}

// A torrent in two parts that a test can spoil.
struct Parts {
  Dictionary top;  // without info
  Dictionary info;

  explicit Parts(TorrentFormat format) : Parts(WriteTorrent({Sample(), format, {"http://t:1/announce"}})) {}
  explicit Parts(const std::string& torrent) : top(Members(torrent)), info(Members(top.at("info"))) {}

  static Metainfo Sample() { return test::SampleMetainfo(kLength, kPiece); }
  std::string ToTorrent() const {
    Dictionary all = top;
    all["info"] = Bencoded(info);
    return Bencoded(all);
  }
};

std::string ErrorOf(std::string_view torrent) {
  const auto parsed = ParseTorrent(torrent);
  return parsed.ok() ? "accepted" : std::string(parsed.status().message());
}

struct Spoiled {
  TorrentFormat format;
  std::function<void(Parts&)> spoil;
  const char* reason;
};

void ExpectRefused(const std::vector<Spoiled>& cases) {
  for (const Spoiled& c : cases) {
    Parts parts(c.format);
    c.spoil(parts);
    const std::string error = ErrorOf(parts.ToTorrent());
    EXPECT_NE(error.find(c.reason), std::string::npos) << c.reason << " / " << error;
  }
}

std::string FileTree(const std::string& name, const Dictionary& leaf) {
  return Bencoded({{name, Bencoded({{"", Bencoded(leaf)}})}});
}

const std::string kRoot = [] {
  const Sha256Digest root = Parts::Sample().pieces_root;
  return std::string(root.begin(), root.end());
}();
const std::string kName = test::SampleName(kLength);
constexpr auto kHybrid = TorrentFormat::kHybrid;
constexpr auto kV1 = TorrentFormat::kV1;
constexpr auto kV2 = TorrentFormat::kV2;

TEST(ParseTorrent, RefusesCommonFieldsThatAreWrong) {
  ExpectRefused({
      {kHybrid, [](Parts& p) { p.info.erase("name"); }, "info.name is missing"},
      {kHybrid, [](Parts& p) { p.info["name"] = "i1e"; }, "info.name is not a string"},
      {kHybrid, [](Parts& p) { p.info["name"] = Text("../etc"); },
       "info.name: the name has a path separator"},
      {kV1, [](Parts& p) { p.info["name"] = Text(".."); }, "info.name: the name is a directory reference"},
      {kV1, [](Parts& p) { p.info["name"] = Text(std::string_view("a\0b", 3)); }, "NUL"},
      {kV1, [](Parts& p) { p.info["name"] = Text(std::string(256, 'n')); }, "at most 255"},
      {kV1, [](Parts& p) { p.info.erase("piece length"); }, "info.piece length is missing"},
      {kV1, [](Parts& p) { p.info["piece length"] = Text("16384"); }, "piece length is not an integer"},
      {kV1, [](Parts& p) { p.info["piece length"] = Number(-16384); }, "info.piece length is negative"},
      {kV1, [](Parts& p) { p.info["piece length"] = Number(0); }, "not a power of two"},
      {kV1, [](Parts& p) { p.info["piece length"] = Number(16385); }, "not a power of two"},
      {kV1, [](Parts& p) { p.info["piece length"] = Number(INT64_MAX); }, "info.piece length 9223"},
      {kV1, [](Parts& p) { p.info["piece length"] = Number((int64_t{1} << 32) + 16384); }, "is over"},
      {kV1, [](Parts& p) { p.info["files"] = "le"; }, "info has both files and length"},
      {kHybrid, [](Parts& p) { p.info.clear(); }, "neither pieces"},
  });
}

TEST(ParseTorrent, RefusesV1FieldsThatAreWrong) {
  ExpectRefused({
      {kV1, [](Parts& p) { p.info.erase("length"); }, "info.length is missing"},
      {kV1, [](Parts& p) { p.info["length"] = Number(-1); }, "info.length is negative (-1)"},
      {kV1, [](Parts& p) { p.info["length"] = Number(INT64_MIN); }, "info.length is negative"},
      {kV1, [](Parts& p) { p.info["length"] = Number(0); }, "an empty file cannot be shared"},
      {kV1, [](Parts& p) { p.info["length"] = Number(INT64_MAX); }, "pieces; at most 131072"},
      {kV1, [](Parts& p) { p.info["length"] = Number(kLength + kPiece); }, "entries instead of 5"},
      {kV1, [](Parts& p) { p.info["pieces"] = "le"; }, "info.pieces is not a string"},
      {kV1, [](Parts& p) { p.info["pieces"] = Text("short"); },
       "info.pieces has 5 bytes, not a multiple of 20"},
      {kV1, [](Parts& p) { p.info["pieces"] = Text(std::string(60, 'p')); },
       "3 v1 piece hashes instead of 4"},
      {kV1, [](Parts& p) { p.info["pieces"] = Text(std::string(20 * 131073, 'p')); }, "at most 131072"},
      {kV1, [](Parts& p) { p.top.erase("bytetorrent"); }, "make one from the file with bytetorrent create"},
      {kV1, [](Parts& p) { p.top["bytetorrent"] = "le"; }, "bytetorrent is not a dictionary"},
      {kV1,
       [](Parts& p) {
         p.top["bytetorrent"] = Bencoded({{"pieces root", Text("x")}});
       },
       "bytetorrent.pieces root has 1 bytes instead of 32"},
      {kV1,
       [](Parts& p) {
         p.top["bytetorrent"] = Bencoded({{"pieces root", Text(kRoot)}});
       },
       "bytetorrent.piece layer is missing"},
      {kV1,
       [](Parts& p) {
         p.top["bytetorrent"] =
             Bencoded({{"pieces root", Text(kRoot)}, {"piece layer", Text(std::string(128, 'l'))}});
       },
       "does not hash to the pieces root"},
  });
}

TEST(ParseTorrent, RefusesV2FieldsThatAreWrong) {
  ExpectRefused({
      {kV2, [](Parts& p) { p.info["meta version"] = Number(3); }, "info.meta version 3 is unknown"},
      {kV2, [](Parts& p) { p.info["meta version"] = Number(-2); }, "info.meta version is negative"},
      {kV2, [](Parts& p) { p.info.erase("meta version"); }, "info.meta version is missing"},
      {kV2, [](Parts& p) { p.info.erase("file tree"); }, "info.file tree is missing"},
      {kV2, [](Parts& p) { p.info["file tree"] = "le"; }, "info.file tree is not a dictionary"},
      {kV2, [](Parts& p) { p.info["file tree"] = "de"; }, "info.file tree holds no file"},
      {kV2, [](Parts& p) { p.info["file tree"] = FileTree("other", {}); }, "the length of a file is missing"},
      {kV2,
       [](Parts& p) {
         p.info["file tree"] = Bencoded({{kName, "i1e"}});
       },
       "holds no file"},
      {kV2,
       [](Parts& p) {
         p.info["file tree"] = Bencoded({{kName, Bencoded({{"", "i1e"}})}});
       },
       "not a dictionary"},
      {kV2,
       [](Parts& p) {
         p.info["file tree"] = Bencoded({{kName, "de"}, {"second", "de"}});
       },
       "holds no file"},
      {kV2,
       [](Parts& p) {
         p.info["file tree"] = Bencoded({{kName, Bencoded({{"", "de"}, {"a", "de"}})}});
       },
       "what has an entry \"\" is no file"},
      {kV2,
       [](Parts& p) {
         p.info["file tree"] = FileTree(kName, {{"pieces root", Text(kRoot)}});
       },
       "the length of a file is missing"},
      {kV2,
       [](Parts& p) {
         p.info["file tree"] = FileTree(kName, {{"length", Number(0)}});
       },
       "empty file"},
      {kV2,
       [](Parts& p) {
         p.info["file tree"] = FileTree(kName, {{"length", Number(-7)}});
       },
       "is negative"},
      {kV2,
       [](Parts& p) {
         p.info["file tree"] = FileTree(kName, {{"length", Number(9)}});
       },
       "the pieces root of a file is missing"},
      {kV2, [](Parts& p) { p.top.erase("piece layers"); }, "piece layers is missing"},
      {kV2, [](Parts& p) { p.top["piece layers"] = "le"; }, "piece layers is not a dictionary"},
      {kV2, [](Parts& p) { p.top["piece layers"] = "de"; }, "piece layers has no entry for the file"},
      {kV2,
       [](Parts& p) {
         p.top["piece layers"] = Bencoded({{std::string(32, 'z'), Text("")}});
       },
       "belongs to no file"},
      {kV2,
       [](Parts& p) {
         p.top["piece layers"] = Bencoded({{kRoot, "i1e"}});
       },
       "entry is not a string"},
      {kV2,
       [](Parts& p) {
         p.top["piece layers"] = Bencoded({{kRoot, Text(std::string(33, 'x'))}});
       },
       "not a multiple of 32"},
      {kV2,
       [](Parts& p) {
         p.top["piece layers"] = Bencoded({{kRoot, Text(std::string(96, 'x'))}});
       },
       "3 entries instead of 4"},
      {kV2,
       [](Parts& p) {
         p.top["piece layers"] = Bencoded({{kRoot, Text(std::string(128, 'x'))}});
       },
       "does not hash to the pieces root"},
      {kV2, [](Parts& p) { p.info["piece length"] = Number(1 << 20); }, "entry for a file of one piece"},
      {kV2,
       [](Parts& p) {
         p.top["bytetorrent"] = Bencoded({{"pieces", Text(std::string(20, 'x'))}});
       },
       "1 v1 piece hashes instead of 4"},
      {kHybrid, [](Parts& p) { p.info["length"] = Number(kLength - 1); }, "disagree"},
      {kHybrid, [](Parts& p) { p.info["pieces"] = Text(std::string(60, 'p')); }, "instead of 4"},
  });
}

TEST(ParseTorrent, LeavesOutTrackersThatAreNoUrlsAndKeepsTheRest) {
  using Urls = std::vector<std::string>;
  const auto trackers = [](const std::string& key, const std::string& value) {
    Parts parts(kV2);
    parts.top[key] = value;
    const auto torrent = ParseTorrent(parts.ToTorrent());
    EXPECT_TRUE(torrent.ok()) << key << " " << value << ": " << torrent.status();
    return torrent.ok() ? torrent->trackers : Urls{"refused"};
  };
  EXPECT_EQ(trackers("announce", "i1e"), Urls{});
  EXPECT_EQ(trackers("announce", Text("http://t\x1b[2J")), Urls{});
  EXPECT_EQ(trackers("announce", Text(std::string(3000, 'u'))), Urls{});
  EXPECT_EQ(trackers("announce", Text("http://t:1/announce \r\n")), Urls{"http://t:1/announce"});
  EXPECT_EQ(trackers("announce-list", "lli1e8:http://aee"), Urls{"http://a"});
  EXPECT_EQ(trackers("announce-list", "li1el8:http://aee"), Urls{"http://a"});
  EXPECT_EQ(trackers("announce-list", "ll10:http://b c8:http://aee"), Urls{"http://a"});
  std::string many = "l";
  for (size_t i = 0; i < 300; ++i) many += "l" + Text("http://t:" + std::to_string(i)) + "e";
  EXPECT_EQ(trackers("announce-list", many + "e").size(), kTrackerCountLimit);
}

TEST(ParseTorrent, RefusesWhatIsNoTorrentAtAll) {
  EXPECT_NE(ErrorOf("").find("not bencode"), std::string::npos);
  EXPECT_NE(ErrorOf("<html>").find("not bencode: unexpected byte at byte 0"), std::string::npos);
  EXPECT_NE(ErrorOf("le").find("not a dictionary"), std::string::npos);
  EXPECT_NE(ErrorOf("de").find("no info dictionary"), std::string::npos);
  EXPECT_NE(ErrorOf("d4:infoi1ee").find("no info dictionary"), std::string::npos);
  EXPECT_NE(ErrorOf(std::string(kTorrentFileLimit + 1, 'd')).find("at most 8388608"), std::string::npos);
  EXPECT_NE(ErrorOf("d4:info" + std::string(1'000'000, 'l')).find("nested too deeply"), std::string::npos);
}

TEST(ParseTorrent, ReadsTrackersInOrderEachOnce) {
  Parts parts(kV2);
  parts.top["announce"] = Text("http://first");
  parts.top["announce-list"] = "ll8:http://bel8:http://a8:http://bee";
  EXPECT_EQ(ParseTorrent(parts.ToTorrent())->trackers, (std::vector<std::string>{"http://b", "http://a"}));
  parts.top["announce-list"] = "le";
  EXPECT_EQ(ParseTorrent(parts.ToTorrent())->trackers, (std::vector<std::string>{"http://first"}));
  parts.top.clear();
  parts.top["piece layers"] = Parts(kV2).top["piece layers"];
  EXPECT_TRUE(ParseTorrent(parts.ToTorrent())->trackers.empty());
}

TEST(ParseTorrent, KeepsTheInfoHashesOfAForeignInfoDictionary) {
  for (const auto format : {kHybrid, kV1, kV2}) {
    Parts parts(format);
    parts.info["private"] = Number(1);
    const std::string info = Bencoded(parts.info);

    const auto parsed = ParseTorrent(parts.ToTorrent());

    ASSERT_TRUE(parsed.ok()) << parsed.status();
    std::vector<InfoHash> expected;
    if (format != kV2) expected.push_back(Sha1(info));
    if (format != kV1) {
      const Sha256Digest digest = Sha256(info);
      InfoHash cut;
      std::copy_n(digest.begin(), 20, cut.begin());
      expected.push_back(cut);
    }
    EXPECT_EQ(parsed->metainfo.foreign_info_hashes, expected);
    Metainfo without = parsed->metainfo;
    without.foreign_info_hashes.clear();
    EXPECT_EQ(without, Parts::Sample());
  }
}

TEST(ParseTorrent, ForeignInfoHashesGoBesideInfoAndAreOnlyToldNotProven) {
  Metainfo metainfo = Parts::Sample();
  metainfo.foreign_info_hashes = {InfoHash{1}, InfoHash{2}};
  for (const auto format : {kHybrid, kV1, kV2}) {
    const auto parsed = ParseTorrent(WriteTorrent({metainfo, format, {}}));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->told_info_hashes, metainfo.foreign_info_hashes);
    EXPECT_TRUE(parsed->metainfo.foreign_info_hashes.empty());
  }
  metainfo.foreign_info_hashes.resize(3);
  EXPECT_FALSE(ParseTorrent(WriteTorrent({metainfo, kHybrid, {}})).ok());
}

TEST(ParseTorrent, OwnTorrentsHaveNoForeignInfoHashes) {
  for (const auto format : {kHybrid, kV1, kV2}) {
    EXPECT_TRUE(ParseTorrent(Parts(format).ToTorrent())->metainfo.foreign_info_hashes.empty());
  }
}

TEST(ParseTorrent, AForeignV2TorrentHasNoV1Hashes) {
  Parts parts(kV2);
  parts.top.erase("bytetorrent");
  const auto parsed = ParseTorrent(parts.ToTorrent());
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_TRUE(parsed->metainfo.v1_pieces.empty());
  EXPECT_EQ(ParseTorrent(WriteTorrent(*parsed))->metainfo, parsed->metainfo);
}

TEST(ParseTorrent, NeverAcceptsDamageItCouldNotHaveWritten) {
  EXPECT_TRUE(rc::check("damaged torrents", [] {
    const auto format = *rc::gen::element(kHybrid, kV1, kV2);
    std::string torrent = Parts(format).ToTorrent();
    const size_t at = *rc::gen::inRange<size_t>(0, torrent.size());
    RC_ASSERT(!ParseTorrent(torrent.substr(0, at)).ok());
    torrent[at] = static_cast<char>(torrent[at] ^ (1 << *rc::gen::inRange(0, 8)));
    const auto parsed = ParseTorrent(torrent);
    if (parsed.ok()) RC_ASSERT(parsed->metainfo.Validate().ok());
  }));
}

}  // namespace
}  // namespace bt
