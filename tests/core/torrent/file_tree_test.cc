// Torrents of directories: what is read back is what was written, and what others send is refused by name.

#include "core/torrent/file_tree.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/torrent/metainfo.h"
#include "core/torrent/sha1.h"
#include "tests/support/sample_content.h"

namespace bt {
namespace {

constexpr uint32_t kPiece = 16 * 1024;

std::vector<FileTree::File> Files() {
  return {{{"a"}, 2 * kPiece + 5, {}, false},
          {{"b", "empty"}, 0, {}, false},
          {{"b", "tool"}, kPiece, {}, true},
          {{"c"}, 7, {}, false}};
}

Metainfo Sample(bool padded_end = false) {
  const FileTree tree(Files(), kPiece, padded_end);
  MetainfoBuilder builder("tree", tree, kPiece);
  builder.Update(test::SampleBytes(tree.length()));
  return builder.Finish();
}

std::string ErrorOf(std::string_view torrent) {
  const auto parsed = ParseTorrent(torrent);
  return parsed.ok() ? "accepted" : std::string(parsed.status().message());
}

TEST(FileTree, EachFileBeginsWithAPiece) {
  const Metainfo metainfo = Sample();
  EXPECT_EQ(metainfo.piece_count(), 5u);
  EXPECT_EQ(metainfo.length, 3 * kPiece + 12u);
  EXPECT_EQ(metainfo.end_offset(), 4 * kPiece + 7u);
  const uint32_t sizes[] = {kPiece, kPiece, 5, kPiece, 7};
  const size_t files[] = {0, 0, 0, 2, 3};
  for (uint32_t i = 0; i < 5; ++i) {
    EXPECT_EQ(metainfo.piece_size(i), sizes[i]);
    EXPECT_EQ(metainfo.padded_piece_size(i), i == 4 ? 7 : kPiece);
    EXPECT_EQ(metainfo.tree.FileOf(i), files[i]);
  }
  EXPECT_EQ(Sample(true).padded_piece_size(4), kPiece);
  EXPECT_TRUE(metainfo.Validate().ok()) << metainfo.Validate();
}

TEST(FileTree, APieceIsProvenByTheBytesOfItsFileAlone) {
  const Metainfo metainfo = Sample();
  const std::string bytes = test::SampleBytes(metainfo.length);
  const std::vector<Sha256Digest> leaf = {Sha256(std::string_view(bytes).substr(2 * kPiece, 5))};
  EXPECT_TRUE(metainfo.VerifyPiece(2, leaf));
  std::string padded = bytes.substr(2 * kPiece, 5);
  padded.resize(kPiece, '\0');
  EXPECT_FALSE(metainfo.VerifyPiece(2, std::vector<Sha256Digest>{Sha256(padded)}));
  EXPECT_EQ(metainfo.v1_pieces[2], Sha1(padded));
}

TEST(FileTree, WhatIsWrittenIsReadBackInEachFormat) {
  for (const bool padded : {false, true}) {
    const Metainfo metainfo = Sample(padded);
    for (const TorrentFormat format : {TorrentFormat::kHybrid, TorrentFormat::kV1, TorrentFormat::kV2}) {
      const auto read = ParseTorrent(WriteTorrent({metainfo, format, {}, {}}));
      ASSERT_TRUE(read.ok()) << read.status();
      EXPECT_EQ(read->metainfo, metainfo);
    }
  }
}

// A tree's id says which files it has and no more than that.
TEST(FileTree, TheContentIdDependsOnPathsLengthsBytesAndNothingElse) {
  const Metainfo metainfo = Sample();
  Metainfo renamed = metainfo;
  renamed.name = "other";
  EXPECT_EQ(renamed.content(), metainfo.content());
  EXPECT_EQ(Sample(true).content(), metainfo.content());
  const std::function<void(FileTree::File&)> changes[] = {
      [](FileTree::File& file) { file.path.back() += "x"; },
      [](FileTree::File& file) { file.path.insert(file.path.begin(), "a0"); },
      [](FileTree::File& file) { ++file.length; },
      [](FileTree::File& file) { file.pieces_root[0] ^= 1; },
      [](FileTree::File& file) { file.executable = !file.executable; },
  };
  for (const auto& change : changes) {
    std::vector<FileTree::File> files = metainfo.tree.files();
    change(files[0]);
    EXPECT_NE(FileTree(files, kPiece).Root(), metainfo.pieces_root);
  }
}

TEST(FileTree, RefusesPathsThatLeadElsewhereAndSaysWhich) {
  const std::pair<std::function<void(std::vector<FileTree::File>&)>, const char*> cases[] = {
      {[](auto& files) { files[0].path = {".."}; }, "directory reference"},
      {[](auto& files) { files[0].path = {"a/b"}; }, "path separator"},
      {[](auto& files) { files[0].path = {""}; }, "empty"},
      {[](auto& files) { files[0].path = {std::string(256, 'a')}; }, "256 bytes"},
      {[](auto& files) { files[0].path = {}; }, "no path"},
      {[](auto& files) { files[0].path = std::vector<std::string>(kTreeDepthLimit + 1, "a"); }, "parts"},
      {[](auto& files) { files[0].path = std::vector<std::string>(5, std::string(250, 'a')); }, "too long"},
      {[](auto& files) { files[1].path = {"a"}; }, "a twice"},
      {[](auto& files) {
         files[1].path = {"a", "b"};
       },
       "a/b twice, out of order, or as a file and a directory"},
      {[](auto& files) { std::swap(files[0], files[3]); }, "out of order"},
      {[](auto& files) { files[1].pieces_root[0] = 1; }, "empty file b/empty has a pieces root"},
      {[](auto& files) { files[0].length = files[2].length = uint64_t{1} << 62; }, "too long together"},
      {[](auto& files) { files = {files[1]}; }, "all files of the tree are empty"},
  };
  for (const auto& [spoil, why] : cases) {
    std::vector<FileTree::File> files = Sample().tree.files();
    spoil(files);
    const absl::Status status = FileTree(files, kPiece).Validate();
    EXPECT_NE(status.message().find(why), std::string::npos) << status << " instead of " << why;
  }
}

TEST(FileTree, RefusesAMetainfoWhosePartsDisagree) {
  const std::pair<std::function<void(Metainfo&)>, const char*> cases[] = {
      {[](Metainfo& m) { ++m.length; }, "bytes, not"},
      {[](Metainfo& m) { m.tree = FileTree(m.tree.files(), 2 * kPiece); }, "in pieces of"},
      {[](Metainfo& m) { m.piece_layer.pop_back(); }, "piece layer has 4 entries instead of 5"},
      {[](Metainfo& m) { m.piece_layer[1][0] ^= 1; }, "piece layer of a does not hash"},
      {[](Metainfo& m) { m.piece_layer[4][0] ^= 1; }, "piece layer of c does not hash"},
      {[](Metainfo& m) { m.pieces_root[0] ^= 1; }, "root that names the content"},
      {[](Metainfo& m) { m.v1_pieces.pop_back(); }, "v1 piece hashes"},
      {[](Metainfo& m) {
         m.tree = FileTree({{{"tree"}, m.length, m.pieces_root, false}}, kPiece);
       },
       "how a single file looks"},
  };
  for (const auto& [spoil, why] : cases) {
    Metainfo metainfo = Sample();
    spoil(metainfo);
    const absl::Status status = metainfo.Validate();
    EXPECT_NE(status.message().find(why), std::string::npos) << status << " instead of " << why;
  }
}

// Of both sides of a hybrid torrent the same files are read by all, whichever side they know.
TEST(FileTree, RefusesTorrentsWhoseSidesDisagree) {
  const std::string torrent = WriteTorrent({Sample(), TorrentFormat::kHybrid, {}, {}});
  ASSERT_EQ(ErrorOf(torrent), "accepted");
  const std::string files = "5:filesl";
  const auto in_files = [&](const std::string& from, const std::string& to) {
    std::string spoiled = torrent;
    const size_t at = spoiled.find(from, spoiled.find(files));
    EXPECT_NE(at, std::string::npos) << from;
    return spoiled.replace(at, from.size(), to);
  };
  EXPECT_NE(ErrorOf(in_files("4:pathl1:ae", "4:pathl1:be")).find("disagree about file 1"), std::string::npos);
  EXPECT_NE(ErrorOf(in_files("6:lengthi7e", "6:lengthi8e")).find("disagree about file 4"), std::string::npos);
  EXPECT_NE(ErrorOf(in_files("4:attr1:p6:lengthi16379e", "4:attr1:p6:lengthi16378e")).find("does not lead"),
            std::string::npos);
  EXPECT_NE(
      ErrorOf(in_files("d4:attr1:p6:lengthi16379e4:pathl4:.pad5:16379ee", "")).find("begin with a piece"),
      std::string::npos);
  EXPECT_NE(ErrorOf(in_files("d6:lengthi7e4:pathl1:cee", "")).find("fewer files"), std::string::npos);
  EXPECT_NE(ErrorOf(in_files("d6:lengthi7e4:pathl1:cee", "d6:lengthi7e4:pathl1:ceed6:lengthi0e4:pathl1:dee"))
                .find("more files"),
            std::string::npos);
}

TEST(FileTree, RefusesSymbolicLinksAndWhatIsNoTree) {
  const std::string torrent = WriteTorrent({Sample(), TorrentFormat::kV2, {}, {}});
  const auto spoil = [&](const std::string& from, const std::string& to) {
    std::string spoiled = torrent;
    const size_t at = spoiled.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return ErrorOf(spoiled.replace(at, from.size(), to));
  };
  EXPECT_NE(spoil("d0:d4:attr1:x6:length", "d0:d4:attr1:l6:length").find("symbolic links"),
            std::string::npos);
  EXPECT_NE(spoil("5:emptyd0:d6:lengthi0eee", "5:emptyde").find("empty holds no file"), std::string::npos);
  EXPECT_NE(
      spoil("5:emptyd0:d6:lengthi0eee", "5:emptyd0:d6:lengthi0ee1:xd0:d6:lengthi0eeee").find("is no file"),
      std::string::npos);
  EXPECT_NE(spoil("5:emptyd0:d6:lengthi0eee", "5:emptyd0:d6:lengthi-1eee").find("negative"),
            std::string::npos);
  EXPECT_NE(spoil("12:piece layersd32:", "12:piece layersd32:x").find("at byte"), std::string::npos);
}

}  // namespace
}  // namespace bt
