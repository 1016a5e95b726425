#include "core/base/digest.h"

#include <gtest/gtest.h>

namespace bt {
namespace {

// FIPS 180-2, appendix.
TEST(Digest, KnowsTheStandardVectors) {
  EXPECT_EQ(Hex(Sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Hex(Sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Hex(Sha256(std::string(1'000'000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// xxHash's own test vectors: the empty input and seed 0.
TEST(Digest, HashBytesIsXxh3) {
  EXPECT_EQ(HashBytes(""), 0x2d06800538d394c2u);
  EXPECT_NE(HashBytes("a"), HashBytes("b"));
  EXPECT_NE(HashBytes("a", 1), HashBytes("a", 2));
}

TEST(Digest, RollingDigestSeesOrderAndBoundaries) {
  const auto of = [](std::initializer_list<std::string_view> parts) {
    RollingDigest digest;
    for (const std::string_view part : parts) digest.Add(part);
    return digest.value();
  };
  EXPECT_EQ(of({"a", "b"}), of({"a", "b"}));
  EXPECT_NE(of({"a", "b"}), of({"b", "a"}));
  EXPECT_NE(of({"ab", ""}), of({"a", "b"}));
  EXPECT_NE(of({"a"}), of({"a", ""}));
}

TEST(Digest, HexIsLowerCaseAndReadBackInEitherCase) {
  EXPECT_EQ(Hex("\x01\xab\xff"), "01abff");
  std::array<uint8_t, 3> bytes{};
  EXPECT_TRUE(FromHex("01aBfF", bytes));
  EXPECT_EQ(Hex(bytes), "01abff");
  for (const char* text : {"", "01abf", "01abff0", "01abfg", " 1abff", "0x1abf"}) {
    EXPECT_FALSE(FromHex(text, bytes)) << text;
  }
}

}  // namespace
}  // namespace bt
