// A disk without room, and one that hangs: what is refused and what goes on, and who leads in the end.

#include "core/tracker/disk_watch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/core/tracker/cluster.h"

namespace bt::tracker {
namespace {

using tracker_api::Outcome;
using tracker_api::Response;

constexpr uint64_t kReserve = uint64_t{64} << 20;

Config WithReserve() {
  Config config;
  config.disk_reserve_bytes = kReserve;
  return config;
}

class DiskWatchTest : public testing::Test {
 protected:
  explicit DiskWatchTest(uint32_t nodes = 3) : cluster_(nodes, WithReserve()), leader_(Settled()) {}

  size_t Settled() {
    cluster_.AwaitLeader();
    cluster_.RunFor(Milliseconds(500));
    return cluster_.AwaitLeader();
  }
  // What a node measures, and its peers have heard of.
  void Room(size_t node, uint64_t bytes) {
    EXPECT_EQ(cluster_.Do(node, Protocol::Request(DiskRoom{bytes})).outcome, Outcome::kOk);
    cluster_.RunFor(Milliseconds(200));
  }
  Outcome Registers(size_t node, const std::string& name) {
    return cluster_.Do(node, RegisterOf(MakeTorrent(name, 1))).outcome;
  }
  bool Knows(size_t node, const std::string& name) {
    return cluster_.Do(node, LookupOf(name)).outcome == Outcome::kOk;
  }
  bool Alarmed(size_t node, const std::string& name) {
    const auto alarms = cluster_.node(node).Alarms(cluster_.now());
    return std::any_of(alarms.begin(), alarms.end(), [&](const auto& alarm) { return alarm.name == name; });
  }
  static std::string Of(size_t node) { return " of node " + std::to_string(node + 1); }

  Cluster cluster_;
  size_t leader_;
};

class AloneTest : public DiskWatchTest {
 protected:
  AloneTest() : DiskWatchTest(1) {}
};

class FiveTest : public DiskWatchTest {
 protected:
  FiveTest() : DiskWatchTest(5) {}
};

TEST_F(AloneTest, BelowTheReserveNothingNewIsWrittenAndReadsGoOn) {
  EXPECT_EQ(Registers(0, "before"), Outcome::kCreated);
  Room(0, kReserve - 1);
  const Slot chosen = cluster_.node(0).replica().chosen();
  const Response refused = cluster_.Do(0, RegisterOf(MakeTorrent("refused", 1)));
  EXPECT_EQ(refused.outcome, Outcome::kUnavailable);
  EXPECT_EQ(refused.retry_after, kDiskPause);
  EXPECT_EQ(refused.reason,
            "the disk of node 1, which leads, has 63 MiB free and a reserve of 64 MiB: writes are refused "
            "until there is room; lookups and announces are answered");
  EXPECT_EQ(cluster_.node(0).replica().chosen(), chosen);
  EXPECT_TRUE(Alarmed(0, "disk_room of node 1"));
  EXPECT_TRUE(Knows(0, "before"));
  EXPECT_FALSE(Knows(0, "refused"));
}

TEST_F(AloneTest, WritesGoOnByThemselvesWhenThereIsAQuarterMoreThanTheReserve) {
  Room(0, 0);
  Room(0, kReserve + kReserve / 4 - 1);
  EXPECT_EQ(Registers(0, "one"), Outcome::kUnavailable);
  Room(0, kReserve + kReserve / 4);
  EXPECT_EQ(Registers(0, "one"), Outcome::kCreated);
  EXPECT_FALSE(Alarmed(0, "disk_room of node 1"));
}

TEST_F(AloneTest, AnnouncesAreAnsweredAndTheirClaimsComeIntoTheLogWhenThereIsRoom) {
  const Metainfo song = MakeTorrent("song", 1);
  ASSERT_EQ(cluster_.Do(0, RegisterOf(song)).outcome, Outcome::kCreated);
  Room(0, 0);
  const Slot chosen = cluster_.node(0).replica().chosen();
  const tracker_api::Announce announce{song.AllInfoHashes()[0], Peer(1), 0, {}, 50};
  EXPECT_EQ(cluster_.Do(0, announce).outcome, Outcome::kOk);
  EXPECT_EQ(PeersIn(cluster_.Do(0, tracker_api::Announce{song.AllInfoHashes()[0], Peer(2), 1, {}, 50}))
                .peers.size(),
            1u);
  EXPECT_EQ(cluster_.node(0).replica().chosen(), chosen);
  EXPECT_EQ(cluster_.node(0).registry().claims(), 0u);
  Room(0, kReserve * 2);
  cluster_.RunFor(Milliseconds(500));
  EXPECT_EQ(cluster_.node(0).registry().claims(), 2u);
}

TEST_F(DiskWatchTest, ALeaderWithoutRoomLetsOneLeadThatHasIt) {
  const size_t follower = cluster_.AFollower(leader_);
  Room(follower, 0);
  Room(leader_, 0);
  cluster_.RunFor(Seconds(1));
  EXPECT_EQ(Registers(leader_, "refused?"), Outcome::kUnavailable) << "two of three have no room";
  EXPECT_EQ(cluster_.AwaitLeader(), leader_);
  Room(follower, kReserve * 2);
  cluster_.RunFor(Seconds(3));
  EXPECT_NE(cluster_.AwaitLeader(), leader_);
  EXPECT_EQ(Registers(leader_, "goes on"), Outcome::kCreated);
  EXPECT_TRUE(Alarmed(leader_, "disk_room" + Of(leader_))) << "it is an alarm all the same";
}

TEST_F(DiskWatchTest, OneFollowerWithoutRoomAcceptsWhatTheOthersDecide) {
  const size_t follower = cluster_.AFollower(leader_);
  Room(follower, 0);
  EXPECT_EQ(Registers(follower, "song"), Outcome::kCreated);
  cluster_.RunFor(Milliseconds(200));
  EXPECT_TRUE(Knows(follower, "song"));
  EXPECT_TRUE(Alarmed(follower, "disk_room" + Of(follower)));
  EXPECT_TRUE(cluster_.node(leader_).Alarms(cluster_.now()).empty());
}

TEST_F(DiskWatchTest, AMajorityWithoutRoomIsSparedAlsoByALeaderThatHasIt) {
  for (size_t node = 0; node < 3; ++node) {
    if (node != leader_) Room(node, 0);
  }
  EXPECT_TRUE(Alarmed(leader_, "disk_room of a majority"));
  EXPECT_EQ(Registers(leader_, "here"), Outcome::kUnavailable);
  const size_t follower = cluster_.AFollower(leader_);
  const Response forwarded = cluster_.Do(follower, RegisterOf(MakeTorrent("there", 1)));
  EXPECT_EQ(forwarded.outcome, Outcome::kUnavailable);
  EXPECT_EQ(forwarded.retry_after, kDiskPause);
  // What was refused is not done later, either.
  Room(follower, kReserve * 2);
  EXPECT_EQ(Registers(leader_, "later"), Outcome::kCreated);
  cluster_.RunFor(Seconds(2));
  EXPECT_FALSE(Knows(leader_, "here"));
  EXPECT_FALSE(Knows(leader_, "there"));
}

TEST_F(DiskWatchTest, WhoHasSaidThatItHasNoRoomAndDiesHoldsNobodyUp) {
  for (size_t node = 0; node < 3; ++node) {
    if (node != leader_) Room(node, 0);
  }
  cluster_.Crash(cluster_.AFollower(leader_));
  EXPECT_EQ(Registers(leader_, "early"), Outcome::kUnavailable);
  cluster_.RunFor(Seconds(6));
  EXPECT_EQ(Registers(leader_, "late"), Outcome::kCreated) << "one of three is known to have no room";
}

// tracker_faults seed 643608624390: the room was made while another led, who alone was told so.
TEST_F(FiveTest, WhoLeadsAgainDoesNotBelieveWhatItWasToldWhenItLedBefore) {
  const auto lead = [&](size_t node) {
    const paxos::TransferLeadership transfer{NodeId(static_cast<uint32_t>(node + 1))};
    EXPECT_EQ(cluster_.Do(node, Protocol::Request(Order(transfer))).outcome, Outcome::kOk);
    cluster_.RunFor(Milliseconds(300));
    ASSERT_EQ(cluster_.AwaitLeader(), node);
  };
  const size_t second = cluster_.AFollower(leader_);
  std::vector<size_t> full;
  for (size_t node = 0; node < 5; ++node) {
    if (node != leader_ && node != second) full.push_back(node);
  }
  for (const size_t node : full) Room(node, 0);
  EXPECT_EQ(Registers(leader_, "early"), Outcome::kUnavailable);
  lead(second);
  for (const size_t node : full) Room(node, kReserve * 2);
  lead(leader_);
  EXPECT_EQ(Registers(leader_, "late"), Outcome::kCreated);
}

TEST_F(DiskWatchTest, ALeaderWhoseDiskHangsCommitsOnAndLetsAnotherLead) {
  const size_t hung = leader_;
  cluster_.HangDisk(hung);
  EXPECT_EQ(Registers(hung, "with the others' votes"), Outcome::kCreated);
  cluster_.RunFor(Milliseconds(500));
  EXPECT_EQ(cluster_.AwaitLeader(), hung) << "a slow disk is no reason";
  cluster_.RunFor(Milliseconds(700));
  EXPECT_TRUE(Alarmed(hung, "journal_sync" + Of(hung)));
  cluster_.RunFor(Milliseconds(300));
  EXPECT_NE(cluster_.AwaitLeader(), hung);
  EXPECT_EQ(Registers(hung, "under the next one"), Outcome::kCreated);
  cluster_.ReleaseDisk(hung);
  cluster_.RunFor(Milliseconds(100));
  EXPECT_FALSE(Alarmed(hung, "journal_sync" + Of(hung)));
  EXPECT_TRUE(Knows(hung, "under the next one"));
}

TEST_F(DiskWatchTest, AFollowerWhoseDiskHangsIsAnAlarmAndNoMore) {
  const size_t follower = cluster_.AFollower(leader_);
  cluster_.HangDisk(follower);
  EXPECT_EQ(Registers(follower, "song"), Outcome::kCreated);
  cluster_.RunFor(Seconds(3));
  EXPECT_TRUE(Alarmed(follower, "journal_sync" + Of(follower)));
  EXPECT_EQ(cluster_.AwaitLeader(), leader_);
  EXPECT_EQ(cluster_.node(leader_).disk().handed_over(), 0u);
}

}  // namespace
}  // namespace bt::tracker
