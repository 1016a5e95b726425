// Snapshots: the log is cut below a durable one, a replica begins again from it, and one that lacks what all
// others have cut takes theirs.

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include "core/base/fields.h"
#include "tests/core/paxos/cluster.h"

namespace bt::paxos {
namespace {

class SnapshotTest : public testing::Test {
 protected:
  SnapshotTest() { cluster_.Elect(1); }

  void Propose(int commands) {
    for (int i = 0; i < commands; ++i) {
      cluster_.Propose(1, absl::StrCat("c", ++proposed_));
      cluster_.Settle();
    }
    cluster_.Fire(1, Cluster::Timer::kHeartbeat);  // the followers hear the watermark
    cluster_.Settle();
  }
  // Node 3 is away while the others choose and cut so much.
  void LeaveNodeThreeBehind() {
    Propose(1);
    cluster_.Crash(3);
    Propose(5);
    for (const uint32_t node : {1, 2}) cluster_.Save(node, 4);
    cluster_.Settle();
    cluster_.Restart(3);
  }
  void CatchUp() {
    for (int i = 0; i < 50 && cluster_.replica(3).chosen() < cluster_.replica(1).chosen(); ++i) {
      cluster_.FireNext();
      cluster_.Settle();
    }
  }

  Cluster cluster_{3, 1, KeepNothing()};
  int proposed_ = 0;
};

TEST_F(SnapshotTest, TheLogAndTheJournalAreCutWhenTheLastPartIsDurableAndNotBefore) {
  Propose(4);
  cluster_.Save(2, 4);
  EXPECT_GT(cluster_.unsynced(2), 2u);
  cluster_.SyncOnly(2, cluster_.unsynced(2) - 1);
  EXPECT_EQ(cluster_.replica(2).first(), Slot(1));
  EXPECT_TRUE(cluster_.replica(2).snapshot().empty());
  EXPECT_EQ(cluster_.Recoverable(2).front().seq, WriteSeq(1));
  cluster_.Sync(2);
  EXPECT_EQ(cluster_.replica(2).first(), cluster_.replica(2).chosen().next());
  EXPECT_EQ(cluster_.replica(2).snapshot().prefix.slot, cluster_.replica(2).chosen());
  EXPECT_GT(cluster_.Recoverable(2).front().seq, WriteSeq(1));
}

// It learned by catch-up what it was asked about last, and its answer was lost.
TEST(Snapshot, AFollowerIsFedOnWhenAllThatTheLeaderAwaitsOfItIsCut) {
  Config config = KeepNothing();
  config.peer_slots_max = 1;
  Cluster cluster(3, 1, config);
  cluster.Elect(1);
  cluster.Propose(1, "a");
  cluster.Deliver(Of<Accept>());
  for (const uint32_t node : {1, 2, 3}) cluster.Sync(node);
  cluster.Lose(From(2) && Of<Accepted>());
  cluster.Settle();
  cluster.Propose(1, "b");  // node 2 is sent it when it has answered
  cluster.Sync(1);
  cluster.Lose(To(3));
  cluster.Crash(3);
  cluster.Fire(1, Cluster::Timer::kHeartbeat);  // node 2 hears that "a" is chosen
  cluster.Save(1, 4);
  cluster.Settle();
  cluster.Fire(1, Cluster::Timer::kHeartbeat);
  cluster.Settle();
  EXPECT_EQ(cluster.Log(1), "- | a | b");
  EXPECT_EQ(cluster.violation(), "");
}

TEST_F(SnapshotTest, AReplicaBeginsAgainFromItsSnapshotWithItsPromiseAndWhatItAcceptedAbove) {
  Propose(4);
  // Accepted above the snapshot, and written before it.
  cluster_.Propose(1, "above");
  cluster_.Deliver(To(2) && Of<Accept>());
  cluster_.Sync(2);
  cluster_.Lose(Everything());
  cluster_.Save(2, 4);
  cluster_.Sync(2);
  const std::string log = cluster_.Log(2);
  const Ballot ballot = cluster_.replica(2).ballot();
  const uint64_t chain = cluster_.replica(2).chain();
  cluster_.Crash(2);
  cluster_.Crash(1);
  cluster_.Restart(2);
  EXPECT_EQ(cluster_.Log(2), log);
  EXPECT_EQ(cluster_.replica(2).ballot(), ballot);
  EXPECT_EQ(cluster_.replica(2).chain(), chain);
  cluster_.Elect(2);
  EXPECT_EQ(cluster_.Log(2), log + " | above | -");
  EXPECT_EQ(cluster_.violation(), "");
}

TEST_F(SnapshotTest, WhatTheLogStillHasIsServedFromItAndOnlyAsMuchIsKeptAsIsSaid) {
  Config config;
  config.log_bytes_kept = 40;
  Cluster cluster(3, 1, config);
  cluster.Elect(1);
  for (int i = 0; i < 10; ++i) {
    cluster.Propose(1, absl::StrCat("command-", i));
    cluster.Settle();
  }
  cluster.Save(1);
  cluster.Settle();
  const Slot first = cluster.replica(1).first();
  EXPECT_GT(first, Slot(1));
  EXPECT_LE(first, cluster.replica(1).chosen());
}

TEST_F(SnapshotTest, AReplicaThatLacksWhatOthersHaveCutTakesTheirSnapshotAndThenTheirLog) {
  LeaveNodeThreeBehind();
  Propose(2);
  CatchUp();
  EXPECT_EQ(cluster_.Log(3), cluster_.Log(1));
  EXPECT_EQ(cluster_.replica(3).chain(), cluster_.replica(1).chain());
  EXPECT_EQ(cluster_.replica(3).snapshot().prefix, cluster_.replica(1).snapshot().prefix)
      << "it can serve the snapshot itself";
  cluster_.Crash(3);
  cluster_.Restart(3);
  EXPECT_EQ(cluster_.Log(3).substr(0, 4), cluster_.Log(1).substr(0, 4));
  CatchUp();
  EXPECT_EQ(cluster_.Log(3), cluster_.Log(1));
  EXPECT_EQ(cluster_.violation(), "");
}

TEST_F(SnapshotTest, APartThatIsLostIsAskedForAgain) {
  LeaveNodeThreeBehind();
  for (int i = 0; i < 400 && cluster_.replica(3).chosen() < cluster_.replica(1).chosen(); ++i) {
    cluster_.FireNext();
    // Every second part is lost.
    for (size_t moved = 1; moved > 0;) {
      if (i % 2 == 0) cluster_.Lose(Of<SnapshotPart>());
      moved = cluster_.Deliver(Everything());
      for (uint32_t node = 1; node <= 3; ++node) cluster_.Sync(node);
    }
  }
  EXPECT_EQ(cluster_.Log(3), cluster_.Log(1));
}

TEST_F(SnapshotTest, ANewerSnapshotBeginsTheFetchAgain) {
  LeaveNodeThreeBehind();
  while (cluster_.Lose(Of<SnapshotPart>()) == 0) {
    cluster_.FireNext();
    cluster_.Deliver(Everything());
  }
  Propose(3);
  for (const uint32_t node : {1, 2}) cluster_.Save(node, 4);
  cluster_.Settle();
  CatchUp();
  EXPECT_EQ(cluster_.Log(3), cluster_.Log(1));
  EXPECT_EQ(cluster_.violation(), "");
}

TEST_F(SnapshotTest, ACandidateThatLacksWhatItsVotersHaveCutTakesTheirSnapshotBeforeItLeads) {
  LeaveNodeThreeBehind();
  cluster_.Crash(1);
  cluster_.Pass(Milliseconds(1000));
  cluster_.UntilLeader(3, [&] {
    cluster_.Fire(3, Cluster::Timer::kElection);
    for (int i = 0; i < 20 && !cluster_.replica(3).is_leader(); ++i) {
      cluster_.Settle();
      if (cluster_.armed(3, Cluster::Timer::kCatchUp)) cluster_.Fire(3, Cluster::Timer::kCatchUp);
    }
    cluster_.Settle();
  });
  EXPECT_EQ(cluster_.Log(3), cluster_.Log(2));
  EXPECT_EQ(cluster_.violation(), "");
}

TEST_F(SnapshotTest, ALeaderPassesOverWhatItHasCutAndASlowFollowerStillComesAfter) {
  Propose(1);
  cluster_.Stall(3);
  for (int i = 0; i < 6; ++i) {
    cluster_.Propose(1, absl::StrCat("slow", i));
    cluster_.Settle();
  }
  cluster_.Lose(To(3));
  cluster_.Save(1, 8);
  cluster_.Sync(1);
  EXPECT_EQ(cluster_.replica(1).first(), cluster_.replica(1).chosen().next());
  cluster_.Resume(3);
  CatchUp();
  EXPECT_EQ(cluster_.Log(3), cluster_.Log(1));
  EXPECT_EQ(cluster_.violation(), "");
}

TEST_F(SnapshotTest, PartsThatCannotBeAreDropped) {
  LeaveNodeThreeBehind();
  while (cluster_.Lose(Of<SnapshotPart>()) == 0) {
    cluster_.FireNext();
    cluster_.Deliver(Everything());
  }
  const Slot before = cluster_.replica(3).chosen();
  const Prefix prefix{Slot(5), 1};
  const std::vector<Epoch> epochs{{Slot(0), Slot(1), FirstMembership({NodeId(1), NodeId(2), NodeId(3)})}};
  for (const uint32_t node : {1u, 2u}) {
    cluster_.Inject(
        {node, 3, SnapshotPart{prefix, Instant{}, epochs, 0, kSnapshotPartsMax + 1, Slice::Static("x")}});
    cluster_.Inject({node, 3, SnapshotPart{prefix, Instant{}, epochs, 3, 2, Slice::Static("x")}});
    cluster_.Inject({node, 3, SnapshotPart{{Slot(0), 0}, Instant{}, epochs, 0, 1, Slice::Static("x")}});
    cluster_.Inject({node, 3, SnapshotPart{prefix, Instant{}, {}, 0, 1, Slice::Static("nobody decides")}});
    cluster_.Deliver(Of<SnapshotPart>());
    EXPECT_EQ(cluster_.replica(3).chosen(), before);
  }
  CatchUp();
  EXPECT_EQ(cluster_.Log(3), cluster_.Log(1));
}

TEST(JoinedReplica, CannotSaveBeforeItIsToldOfTheMembers) {
  EXPECT_FALSE(Replica({.self = NodeId(4), .members = {}}).may_save(Slot(0)));
  EXPECT_TRUE(Replica({.self = NodeId(4), .members = {NodeId(4)}}).may_save(Slot(0)));
}

}  // namespace
}  // namespace bt::paxos
