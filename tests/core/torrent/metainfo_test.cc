#include "core/torrent/metainfo.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <functional>

#include "core/torrent/merkle.h"
#include "core/torrent/sha1.h"
#include "tests/support/sample_content.h"

namespace bt {
namespace {

constexpr uint32_t kPiece = 64 * 1024;
constexpr uint64_t kLength = 5 * kPiece + 20'000;  // the last piece has two of four blocks, one of them short

Metainfo Sample() { return test::SampleMetainfo(kLength, kPiece); }

std::vector<Sha256Digest> LeavesOf(const std::string& bytes) {
  std::vector<Sha256Digest> leaves;
  for (size_t at = 0; at < bytes.size(); at += kBlockSize) {
    leaves.push_back(Sha256(std::string_view(bytes).substr(at, kBlockSize)));
  }
  return leaves;
}

TEST(Metainfo, KnowsTheSizesOfItsPieces) {
  const Metainfo metainfo = Sample();
  EXPECT_EQ(metainfo.piece_count(), 6u);
  EXPECT_EQ(metainfo.piece_size(0), kPiece);
  EXPECT_EQ(metainfo.piece_size(5), 20'000u);
  EXPECT_EQ(metainfo.block_count(0), 4u);
  EXPECT_EQ(metainfo.block_count(5), 2u);
}

TEST(Metainfo, AcceptsEveryTruePieceAndNoOther) {
  const std::string content = test::SampleBytes(kLength);
  const Metainfo metainfo = Sample();
  for (uint32_t i = 0; i < metainfo.piece_count(); ++i) {
    std::string piece = content.substr(uint64_t{i} * kPiece, metainfo.piece_size(i));
    EXPECT_TRUE(metainfo.VerifyPiece(i, LeavesOf(piece))) << i;
    EXPECT_EQ(metainfo.v1_pieces[i], Sha1(piece)) << "the last v1 piece is not padded";
    piece[piece.size() / 2] ^= 1;
    EXPECT_FALSE(metainfo.VerifyPiece(i, LeavesOf(piece))) << i;
  }
  EXPECT_FALSE(metainfo.VerifyPiece(0, LeavesOf(content.substr(kPiece, kPiece))));
  EXPECT_FALSE(metainfo.VerifyPiece(0, LeavesOf(content.substr(0, kBlockSize))));
  EXPECT_FALSE(metainfo.VerifyPiece(0, {}));
}

TEST(Metainfo, AcceptsTheOnlyPieceOfAShortContentAgainstTheRoot) {
  const std::string content = test::SampleBytes(40'000);
  const Metainfo metainfo = test::SampleMetainfo(40'000, 1 << 20);
  ASSERT_TRUE(metainfo.piece_layer.empty());
  EXPECT_TRUE(metainfo.VerifyPiece(0, LeavesOf(content)));
  EXPECT_FALSE(metainfo.VerifyPiece(0, LeavesOf(content.substr(0, 39'999))));
}

TEST(Metainfo, ContentDoesNotDependOnPieceLengthOrName) {
  EXPECT_EQ(test::SampleMetainfo(kLength, kPiece).content(),
            test::SampleMetainfo(kLength, 16 * 1024).content());
}

TEST(MetainfoBuilder, DoesNotCareHowTheBytesAreCut) {
  const std::string content = test::SampleBytes(kLength);
  const Metainfo whole = Sample();
  EXPECT_TRUE(rc::check("cuts", [&] {
    MetainfoBuilder builder(whole.name, kLength, kPiece);
    for (size_t at = 0; at < content.size();) {
      const size_t take =
          std::min(content.size() - at, *rc::gen::element<size_t>(1, 5000, 16384, 20000, 70000));
      builder.Update(std::string_view(content).substr(at, take));
      at += take;
    }
    RC_ASSERT(builder.Finish() == whole);
  }));
}

TEST(PieceHasher, PiecesHashedInAnyOrderMakeTheSameMetainfo) {
  const std::string content = test::SampleBytes(kLength);
  std::vector<PieceHashes> pieces(6);
  const Metainfo form{.name = test::SampleName(kLength), .length = kLength, .piece_length = kPiece};
  PieceHasher hasher(form);
  for (const size_t i : {5, 0, 3, 1, 4, 2}) {
    hasher.Update(std::string_view(content).substr(i * kPiece, kPiece));
    pieces[i] = hasher.Finish(static_cast<uint32_t>(i));
  }
  EXPECT_EQ(AssembleMetainfo(form, pieces), Sample());
}

TEST(Metainfo, RefusesWrongFormsAndSaysWhich) {
  const std::pair<std::function<void(Metainfo&)>, const char*> cases[] = {
      {[](Metainfo& m) { m.name = ""; }, "name is empty"},
      {[](Metainfo& m) { m.length = 0; }, "empty"},
      {[](Metainfo& m) { m.length = UINT64_MAX; }, "pieces; at most 131072"},
      {[](Metainfo& m) { m.length += kPiece; }, "piece layer has 6 entries instead of 7"},
      {[](Metainfo& m) { m.piece_length = 0; }, "power of two"},
      {[](Metainfo& m) { m.piece_length = kPiece + 1; }, "power of two"},
      {[](Metainfo& m) { m.piece_length = 8192; }, "power of two between"},
      {[](Metainfo& m) { m.piece_length = 1u << 31; }, "power of two between"},
      {[](Metainfo& m) { m.piece_layer.pop_back(); }, "piece layer has 5 entries instead of 6"},
      {[](Metainfo& m) { m.piece_layer[2][0] ^= 1; }, "does not hash to the pieces root"},
      {[](Metainfo& m) { m.pieces_root[0] ^= 1; }, "does not hash to the pieces root"},
      {[](Metainfo& m) { std::swap(m.piece_layer[0], m.piece_layer[1]); }, "does not hash"},
      {[](Metainfo& m) { m.v1_pieces.pop_back(); }, "5 v1 piece hashes instead of 6"},
      {[](Metainfo& m) { m.foreign_info_hashes.resize(3); }, "foreign info-hashes"},
  };
  ASSERT_TRUE(Sample().Validate().ok());
  for (const auto& [spoil, reason] : cases) {
    Metainfo metainfo = Sample();
    spoil(metainfo);
    const std::string message(metainfo.Validate().message());
    EXPECT_NE(message.find(reason), std::string::npos) << reason << " / " << message;
  }
}

TEST(Metainfo, HasAllFormatsOnlyWithV1Hashes) {
  Metainfo metainfo = Sample();
  EXPECT_EQ(metainfo.AllInfoHashes().size(), 4u);
  metainfo.foreign_info_hashes = {InfoHash{1}, metainfo.AllInfoHashes()[0]};
  EXPECT_EQ(metainfo.AllInfoHashes().size(), 5u) << "each hash once";
  metainfo.foreign_info_hashes.clear();
  metainfo.v1_pieces.clear();
  EXPECT_TRUE(metainfo.Validate().ok());
  EXPECT_FALSE(metainfo.Has(TorrentFormat::kHybrid));
  EXPECT_FALSE(metainfo.Has(TorrentFormat::kV1));
  EXPECT_EQ(metainfo.AllInfoHashes().size(), 1u);
}

TEST(ValidateName, AcceptsOrdinaryNames) {
  for (const std::string& name :
       {std::string("music.mp3"), std::string("..."), std::string(".hidden"), std::string("a b"),
        std::string("Größe 日本 🎵.bin"), std::string(255, 'x')}) {
    EXPECT_TRUE(ValidateName(name).ok()) << name << ValidateName(name);
  }
}

TEST(ValidateName, RefusesNamesThatCouldLeaveTheTargetOrDisturbATerminal) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "empty"},
      {".", "directory reference"},
      {"..", "directory reference"},
      {"a/b", "path separator"},
      {"/etc/passwd", "path separator"},
      {"../x", "path separator"},
      {"a\\b", "path separator"},
      {std::string("a\0b", 3), "NUL"},
      {"a\nb", "control character"},
      {"\x1b[2J", "control character"},
      {"a\x7f", "control character"},
      {"a\xc2\x9b", "control character"},
      {std::string(256, 'x'), "at most 255"},
      {"\xff", "not UTF-8"},
      {"\xc0\xaf", "not UTF-8"},          // an overlong slash
      {"\xe0\x80\xaf", "not UTF-8"},      // another
      {"\xed\xa0\x80", "not UTF-8"},      // a surrogate
      {"\xf4\x90\x80\x80", "not UTF-8"},  // beyond Unicode
      {"a\xe2\x82", "not UTF-8"},         // cut short
  };
  for (const auto& [name, reason] : cases) {
    const std::string message(ValidateName(name).message());
    EXPECT_NE(message.find(reason), std::string::npos) << reason << " / " << message;
  }
}

TEST(DefaultPieceLength, KeepsTheNumberOfPiecesReasonable) {
  EXPECT_EQ(DefaultPieceLength(1), 16u << 10);
  EXPECT_EQ(DefaultPieceLength(32 << 20), 16u << 10);
  EXPECT_EQ(DefaultPieceLength((32 << 20) + 1), 32u << 10);
  EXPECT_EQ(DefaultPieceLength(1 << 30), 512u << 10);
  EXPECT_EQ(DefaultPieceLength(uint64_t{1} << 40), 16u << 20);
  EXPECT_EQ(DefaultPieceLength(uint64_t{8} << 40), 64u << 20);
  EXPECT_EQ(DefaultPieceLength(UINT64_MAX), 64u << 20);
}

}  // namespace
}  // namespace bt
