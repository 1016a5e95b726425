// The acceptor alone, and what its journal gives back.

#include "core/paxos/acceptor.h"

#include <gtest/gtest.h>

#include "core/base/fields.h"

namespace bt::paxos {
namespace {

constexpr Ballot kFirst{1, NodeId(1)};
constexpr Ballot kSecond{2, NodeId(2)};

Slice Value(std::string_view command) {
  return Slice::Own(Encode(Batch{Instant{5}, {Slice::Copy(command)}}));
}

class AcceptorTest : public testing::Test {
 protected:
  // What a restart would find if everything written so far had become durable.
  Acceptor Recovered() {
    std::vector<JournalRecord> records;
    for (const JournalWrite& write : out_.writes) records.push_back({write.seq, write.type, write.body});
    Acceptor acceptor(config_);
    Outbox<Protocol> out;
    acceptor.Recover(records, out);
    EXPECT_TRUE(out.writes.empty());
    return acceptor;
  }

  Config config_;
  Outbox<Protocol> out_;
  Acceptor acceptor_{config_};
};

TEST_F(AcceptorTest, PromisesAndAcceptancesSurviveARestart) {
  acceptor_.RaisePromise(kFirst, out_);
  ASSERT_TRUE(acceptor_.Accept(kFirst, Slot(1), Value("a"), out_));
  ASSERT_TRUE(acceptor_.Accept(kFirst, Slot(3), Value("c"), out_));
  const Acceptor recovered = Recovered();
  EXPECT_EQ(recovered.promised(), kFirst);
  EXPECT_EQ(recovered.Report(Slot(1)), acceptor_.Report(Slot(1)));
  EXPECT_EQ(recovered.Report(Slot(1)).entries.size(), 2u);
  EXPECT_EQ(recovered.log().Find(Slot(2)), nullptr);
}

TEST_F(AcceptorTest, AnAcceptanceIsWrittenOnceAndRepetitionsRestOnIt) {
  acceptor_.RaisePromise(kFirst, out_);
  const auto once = acceptor_.Accept(kFirst, Slot(1), Value("a"), out_);
  const auto again = acceptor_.Accept(kFirst, Slot(1), Value("a"), out_);
  EXPECT_EQ(out_.writes.size(), 2u);
  EXPECT_EQ(once, again);
}

TEST_F(AcceptorTest, OneBallotNeverHasTwoValuesForASlot) {
  acceptor_.RaisePromise(kFirst, out_);
  ASSERT_TRUE(acceptor_.Accept(kFirst, Slot(1), Value("a"), out_));
  EXPECT_EQ(acceptor_.Accept(kFirst, Slot(1), Value("b"), out_), std::nullopt);
  EXPECT_EQ(acceptor_.log().Find(Slot(1))->value, Value("a"));
}

TEST_F(AcceptorTest, AHigherBallotReplacesWhatIsNotChosenAndNeverWhatIs) {
  acceptor_.RaisePromise(kFirst, out_);
  acceptor_.Accept(kFirst, Slot(1), Value("a"), out_);
  acceptor_.Accept(kFirst, Slot(2), Value("b"), out_);
  acceptor_.Advance(kFirst, Slot(1), out_);
  acceptor_.RaisePromise(kSecond, out_);
  EXPECT_FALSE(acceptor_.Accept(kSecond, Slot(1), Value("other"), out_));
  EXPECT_TRUE(acceptor_.Accept(kSecond, Slot(1), Value("a"), out_)) << "as good as an acceptance";
  EXPECT_TRUE(acceptor_.Accept(kSecond, Slot(2), Value("other"), out_));
  EXPECT_EQ(acceptor_.log().Find(Slot(1))->value, Value("a"));
  EXPECT_EQ(acceptor_.log().Find(Slot(2))->value, Value("other"));
}

TEST_F(AcceptorTest, TheWatermarkStopsAtAHoleAndAtAnotherBallotsEntry) {
  acceptor_.RaisePromise(kFirst, out_);
  acceptor_.Accept(kFirst, Slot(1), Value("a"), out_);
  acceptor_.Accept(kFirst, Slot(3), Value("c"), out_);
  acceptor_.Advance(kFirst, Slot(3), out_);
  EXPECT_EQ(acceptor_.chosen(), Slot(1));
  acceptor_.RaisePromise(kSecond, out_);
  acceptor_.Accept(kSecond, Slot(2), Value("b"), out_);
  acceptor_.Advance(kSecond, Slot(3), out_);
  EXPECT_EQ(acceptor_.chosen(), Slot(2));
}

TEST_F(AcceptorTest, TheWatermarkComesBackFromLaterRecords) {
  acceptor_.RaisePromise(kFirst, out_);
  acceptor_.Accept(kFirst, Slot(1), Value("a"), out_);
  acceptor_.Advance(kFirst, Slot(1), out_);
  EXPECT_EQ(Recovered().chosen(), Slot(0)) << "nothing has written it down yet";
  acceptor_.Accept(kFirst, Slot(2), Value("b"), out_);
  EXPECT_EQ(Recovered().chosen(), Slot(1)) << "the next acceptance carries it";
  acceptor_.Advance(kFirst, Slot(2), out_);
  acceptor_.RecordChosen(out_);
  Acceptor recovered = Recovered();
  EXPECT_EQ(recovered.chosen(), Slot(2));
  EXPECT_EQ(recovered.prefix().chain(), acceptor_.prefix().chain());
  EXPECT_EQ(recovered.TakeDecided().size(), 2u);
  const size_t written = out_.writes.size();
  acceptor_.RecordChosen(out_);
  EXPECT_EQ(out_.writes.size(), written);
}

TEST_F(AcceptorTest, ALearnedValueReplacesALosingOneAndIsChosenAfterARestart) {
  acceptor_.RaisePromise(kFirst, out_);
  acceptor_.Accept(kFirst, Slot(1), Value("lost"), out_);
  acceptor_.Learn(Value("won"), out_);
  Acceptor recovered = Recovered();
  EXPECT_EQ(recovered.chosen(), Slot(1));
  EXPECT_EQ(recovered.TakeDecided()[0].batch.commands[0].view(), "won");
  EXPECT_TRUE(recovered.Report(Slot(1)).entries.empty());
}

TEST_F(AcceptorTest, ReportsAreBoundedButNeverEmptyWhileSomethingIsLeft) {
  config_.promise_bytes_max = 1;
  Acceptor acceptor(config_);
  acceptor.RaisePromise(kFirst, out_);
  acceptor.Accept(kFirst, Slot(1), Value("aaaa"), out_);
  acceptor.Accept(kFirst, Slot(2), Value("bbbb"), out_);
  EXPECT_EQ(acceptor.Report(Slot(1)).entries.size(), 1u);
  EXPECT_EQ(acceptor.Report(Slot(1)).next, Slot(2));
  EXPECT_EQ(acceptor.Report(Slot(2)).next, Slot(0));
}

TEST_F(AcceptorTest, LogTimeNeverGoesBackWhateverTheStamps) {
  acceptor_.RaisePromise(kFirst, out_);
  for (const int64_t stamp : {10, 30, 20}) {
    acceptor_.Learn(Slice::Own(Encode(Batch{Instant{stamp}})), out_);
  }
  std::vector<int64_t> stamps;
  for (const Decided& decided : acceptor_.TakeDecided()) stamps.push_back(decided.batch.stamp.ns);
  EXPECT_EQ(stamps, (std::vector<int64_t>{10, 30, 30}));
}

TEST_F(AcceptorTest, TheLogSharesTheJournalRecordsBytes) {
  acceptor_.RaisePromise(kFirst, out_);
  acceptor_.Accept(kFirst, Slot(1), Value("a"), out_);
  const std::string_view body = out_.writes.back().body.view();
  const char* value = acceptor_.log().Find(Slot(1))->value.data();
  EXPECT_TRUE(value >= body.data() && value < body.data() + body.size());
}

}  // namespace
}  // namespace bt::paxos
