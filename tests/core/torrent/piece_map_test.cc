#include "core/torrent/piece_map.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <optional>
#include <set>

namespace bt {
namespace {

PieceRange Pieces(uint32_t first, uint32_t count) { return {PieceIndex(first), count}; }

PieceMap MapOf(uint32_t size, const std::set<uint32_t>& pieces) {
  PieceMap map(size);
  for (const uint32_t piece : pieces) map.Add(PieceIndex(piece));
  return map;
}

TEST(PieceMap, CountsWhatIsAddedAndRemovedOnce) {
  PieceMap map(70);
  EXPECT_TRUE(map.none());
  EXPECT_TRUE(map.Add(PieceIndex(69)));
  EXPECT_FALSE(map.Add(PieceIndex(69)));
  EXPECT_EQ(map.count(), 1u);
  EXPECT_TRUE(map.Has(PieceIndex(69)));
  EXPECT_TRUE(map.Remove(PieceIndex(69)));
  EXPECT_FALSE(map.Remove(PieceIndex(69)));
  EXPECT_TRUE(map.none());
}

TEST(PieceMap, AllHasEveryPieceAndNoSpareBit) {
  for (const uint32_t size : {1u, 7u, 8u, 63u, 64u, 65u, 128u, 1000u}) {
    PieceMap one_by_one(size);
    for (uint32_t i = 0; i < size; ++i) one_by_one.Add(PieceIndex(i));
    EXPECT_EQ(PieceMap::All(size), one_by_one);
    EXPECT_TRUE(one_by_one.all());
  }
}

TEST(PieceMap, FindsTheFirstPieceOfBothThatSuits) {
  EXPECT_TRUE(rc::check(
      "as sets do", [](const std::set<uint8_t>& one, const std::set<uint8_t>& other, uint8_t least) {
        const PieceMap a = MapOf(256, {one.begin(), one.end()});
        const PieceMap b = MapOf(256, {other.begin(), other.end()});
        std::optional<PieceIndex> first;
        for (const uint8_t piece : one) {
          if (!first && other.contains(piece) && piece >= least) first = PieceIndex(piece);
        }
        RC_ASSERT(a.FindInBoth(b, [&](PieceIndex piece) { return piece.value() >= least; }) == first);
      }));
}

TEST(PieceMap, BitfieldHasTheHighBitFirst) {
  EXPECT_EQ(MapOf(10, {0, 9}).ToBitfield(), std::string("\x80\x40", 2));
  EXPECT_EQ(PieceMap::FromBitfield(std::string("\x80\x40", 2), 10), MapOf(10, {0, 9}));
}

TEST(PieceMap, RefusesABitfieldOfWrongLengthOrWithASpareBit) {
  EXPECT_FALSE(PieceMap::FromBitfield("\x80", 10));
  EXPECT_FALSE(PieceMap::FromBitfield(std::string("\x80\x40\x00", 3), 10));
  EXPECT_FALSE(PieceMap::FromBitfield(std::string("\x80\x20", 2), 10));
  EXPECT_FALSE(PieceMap::FromBitfield("", 10));
}

TEST(PieceMap, RefusesRangesThatAreNotInTheirOneForm) {
  EXPECT_TRUE(PieceMap::FromRanges({}, 10));
  EXPECT_TRUE(PieceMap::FromRanges({Pieces(0, 2), Pieces(3, 7)}, 10));
  EXPECT_FALSE(PieceMap::FromRanges({Pieces(0, 0)}, 10)) << "empty";
  EXPECT_FALSE(PieceMap::FromRanges({Pieces(0, 2), Pieces(2, 1)}, 10)) << "adjacent";
  EXPECT_FALSE(PieceMap::FromRanges({Pieces(0, 2), Pieces(1, 3)}, 10)) << "overlapping";
  EXPECT_FALSE(PieceMap::FromRanges({Pieces(5, 1), Pieces(1, 1)}, 10)) << "unsorted";
  EXPECT_FALSE(PieceMap::FromRanges({Pieces(9, 2)}, 10)) << "beyond the end";
  EXPECT_FALSE(PieceMap::FromRanges({Pieces(10, 1)}, 10)) << "beyond the end";
  EXPECT_FALSE(PieceMap::FromRanges({Pieces(4294967295, 4294967295)}, 10)) << "wrapping around";
}

TEST(PieceMap, BehavesAsASetOfNumbers) {
  EXPECT_TRUE(rc::check("PieceMap is a set", [] {
    const uint32_t size = *rc::gen::inRange<uint32_t>(1, 200);
    const auto a = *rc::gen::container<std::set<uint32_t>>(rc::gen::inRange<uint32_t>(0, size));
    const auto b = *rc::gen::container<std::set<uint32_t>>(rc::gen::inRange<uint32_t>(0, size));
    const PieceMap map = MapOf(size, a);
    RC_ASSERT(map.count() == a.size());
    RC_ASSERT(PieceMap::FromRanges(map.ToRanges(), size) == map);
    RC_ASSERT(map.ranges() == map.ToRanges().size());
    RC_ASSERT(PieceMap::FromBitfield(map.ToBitfield(), size) == map);

    PieceMap both = map;
    both.AddAll(MapOf(size, b));
    std::set<uint32_t> united = a;
    united.insert(b.begin(), b.end());
    RC_ASSERT(both == MapOf(size, united));

    PieceMap rest = map;
    rest.RemoveAll(MapOf(size, b));
    std::set<uint32_t> left = a;
    for (const uint32_t piece : b) left.erase(piece);
    RC_ASSERT(rest == MapOf(size, left));
  }));
}

TEST(PieceMap, CountsARangeOverSeveralWordsOnce) {
  PieceMap map = PieceMap::All(200);
  EXPECT_EQ(map.ranges(), 1u);
  EXPECT_EQ(map.ToRanges(), std::vector{Pieces(0, 200)});
  map.Remove(PieceIndex(64));
  EXPECT_EQ(map.ranges(), 2u);
  EXPECT_EQ(map.ToRanges(), (std::vector{Pieces(0, 64), Pieces(65, 135)}));
  EXPECT_EQ(PieceMap(200).ranges(), 0u);
}

TEST(PieceMapDeathTest, StopsAtAPieceThatDoesNotExist) {
  EXPECT_DEATH(PieceMap(8).Has(PieceIndex(8)), "index");
}

TEST(PieceMapTest, TravelsAsItsWordsAndNoOthers) {
  PieceMap map(70);
  map.Add(PieceIndex(3));
  map.Add(PieceIndex(69));
  const PieceMap::Plain plain = map.ToPlain();
  EXPECT_EQ(PieceMap::FromPlain(plain), map);
  EXPECT_EQ(PieceMap::FromPlain({}), PieceMap());
  EXPECT_EQ(PieceMap::FromPlain({70, {8}}), std::nullopt) << "a word is missing";
  EXPECT_EQ(PieceMap::FromPlain({64, plain.second}), std::nullopt) << "a word too many";
  EXPECT_EQ(PieceMap::FromPlain({69, plain.second}), std::nullopt) << "a bit beyond the last piece";
}

}  // namespace
}  // namespace bt
