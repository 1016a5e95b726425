// Which files of a tree a pattern means.

#include "core/swarm/selection.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/swarm/path_pattern.h"
#include "tests/support/sample_content.h"

namespace bt::swarm::test {
namespace {

constexpr uint32_t kPieceLength = 16 * 1024;

// Pieces: a/notes.txt 0, a/summer/1.jpg 1 and 2, a/summer/2.jpg 3, b*c 4, empty none, top.jpg 5.
Metainfo Photos() {
  const FileTree tree({{{"a", "notes.txt"}, 10, {}, false},
                       {{"a", "summer", "1.jpg"}, kPieceLength + 1, {}, false},
                       {{"a", "summer", "2.jpg"}, kPieceLength, {}, false},
                       {{"b*c"}, 7, {}, false},
                       {{"empty"}, 0, {}, false},
                       {{"top.jpg"}, 3, {}, false}},
                      kPieceLength);
  MetainfoBuilder builder("photos", tree, kPieceLength);
  builder.Update(std::string(tree.length(), 'p'));
  return builder.Finish();
}

std::vector<size_t> Selected(const std::vector<std::string>& patterns) {
  const Metainfo photos = Photos();
  const absl::StatusOr<Selection> selection = Selection::Of(photos, patterns);
  EXPECT_TRUE(selection.ok()) << selection.status();
  std::vector<size_t> files;
  for (size_t i = 0; selection.ok() && i < photos.tree.files().size(); ++i) {
    if (selection->HasFile(i)) files.push_back(i);
  }
  return files;
}

std::string Refusal(const std::vector<std::string>& patterns) {
  const absl::StatusOr<Selection> selection = Selection::Of(Photos(), patterns);
  return selection.ok() ? "" : std::string(selection.status().message());
}

TEST(PathPattern, AStarStopsAtASlashTwoDoNotAndADirectoryMeansWhatIsInIt) {
  EXPECT_TRUE(PatternMeans("a/*.txt", "a/notes.txt"));
  EXPECT_FALSE(PatternMeans("*.jpg", "a/summer/1.jpg"));
  EXPECT_TRUE(PatternMeans("**.jpg", "a/summer/1.jpg"));
  EXPECT_TRUE(PatternMeans("**/?.jpg", "a/summer/1.jpg"));
  EXPECT_TRUE(PatternMeans("**/top.jpg", "top.jpg"));
  EXPECT_FALSE(PatternMeans("**/op.jpg", "top.jpg")) << "a directory ends with a slash";
  EXPECT_TRUE(PatternMeans("a/**/1.jpg", "a/1.jpg"));
  EXPECT_TRUE(PatternMeans("a/s*", "a/summer/1.jpg"));
  EXPECT_TRUE(PatternMeans("a/", "a/summer/1.jpg"));
  EXPECT_FALSE(PatternMeans("a/sum", "a/summer/1.jpg"));
  EXPECT_FALSE(PatternMeans("a?notes.txt", "a/notes.txt"));
  EXPECT_FALSE(PatternMeans("notes.txt", "a/notes.txt"));
  EXPECT_TRUE(PatternMeans("*", "a/b/c"));
  EXPECT_FALSE(PatternMeans("", "a"));
}

TEST(PathPattern, ManyStarsTakeNoLongerThanTheTextIsLong) {
  EXPECT_FALSE(PatternMeans("**a**a**a**a**a**a**a**a**a**a**b", std::string(1000, 'a')));
}

TEST(Selection, PatternsTogetherSelectPiecesOfTheirFilesAndCountThem) {
  const absl::StatusOr<Selection> selection = Selection::Of(Photos(), {"a/summer/1.jpg", "top.*", "empty"});
  ASSERT_TRUE(selection.ok());
  EXPECT_TRUE(selection->given());
  EXPECT_EQ(selection->files(), 3u);
  EXPECT_EQ(selection->pieces(), 3u);
  EXPECT_EQ(selection->bytes(), kPieceLength + 4u);
  for (const uint32_t piece : {1u, 2u, 5u}) EXPECT_TRUE(selection->Has(PieceIndex(piece))) << piece;
  for (const uint32_t piece : {0u, 3u, 4u}) EXPECT_FALSE(selection->Has(PieceIndex(piece))) << piece;
}

TEST(Selection, WithoutPatternsEverythingIsSelected) {
  const Metainfo photos = Photos();
  const absl::StatusOr<Selection> all = Selection::Of(photos, {});
  ASSERT_TRUE(all.ok());
  EXPECT_FALSE(all->given());
  EXPECT_EQ(all->pieces(), photos.piece_count());
  EXPECT_EQ(all->bytes(), photos.length);
  EXPECT_TRUE(all->unselected().none());
  EXPECT_EQ(Selected({"*"}), (std::vector<size_t>{0, 1, 2, 3, 4, 5}));
}

TEST(Selection, APathIsMeantLetterByLetterBeforeItIsAPattern) {
  EXPECT_EQ(Selected({"b*c"}), std::vector<size_t>{3});
  EXPECT_EQ(Selected({"a/summer/"}), (std::vector<size_t>{1, 2}));
  EXPECT_EQ(Selected({"a/summer"}), (std::vector<size_t>{1, 2}));
}

TEST(Selection, APatternThatMeansNothingIsToldPathsNearIt) {
  EXPECT_EQ(Refusal({"a/*", "summer/1.jpeg"}),
            "no file of photos matches 'summer/1.jpeg'; near it: a/summer/1.jpg, a/summer/2.jpg");
  EXPECT_EQ(Refusal({"zzz"}), "no file of photos matches 'zzz'; it has 6 files, inspect lists them");
}

TEST(Selection, ThereIsNothingToSelectFromInASingleFileAndPatternsAreLimited) {
  const absl::Status single = Selection::Of(bt::test::SampleMetainfo(5, kPieceLength), {"*"}).status();
  EXPECT_EQ(single.code(), absl::StatusCode::kInvalidArgument) << single;
  EXPECT_NE(Refusal(std::vector<std::string>(kPatternLimit + 1, "*")), "");
  EXPECT_EQ(Refusal(std::vector<std::string>(kPatternLimit, "*")), "");
  EXPECT_NE(Refusal({std::string(kPatternBytesLimit + 1, '*')}), "");
  EXPECT_EQ(Refusal({std::string(kPatternBytesLimit, '*')}), "");
  EXPECT_NE(Refusal({""}), "");
}

}  // namespace
}  // namespace bt::swarm::test
