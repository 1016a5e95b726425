// Every message that travels: decode(encode(x)) == x, and hostile bytes neither crash nor over-allocate.

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "core/paxos/journal.h"
#include "core/paxos/protocol.h"
#include "core/swarm/protocol.h"
#include "core/swarm/resume_state.h"
#include "core/tracker/command.h"
#include "core/tracker/protocol.h"
#include "core/tracker_api/tracker_api.h"
#include "tests/properties/codec_properties.h"

namespace bt {
namespace {

template <class T>
class Codec : public testing::Test {};

// The types of several variants' alternatives, one list: whoever adds a message to a protocol has it tested.
template <class... Lists>
struct Joint;
template <class... A, class... B, class... More>
struct Joint<std::variant<A...>, std::variant<B...>, More...> : Joint<std::variant<A..., B...>, More...> {};
template <class... A>
struct Joint<std::variant<A...>> {
  using Types = testing::Types<A...>;
};

using Whole = std::variant<paxos::Batch, swarm::ResumeState, tracker_api::Request, tracker_api::Response,
                           paxos::Protocol::Message, swarm::Protocol::Message, tracker::Protocol::Message>;
using Travellers =
    Joint<Whole, paxos::Protocol::Message, paxos::Record, swarm::Protocol::Message,
          tracker::Protocol::Message, tracker_api::Request, decltype(tracker_api::Response::body)>::Types;
TYPED_TEST_SUITE(Codec, Travellers);

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

// Commands of the replicated log have a codec of their own around the same fields: the id in front, once.
std::string EncodedCommand(const tracker::Command& command) {
  return std::visit(
      [&](const auto& operation) {
        return std::string(tracker::EncodeCommand(command.id, operation, command.source).view());
      },
      command.operation);
}

tracker::Command AnyCommand() {
  tracker::Command command{*test::AnyOf<tracker_api::MutationId>(), *test::AnyOf<tracker::Operation>(),
                           *test::AnyOf<tracker::Source>()};
  std::visit([&](auto& operation) { operation.id = command.id; }, command.operation);
  return command;
}

TEST(CommandCodec, DecodesWhatItEncodes) {
  EXPECT_TRUE(rc::check("decode(encode(x)) == x", [] {
    const tracker::Command command = AnyCommand();
    const Slice bytes = Slice::Own(EncodedCommand(command));
    const auto decoded = tracker::DecodeCommand(bytes);
    RC_ASSERT(decoded.ok());
    RC_ASSERT(decoded->id == command.id);
    RC_ASSERT(decoded->source == command.source);
    RC_ASSERT(decoded->operation == command.operation);
    RC_ASSERT(tracker::DecodeCommandHead(bytes)->id == command.id);
  }));
}

TEST(CommandCodec, RefusesDamageOrReadsExactlyIt) {
  EXPECT_TRUE(rc::check("cuts, tails and flipped bits", [] {
    const std::string bytes = EncodedCommand(AnyCommand());
    RC_ASSERT(!tracker::DecodeCommand(Slice::Copy(bytes + "x")).ok());
    const size_t at = *rc::gen::inRange<size_t>(0, bytes.size());
    RC_ASSERT(!tracker::DecodeCommand(Slice::Copy(bytes.substr(0, at))).ok());
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << *rc::gen::inRange(0, 8)));
    const auto decoded = tracker::DecodeCommand(Slice::Copy(damaged));
    if (decoded.ok()) RC_ASSERT(EncodedCommand(*decoded) == damaged);
  }));
}

}  // namespace
}  // namespace bt
