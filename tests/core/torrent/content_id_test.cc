#include "core/torrent/content_id.h"

#include <gtest/gtest.h>

namespace bt {
namespace {

const std::string kRoot(64, 'a');

TEST(ContentId, PrintsAndReadsRootAndLength) {
  const auto id = ContentId::Parse(kRoot + "-18446744073709551615");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->length, UINT64_MAX);
  EXPECT_EQ(id->root[31], 0xaa);
  EXPECT_EQ(id->ToString(), kRoot + "-18446744073709551615");
}

TEST(ContentId, HasOneSpellingOnly) {
  for (const std::string& text :
       {std::string(), kRoot, kRoot + "-", kRoot + "-01", kRoot + "-+1", kRoot + "--1", kRoot + "-1 ",
        " " + kRoot + "-1", kRoot + "-18446744073709551616", std::string(64, 'A') + "-1",
        std::string(64, 'g') + "-1", kRoot.substr(1) + "-12", kRoot + "a-1", kRoot + "-1e3"}) {
    EXPECT_FALSE(ContentId::Parse(text)) << text;
  }
}

}  // namespace
}  // namespace bt
