#include "core/base/slot_map.h"

#include <gtest/gtest.h>

#include <string>

namespace bt {
namespace {

TEST(SlotMapTest, ANumberGivenBackIsTheNextToBeTaken) {
  SlotMap<std::string> map;
  EXPECT_EQ(map.Take(), 0u);
  EXPECT_EQ(map.Take(), 1u);
  EXPECT_EQ(map.Take(), 2u);
  map.GiveBack(0);
  map.GiveBack(1);
  EXPECT_EQ(map.size(), 1u);
  EXPECT_EQ(map.Take(), 1u);
  EXPECT_EQ(map.Take(), 0u);
  EXPECT_EQ(map.Take(), 3u);
  EXPECT_EQ(map.end(), 4u);
}

TEST(SlotMapTest, TheKeyOfAValueThatIsGoneFindsNothingThoughItsNumberIsInUseAgain) {
  SlotMap<std::string> map;
  const uint32_t number = map.Take();
  const uint64_t key = map.KeyOf(number);
  EXPECT_TRUE(map.Holds(key));
  map.GiveBack(number);
  EXPECT_FALSE(map.Holds(key));
  ASSERT_EQ(map.Take(), number);
  EXPECT_FALSE(map.Holds(key));
  EXPECT_TRUE(map.Holds(map.KeyOf(number)));
}

TEST(SlotMapTest, NoKeyIsZeroAndStrangeKeysAreNotHeld) {
  SlotMap<std::string> map;
  EXPECT_NE(map.KeyOf(map.Take()), 0u);
  EXPECT_FALSE(map.Holds(0));
  EXPECT_FALSE(map.Holds(UINT64_MAX));
}

}  // namespace
}  // namespace bt
