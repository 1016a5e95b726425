#include "core/torrent/sha1.h"

#include <gtest/gtest.h>

#include <string>

#include "core/base/digest.h"

namespace bt {
namespace {

// FIPS 180-2, appendix.
TEST(Sha1, KnowsTheStandardVectors) {
  EXPECT_EQ(Hex(Sha1("")), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(Hex(Sha1("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(Hex(Sha1(std::string(1'000'000, 'a'))), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

TEST(Sha1, AStreamDoesNotCareHowBytesAreCutAndStartsOver) {
  Sha1Stream stream;
  stream.Update("a");
  stream.Update("");
  stream.Update("bc");
  EXPECT_EQ(stream.Finish(), Sha1("abc"));
  stream.Update("abc");
  EXPECT_EQ(stream.Finish(), Sha1("abc"));
  EXPECT_EQ(stream.Finish(), Sha1(""));
}

}  // namespace
}  // namespace bt
