#include "nodes/shared/tokens.h"

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace bt::nodes {
namespace {

TokenRoles Roles(const char* text) { return TokenRoles::Parse(text).value(); }

// What a file of tokens is refused for; empty: it is not.
std::string Wrong(const std::string& text) {
  return std::string(TokenTable::Parse(text, "tokens").status().message());
}

TEST(TokenRoles, IncludeWhatTheirHolderNeedsBesides) {
  EXPECT_TRUE(Roles("offer").Has(TokenRole::kRead));
  EXPECT_TRUE(Roles("register").Has(TokenRole::kRead));
  EXPECT_FALSE(Roles("read").Has(TokenRole::kOffer));
  EXPECT_FALSE(Roles("offer").Has(TokenRole::kRegister));
  EXPECT_FALSE(Roles("register,offer").Has(TokenRole::kAdmin));
  EXPECT_FALSE(Roles("announce").Has(TokenRole::kRead));
  EXPECT_FALSE(Roles("offer,register").Has(TokenRole::kAnnounce));
  for (int role = 0; role < static_cast<int>(TokenRole::kCount); ++role) {
    EXPECT_TRUE(Roles("admin").Has(static_cast<TokenRole>(role)));
  }
  for (const char* text : {"read", "offer", "register", "offer,register", "admin", "announce",
                           "read,announce", "offer,register,announce"}) {
    EXPECT_EQ(Roles(text).ToString(), text);
  }
  for (const char* text : {"", "reader", "read,", "Read", "read offer"}) {
    EXPECT_FALSE(TokenRoles::Parse(text).ok()) << text;
  }
}

TEST(Tokens, AreDrawnAnewAndCanBeShown) {
  const std::string token = DrawToken();
  EXPECT_TRUE(IsToken(token));
  EXPECT_EQ(token.size(), 4u + 64u);
  EXPECT_NE(token, DrawToken());
  for (const char* text : {"", "a b", "a\n", "=", "t\xc3\xa4"}) EXPECT_FALSE(IsToken(text)) << text;
  EXPECT_TRUE(IsToken(std::string(kTokenBytesMax, 'a')));
  EXPECT_FALSE(IsToken(std::string(kTokenBytesMax + 1, 'a')));
}

TEST(Tokens, AreReadOfAFileThatHoldsNothingElse) {
  const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/token";
  const auto read = [&](const std::string& text) {
    std::ofstream(path, std::ios::trunc) << text;
    return ReadToken(path);
  };
  EXPECT_EQ(read("btt_1234\n").value(), "btt_1234");
  for (const std::string text : {"", "\n", "two words\n", "two\nlines\n"}) {
    const absl::StatusOr<std::string> token = read(text);
    ASSERT_FALSE(token.ok()) << text;
    // What stands there may be a secret all the same.
    EXPECT_EQ(token.status().message().find("two"), absl::string_view::npos);
  }
}

TEST(TokenTable, FindsWhoseTokenItIs) {
  const std::string alice = DrawToken(), bob = DrawToken();
  const auto table =
      TokenTable::Parse(absl::StrCat("# who may what\n\n", TokenLine("alice", Roles("admin"), alice),
                                     "\r\n  ", TokenLine("bob", Roles("offer"), bob), " \n"),
                        "tokens");
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_NE(table->Find(alice), nullptr);
  EXPECT_EQ(table->Find(alice)->name, "alice");
  EXPECT_EQ(table->Find(bob)->name, "bob");
  EXPECT_TRUE(table->Find(bob)->roles.Has(TokenRole::kOffer));
  EXPECT_FALSE(table->Find(bob)->roles.Has(TokenRole::kRegister));
  for (const std::string& token : {std::string(), std::string("alice"), alice + "0", alice.substr(1)}) {
    EXPECT_EQ(table->Find(token), nullptr) << token;
  }
  EXPECT_FALSE(table->anybody().Has(TokenRole::kRead));
}

TEST(TokenTable, SaysWhatAnybodyMay) {
  const auto table = TokenTable::Parse("anybody read -\n", "tokens");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_TRUE(table->anybody().Has(TokenRole::kRead));
  EXPECT_FALSE(table->anybody().Has(TokenRole::kOffer));
  EXPECT_EQ(table->size(), 0u);
}

TEST(TokenTable, NamesTheLineThatIsWrongAndWhy) {
  const std::string good = TokenLine("alice", Roles("read"), "a");
  EXPECT_EQ(Wrong(good), "");
  const auto expect = [&](const std::string& line, const char* why) {
    const std::string said = Wrong(good + "\n" + line);
    EXPECT_TRUE(said.starts_with("tokens, line 2: ")) << line << ": " << said;
    EXPECT_NE(said.find(why), std::string::npos) << said;
  };
  const std::string hash(64, '0');
  expect("bob read", "NAME ROLES SHA256-HEX");
  expect("bob read " + hash + " more", "NAME ROLES SHA256-HEX");
  expect("bob reads " + hash, "'reads' is no role");
  expect("b/b read " + hash, "'b/b' is no name");
  expect(std::string(65, 'b') + " read " + hash, "is no name");
  expect("bob read " + hash.substr(1), "64 hexadecimal digits");
  expect("bob read btt_1234", "64 hexadecimal digits");
  expect(TokenLine("bob", Roles("admin"), "a"), "already, as alice");
  expect("anybody read " + hash, "anybody has no token");
  EXPECT_NE(Wrong("anybody read -\nanybody offer -").find("line 2: anybody stands there"), std::string::npos);
}

TEST(TokenTable, HasALimit) {
  std::string text;
  for (size_t i = 0; i < TokenTable::kEntriesMax; ++i) {
    text += TokenLine(absl::StrCat("n", i), Roles("read"), absl::StrCat(i)) + "\n";
  }
  EXPECT_EQ(Wrong(text), "");
  EXPECT_LE(text.size(), TokenTable::kFileBytesMax);
  EXPECT_NE(Wrong(text + TokenLine("more", Roles("read"), "more")).find("at most 1024 tokens"),
            std::string::npos);
}

}  // namespace
}  // namespace bt::nodes
