// The specification of the protocol: a whole history that it allows, and for each of its actions one that it
// refuses.

#include "sim/check/multi_paxos.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "core/base/fields.h"
#include "core/paxos/journal.h"
#include "sim/check/lockstep.h"

namespace bt::sim {
namespace {

using paxos::Ballot;

constexpr NodeId kOne{1};
constexpr NodeId kTwo{2};
constexpr NodeId kThree{3};
constexpr NodeId kFour{4};

const Slice kApple = Slice::Copy("apple");
const Slice kPear = Slice::Copy("pear");

// Three acceptors whose disks are quick, unless a test says Write and not Sync.
struct Specification : testing::Test {
  MultiPaxos::Refusal Promise(NodeId node, Ballot ballot) {
    MultiPaxos::Refusal refusal = paxos.Promise(node, ballot, Next(node));
    Sync(node);
    return refusal;
  }
  MultiPaxos::Refusal Accept(NodeId node, Ballot ballot, uint64_t slot, const Slice& value) {
    MultiPaxos::Refusal refusal = Write(node, ballot, slot, value);
    if (MultiPaxos::Refusal two = Sync(node)) return two;
    return refusal;
  }
  MultiPaxos::Refusal Write(NodeId node, Ballot ballot, uint64_t slot, const Slice& value) {
    return paxos.Accept(node, ballot, Slot(slot), MultiPaxos::ValueOf(value), Next(node));
  }
  MultiPaxos::Refusal Sync(NodeId node) { return paxos.Sync(node, written[node.value()]); }
  MultiPaxos::Refusal Crash(NodeId node) {
    const WriteSeq last = durable_before_crash;
    written[node.value()] = last;
    return paxos.Restart(node, last);
  }
  WriteSeq Next(NodeId node) { return ++written[node.value()]; }

  // What `node` reports to the candidate of `ballot`, of slots from 1 on, when it tells the truth.
  MultiPaxos::Refusal Report(NodeId node, Ballot ballot, std::vector<paxos::AcceptedEntry> entries = {}) {
    const paxos::Promise report{.ballot = ballot, .from = Slot(1), .entries = std::move(entries)};
    MultiPaxos::Refusal refusal = paxos.TellPromise(node, report);
    paxos.HearPromise(ballot.node, node, report);
    return refusal;
  }
  // Every step of an election with the promise of one other node that has accepted nothing.
  void Elect(Ballot ballot, NodeId other, std::vector<paxos::AcceptedEntry> entries = {}) {
    EXPECT_EQ(Promise(ballot.node, ballot), std::nullopt);
    EXPECT_EQ(paxos.Prepare(ballot.node, ballot), std::nullopt);
    EXPECT_EQ(Promise(other, ballot), std::nullopt);
    EXPECT_EQ(Report(other, ballot, std::move(entries)), std::nullopt);
  }
  // Node 1 leads with ballot (1,1), and nodes 1 and 2 hold `kApple` in slot 1.
  void ChooseApple() {
    Elect({1, kOne}, kTwo);
    EXPECT_EQ(Accept(kOne, {1, kOne}, 1, kApple), std::nullopt);
    EXPECT_EQ(paxos.chosen(), Slot(0));
    EXPECT_EQ(Accept(kTwo, {1, kOne}, 1, kApple), std::nullopt);
    EXPECT_EQ(paxos.chosen(), Slot(1));
  }

  MultiPaxos paxos{{kOne, kTwo, kThree, kFour}, 3};
  WriteSeq written[5];
  WriteSeq durable_before_crash;
};

#define REFUSED(action, words)                                                                            \
  {                                                                                                       \
    const MultiPaxos::Refusal refusal = action;                                                           \
    EXPECT_NE(refusal.value_or("allowed").find(words), std::string::npos) << refusal.value_or("allowed"); \
  }

TEST_F(Specification, AllowsALeaderToChooseAndTheNextToInherit) {
  ChooseApple();
  const MultiPaxos::Value apple = MultiPaxos::ValueOf(kApple);
  EXPECT_EQ(paxos.TellAccepted(kTwo, {1, kOne}, Slot(1)), std::nullopt);
  EXPECT_EQ(paxos.TellLeads(kOne, {1, kOne}), std::nullopt);
  EXPECT_EQ(paxos.TellFollows(kTwo, {1, kOne}), std::nullopt);
  EXPECT_EQ(paxos.TellProposal(kOne, {1, kOne}, Slot(1), apple), std::nullopt);
  EXPECT_EQ(paxos.TellChosenUpTo(Slot(1)), std::nullopt);
  EXPECT_EQ(paxos.Learn(kOne, Slot(1), apple), std::nullopt);
  EXPECT_EQ(paxos.Apply(kOne, Slot(1)), std::nullopt);
  Elect({2, kThree}, kTwo, {{Slot(1), {1, kOne}, kApple}});
  EXPECT_EQ(Accept(kThree, {2, kThree}, 1, kApple), std::nullopt);
  EXPECT_EQ(Accept(kThree, {2, kThree}, 2, kPear), std::nullopt);
  EXPECT_EQ(paxos.TellRejected(kTwo, {1, kOne}, {2, kThree}), std::nullopt);
  EXPECT_EQ(paxos.Holds(kThree, {2, kThree}, Slot(0)), std::nullopt);
}

TEST_F(Specification, RefusesAPromiseThatGoesBack) {
  Elect({2, kOne}, kTwo);
  EXPECT_EQ(Promise(kThree, {1, kThree}), std::nullopt);
  EXPECT_EQ(paxos.Prepare(kThree, {1, kThree}), std::nullopt);
  REFUSED(Promise(kTwo, {1, kThree}), "promised ballot (1,3), which is not above its promise (2,1)");
}

TEST_F(Specification, RefusesThePromiseOfABallotThatNobodyPrepared) {
  REFUSED(Promise(kTwo, {1, kOne}), "which nobody had prepared");
}

TEST_F(Specification, RefusesABallotPreparedBeforeItIsDurable) {
  EXPECT_EQ(paxos.Promise(kOne, {1, kOne}, Next(kOne)), std::nullopt);
  REFUSED(paxos.Prepare(kOne, {1, kOne}), "before its own promise of it was durable");
}

TEST_F(Specification, RefusesABallotThatIsPreparedForAnother) {
  REFUSED(paxos.Prepare(kTwo, {1, kOne}), "which is another's");
}

TEST_F(Specification, RefusesAPromiseToldBeforeItIsDurable) {
  EXPECT_EQ(Promise(kOne, {1, kOne}), std::nullopt);
  EXPECT_EQ(paxos.Prepare(kOne, {1, kOne}), std::nullopt);
  EXPECT_EQ(paxos.Promise(kTwo, {1, kOne}, Next(kTwo)), std::nullopt);
  REFUSED(Report(kTwo, {1, kOne}), "told its promise of ballot (1,1) before that was durable");
}

TEST_F(Specification, RefusesAReportWithoutOneOfTheVotes) {
  ChooseApple();
  EXPECT_EQ(Promise(kThree, {2, kThree}), std::nullopt);
  EXPECT_EQ(paxos.Prepare(kThree, {2, kThree}), std::nullopt);
  EXPECT_EQ(Promise(kTwo, {2, kThree}), std::nullopt);
  REFUSED(Report(kTwo, {2, kThree}), "promised ballot (2,3) without its vote in slot 1 at ballot (1,1)");
}

TEST_F(Specification, RefusesAReportOfAVoteThatWasNeverGiven) {
  ChooseApple();
  EXPECT_EQ(Promise(kTwo, {2, kTwo}), std::nullopt);
  EXPECT_EQ(paxos.Prepare(kTwo, {2, kTwo}), std::nullopt);
  EXPECT_EQ(Promise(kThree, {2, kTwo}), std::nullopt);
  REFUSED(Report(kThree, {2, kTwo}, {{Slot(1), {1, kOne}, kApple}}), "that its disk does not hold");
  REFUSED(Report(kThree, {2, kTwo}, {{Slot(5), {1, kOne}, kApple}}), "none of those it reports about");
}

TEST_F(Specification, RefusesAVoteBelowThePromise) {
  ChooseApple();
  Elect({4, kThree}, kTwo, {{Slot(1), {1, kOne}, kApple}});
  EXPECT_EQ(Write(kOne, {1, kOne}, 2, kPear), std::nullopt);
  REFUSED(Write(kTwo, {1, kOne}, 2, kPear), "accepted slot 2 at ballot (1,1) below its promise (4,3)");
}

TEST_F(Specification, RefusesAVoteForWhatWasNotProposed) {
  ChooseApple();
  REFUSED(Write(kThree, {1, kOne}, 1, kPear), "accepted in slot 1 at ballot (1,1) what was not proposed");
}

TEST_F(Specification, RefusesAProposalWithoutAMajorityOfPromises) {
  EXPECT_EQ(Promise(kOne, {1, kOne}), std::nullopt);
  REFUSED(Write(kOne, {1, kOne}, 1, kApple), "with the promises of 1 of 3 acceptors");
  // Another part of the same acceptor's promise is not another acceptor's.
  paxos.HearPromise(kOne, kOne, {.ballot = {1, kOne}, .from = Slot(1)});
  REFUSED(Write(kOne, {1, kOne}, 1, kApple), "with the promises of 1 of 3 acceptors");
}

TEST_F(Specification, RefusesAProposalInASlotThatAReportCallsChosen) {
  ChooseApple();
  EXPECT_EQ(Promise(kThree, {2, kThree}), std::nullopt);
  EXPECT_EQ(paxos.Prepare(kThree, {2, kThree}), std::nullopt);
  EXPECT_EQ(Promise(kTwo, {2, kThree}), std::nullopt);
  paxos.HearPromise(kThree, kTwo, {.ballot = {2, kThree}, .from = Slot(1), .chosen = Slot(1)});
  REFUSED(Write(kThree, {2, kThree}, 1, kPear), "proposed in slot 1 at ballot (2,3) with the promises of 1");
  EXPECT_EQ(Write(kThree, {2, kThree}, 2, kPear), std::nullopt);
}

TEST_F(Specification, RefusesAValueThatIsNotTheHighestReported) {
  Elect({1, kOne}, kTwo);
  EXPECT_EQ(Accept(kOne, {1, kOne}, 1, kApple), std::nullopt);
  Elect({2, kTwo}, kThree);
  EXPECT_EQ(Accept(kTwo, {2, kTwo}, 1, kPear), std::nullopt);
  Elect({3, kThree}, kOne, {{Slot(1), {1, kOne}, kApple}});
  EXPECT_EQ(Promise(kTwo, {3, kThree}), std::nullopt);
  EXPECT_EQ(Report(kTwo, {3, kThree}, {{Slot(1), {2, kTwo}, kPear}}), std::nullopt);
  REFUSED(Write(kThree, {3, kThree}, 1, kApple), "another value than the reported one of ballot (2,2)");
  EXPECT_EQ(Write(kThree, {3, kThree}, 1, kPear), std::nullopt);
}

TEST_F(Specification, RefusesTwoValuesUnderOneBallot) {
  ChooseApple();
  REFUSED(Write(kOne, {1, kOne}, 1, kPear), "proposed two values in slot 1 at ballot (1,1)");
}

TEST_F(Specification, RefusesAProposalUnderABallotOfAnEarlierLife) {
  Elect({1, kOne}, kTwo);
  durable_before_crash = written[1];
  EXPECT_EQ(Crash(kOne), std::nullopt);
  REFUSED(Write(kOne, {1, kOne}, 1, kApple), "for which it did not stand in this life");
}

TEST_F(Specification, ForgetsAVoteThatACrashHasLost) {
  Elect({1, kOne}, kTwo);
  durable_before_crash = written[1];
  EXPECT_EQ(Write(kOne, {1, kOne}, 1, kApple), std::nullopt);
  EXPECT_EQ(Crash(kOne), std::nullopt);
  EXPECT_EQ(Accept(kTwo, {1, kOne}, 1, kApple), std::nullopt);
  EXPECT_EQ(paxos.chosen(), Slot(0));
  REFUSED(paxos.TellAccepted(kOne, {1, kOne}, Slot(1)), "which its disk does not hold");
}

TEST_F(Specification, RefusesABallotBegunAgainAfterItWasPrepared) {
  EXPECT_EQ(Promise(kOne, {1, kOne}), std::nullopt);
  EXPECT_EQ(paxos.Prepare(kOne, {1, kOne}), std::nullopt);
  EXPECT_EQ(Crash(kOne), std::nullopt);  // with nothing on its disk, as no disk may do
  REFUSED(Promise(kOne, {1, kOne}), "not above its promise (1,1)");
}

TEST_F(Specification, RefusesAVoteToldBeforeItIsDurable) {
  Elect({1, kOne}, kTwo);
  EXPECT_EQ(Accept(kOne, {1, kOne}, 1, kApple), std::nullopt);
  EXPECT_EQ(Write(kTwo, {1, kOne}, 1, kApple), std::nullopt);
  REFUSED(paxos.TellAccepted(kTwo, {1, kOne}, Slot(1)), "told its vote in slot 1 at ballot (1,1)");
  EXPECT_EQ(paxos.chosen(), Slot(0));
}

TEST_F(Specification, TakesTheAnswerOfOneWhoKnowsTheSlotAsChosenForAVote) {
  ChooseApple();
  REFUSED(paxos.TellAccepted(kThree, {1, kOne}, Slot(1)), "which its disk does not hold");
  EXPECT_EQ(paxos.Learn(kThree, Slot(1), MultiPaxos::ValueOf(kApple)), std::nullopt);
  EXPECT_EQ(paxos.TellAccepted(kThree, {1, kOne}, Slot(1)), std::nullopt);
}

// Node 1 proposed a pear that nobody heard of, and the two others chose an apple. Node 3 knows that, and then
// answers a ballot below its promise, as no replica may: otherwise node 1 could not get a majority.
TEST_F(Specification, RefusesALeaderWithAMajorityForWhatIsNotChosen) {
  Elect({1, kOne}, kTwo);
  EXPECT_EQ(Accept(kOne, {1, kOne}, 1, kPear), std::nullopt);
  Elect({2, kThree}, kTwo);
  EXPECT_EQ(Accept(kThree, {2, kThree}, 1, kApple), std::nullopt);
  EXPECT_EQ(Accept(kTwo, {2, kThree}, 1, kApple), std::nullopt);
  paxos::VoteSet votes;
  votes.Add(kOne);
  EXPECT_EQ(paxos.HoldsVotes({1, kOne}, Slot(1), votes), std::nullopt);
  REFUSED(paxos.TellAccepted(kThree, {1, kOne}, Slot(1)), "which its disk does not hold");
  EXPECT_EQ(paxos.Learn(kThree, Slot(1), MultiPaxos::ValueOf(kApple)), std::nullopt);
  EXPECT_EQ(paxos.TellAccepted(kThree, {1, kOne}, Slot(1)), std::nullopt);
  votes.Add(kThree);
  REFUSED(paxos.HoldsVotes({1, kOne}, Slot(1), votes), "has a majority for its value in slot 1");
}

TEST_F(Specification, RefusesTheSecondValueOfASlot) {
  ChooseApple();
  // A leader that no honest report can make: it takes its own word for two others'.
  EXPECT_EQ(Promise(kThree, {2, kThree}), std::nullopt);
  EXPECT_EQ(paxos.Prepare(kThree, {2, kThree}), std::nullopt);
  EXPECT_EQ(Promise(kTwo, {2, kThree}), std::nullopt);
  paxos.HearPromise(kThree, kTwo, {.ballot = {2, kThree}, .from = Slot(1)});
  EXPECT_EQ(Accept(kThree, {2, kThree}, 1, kPear), std::nullopt);
  REFUSED(Accept(kTwo, {2, kThree}, 1, kPear), "a second value is chosen in slot 1, at ballot (2,3)");
}

TEST_F(Specification, RefusesToLearnWhatIsNotChosen) {
  Elect({1, kOne}, kTwo);
  EXPECT_EQ(Accept(kOne, {1, kOne}, 1, kApple), std::nullopt);
  REFUSED(paxos.Learn(kOne, Slot(1), MultiPaxos::ValueOf(kApple)), "takes a value of slot 1 for chosen");
  EXPECT_EQ(Accept(kTwo, {1, kOne}, 1, kApple), std::nullopt);
  REFUSED(paxos.Learn(kOne, Slot(1), MultiPaxos::ValueOf(kPear)), "and another is");
  REFUSED(paxos.Learn(kOne, Slot(2), MultiPaxos::ValueOf(kApple)), "slot 1 comes next");
}

TEST_F(Specification, RefusesToApplyWhatTheNodeDoesNotKnowAsChosen) {
  ChooseApple();
  REFUSED(paxos.Apply(kOne, Slot(1)), "applied slot 1 after slot 0, knowing slots up to 0");
}

TEST_F(Specification, RefusesAWatermarkAboveWhatIsChosen) {
  ChooseApple();
  REFUSED(paxos.TellChosenUpTo(Slot(2)), "says that slots up to 2 are chosen, and slot 2 is not");
  REFUSED(paxos.TellChosen(Slot(1), MultiPaxos::ValueOf(kPear)), "and another is");
}

TEST_F(Specification, RefusesALeaderThatDoesNotLead) {
  Elect({1, kOne}, kTwo);
  REFUSED(paxos.TellLeads(kOne, {1, kOne}), "spoke as the leader of ballot (1,1)");
  REFUSED(paxos.TellProposal(kOne, {1, kOne}, Slot(1), MultiPaxos::ValueOf(kApple)), "had not proposed");
  REFUSED(paxos.TellFollows(kThree, {1, kOne}), "confirmed the leader of ballot (1,1)");
}

TEST_F(Specification, RefusesAnHeirThatLacksAProposal) {
  ChooseApple();
  EXPECT_EQ(paxos.TellHeir(kOne, kThree, {1, kOne}), std::nullopt);
  EXPECT_EQ(Accept(kOne, {1, kOne}, 2, kPear), std::nullopt);
  REFUSED(paxos.TellHeir(kOne, kTwo, {1, kOne}),
          "lets node 2 stand, which has not voted for its proposal in slot 2");
  EXPECT_EQ(Write(kTwo, {1, kOne}, 2, kPear), std::nullopt);
  REFUSED(paxos.TellHeir(kOne, kTwo, {1, kOne}), "has not voted");
  EXPECT_EQ(Sync(kTwo), std::nullopt);
  EXPECT_EQ(paxos.TellHeir(kOne, kTwo, {1, kOne}), std::nullopt);
  REFUSED(paxos.TellHeir(kTwo, kThree, {1, kOne}), "spoke as the leader");
}

TEST_F(Specification, RefusesARejectionThatNoPromiseExplains) {
  Elect({1, kOne}, kTwo);
  REFUSED(paxos.TellRejected(kTwo, {1, kOne}, {2, kThree}), "rejected ballot (1,1) for a promise of (2,3)");
  REFUSED(paxos.TellRejected(kTwo, {1, kOne}, {1, kOne}), "rejected ballot (1,1)");
}

TEST_F(Specification, RefusesAMemoryThatIsNotWhatWasWritten) {
  Elect({1, kOne}, kTwo);
  REFUSED(paxos.Holds(kTwo, {2, kOne}, Slot(0)), "holds promise (2,1)");
  REFUSED(paxos.Holds(kTwo, {1, kOne}, Slot(1)), "slots up to 1");
}

TEST_F(Specification, RefusesACandidateThatKeepsALowerReport) {
  Elect({1, kOne}, kTwo);
  EXPECT_EQ(Accept(kOne, {1, kOne}, 1, kApple), std::nullopt);
  Elect({2, kTwo}, kOne, {{Slot(1), {1, kOne}, kApple}});
  EXPECT_EQ(Accept(kTwo, {2, kTwo}, 1, kApple), std::nullopt);
  Elect({3, kThree}, kTwo, {{Slot(1), {2, kTwo}, kApple}});
  EXPECT_EQ(Promise(kOne, {3, kThree}), std::nullopt);
  EXPECT_EQ(Report(kOne, {3, kThree}, {{Slot(1), {1, kOne}, kApple}}), std::nullopt);
  paxos::Candidate candidate{.ballot = {3, kThree}};
  REFUSED(paxos.HoldsReports(kThree, candidate), "does not hold the report of slot 1 at ballot (2,2)");
  candidate.highest[Slot(1)].ballot = {1, kOne};
  REFUSED(paxos.HoldsReports(kThree, candidate), "does not hold the report of slot 1 at ballot (2,2)");
  candidate.highest[Slot(1)].ballot = {2, kTwo};
  EXPECT_EQ(paxos.HoldsReports(kThree, candidate), std::nullopt);
}

TEST_F(Specification, RefusesALeaderThatCountsAVoteNobodyGave) {
  Elect({1, kOne}, kTwo);
  EXPECT_EQ(Accept(kOne, {1, kOne}, 1, kApple), std::nullopt);
  EXPECT_EQ(Write(kTwo, {1, kOne}, 1, kApple), std::nullopt);
  paxos::VoteSet votes;
  votes.Add(kOne);
  EXPECT_EQ(paxos.HoldsVotes({1, kOne}, Slot(1), votes), std::nullopt);
  votes.Add(kTwo);
  REFUSED(paxos.HoldsVotes({1, kOne}, Slot(1), votes), "counts a vote of tracker-2 in slot 1");
  EXPECT_EQ(Sync(kTwo), std::nullopt);
  EXPECT_EQ(paxos.HoldsVotes({1, kOne}, Slot(1), votes), std::nullopt);
}

TEST_F(Specification, CountsAPartOfAPromiseOnce) {
  EXPECT_EQ(Promise(kOne, {1, kOne}), std::nullopt);
  EXPECT_EQ(paxos.Prepare(kOne, {1, kOne}), std::nullopt);
  paxos.HearPromise(kOne, kTwo, {.ballot = {1, kOne}, .from = Slot(1), .next = Slot(3)});
  paxos.HearPromise(kOne, kTwo, {.ballot = {1, kOne}, .from = Slot(5)});  // slots 3 and 4 are missing
  EXPECT_EQ(Write(kOne, {1, kOne}, 2, kApple), std::nullopt);
  REFUSED(Write(kOne, {1, kOne}, 5, kApple), "with the promises of 1 of 3 acceptors");
}

// --- lockstep: the same from records and messages ---

// Node 4 for node 3, which the log says in slot 1.
struct ChangedMembers : Specification {
  ChangedMembers() {
    members.version = 1;
    members.highest = kFour;
    members.members = {{.id = kOne}, {.id = kTwo}, {.id = kFour}};
    paxos.IsChange(MultiPaxos::ValueOf(kApple), members);
    ChooseApple();
  }
  static constexpr uint64_t kFrom = 1 + paxos::kMembershipDelay;
  paxos::Membership members;
};

TEST_F(ChangedMembers, VotesAreCountedAmongThoseOfTheSlot) {
  const Ballot ballot{1, kOne};
  for (const uint64_t slot : {kFrom - 1, kFrom}) {
    EXPECT_EQ(Accept(kOne, ballot, slot, kPear), std::nullopt);
    EXPECT_EQ(Accept(kThree, ballot, slot, kPear), std::nullopt);
  }
  EXPECT_TRUE(paxos.chosen(Slot(kFrom - 1)).has_value()) << "node 3 votes there still";
  EXPECT_FALSE(paxos.chosen(Slot(kFrom)).has_value()) << "and there no more";
  EXPECT_EQ(Accept(kFour, ballot, kFrom, kPear), std::nullopt);
  EXPECT_TRUE(paxos.chosen(Slot(kFrom)).has_value());
}

TEST_F(ChangedMembers, PromisesAreCountedAmongThoseOfTheSlot) {
  Elect({2, kOne}, kThree);
  EXPECT_EQ(Accept(kOne, {2, kOne}, kFrom - 1, kPear), std::nullopt);
  REFUSED(Accept(kOne, {2, kOne}, kFrom, kPear), "with the promises of 1 of 3 acceptors");
}

TEST_F(ChangedMembers, RefusesAProposalWhereNobodyCanKnowWhoVotes) {
  REFUSED(Accept(kOne, {1, kOne}, kFrom + 1, kPear), "where nobody can know who votes");
}

TEST_F(ChangedMembers, RefusesMembersThatNoLogTold) {
  EXPECT_EQ(paxos.TellMembers(kTwo, Slot(kFrom), members), std::nullopt);
  REFUSED(paxos.TellMembers(kTwo, Slot(kFrom + 1), members), "no log says so");
  members.members.pop_back();
  REFUSED(paxos.TellMembers(kTwo, Slot(kFrom), members), "no log says so");
}

struct Lockstep : testing::Test {
  template <class Record>
  void Write(NodeId node, uint64_t seq, paxos::RecordType type, const Record& record) {
    judge.OnWrite(node, WriteSeq(seq), static_cast<uint8_t>(type), Slice::Own(Encode(record)));
  }
  void Promise(NodeId node, uint64_t seq, Ballot ballot) {
    Write(node, seq, paxos::RecordType::kPromised, paxos::PromisedRecord{ballot});
  }
  static Slice Encoded(paxos::Message message) { return Slice::Own(Encode(message)); }
  bool Says(std::string_view word) const {
    return world.failure().has_value() && world.failure()->find(word) != std::string::npos;
  }

  World world{1};
  LockstepJudge judge{world, {kOne, kTwo, kThree}};
};

TEST_F(Lockstep, FollowsAnElectionFromRecordsAndMessages) {
  const Ballot ballot{1, kOne};
  Promise(kOne, 1, ballot);
  judge.OnDurable(kOne, WriteSeq(1));
  judge.OnTransmit(kOne, kTwo, Encoded(paxos::Prepare{ballot, Slot(1)}));
  Promise(kTwo, 1, ballot);
  judge.OnDurable(kTwo, WriteSeq(1));
  const Slice promise = Encoded(paxos::Promise{.ballot = ballot, .from = Slot(1)});
  judge.OnTransmit(kTwo, kOne, promise);
  judge.OnDeliver(kOne, kTwo, promise);
  for (const NodeId node : {kOne, kTwo}) {
    Write(node, 2, paxos::RecordType::kAccepted, paxos::AcceptedRecord{ballot, Slot(1), Slot(0), kApple});
    if (node == kOne) judge.OnTransmit(kOne, kTwo, Encoded(paxos::Accept{ballot, Slot(1), Slot(0), kApple}));
    judge.OnDurable(node, WriteSeq(2));
  }
  judge.OnTransmit(kTwo, kOne, Encoded(paxos::Accepted{ballot, Slot(1)}));
  judge.OnNote(kOne, paxos::Chosen{Slot(1), MultiPaxos::ValueOf(kApple), 0});
  judge.OnApplied(kOne, Slot(1));
  judge.OnTransmit(kOne, kTwo, Encoded(paxos::Watermark{ballot, Slot(1)}));
  judge.OnTransmit(kOne, kTwo, Encoded(paxos::CatchUpReply{Slot(1), Slot(1), Slot(1), {kApple}}));
  Write(kThree, 1, paxos::RecordType::kLearned, paxos::LearnedRecord{Slot(1), kApple});
  Write(kThree, 2, paxos::RecordType::kChosen, paxos::ChosenRecord{Slot(1)});
  EXPECT_EQ(world.failure().value_or(""), "");
}

TEST_F(Lockstep, NamesTheReplicaAndWhatItDid) {
  Promise(kTwo, 1, {1, kOne});
  EXPECT_TRUE(Says("specification: tracker-2 promised ballot (1,1), which nobody had prepared"));
}

TEST_F(Lockstep, FindsAHandedOutValueThatWasNotChosen) {
  judge.OnTransmit(kOne, kTwo, Encoded(paxos::CatchUpReply{Slot(1), Slot(0), Slot(1), {kApple}}));
  EXPECT_TRUE(Says("specification: tracker-1 takes a value of slot 1 for chosen, and none is"));
}

TEST_F(Lockstep, FindsALearnedRecordThatWasNotChosen) {
  Write(kThree, 1, paxos::RecordType::kLearned, paxos::LearnedRecord{Slot(1), kApple});
  EXPECT_TRUE(Says("specification: tracker-3 takes a value of slot 1 for chosen"));
}

TEST_F(Lockstep, FindsAHeartbeatReplyForABallotThatIsNotThePromise) {
  judge.OnTransmit(kTwo, kOne, Encoded(paxos::HeartbeatReply{{3, kOne}, 1, Slot(0)}));
  EXPECT_TRUE(Says("specification: tracker-2 confirmed the leader of ballot (3,1)"));
}

TEST_F(Lockstep, FindsAReplicaThatHasForgottenItsPromise) {
  const paxos::Replica replica({.self = kOne, .members = {kOne, kTwo, kThree}});
  judge.OnStep(kOne, replica);
  EXPECT_FALSE(world.failed());
  Promise(kOne, 1, {1, kOne});
  judge.OnStep(kOne, replica);
  EXPECT_TRUE(Says("specification: tracker-1 holds promise (0,0)"));
}

TEST(JudgesApart, OnlyTheNamedJudgeCounts) {
  World world(1, {.judge = "specification"});
  world.Fail("agreement: something");
  world.Fail("specification of something else");
  EXPECT_FALSE(world.failed());
  world.Fail("specification: tracker-1 lied");
  EXPECT_TRUE(world.failed());
}

TEST(JudgesApart, OneJudgeCanBeLeftOut) {
  World world(1, {.judge = "-specification"});
  world.Fail("specification: tracker-1 lied");
  EXPECT_FALSE(world.failed());
  world.Fail("agreement: something");
  EXPECT_TRUE(world.failed());
}

}  // namespace
}  // namespace bt::sim
