// How clients and inquiries speak with trackers that fail.

#include "core/swarm/tracker_session.h"

#include <gtest/gtest.h>

#include <set>

#include "core/swarm/inquiry.h"
#include "tests/core/swarm/small_world.h"
#include "tests/support/sample_content.h"

namespace bt::swarm::test {
namespace {

using TrackerMode = SmallWorld::TrackerMode;

constexpr uint64_t kLength = 600'000;

class TrackerSessionTest : public testing::Test {
 protected:
  TrackerSessionTest() { world_.registered = torrent_; }

  Config Offering(uint8_t host, uint32_t trackers) {
    Config config;
    config.role = Role::kOffer;
    config.metainfo = torrent_;
    config.listen = Host(host);
    config.trackers = trackers;
    return config;
  }
  std::vector<std::pair<uint32_t, tracker_api::Offer>> Offers() const {
    std::vector<std::pair<uint32_t, tracker_api::Offer>> offers;
    for (const auto& [node, request] : world_.asked) {
      if (const auto* offer = std::get_if<tracker_api::Offer>(&request)) offers.emplace_back(node, *offer);
    }
    return offers;
  }

  const Metainfo torrent_ = bt::test::SampleMetainfo(kLength, 16 * 1024);
  const std::string good_ = bt::test::SampleBytes(kLength);
  SmallWorld world_{3};
};

TEST_F(TrackerSessionTest, AnOfferGoesToTheNextTrackerUnderTheSameIdWhenOneRefuses) {
  world_.tracker_mode[0] = TrackerMode::kRefusing;
  world_.Add(Offering(1, 3), good_);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Claimed(Host(1)).all(); }, Seconds(1)));
  ASSERT_EQ(Offers().size(), 2u);
  EXPECT_EQ(Offers()[0].first, 0u);
  EXPECT_EQ(Offers()[1].first, 1u);
  EXPECT_EQ(Offers()[0].second, Offers()[1].second);
}

TEST_F(TrackerSessionTest, ASilentTrackerIsGivenUpAfterTheTimeout) {
  world_.tracker_mode[0] = TrackerMode::kSilent;
  world_.Add(Offering(1, 2), good_);
  EXPECT_TRUE(world_.RunUntil([&] { return world_.Claimed(Host(1)).all(); }, Seconds(4)));
}

TEST_F(TrackerSessionTest, WithoutAQuorumTheOfferIsRepeatedWithBackOffUntilThereIsOne) {
  for (uint32_t node = 0; node < 3; ++node) world_.tracker_mode[node] = TrackerMode::kUnavailable;
  world_.Add(Offering(1, 3), good_);
  world_.RunFor(Seconds(60));
  const size_t tries = Offers().size();
  EXPECT_GE(tries, 9u);
  EXPECT_LE(tries, 60u) << "back-off keeps it from hammering";
  std::set<uint32_t> nodes;
  for (const auto& [node, offer] : Offers()) {
    nodes.insert(node);
    EXPECT_EQ(offer.id, Offers()[0].second.id);
  }
  EXPECT_EQ(nodes.size(), 3u);
  world_.tracker_mode.clear();
  EXPECT_TRUE(world_.RunUntil([&] { return world_.Claimed(Host(1)).all(); }, Seconds(20)));
}

TEST_F(TrackerSessionTest, ATrackerThatNeverAnswersIsOneClearError) {
  for (uint32_t node = 0; node < 2; ++node) world_.tracker_mode[node] = TrackerMode::kRefusing;
  const size_t seeder = world_.Add(Offering(1, 2), good_);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(seeder).stopped(); }, Seconds(30)));
  ASSERT_EQ(world_.node(seeder).All<Failed>().size(), 1u);
  EXPECT_EQ(world_.node(seeder).All<Failed>()[0].reason,
            "no tracker could be reached: connection refused; start one, or name another");
}

TEST_F(TrackerSessionTest, ATrackerLostLaterIsNoReasonToStopServing) {
  const size_t seeder = world_.Add(Offering(1, 1), good_);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Claimed(Host(1)).all(); }));
  world_.tracker_mode[0] = TrackerMode::kRefusing;
  world_.RunFor(Seconds(2000));
  EXPECT_FALSE(world_.client(seeder).stopped());
}

TEST_F(TrackerSessionTest, EachMutationOfASessionHasTheNextNumberAndOffersAreCoalesced) {
  world_.Add(Offering(1, 1), good_);
  Config config;
  config.metainfo = torrent_;
  config.listen = Host(2);
  config.trackers = 1;
  config.keep_offering = true;
  const size_t client = world_.Add(config, "");
  const Instant start = world_.now();
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Claimed(Host(2)).all(); }));
  uint64_t sequence = 0;
  for (const auto& [node, offer] : Offers()) {
    if (offer.peer != Host(2)) continue;
    EXPECT_EQ(offer.id.sequence, ++sequence);
    EXPECT_NE(offer.id.session, SessionId(0));
  }
  EXPECT_GE(sequence, 1u);
  EXPECT_LE(sequence, 2u + static_cast<uint64_t>((world_.now() - start).millis() / 250));
  EXPECT_EQ(world_.node(client).file, good_);
}

TEST_F(TrackerSessionTest, AClaimIsRenewedWithAllItsPieces) {
  world_.Add(Offering(1, 1), good_);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.Claimed(Host(1)).all(); }));
  world_.claims.clear();  // expired
  EXPECT_TRUE(world_.RunUntil([&] { return world_.Claimed(Host(1)).all(); }, Seconds(301)));
}

TEST_F(TrackerSessionTest, AClaimFromBeforeAShorterIntervalWasToldIsRenewedByThatInterval) {
  TrackerSession session(Offering(1, 1));
  Outbox<Protocol> out;
  Rng rng(5);
  Context<Protocol> context{Instant{1}, rng, out};
  const PieceMap held = PieceMap::All(torrent_.piece_count());
  session.Begin(torrent_.content(), torrent_.piece_count(), context.now, rng);
  session.SetLookups(TrackerSession::Wanted::kWhoWaits);
  session.Poll(held, context);
  const auto offer = std::get<tracker_api::Ask>(out.sends.at(0).message);
  const auto lookup = std::get<tracker_api::Ask>(out.sends.at(1).message);
  ASSERT_TRUE(std::holds_alternative<tracker_api::Offer>(offer.request));
  ASSERT_TRUE(std::holds_alternative<tracker_api::Lookup>(lookup.request));
  out.Clear();
  session.Receive(tracker_api::Answer{offer.id, {}}, held, context);
  tracker_api::Peers peers;
  peers.interval = Seconds(5);
  tracker_api::Response response;
  response.body = peers;
  session.Receive(tracker_api::Answer{lookup.id, response}, held, context);
  out.Clear();
  context.now = context.now + Seconds(5);
  session.Poll(held, context);
  size_t renewals = 0;
  for (const auto& sent : out.sends) {
    const auto* ask = std::get_if<tracker_api::Ask>(&sent.message);
    renewals += ask != nullptr && std::holds_alternative<tracker_api::Offer>(ask->request);
  }
  EXPECT_EQ(renewals, 1u);
}

TEST_F(TrackerSessionTest, AForgottenSessionIsReplacedByANewOne) {
  TrackerSession session(Offering(1, 1));
  Outbox<Protocol> out;
  Rng rng(5);
  Context<Protocol> context{Instant{1}, rng, out};
  const PieceMap held = PieceMap::All(torrent_.piece_count());
  session.Begin(torrent_.content(), torrent_.piece_count(), context.now, rng);
  session.Poll(held, context);
  const auto first = std::get<tracker_api::Ask>(out.sends.at(0).message);
  out.Clear();
  tracker_api::Response expired;
  expired.outcome = tracker_api::Outcome::kSessionExpired;
  session.Receive(tracker_api::Answer{first.id, expired}, held, context);
  context.now = context.now + Seconds(1);
  session.Poll(held, context);
  const auto second = std::get<tracker_api::Ask>(out.sends.at(0).message);
  const auto& old_id = std::get<tracker_api::Offer>(first.request).id;
  const auto& new_id = std::get<tracker_api::Offer>(second.request).id;
  EXPECT_NE(new_id.session, old_id.session);
  EXPECT_EQ(new_id.sequence, 1u);
}

TEST(InquiryTest, IsAnsweredByWhicheverTrackerAnswersAndKeepsItsMutationId) {
  Inquiry inquiry(2, tracker_api::Register{}, Seconds(10));
  Outbox<Protocol> out;
  Rng rng(5);
  Context<Protocol> context{Instant{1}, rng, out};
  inquiry.Step(Started{}, context);
  const auto first = std::get<tracker_api::Ask>(out.sends.at(0).message);
  EXPECT_EQ(out.sends[0].to, NodeId(0));
  out.Clear();
  inquiry.Step(Received<Protocol>{NodeId(0), tracker_api::Unreachable{first.id, "refused"}}, context);
  const auto second = std::get<tracker_api::Ask>(out.sends.at(0).message);
  EXPECT_EQ(out.sends[0].to, NodeId(1));
  EXPECT_EQ(second.request, first.request);
  EXPECT_NE(std::get<tracker_api::Register>(second.request).id.session, SessionId(0));
  out.Clear();
  tracker_api::Response conflict;
  conflict.outcome = tracker_api::Outcome::kConflict;
  inquiry.Step(Received<Protocol>{NodeId(1), tracker_api::Answer{second.id, conflict}}, context);
  ASSERT_TRUE(inquiry.done());
  EXPECT_EQ(std::get<InquiryDone>(out.notes.back()).response.outcome, tracker_api::Outcome::kConflict);
}

TEST(InquiryTest, EndsAtItsDeadlineWithTheLastTrouble) {
  Inquiry inquiry(1, tracker_api::Status{}, Seconds(5));
  Outbox<Protocol> out;
  Rng rng(5);
  Context<Protocol> context{Instant{1}, rng, out};
  inquiry.Step(Started{}, context);
  const auto ask = std::get<tracker_api::Ask>(out.sends.at(0).message);
  inquiry.Step(Received<Protocol>{NodeId(0), tracker_api::Unreachable{ask.id, "refused"}}, context);
  for (int wakes = 0; !inquiry.done(); ++wakes) {
    ASSERT_LT(wakes, 100);
    context.now = out.timers.Next();
    while (const auto timer = out.timers.PopDue(context.now))
      inquiry.Step(TimerFired<Protocol>{*timer}, context);
  }
  const auto& response = std::get<InquiryDone>(out.notes.back()).response;
  EXPECT_EQ(response.outcome, tracker_api::Outcome::kUnavailable);
  EXPECT_EQ(context.now, Instant{1} + Seconds(5));
}

}  // namespace
}  // namespace bt::swarm::test
