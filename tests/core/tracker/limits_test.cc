// Agreed limits: part of the replicated state, changed by a command at one slot for all.

#include "core/tracker/limits.h"

#include <gtest/gtest.h>

#include <string>

#include "core/base/fields.h"
#include "core/tracker/replicated_state.h"
#include "tests/core/tracker/cluster.h"
#include "tests/core/tracker/fixtures.h"

namespace bt::tracker {
namespace {

using tracker_api::Outcome;
using tracker_api::Response;

constexpr tracker_api::MutationId Id(uint64_t session, uint64_t sequence) {
  return {SessionId(session), sequence};
}

// Logs are applied again from their first slot by whatever release runs then. If this fails, the release
// would answer old commands differently than the replicas did that acknowledged them: restore the value, and
// let the release propose a SetLimits.
TEST(LimitsTest, VersionZeroIsFrozen) {
  EXPECT_EQ(Hex(Encode(Limits())),
            "80800880808020ff010280801040c002808004808080018010808080800880c0e285e36880c0cbac"
            "f6228080208080c58bc6d10180e0ba84bf031080088080088020808080408080048080808002");
}

TEST(LimitsTest, LimitsUnderWhichNothingCouldBeDoneAreRefused) {
  EXPECT_EQ(LimitsProblem(Limits()), std::nullopt);
  Limits none;
  none.expiries_per_command = 0;
  EXPECT_NE(LimitsProblem(none)->find("expiries_per_command is 0"), std::string::npos);
  Limits hasty;
  hasty.session_lifetime = Seconds(1);
  EXPECT_NE(LimitsProblem(hasty)->find("session_lifetime is 1 s"), std::string::npos);
  Registry registry;
  const uint64_t digest = registry.digest();
  EXPECT_EQ(registry.Apply(At(1), SetLimits{{}, 0, hasty}).outcome, Outcome::kInvalid);
  EXPECT_EQ(registry.digest(), digest);
  EXPECT_EQ(registry.limits(), Limits());
}

TEST(LimitsTest, ALoweredLimitHoldsFromItsCommandOnAndTakesNothingBack) {
  Registry registry;
  for (uint8_t i = 1; i <= 3; ++i) registry.Apply(At(1), RegisterOf(MakeTorrent(std::string(1, 'a' + i), i)));
  Limits limits;
  limits.torrents = 2;
  const uint64_t digest = registry.digest();
  EXPECT_EQ(registry.Apply(At(2), SetLimits{{}, 0, limits}).outcome, Outcome::kOk);
  EXPECT_NE(registry.digest(), digest);
  EXPECT_EQ(registry.torrents(), 3u);
  EXPECT_EQ(registry.Apply(At(3), RegisterOf(MakeTorrent("e", 9))).outcome, Outcome::kTooLarge);
  EXPECT_EQ(registry.Apply(At(3), RegisterOf(MakeTorrent("b", 1))).outcome, Outcome::kOk);
  limits.torrents = 4;
  EXPECT_EQ(registry.Apply(At(4), SetLimits{{}, 1, limits}).outcome, Outcome::kOk);
  EXPECT_EQ(registry.Apply(At(5), RegisterOf(MakeTorrent("e", 9))).outcome, Outcome::kCreated);
}

TEST(LimitsTest, LifetimesHoldForWhatIsRenewedFromTheCommandOn) {
  Registry registry;
  const Metainfo song = MakeTorrent("song", 1);
  registry.Apply(At(0), RegisterOf(song));
  registry.Apply(At(0), OfferOf(song.content(), Peer(1), {Range(0, 4)}));
  Limits limits;
  limits.claim_lifetime = Seconds(100);
  limits.renew_interval = Seconds(50);
  registry.Apply(At(0), SetLimits{{}, 0, limits});
  registry.Apply(At(1), OfferOf(song.content(), Peer(1), {}));
  registry.Apply(At(1), OfferOf(song.content(), Peer(2), {}));
  registry.Apply(At(102), Tick{});
  const Response response = registry.Lookup(LookupOf(song.content()), 0);
  ASSERT_EQ(PeersIn(response).peers.size(), 1u) << "a promise that was given is kept";
  EXPECT_EQ(PeersIn(response).peers[0].peer, Peer(1));
  EXPECT_EQ(PeersIn(response).interval, Seconds(50));
}

TEST(LimitsTest, TwoOperatorsDoNotUndoEachOthersWorkUnseen) {
  Registry registry;
  Limits mine;
  mine.torrents = 5;
  Limits theirs;
  theirs.claims = 5;
  EXPECT_EQ(registry.Apply(At(1), SetLimits{{}, 0, mine}).outcome, Outcome::kOk);
  const Response late = registry.Apply(At(1), SetLimits{{}, 0, theirs});
  EXPECT_EQ(late.outcome, Outcome::kConflict);
  EXPECT_NE(late.reason.find("version 1, not 0"), std::string::npos) << late.reason;
  EXPECT_EQ(registry.limits(), mine);
}

TEST(LimitsTest, ABatchOfClaimsCutByAnOlderLimitIsSentAgain) {
  Registry registry;
  registry.Apply(At(0), RegisterOf(MakeTorrent("song", 1)));
  Limits limits;
  limits.claims_per_command = 1;
  registry.Apply(At(0), SetLimits{{}, 0, limits});
  const Claims two{{},
                   {{TorrentNumber(0), Peer(1), ClaimUpdate::Kind::kComplete},
                    {TorrentNumber(0), Peer(2), ClaimUpdate::Kind::kComplete}}};
  EXPECT_EQ(registry.Apply(At(1), two).outcome, Outcome::kUnavailable);
  EXPECT_EQ(registry.claims(), 0u);
}

// Whatever a node's own flags or a release's own constants say, they are no part of what Apply sees.
TEST(LimitsTest, ReplicasObeyALoweredLimitAtTheSameSlotWhicheverNodeIsAsked) {
  Cluster cluster(3);
  const size_t leader = cluster.AwaitLeader();
  Limits limits;
  limits.torrents = 2;
  ASSERT_EQ(cluster.Do(0, RegisterOf(MakeTorrent("a", 1), Id(1, 1))).outcome, Outcome::kCreated);
  // The change of the limits races with three registrations at three nodes.
  const CallId change = cluster.Ask(leader, SetLimits{Id(2, 1), 0, limits});
  std::vector<CallId> calls;
  for (uint8_t i = 0; i < 3; ++i) {
    calls.push_back(cluster.Ask(i, RegisterOf(MakeTorrent(std::string(1, 'b' + i), i + 2), Id(3u + i, 1))));
  }
  EXPECT_EQ(cluster.Await(change).outcome, Outcome::kOk);
  size_t created = 0;
  for (const CallId call : calls) created += cluster.Await(call).outcome == Outcome::kCreated;
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_EQ(cluster.Do(node, RegisterOf(MakeTorrent("late", 99), Id(9, node + 1))).outcome,
              Outcome::kTooLarge);
  }
  cluster.RunFor(Seconds(1));
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_EQ(cluster.node(node).registry().torrents(), 1 + created);
    EXPECT_EQ(cluster.node(node).registry().limits(), limits);
    EXPECT_EQ(cluster.node(node).state().Digest(), cluster.node(0).state().Digest());
  }
  // A restart applies the log again, under the limits of each slot and not under those of its end.
  cluster.Crash(leader);
  cluster.Restart(leader);
  cluster.RunFor(Seconds(2));
  EXPECT_EQ(cluster.node(leader).state().Digest(), cluster.node(cluster.AFollower(leader)).state().Digest());
}

}  // namespace
}  // namespace bt::tracker
