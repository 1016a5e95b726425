#include "core/tracker_api/tracker_api.h"

#include <gtest/gtest.h>

#include <string>

namespace bt::tracker_api {
namespace {

TEST(TorrentKeyTest, EveryKeyIsReadAsItIsPrinted) {
  InfoHash hash{};
  hash[0] = 0xab;
  ContentId content;
  content.root[31] = 7;
  content.length = 12;
  for (const TorrentKey& key : {TorrentKey(content), TorrentKey(hash), TorrentKey(std::string("a song"))}) {
    EXPECT_EQ(ParseTorrentKey(KeyText(key)), key) << Describe(key);
  }
}

TEST(TorrentKeyTest, ALongInfoHashIsCutAsBep52SaysAndAnythingElseIsAName) {
  const std::string v2(64, 'c');
  EXPECT_EQ(KeyText(ParseTorrentKey(v2)), v2.substr(0, 40));
  EXPECT_EQ(ParseTorrentKey(v2.substr(0, 39)), TorrentKey(v2.substr(0, 39)));
  EXPECT_EQ(ParseTorrentKey(std::string(40, 'g')), TorrentKey(std::string(40, 'g')));
  EXPECT_EQ(ParseTorrentKey(""), TorrentKey(std::string()));
}

TEST(TorrentKeyTest, DescriptionsSayWhatKindOfKeyItIsInBoundedLength) {
  EXPECT_EQ(Describe(InfoHash{}), "info-hash " + std::string(40, '0'));
  EXPECT_EQ(Describe(std::string("song")), "name \"song\"");
  EXPECT_LT(Describe(std::string(10'000, 'x')).size(), 300u);
}

TEST(AnswersTest, RolesHaveNamesAndNamesHaveRoles) {
  for (const Role role : kRoles) EXPECT_EQ(ParseRole(RoleName(role)), role);
  EXPECT_EQ(ParseRole("canvasser"), std::nullopt);
  EXPECT_EQ(ParseRole(""), std::nullopt);
}

TEST(AnswersTest, OnlyWhatLeftNoTraceMayBeRepeatedAsIfNew) {
  EXPECT_TRUE(LeftNoTrace(Unavailable("later").outcome));
  EXPECT_TRUE(LeftNoTrace(Outcome::kSessionExpired));
  for (const Outcome outcome : {Outcome::kOk, Outcome::kCreated, Outcome::kInvalid, Outcome::kNotFound,
                                Outcome::kConflict, Outcome::kTooLarge}) {
    EXPECT_FALSE(LeftNoTrace(outcome));
  }
}

}  // namespace
}  // namespace bt::tracker_api
