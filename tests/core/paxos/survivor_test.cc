// What is left of the log when one replica is.

#include "core/paxos/survivor.h"

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include "tests/core/paxos/cluster.h"

namespace bt::paxos {
namespace {

class SurvivorTest : public testing::Test {
 protected:
  SurvivorTest() { cluster_.Elect(1); }

  void Propose(const std::string& command) {
    cluster_.Propose(1, command);
    cluster_.Settle();
  }
  // The commands that the survivor's slots behind its snapshot hold.
  static std::vector<std::string> Commands(const Survivor& survivor) {
    std::vector<std::string> commands;
    for (const Decided& entry : survivor.decided) {
      for (const Slice& command : entry.batch.commands) commands.emplace_back(command.view());
    }
    return commands;
  }

  Cluster cluster_{3, 1, KeepNothing()};
};

// The last command is chosen: nodes 1 and 2 hold it. Node 2 has not heard so, and it is all that is left.
TEST_F(SurvivorTest, KeepsWhatTheReplicaOnlyAccepted) {
  Propose("one");
  Propose("two");
  const Survivor survivor = ReadSurvivor(cluster_.Recoverable(2));
  EXPECT_EQ(Commands(survivor), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(survivor.end.slot, cluster_.replica(1).chosen());
  EXPECT_LE(survivor.known, survivor.end.slot);
  EXPECT_TRUE(survivor.snapshot.empty());
}

TEST_F(SurvivorTest, HasTheChainOfTheOthersAndNeedNotKnowTheMembers) {
  Propose("one");
  cluster_.Fire(1, Cluster::Timer::kHeartbeat);
  cluster_.Settle();
  const Survivor survivor = ReadSurvivor(cluster_.Recoverable(3));
  EXPECT_EQ(survivor.end.slot, cluster_.replica(1).chosen());
  EXPECT_EQ(survivor.end.chain, cluster_.replica(1).chain());
}

TEST_F(SurvivorTest, GoesOnBehindASnapshot) {
  for (int i = 0; i < 4; ++i) Propose(absl::StrCat("c", i));
  cluster_.Fire(1, Cluster::Timer::kHeartbeat);
  cluster_.Settle();
  cluster_.Save(2, 3);
  cluster_.Settle();
  Propose("behind it");
  const Survivor survivor = ReadSurvivor(cluster_.Recoverable(2));
  ASSERT_FALSE(survivor.snapshot.empty());
  ASSERT_FALSE(survivor.decided.empty());
  EXPECT_EQ(survivor.decided.front().slot, survivor.snapshot.prefix.slot.next());
  EXPECT_EQ(Commands(survivor).back(), "behind it");
  EXPECT_EQ(survivor.end.slot, cluster_.replica(1).chosen());
}

TEST_F(SurvivorTest, EndsAtTheFirstSlotOfWhichNothingIsKnown) {
  const Survivor survivor = ReadSurvivor({});
  EXPECT_EQ(survivor.end.slot, Slot(0));
  EXPECT_TRUE(survivor.decided.empty());
}

// What a new cluster begins of: every replica that is given these records has the same prefix and members.
TEST_F(SurvivorTest, RecordsOfASnapshotAreASnapshot) {
  const Snapshot snapshot{
      .prefix = {Slot(40), 9},
      .stamp = Instant(5),
      .epochs = {{.from = Slot(1), .membership = FirstMembership({NodeId(1), NodeId(2)})}},
      .parts = {Slice::Static("a"), Slice::Static("b")}};
  std::vector<JournalRecord> records;
  for (const Slice& body : RecordsOf(snapshot)) {
    records.push_back({WriteSeq(records.size() + 1), static_cast<uint8_t>(RecordType::kSnapshotPart), body});
  }
  const Snapshot found = FindSnapshot(records);
  EXPECT_EQ(found.prefix, snapshot.prefix);
  EXPECT_EQ(found.stamp, snapshot.stamp);
  EXPECT_EQ(found.epochs, snapshot.epochs);
  EXPECT_EQ(found.parts.size(), 2u);
}

// A record as the journal gives it back; the n-th that is made has sequence n.
class Records {
 public:
  JournalRecord Accepted(uint64_t slot) {
    return Of(RecordType::kAccepted,
              Encode(AcceptedRecord{{1, NodeId(1)}, Slot(slot), Slot(0), Slice::Static("v")}));
  }
  JournalRecord Part(uint64_t slot, uint32_t part, bool last) {
    return Of(RecordType::kSnapshotPart,
              Encode(SnapshotPartRecord{
                  .prefix = {Slot(slot), 7}, .part = part, .last = last, .bytes = Slice::Static("p")}));
  }

 private:
  JournalRecord Of(RecordType type, std::string body) {
    return {last_ = last_.next(), static_cast<uint8_t>(type), Slice::Own(std::move(body))};
  }

  WriteSeq last_;
};

TEST(NeededRecords, AreAWholeSnapshotAndWhatWasAcceptedAboveItBefore) {
  Records records;
  NeededRecords needed;
  for (const uint64_t slot : {1, 2, 3, 5}) EXPECT_EQ(needed(records.Accepted(slot)), WriteSeq(1));
  EXPECT_EQ(needed(records.Part(3, 0, false)), WriteSeq(1));
  EXPECT_EQ(needed(records.Accepted(4)), WriteSeq(1));
  EXPECT_EQ(needed(records.Part(3, 1, true)), WriteSeq(4)) << "slot 5 was accepted before the first part";
  EXPECT_EQ(needed(records.Part(5, 0, true)), WriteSeq(8));
  EXPECT_EQ(needed(records.Part(6, 0, false)), WriteSeq(8)) << "it is not whole";
  EXPECT_EQ(needed(records.Part(6, 2, true)), WriteSeq(8)) << "a part is missing";
}

}  // namespace
}  // namespace bt::paxos
