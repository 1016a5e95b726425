#include "core/base/clocks.h"

#include <gtest/gtest.h>

#include <optional>
#include <variant>
#include <vector>

namespace bt {
namespace {

struct Lease {
  Duration lasts;
  static constexpr void Fields(auto& self, auto&& visit) { visit("lasts", self.lasts); }
};
struct Raw {
  uint64_t number = 0;
  Instant ends;
  static constexpr void Fields(auto& self, auto&& visit) {
    visit("number", self.number);
    visit("ends", self.ends);
  }
};
struct Named {
  ForeignInstant ends;
  static constexpr void Fields(auto& self, auto&& visit) { visit("ends", self.ends); }
};
struct Agreed {
  static constexpr bool kInstantsAreAgreedOn = true;
  Instant stamp;
  static constexpr void Fields(auto& self, auto&& visit) { visit("stamp", self.stamp); }
};
template <class T>
struct Around {
  std::optional<std::vector<std::pair<uint32_t, T>>> inside;
  static constexpr void Fields(auto& self, auto&& visit) { visit("inside", self.inside); }
};

TEST(Clocks, AMessageThatCarriesATimeSaysWhoseItIs) {
  EXPECT_TRUE((NamesItsClocks<std::variant<Lease, Named, Agreed>>));
  EXPECT_FALSE(NamesItsClocks<Raw>);
  EXPECT_FALSE((NamesItsClocks<std::variant<Lease, Raw>>));
}

TEST(Clocks, ATimeIsFoundWhereverItLiesInAMessage) {
  EXPECT_FALSE(NamesItsClocks<Around<Raw>>);
  EXPECT_FALSE(NamesItsClocks<Around<Instant>>);
  EXPECT_FALSE((NamesItsClocks<absl::btree_map<uint32_t, Instant>>));
  EXPECT_FALSE(NamesItsClocks<absl::btree_set<Instant>>);
  EXPECT_TRUE(NamesItsClocks<Around<Named>>);
}

TEST(Clocks, AForeignInstantTravelsAsItsReadingAndComesBackHome) {
  const Instant mine{-5'000};
  const absl::StatusOr<Named> arrived = Decode<Named>(Slice::Own(Encode(Named{ForeignInstant(mine)})));
  ASSERT_TRUE(arrived.ok());
  EXPECT_EQ(arrived->ends.BackHome(), mine);
  EXPECT_EQ(ForeignInstant(mine + Seconds(1)) - arrived->ends, Seconds(1));
}

}  // namespace
}  // namespace bt
