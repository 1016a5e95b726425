// The canonical form: what bytes stand for what, and that no others do.

#include "core/base/fields.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "core/base/ids.h"
#include "tests/support/generators.h"

namespace bt {
namespace {

enum class Colour : uint8_t { kRed, kGreen, kBlue, kLast = kBlue };

struct Point {
  int32_t x = 0;
  uint8_t y = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("x", self.x);
    visit("y", self.y);
  }
  friend auto operator<=>(const Point&, const Point&) = default;
};

// One member of every kind that can travel.
struct Everything {
  bool flag = false;
  Colour colour = Colour::kRed;
  uint16_t small = 0;
  int64_t wide = 0;
  Slot slot;
  Instant at;
  std::string text;
  Slice bytes;
  std::array<uint8_t, 3> fixed{};
  std::vector<Point> points;
  absl::btree_map<std::string, uint32_t> map;
  absl::btree_set<int16_t> set;
  std::optional<Point> maybe;
  std::pair<uint8_t, bool> both;
  std::variant<std::monostate, Point, std::string> either;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("flag", self.flag);
    visit("colour", self.colour);
    visit("small", self.small);
    visit("wide", self.wide);
    visit("slot", self.slot);
    visit("at", self.at);
    visit("text", self.text);
    visit("bytes", self.bytes);
    visit("fixed", self.fixed);
    visit("points", self.points);
    visit("map", self.map);
    visit("set", self.set);
    visit("maybe", self.maybe);
    visit("both", self.both);
    visit("either", self.either);
  }
  friend bool operator==(const Everything&, const Everything&) = default;
};

// A list that has lost a member, and one that names a member twice.
struct Short {
  int32_t x = 0;
  std::string forgotten;

  static constexpr void Fields(auto& self, auto&& visit) { visit("x", self.x); }
};
struct Long {
  int32_t x = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("x", self.x);
    visit("x", self.x);
  }
};
static_assert(fields_internal::kListsEveryMember<Everything>);
static_assert(!fields_internal::kListsEveryMember<Short>);
static_assert(!fields_internal::kListsEveryMember<Long>);

template <class T>
std::string ErrorOf(std::string_view bytes) {
  const auto value = Decode<T>(Slice::Copy(bytes));
  return value.ok() ? "accepted" : std::string(value.status().message());
}

TEST(Fields, EveryKindOfMemberSurvivesTheTrip) {
  EXPECT_TRUE(rc::check("decode(encode(x)) == x", [] {
    const Everything value = *test::AnyOf<Everything>();
    const auto decoded = Decode<Everything>(Slice::Own(Encode(value)));
    RC_ASSERT(decoded.ok());
    RC_ASSERT(*decoded == value);
    RC_ASSERT(DigestOf(*decoded) == DigestOf(value));
    RC_ASSERT(!TraceText(value).empty());
  }));
}

TEST(Fields, EncodesIntegersAsTheShortestLeb128) {
  EXPECT_EQ(Encode(uint64_t{0}), std::string("\0", 1));
  EXPECT_EQ(Encode(uint64_t{127}), "\x7f");
  EXPECT_EQ(Encode(uint64_t{128}), "\x80\x01");
  EXPECT_EQ(Encode(UINT64_MAX), "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
  EXPECT_EQ(Encode(int64_t{-1}), "\x01");
  EXPECT_EQ(Encode(int64_t{1}), "\x02");
  EXPECT_EQ(Encode(INT64_MIN), Encode(UINT64_MAX));
}

TEST(Fields, RefusesASecondSpellingOfAnInteger) {
  EXPECT_EQ(ErrorOf<uint64_t>(std::string("\x80\x00", 2)), "malformed integer in field message at byte 2");
  EXPECT_NE(ErrorOf<uint64_t>(std::string("\xff\x80\x00", 3)).find("malformed"), std::string::npos);
  EXPECT_NE(ErrorOf<uint64_t>("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02").find("malformed"),
            std::string::npos);
  EXPECT_NE(ErrorOf<uint64_t>(std::string(11, '\xff')).find("malformed"), std::string::npos);
}

TEST(Fields, RefusesIntegersAndEnumeratorsOutOfRange) {
  EXPECT_NE(ErrorOf<uint8_t>("\x80\x02").find("integer out of range"), std::string::npos);
  EXPECT_NE(ErrorOf<int8_t>("\x80\x02").find("integer out of range"), std::string::npos);
  EXPECT_EQ(ErrorOf<int8_t>("\xff\x01"), "accepted");  // -128
  EXPECT_NE(ErrorOf<Colour>("\x03").find("enumerator out of range"), std::string::npos);
  EXPECT_NE(ErrorOf<bool>("\x02").find("neither 0 nor 1"), std::string::npos);
  EXPECT_NE((ErrorOf<std::variant<bool, uint8_t>>(std::string("\x02\x00", 2)).find("unknown alternative")),
            std::string::npos);
}

TEST(Fields, RefusesKeysOutOfOrderOrTwice) {
  using Set = absl::btree_set<uint8_t>;
  using Map = absl::btree_map<uint8_t, uint8_t>;
  EXPECT_EQ(ErrorOf<Set>("\x02\x01\x02"), "accepted");
  EXPECT_NE(ErrorOf<Set>("\x02\x02\x01").find("out of order"), std::string::npos);
  EXPECT_NE(ErrorOf<Set>("\x02\x01\x01").find("out of order"), std::string::npos);
  EXPECT_NE(ErrorOf<Map>("\x02\x02\x01\x01\x01").find("out of order"), std::string::npos);
}

TEST(Fields, RefusesCountsAndLengthsThatTheInputCannotFill) {
  EXPECT_NE(ErrorOf<std::vector<uint8_t>>("\x05\x01\x01").find("more elements than bytes"),
            std::string::npos);
  EXPECT_NE(ErrorOf<std::string>("\x05hi").find("truncated"), std::string::npos);
  EXPECT_NE(ErrorOf<std::string>("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").find("truncated"),
            std::string::npos);
  EXPECT_NE(ErrorOf<uint8_t>("\x01\x01").find("bytes left over"), std::string::npos);
  EXPECT_NE(ErrorOf<uint8_t>("").find("truncated"), std::string::npos);
}

TEST(Fields, NamesTheFieldThatIsWrong) {
  EXPECT_EQ(ErrorOf<Point>(std::string("\x00\x80\x02", 3)), "integer out of range in field y at byte 3");
}

TEST(Fields, DecodedSlicesShareTheInput) {
  const Slice input = Slice::Own(Encode(Slice::Static("a long enough payload")));
  const auto slice = Decode<Slice>(input);
  ASSERT_TRUE(slice.ok());
  EXPECT_EQ(slice->data(), input.data() + 1);
}

TEST(Fields, TracesNamesAndValuesInBoundedLength) {
  EXPECT_EQ(TraceText(Point{-3, 7}), "Point{x=-3 y=7}");
  const std::vector<uint8_t> many(1000, 1);
  EXPECT_EQ(TraceText(many), "[1 1 1 1 1 1 1 1 .. 1000 in all]");
  EXPECT_LT(TraceText(std::string(100'000, 'x')).size(), 60u);
  EXPECT_EQ(TraceText(std::optional<bool>()), "none");
}

}  // namespace
}  // namespace bt
