// Every message that travels: decode(encode(x)) == x, and hostile bytes neither crash nor over-allocate.

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "core/swarm/tracker_api.h"
#include "core/torrent/metainfo.h"
#include "tests/properties/codec_properties.h"

namespace bt {
namespace {

template <class T>
class Codec : public testing::Test {};

using Messages = testing::Types<Metainfo, tracker_api::Request, tracker_api::Response, tracker_api::Ask,
                                tracker_api::Answer, tracker_api::Unreachable>;
TYPED_TEST_SUITE(Codec, Messages);

TYPED_TEST(Codec, DecodesWhatItEncodes) {
  EXPECT_TRUE(rc::check("decode(encode(x)) == x", [] { test::ExpectRoundTrip<TypeParam>(); }));
}

TYPED_TEST(Codec, RefusesWhatIsCutShortOrTooLong) {
  EXPECT_TRUE(rc::check("cuts and tails", [] { test::ExpectCutsAndTailsRefused<TypeParam>(); }));
}

TYPED_TEST(Codec, FlippedBitsAreRefusedOrMakeAnotherMessage) {
  EXPECT_TRUE(rc::check("flipped bits", [] { test::ExpectFlippedBitsRefusedOrExact<TypeParam>(); }));
}

TYPED_TEST(Codec, HugeLengthsAreRefusedWithoutAllocatingThem) {
  EXPECT_TRUE(rc::check("huge lengths", [] { test::ExpectHugeLengthsRefusedOrExact<TypeParam>(); }));
}

TYPED_TEST(Codec, GarbageIsRefusedOrAMessage) {
  EXPECT_TRUE(rc::check("garbage", [] { test::ExpectGarbageRefusedOrExact<TypeParam>(); }));
}

}  // namespace
}  // namespace bt
