#include "core/tracker/node.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/core/tracker/cluster.h"

namespace bt::tracker {
namespace {

using tracker_api::Announce;
using tracker_api::AnnounceEvent;
using tracker_api::MutationId;
using tracker_api::Outcome;
using tracker_api::Response;

constexpr MutationId Id(uint64_t session, uint64_t sequence) { return {SessionId(session), sequence}; }

class NodeTest : public ::testing::Test {
 protected:
  explicit NodeTest(const Config& config = Config())
      : cluster_(3, config), leader_(cluster_.AwaitLeader()), follower_(cluster_.AFollower(leader_)) {}

  size_t Other() const { return 3 - leader_ - follower_; }
  void RegisterSong() {
    ASSERT_EQ(cluster_.Do(leader_, RegisterOf(song_)).outcome, Outcome::kCreated);
    cluster_.RunFor(Milliseconds(200));
  }
  Announce AnnounceOf(uint8_t peer, uint64_t left, AnnounceEvent event = AnnounceEvent::kNone) const {
    return {song_.AllInfoHashes()[0], Peer(peer), left, event, 50};
  }
  // The leader's other messages arrive. Not for longer than the follower's patience with its leader.
  void HoldBackTheLogFromTheFollower() {
    cluster_.filter = [this](size_t from, size_t to, const Protocol::Message& message) {
      return from != leader_ || to != follower_ || !std::holds_alternative<paxos::Message>(message);
    };
  }
  uint64_t ClaimsAt(size_t node) { return cluster_.node(node).registry().claims(); }
  tracker_api::Role StatusRole(size_t node) {
    return std::get<tracker_api::NodeStatus>(cluster_.Do(node, tracker_api::Status{}).body).role;
  }

  const Metainfo song_ = MakeTorrent("song", 1);
  Cluster cluster_;
  size_t leader_;
  size_t follower_;
};

TEST_F(NodeTest, AMutationAtAFollowerIsForwardedAndAnswered) {
  EXPECT_EQ(cluster_.Do(follower_, RegisterOf(song_)).outcome, Outcome::kCreated);
  EXPECT_EQ(cluster_.Do(Other(), RegisterOf(song_)).outcome, Outcome::kOk);
  EXPECT_EQ(cluster_.Do(Other(), RegisterOf(MakeTorrent("song", 2))).outcome, Outcome::kConflict);
  EXPECT_EQ(cluster_.Do(follower_, OfferOf(song_.content(), Peer(1), {Range(0, 4)})).outcome, Outcome::kOk);
  cluster_.RunFor(Milliseconds(200));
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_EQ(ClaimsAt(node), 1u);
    EXPECT_EQ(cluster_.node(node).state().Digest(), cluster_.node(0).state().Digest());
    EXPECT_FALSE(cluster_.node(node).has_pending());
  }
}

TEST_F(NodeTest, OfConcurrentCreationsAtDifferentNodesOneWins) {
  std::vector<CallId> calls;
  for (size_t node = 0; node < 3; ++node) {
    calls.push_back(cluster_.Ask(node, RegisterOf(MakeTorrent("song", static_cast<uint8_t>(node + 1)))));
  }
  int created = 0;
  for (const CallId call : calls) {
    const Outcome outcome = cluster_.Await(call).outcome;
    created += outcome == Outcome::kCreated;
    EXPECT_TRUE(outcome == Outcome::kCreated || outcome == Outcome::kConflict);
  }
  EXPECT_EQ(created, 1);
}

TEST_F(NodeTest, ManyMutationsAtAFollowerTravelInFewMessages) {
  RegisterSong();
  const uint64_t before = cluster_.sent["forward"];
  std::vector<CallId> calls;
  for (uint16_t i = 0; i < 1000; ++i) {
    calls.push_back(cluster_.Ask(follower_, OfferOf(song_.content(), Peer(1, i + 1), {Range(0, 1)})));
  }
  for (const CallId call : calls) EXPECT_EQ(cluster_.Await(call).outcome, Outcome::kOk);
  EXPECT_LE(cluster_.sent["forward"] - before, 3u);
  EXPECT_EQ(ClaimsAt(leader_), 1000u);
}

TEST_F(NodeTest, ACallUnderWayWhenTheLeaderDiesIsAppliedOnceByTheNext) {
  RegisterSong();
  // The leader applies the offer and dies before anyone hears that it is chosen: the next leader finds it
  // in the acceptors, and has the caller's repetition on top of it.
  cluster_.filter = [&](size_t from, size_t, const Protocol::Message& message) {
    const auto* paxos = std::get_if<paxos::Message>(&message);
    return from != leader_ || (paxos != nullptr && std::holds_alternative<paxos::Accept>(*paxos));
  };
  const CallId call = cluster_.Ask(follower_, OfferOf(song_.content(), Peer(1), {Range(0, 1)}, Id(50, 1)));
  ASSERT_TRUE(cluster_.RunUntil([&] { return ClaimsAt(leader_) == 1; }, cluster_.now() + Seconds(1)));
  ASSERT_EQ(cluster_.Reply(call), nullptr);
  const uint64_t applied_once = cluster_.node(leader_).registry().digest();
  cluster_.Crash(leader_);
  const Response response = cluster_.Await(call);
  EXPECT_EQ(response.outcome, Outcome::kOk);
  cluster_.RunFor(Milliseconds(500));
  EXPECT_EQ(cluster_.node(follower_).registry().digest(), applied_once);
  EXPECT_EQ(cluster_.node(follower_).state().commands(), 3u) << "the registration, the offer, its repetition";
  // Another retry of the same, at another node, after the claim was withdrawn: answered, not applied.
  EXPECT_EQ(cluster_.Do(Other(), tracker_api::Withdraw{Id(51, 1), song_.content(), Peer(1), {}}).outcome,
            Outcome::kOk);
  EXPECT_EQ(cluster_.Do(Other(), OfferOf(song_.content(), Peer(1), {Range(0, 1)}, Id(50, 1))), response);
  cluster_.RunFor(Milliseconds(500));
  EXPECT_EQ(ClaimsAt(follower_), 0u);
  EXPECT_EQ(ClaimsAt(Other()), 0u);
}

TEST_F(NodeTest, ARetryAtAnotherNodeWhileTheFirstIsUnderWayIsAppliedOnce) {
  RegisterSong();
  const auto offer = OfferOf(song_.content(), Peer(1), {Range(0, 1)}, Id(60, 1));
  const CallId first = cluster_.Ask(follower_, offer);
  const CallId second = cluster_.Ask(Other(), offer);
  const CallId third = cluster_.Ask(leader_, offer);
  const CallId fourth = cluster_.Ask(leader_, offer);
  for (const CallId call : {first, second, third, fourth})
    EXPECT_EQ(cluster_.Await(call).outcome, Outcome::kOk);
  EXPECT_EQ(cluster_.Do(leader_, OfferOf(song_.content(), Peer(2), {}, Id(60, 2))).outcome, Outcome::kOk);
}

TEST_F(NodeTest, ALostForwardIsSentAgain) {
  RegisterSong();
  int lost = 0;
  cluster_.filter = [&](size_t, size_t, const Protocol::Message& message) {
    return !(std::holds_alternative<ForwardCommands>(message) && lost++ == 0);
  };
  const Instant start = cluster_.now();
  EXPECT_EQ(cluster_.Do(follower_, OfferOf(song_.content(), Peer(1), {})).outcome, Outcome::kOk);
  EXPECT_GE(lost, 2);
  EXPECT_LT(cluster_.now() - start, Seconds(1));
}

TEST_F(NodeTest, ALostReplyIsGivenAgainAndNothingProposedForIt) {
  RegisterSong();
  int lost = 0;
  cluster_.filter = [&](size_t from, size_t to, const Protocol::Message& message) {
    // The follower does not see by itself what has become of it, either.
    if (from == leader_ && to == follower_ && std::holds_alternative<paxos::Message>(message)) {
      const auto& paxos = std::get<paxos::Message>(message);
      return !std::holds_alternative<paxos::Accept>(paxos) &&
             !std::holds_alternative<paxos::CatchUpReply>(paxos);
    }
    return !(std::holds_alternative<ForwardReplies>(message) && lost++ == 0);
  };
  EXPECT_EQ(cluster_.Do(follower_, OfferOf(song_.content(), Peer(1), {})).outcome, Outcome::kOk);
  EXPECT_EQ(lost, 2);
  EXPECT_EQ(cluster_.node(leader_).state().commands(), 2u) << "the registration and the offer";
}

TEST_F(NodeTest, WithoutAQuorumAMutationIsRefusedWithinFiveSecondsWithAReason) {
  RegisterSong();
  cluster_.Crash(leader_);
  cluster_.Crash(Other());
  const Instant start = cluster_.now();
  const Response offer = cluster_.Do(follower_, OfferOf(song_.content(), Peer(1), {}));
  EXPECT_EQ(offer.outcome, Outcome::kUnavailable);
  EXPECT_NE(offer.reason.find("no majority"), std::string::npos) << offer.reason;
  EXPECT_GT(offer.retry_after, Duration{});
  EXPECT_GE(cluster_.now() - start, Seconds(5));
  EXPECT_FALSE(cluster_.node(follower_).has_pending());
  // Plain queries go on.
  EXPECT_EQ(cluster_.Do(follower_, LookupOf(song_.content())).outcome, Outcome::kOk);
  const Response read = cluster_.Do(follower_, LookupOf(song_.content(), true));
  EXPECT_EQ(read.outcome, Outcome::kUnavailable);
}

TEST_F(NodeTest, ALeaderCutOffFromItsFollowersAnswersWithinFiveSecondsToo) {
  RegisterSong();
  cluster_.Isolate(leader_);
  const CallId write = cluster_.Ask(leader_, OfferOf(song_.content(), Peer(1), {}));
  const CallId read = cluster_.Ask(leader_, LookupOf(song_.content(), true));
  EXPECT_EQ(cluster_.Await(write).outcome, Outcome::kUnavailable);
  EXPECT_EQ(cluster_.Await(read).outcome, Outcome::kUnavailable);
  EXPECT_NE(StatusRole(leader_), tracker_api::Role::kLeader);
}

TEST_F(NodeTest, AMutationWaitsForALeaderAndIsThenDone) {
  RegisterSong();
  cluster_.Isolate(follower_);
  cluster_.RunFor(Seconds(1));
  const CallId call = cluster_.Ask(follower_, OfferOf(song_.content(), Peer(1), {}));
  cluster_.RunFor(Seconds(1));
  EXPECT_EQ(cluster_.Reply(call), nullptr);
  cluster_.Heal();
  EXPECT_EQ(cluster_.Await(call).outcome, Outcome::kOk);
}

TEST_F(NodeTest, ALinearizableReadAtACutOffNodeNeverShowsTheStaleState) {
  RegisterSong();
  cluster_.Isolate(follower_);
  ASSERT_EQ(cluster_.Do(leader_, OfferOf(song_.content(), Peer(1), {Range(0, 4)})).outcome, Outcome::kOk);
  // A plain lookup may be stale; a linearizable one waits until it cannot be.
  EXPECT_TRUE(PeersIn(cluster_.Do(follower_, LookupOf(song_.content()))).peers.empty());
  const CallId read = cluster_.Ask(follower_, LookupOf(song_.content(), true));
  cluster_.RunFor(Seconds(1));
  EXPECT_EQ(cluster_.Reply(read), nullptr);
  cluster_.Heal();
  EXPECT_EQ(PeersIn(cluster_.Await(read)).peers.size(), 1u);
}

TEST_F(NodeTest, ALinearizableReadAtAFollowerSeesEveryWriteAcknowledgedBefore) {
  RegisterSong();
  // The follower hears the leader's decisions late, but its answers to reads in time.
  for (uint8_t i = 1; i <= 20; ++i) {
    ASSERT_EQ(cluster_.Do(leader_, OfferOf(song_.content(), Peer(i), {Range(0, 1)})).outcome, Outcome::kOk);
    ASSERT_EQ(PeersIn(cluster_.Do(follower_, LookupOf(song_.content(), true))).peers.size(), i);
    ASSERT_EQ(PeersIn(cluster_.Do(leader_, LookupOf(song_.content(), true))).peers.size(), i);
  }
}

TEST_F(NodeTest, AReadWaitsUntilItsIndexIsAppliedHere) {
  RegisterSong();
  HoldBackTheLogFromTheFollower();
  ASSERT_EQ(cluster_.Do(leader_, OfferOf(song_.content(), Peer(1), {Range(0, 1)})).outcome, Outcome::kOk);
  const CallId read = cluster_.Ask(follower_, LookupOf(song_.content(), true));
  cluster_.RunFor(Milliseconds(100));
  EXPECT_EQ(cluster_.Reply(read), nullptr) << "the index is known here, its slot is not";
  cluster_.filter = nullptr;
  EXPECT_EQ(PeersIn(cluster_.Await(read)).peers.size(), 1u);
}

TEST_F(NodeTest, ReadsThatComeTogetherShareARound) {
  RegisterSong();
  const uint64_t before = cluster_.sent["ask_read"];
  std::vector<CallId> calls;
  for (int i = 0; i < 500; ++i) calls.push_back(cluster_.Ask(follower_, tracker_api::List{"", 10, true}));
  for (const CallId call : calls) EXPECT_EQ(cluster_.Await(call).outcome, Outcome::kOk);
  EXPECT_LE(cluster_.sent["ask_read"] - before, 3u);
}

TEST_F(NodeTest, AReadWhoseCallerHasLeftIsNotAnswered) {
  RegisterSong();
  const CallId left = cluster_.Ask(leader_, LookupOf(song_.content(), true));
  const CallId stays = cluster_.Ask(leader_, LookupOf(song_.content(), true));
  cluster_.Cancel(leader_, left);
  EXPECT_EQ(cluster_.Await(stays).outcome, Outcome::kOk);
  EXPECT_EQ(cluster_.Reply(left), nullptr);
  EXPECT_EQ(cluster_.node(leader_).waiting().reads, 0u);
}

TEST_F(NodeTest, AnAnnounceIsAnsweredAtOnceAndItsClaimReplicatedBehindIt) {
  RegisterSong();
  const CallId call = cluster_.Ask(follower_, AnnounceOf(1, 0));
  ASSERT_NE(cluster_.Reply(call), nullptr) << "answered in the same step";
  EXPECT_EQ(cluster_.Reply(call)->outcome, Outcome::kOk);
  EXPECT_EQ(cluster_.Reply(call)->reason, "");
  EXPECT_EQ(PeersIn(*cluster_.Reply(call)).interval, kYoungRenewInterval);
  // Others see it at this node at once, elsewhere when it is replicated.
  const Response second = cluster_.Do(follower_, AnnounceOf(2, 100));
  ASSERT_EQ(PeersIn(second).peers.size(), 1u);
  EXPECT_EQ(PeersIn(second).peers[0].peer, Peer(1));
  EXPECT_TRUE(PeersIn(second).peers[0].complete);
  EXPECT_EQ(PeersIn(second).complete, 1u);
  EXPECT_EQ(PeersIn(second).incomplete, 1u);
  cluster_.RunFor(Milliseconds(300));
  for (size_t node = 0; node < 3; ++node) EXPECT_EQ(ClaimsAt(node), 2u);
  EXPECT_EQ(PeersIn(cluster_.Do(Other(), AnnounceOf(3, 100))).peers.size(), 2u);
}

TEST_F(NodeTest, AnAnnouncedPeerStaysListedUntilItsClaimIsAppliedHere) {
  RegisterSong();
  HoldBackTheLogFromTheFollower();
  cluster_.Do(follower_, AnnounceOf(1, 0));
  cluster_.RunFor(Milliseconds(50));
  ASSERT_EQ(ClaimsAt(leader_), 1u);
  ASSERT_EQ(ClaimsAt(follower_), 0u);
  EXPECT_EQ(PeersIn(cluster_.Do(follower_, AnnounceOf(2, 100))).peers.size(), 1u);
}

TEST_F(NodeTest, AnAnnounceOfAnUnregisteredInfoHashIsNotFound) {
  const Response response = cluster_.Do(follower_, AnnounceOf(1, 0));
  EXPECT_EQ(response.outcome, Outcome::kNotFound);
  EXPECT_NE(response.reason.find("no torrent is registered under info-hash"), std::string::npos)
      << response.reason;
}

TEST_F(NodeTest, UnchangedAnnouncesCoalesceUntilHalfTheLifetimeIsGone) {
  RegisterSong();
  cluster_.Do(follower_, AnnounceOf(1, 0));
  cluster_.RunFor(Seconds(3));  // and the format level has risen
  const Slot quiet = cluster_.node(leader_).applied();
  for (int i = 0; i < 10; ++i) {
    cluster_.Do(follower_, AnnounceOf(1, 0));
    cluster_.RunFor(Milliseconds(300));
  }
  EXPECT_EQ(cluster_.node(leader_).applied(), quiet) << "nothing new, nothing in the log";
  cluster_.RunFor(Limits().claim_lifetime / 2);
  cluster_.Do(follower_, AnnounceOf(1, 0));
  cluster_.RunFor(Milliseconds(300));
  EXPECT_GT(cluster_.node(leader_).applied(), quiet);
  cluster_.RunFor(Limits().claim_lifetime / 2 + Seconds(60));
  EXPECT_EQ(ClaimsAt(leader_), 1u) << "renewed";
}

TEST_F(NodeTest, AStoppedPeerIsGoneAtOnceHereAndSoonEverywhere) {
  RegisterSong();
  cluster_.Do(follower_, AnnounceOf(1, 0));
  cluster_.RunFor(Milliseconds(300));
  cluster_.Do(follower_, AnnounceOf(1, 0, AnnounceEvent::kStopped));
  const Response seen = cluster_.Do(follower_, AnnounceOf(2, 100));
  EXPECT_TRUE(PeersIn(seen).peers.empty());
  EXPECT_EQ(PeersIn(seen).complete, 0u);
  cluster_.RunFor(Milliseconds(300));
  for (size_t node = 0; node < 3; ++node) EXPECT_EQ(ClaimsAt(node), 1u);
}

TEST_F(NodeTest, AStopIsReplicatedAlthoughTheClaimHasRunOutByThisNodesEstimateOfLogTime) {
  RegisterSong();
  cluster_.Do(follower_, AnnounceOf(1, 0));
  cluster_.RunFor(Milliseconds(300));
  // Without a majority log time stands still, and the claim outlives its lifetime by this node's clock.
  cluster_.Crash(leader_);
  cluster_.Crash(Other());
  cluster_.RunFor(Limits().claim_lifetime + Seconds(60));
  cluster_.Do(follower_, AnnounceOf(1, 0, AnnounceEvent::kStopped));
  cluster_.Restart(leader_);
  cluster_.Restart(Other());
  EXPECT_TRUE(cluster_.RunUntil([&] { return ClaimsAt(leader_) == 0 && ClaimsAt(follower_) == 0; },
                                cluster_.now() + Seconds(10)));
}

TEST_F(NodeTest, AnAnnounceThatChangesWhileItsClaimIsUnderWayEndsAsTheLastOneSaid) {
  RegisterSong();
  cluster_.Do(follower_, AnnounceOf(1, 100));
  cluster_.RunFor(Milliseconds(1));
  cluster_.Do(follower_, AnnounceOf(1, 0));
  cluster_.Do(follower_, AnnounceOf(1, 0, AnnounceEvent::kStopped));
  cluster_.Do(follower_, AnnounceOf(1, 0));
  cluster_.RunFor(Milliseconds(500));
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_EQ(cluster_.node(node).registry().torrent(TorrentNumber(0)).complete, 1u);
  }
}

TEST_F(NodeTest, WithoutAQuorumAnAnnounceIsAnsweredWithAWarningAndReplicatedLater) {
  RegisterSong();
  cluster_.Crash(leader_);
  cluster_.Crash(Other());
  cluster_.RunFor(Seconds(1));
  const CallId call = cluster_.Ask(follower_, AnnounceOf(1, 0));
  ASSERT_NE(cluster_.Reply(call), nullptr);
  EXPECT_EQ(cluster_.Reply(call)->outcome, Outcome::kOk);
  EXPECT_NE(cluster_.Reply(call)->reason.find("no majority"), std::string::npos);
  EXPECT_EQ(PeersIn(cluster_.Do(follower_, AnnounceOf(2, 1))).peers.size(), 1u);
  cluster_.RunFor(Seconds(20));
  cluster_.Restart(leader_);
  cluster_.Restart(Other());
  EXPECT_TRUE(cluster_.RunUntil([&] { return ClaimsAt(leader_) == 2 && ClaimsAt(Other()) == 2; },
                                cluster_.now() + Seconds(10)));
}

// aria2 says so when it begins with a magnet link.
TEST_F(NodeTest, WhoBeginsWithNothingLeftIsToldOfSeedersAndASeederThatGoesOnIsNot) {
  RegisterSong();
  cluster_.Do(leader_, AnnounceOf(1, 0));
  cluster_.RunFor(Milliseconds(300));
  EXPECT_EQ(PeersIn(cluster_.Do(leader_, AnnounceOf(2, 0, AnnounceEvent::kStarted))).peers.size(), 1u);
  EXPECT_TRUE(PeersIn(cluster_.Do(leader_, AnnounceOf(2, 0))).peers.empty());
}

TEST_F(NodeTest, ASeederIsToldOfWhoIsNotCompleteHoweverManySeedersThereAre) {
  RegisterSong();
  for (uint8_t seeder = 1; seeder < 20; ++seeder) cluster_.Do(leader_, AnnounceOf(seeder, 0));
  cluster_.Do(leader_, AnnounceOf(20, 100));
  cluster_.RunFor(Milliseconds(300));  // all of it is applied, and waits nowhere
  for (const size_t node : {leader_, follower_}) {
    const Response response = cluster_.Do(node, AnnounceOf(1, 0));
    ASSERT_EQ(PeersIn(response).peers.size(), 1u);
    EXPECT_EQ(PeersIn(response).peers[0].peer, Peer(20));
  }
}

TEST_F(NodeTest, ScrapeCountsSeedersAndOthers) {
  RegisterSong();
  cluster_.Do(leader_, AnnounceOf(1, 0));
  cluster_.Do(leader_, AnnounceOf(2, 5));
  cluster_.Do(leader_, AnnounceOf(3, 5));
  cluster_.RunFor(Milliseconds(300));
  const Response response =
      cluster_.Do(Other(), tracker_api::Scrape{{song_.AllInfoHashes()[0], InfoHash{9}}});
  const auto& entries = std::get<tracker_api::Scraped>(response.body).entries;
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].complete, 1u);
  EXPECT_EQ(entries[0].incomplete, 2u);
}

TEST_F(NodeTest, ClaimsExpireInAClusterNobodyTalksTo) {
  RegisterSong();
  cluster_.Do(follower_, OfferOf(song_.content(), Peer(1), {Range(0, 4)}));
  cluster_.RunFor(Limits().claim_lifetime - Seconds(60));
  EXPECT_EQ(ClaimsAt(leader_), 1u);
  cluster_.RunFor(Seconds(120));
  for (size_t node = 0; node < 3; ++node) EXPECT_EQ(ClaimsAt(node), 0u);
}

TEST_F(NodeTest, AllThatWasAcknowledgedIsThereAfterTheWholeClusterWasKilled) {
  RegisterSong();
  for (uint8_t i = 1; i <= 10; ++i) {
    ASSERT_EQ(cluster_.Do(i % 3, OfferOf(song_.content(), Peer(i), {Range(0, 4)})).outcome, Outcome::kOk);
  }
  const uint64_t claims = ClaimsAt(leader_);
  for (size_t node = 0; node < 3; ++node) cluster_.Crash(node);
  cluster_.RunFor(Seconds(1));
  for (size_t node = 0; node < 3; ++node) cluster_.Restart(node);
  const Response peers = cluster_.Do(0, LookupOf(std::string("song"), true));
  ASSERT_EQ(peers.outcome, Outcome::kOk);
  EXPECT_EQ(PeersIn(peers).peers.size(), 10u);
  EXPECT_EQ(claims, 10u);
  // Its own sessions are new ones: nothing it does now is taken for a repetition.
  EXPECT_EQ(cluster_.Do(0, OfferOf(song_.content(), Peer(11), {})).outcome, Outcome::kOk);
  EXPECT_EQ(cluster_.Do(1, OfferOf(song_.content(), Peer(12), {})).outcome, Outcome::kOk);
  EXPECT_EQ(PeersIn(cluster_.Do(2, LookupOf(std::string("song"), true))).peers.size(), 12u);
}

TEST_F(NodeTest, ACancelledCallIsNotAnswered) {
  RegisterSong();
  const CallId call = cluster_.Ask(follower_, OfferOf(song_.content(), Peer(1), {}));
  cluster_.Cancel(follower_, call);
  cluster_.RunFor(Seconds(6));
  EXPECT_EQ(cluster_.Reply(call), nullptr);
}

TEST_F(NodeTest, AnIdleNodeDoesNothingButHeartbeats) {
  RegisterSong();
  cluster_.Do(follower_, AnnounceOf(1, 0));
  cluster_.RunFor(Seconds(2));
  const uint64_t before = cluster_.steps(follower_);
  cluster_.RunFor(Seconds(10));
  // A heartbeat each 50 ms, and the election timer it keeps moving.
  EXPECT_LT(cluster_.steps(follower_) - before, 10 * 20 * 2u + 20);
  EXPECT_FALSE(cluster_.node(follower_).has_pending());
}

TEST_F(NodeTest, StatusTellsWhatTheNodeKnows) {
  RegisterSong();
  const Response response = cluster_.Do(follower_, tracker_api::Status{});
  const auto& status = std::get<tracker_api::NodeStatus>(response.body);
  EXPECT_EQ(status.node, NodeId(static_cast<uint32_t>(follower_) + 1));
  EXPECT_EQ(status.role, tracker_api::Role::kFollower);
  EXPECT_EQ(status.leader, NodeId(static_cast<uint32_t>(leader_) + 1));
  EXPECT_EQ(status.applied, status.chosen);
  EXPECT_EQ(status.torrents, 1u);
  EXPECT_EQ(status.members.size(), 3u);
  EXPECT_TRUE(status.has_quorum);
  EXPECT_EQ(StatusRole(leader_), tracker_api::Role::kLeader);
}

TEST(NodeLimitTest, MutationsBeyondTheLimitAreRefusedAtOnce) {
  Config config;
  config.pending_max = 10;
  Cluster cluster(3, config);
  const size_t leader = cluster.AwaitLeader();
  const size_t follower = cluster.AFollower(leader);
  cluster.Isolate(follower);
  cluster.RunFor(Seconds(1));
  const ContentId content = MakeTorrent("song", 1).content();
  std::vector<CallId> calls;
  for (uint8_t i = 1; i <= 10; ++i) calls.push_back(cluster.Ask(follower, OfferOf(content, Peer(i), {})));
  const CallId over = cluster.Ask(follower, OfferOf(content, Peer(11), {}));
  ASSERT_NE(cluster.Reply(over), nullptr);
  EXPECT_EQ(cluster.Reply(over)->outcome, Outcome::kUnavailable);
  for (const CallId call : calls) EXPECT_EQ(cluster.Await(call).outcome, Outcome::kUnavailable);
  EXPECT_EQ(cluster.node(follower).kept().mutations.now, 0u);
  EXPECT_EQ(cluster.node(follower).kept().mutations.most, 10u);
  cluster.Heal();
  cluster.RunFor(Seconds(1));
  EXPECT_EQ(cluster.Do(follower, OfferOf(content, Peer(1), {})).outcome, Outcome::kNotFound);
}

TEST(NodeLimitTest, BytesOfMutationsBeyondTheLimitAreRefusedAtOnce) {
  Config config;
  config.pending_bytes_max = 2000;
  Cluster cluster(3, config);
  const size_t leader = cluster.AwaitLeader();
  const Response over = cluster.Do(leader, RegisterOf(MakeTorrent("long", 1, 100)));
  EXPECT_EQ(over.outcome, Outcome::kUnavailable);
  EXPECT_EQ(over.reason, "this node has as many bytes of mutations under way as it can");
  EXPECT_EQ(cluster.Do(leader, RegisterOf(MakeTorrent("song", 2, 4))).outcome, Outcome::kCreated);
  const Kept bytes = cluster.node(leader).kept().mutation_bytes;
  EXPECT_EQ(bytes.now, 0u);
  EXPECT_GT(bytes.most, 100u);
  EXPECT_LE(bytes.most, 2000u);
}

// A round that an overloaded leader does not take is asked for again.
TEST(NodeLimitTest, ReadRoundsOfOtherNodesAreBounded) {
  Config config;
  config.remote_reads_max = 1;
  Cluster cluster(3, config);
  const size_t leader = cluster.AwaitLeader();
  std::vector<CallId> calls;
  for (size_t node = 0; node < 3; ++node)
    if (node != leader) calls.push_back(cluster.Ask(node, tracker_api::List{"", 10, true}));
  for (const CallId call : calls) EXPECT_EQ(cluster.Await(call).outcome, Outcome::kOk);
  EXPECT_EQ(cluster.node(leader).kept().read_rounds.most, 1u);
}

TEST(NodeLimitTest, LinearizableReadsBeyondTheLimitAreRefusedAtOnce) {
  Config config;
  config.reads_max = 10;
  Cluster cluster(3, config);
  const size_t leader = cluster.AwaitLeader();
  std::vector<CallId> calls;
  for (int i = 0; i < 10; ++i) calls.push_back(cluster.Ask(leader, tracker_api::List{"", 10, true}));
  const Response over = cluster.Do(leader, tracker_api::List{"", 10, true});
  EXPECT_EQ(over.outcome, Outcome::kUnavailable);
  EXPECT_EQ(over.reason, "too many linearizable reads wait at this node");
  for (const CallId call : calls) EXPECT_EQ(cluster.Await(call).outcome, Outcome::kOk);
  EXPECT_EQ(cluster.node(leader).kept().reads.most, 10u);
  EXPECT_EQ(cluster.Do(leader, tracker_api::List{"", 10, true}).outcome, Outcome::kOk);
}

TEST(NodeLimitTest, CallersThatWaitForOneMutationAreBounded) {
  Config config;
  config.waiters_per_mutation_max = 3;
  Cluster cluster(3, config);
  const size_t leader = cluster.AwaitLeader();
  const auto song = RegisterOf(MakeTorrent("song", 1), Id(7, 1));
  std::vector<CallId> calls;
  for (int i = 0; i < 3; ++i) calls.push_back(cluster.Ask(leader, song));
  EXPECT_EQ(cluster.Do(leader, song).outcome, Outcome::kUnavailable);
  for (const CallId call : calls) EXPECT_EQ(cluster.Await(call).outcome, Outcome::kCreated);
}

TEST(NodeLimitTest, AnnouncesThatWaitAreBoundedInAllAndForEachSource) {
  Config config;
  config.unapplied_announces_max = 32;  // two of each source
  Cluster cluster(3, config);
  const size_t leader = cluster.AwaitLeader();
  const Metainfo song = MakeTorrent("song", 1);
  ASSERT_EQ(cluster.Do(leader, RegisterOf(song)).outcome, Outcome::kCreated);
  cluster.RunFor(Milliseconds(200));
  const size_t follower = cluster.AFollower(leader);
  cluster.Isolate(follower);
  cluster.RunFor(Seconds(1));
  const auto announce = [&](uint8_t source, uint16_t port) {
    const Announce asked{song.AllInfoHashes()[0], Peer(source, port), 0};
    return cluster.Do(follower, asked, SourceOf(Peer(source))).reason;
  };
  const auto kept = [](const std::string& reason) { return reason.find("not kept") == std::string::npos; };
  for (uint8_t source = 1; source <= 16; ++source) {
    EXPECT_TRUE(kept(announce(source, 1)));
    EXPECT_TRUE(kept(announce(source, 2)));
    if (source < 16) {
      EXPECT_FALSE(kept(announce(source, 3))) << "its share";
    }
  }
  EXPECT_NE(announce(17, 1).find("this node has too many announces"), std::string::npos);
  const KeptParts kept_parts = cluster.node(follower).kept();
  EXPECT_EQ(kept_parts.announces.now, 32u);
  EXPECT_EQ(kept_parts.announces.most, 32u);
  EXPECT_EQ(kept_parts.announces_of_source.most, Announces::LimitOfSource(32));
  cluster.Heal();
  cluster.RunFor(Seconds(3));
  EXPECT_TRUE(kept(announce(17, 1)));
}

TEST(NodeLimitTest, AnnouncesOutlastAFullSessionTable) {
  Cluster cluster(3);
  const size_t leader = cluster.AwaitLeader();
  Limits limits;
  limits.sessions = 1;
  ASSERT_EQ(cluster.Do(leader, SetLimits{Id(1, 1), 0, limits}).outcome, Outcome::kOk);
  const Metainfo song = MakeTorrent("song", 1);
  ASSERT_EQ(cluster.Do(leader, RegisterOf(song, Id(1, 2))).outcome, Outcome::kCreated);
  cluster.Do(leader, Announce{song.AllInfoHashes()[0], Peer(1), 0});
  cluster.RunFor(Seconds(20));
  EXPECT_EQ(cluster.node(leader).registry().claims(), 0u);
  EXPECT_LT(cluster.node(leader).state().commands(), 50u) << "refused batches are not proposed in a hurry";
  EXPECT_EQ(PeersIn(cluster.Do(leader, Announce{song.AllInfoHashes()[0], Peer(2), 1})).peers.size(), 1u);
  cluster.RunFor(Limits().session_eviction_age);
  EXPECT_EQ(cluster.node(leader).registry().claims(), 2u);
}

TEST(SingleNodeTest, OneNodeIsAClusterOfOne) {
  Cluster cluster(1);
  const Metainfo song = MakeTorrent("song", 1);
  EXPECT_EQ(cluster.Do(0, RegisterOf(song)).outcome, Outcome::kCreated);
  EXPECT_EQ(cluster.Do(0, OfferOf(song.content(), Peer(1), {Range(0, 4)})).outcome, Outcome::kOk);
  EXPECT_EQ(PeersIn(cluster.Do(0, LookupOf(song.content(), true))).peers.size(), 1u);
  cluster.Crash(0);
  cluster.Restart(0);
  EXPECT_EQ(PeersIn(cluster.Do(0, LookupOf(song.content(), true))).peers.size(), 1u);
}

}  // namespace
}  // namespace bt::tracker
