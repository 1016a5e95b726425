#include "core/base/slice.h"

#include <gtest/gtest.h>

namespace bt {
namespace {

TEST(Slice, SharesItsBytesInsteadOfCopyingThem) {
  const Slice whole = Slice::Copy("0123456789");
  const Slice copy = whole;
  const Slice part = whole.Sub(2, 3);
  EXPECT_EQ(copy.data(), whole.data());
  EXPECT_EQ(part.data(), whole.data() + 2);
  EXPECT_EQ(part.view(), "234");
  EXPECT_EQ(whole.From(7).view(), "789");
}

TEST(Slice, KeepsItsBytesAliveAsLongAsAnyPartIsHeld) {
  auto owner = std::make_shared<std::string>("bytes of the owner");
  const std::weak_ptr<std::string> alive = owner;
  const char* data = owner->data();
  Slice part = Slice::Wrap(std::move(owner), data, 18).Sub(0, 5);
  EXPECT_FALSE(alive.expired());
  EXPECT_EQ(part.view(), "bytes");
  part = Slice();
  EXPECT_TRUE(alive.expired());
}

TEST(Slice, EqualsByBytes) {
  EXPECT_EQ(Slice::Copy("a"), Slice::Static("a"));
  EXPECT_EQ(Slice::Own(std::string()), Slice());
  EXPECT_FALSE(Slice::Copy("a") == Slice::Copy("b"));
  EXPECT_EQ(Slice().From(0).size(), 0u);
}

TEST(SliceDeathTest, StopsAtAPartBeyondItsEnd) {
  const Slice slice = Slice::Static("abc");
  EXPECT_DEATH(slice.Sub(1, 3), "CHECK failed");
  EXPECT_DEATH(slice.Sub(4, 0), "CHECK failed");
  EXPECT_DEATH(slice.Sub(2, SIZE_MAX), "CHECK failed");
}

}  // namespace
}  // namespace bt
