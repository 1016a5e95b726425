#include "core/base/bytes.h"

#include <gtest/gtest.h>

namespace bt {
namespace {

TEST(BytesTest, LittleEndianPutsTheLeastSignificantByteFirst) {
  char bytes[8] = {};
  StoreLittle(bytes, 0x0102030405060708, 8);
  EXPECT_EQ(std::string_view(bytes, 8), "\x08\x07\x06\x05\x04\x03\x02\x01");
  EXPECT_EQ(LoadLittle(bytes, 8), 0x0102030405060708u);
  EXPECT_EQ(LoadLittle(bytes, 3), 0x060708u);
}

TEST(BytesTest, BigEndianPutsTheMostSignificantByteFirst) {
  std::string bytes;
  AppendBig(bytes, 0xfffefd, 4);
  AppendBig(bytes, 0x1234, 2);
  EXPECT_EQ(bytes, std::string_view("\x00\xff\xfe\xfd\x12\x34", 6));
  EXPECT_EQ(LoadBig(bytes.data(), 4), 0xfffefdu);
  EXPECT_EQ(LoadBig(bytes.data() + 4, 2), 0x1234u);
}

TEST(BytesTest, ArraysAreJoinedInOrder) {
  EXPECT_EQ(Joined(std::vector<std::array<uint8_t, 2>>{{'a', 'b'}, {'c', 'd'}}), "abcd");
}

}  // namespace
}  // namespace bt
