// Each judge, fed a history that must make it speak, and one that must not.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/base/fields.h"
#include "core/base/rng.h"
#include "sim/check/agreement.h"
#include "sim/check/bulk.h"
#include "sim/check/farewells.h"
#include "sim/check/limits.h"
#include "sim/check/linearizability.h"
#include "sim/check/registry_history.h"
#include "sim/check/repeats.h"
#include "tests/sim/says.h"

namespace bt::sim {
namespace {

using paxos::Ballot;

constexpr NodeId kOne{1};
constexpr NodeId kTwo{2};

// --- limits ---

struct LimitsOfANode : testing::Test {
  LimitsOfANode() {
    judge.OnStart({.batch_commands = 2,
                   .batch_bytes = 10,
                   .forward_commands = 3,
                   .forward_bytes = 10,
                   .chunk_bytes = 8});
  }
  void Propose(uint64_t slot, std::vector<size_t> sizes) {
    paxos::Batch batch;
    for (const size_t size : sizes) batch.commands.push_back(Slice::Own(std::string(size, 'c')));
    judge.OnProposed(Slot(slot), Slice::Own(Encode(batch)));
  }
  World world{1};
  LimitsJudge judge{world, "node"};
};

TEST_F(LimitsOfANode, AreKeptByFullBatchesAndByOneLongCommandAlone) {
  Propose(1, {5, 5});
  Propose(2, {50});
  Propose(2, {9, 9});  // the same slot again: it was looked at
  judge.OnForwarded({3, 3, 3});
  judge.OnForwarded({50});
  judge.OnReplies({{SessionId(1), 1}, {SessionId(1), 2}});
  EXPECT_FALSE(world.failed());
}

TEST_F(LimitsOfANode, AreBrokenByABatchOfTooManyCommands) {
  Propose(1, {1, 1, 1});
  EXPECT_TRUE(Says(world, "bounds: node puts 3 commands"));
}

TEST_F(LimitsOfANode, AreBrokenByABatchOfTooManyBytes) {
  Propose(1, {6, 5});
  EXPECT_TRUE(Says(world, "of 11 bytes into one batch"));
}

TEST_F(LimitsOfANode, AreBrokenByAMessageOfTooManyBytes) {
  judge.OnForwarded({6, 5});
  EXPECT_TRUE(Says(world, "of 11 bytes into one message"));
}

TEST_F(LimitsOfANode, LetNothingShortTravelWithWhatIsCut) {
  judge.OnForwarded({1, 9});
  EXPECT_TRUE(Says(world, "travel with one that is cut"));
}

TEST_F(LimitsOfANode, HearNothingTwiceInOneMessage) {
  judge.OnReplies({{SessionId(1), 1}, {SessionId(2), 1}, {SessionId(1), 1}});
  EXPECT_TRUE(Says(world, "effort: node tells a node twice"));
}

// --- repeats ---

TEST(Repeats, AreAllowedWhenTheAnswerIsOverdueAndToOthersAndInAnotherLife) {
  World world(1);
  RepeatsJudge judge(world, "node");
  judge.OnSaid(kOne, "question", 7, Instant{0}, Milliseconds(200));
  judge.OnSaid(kOne, "question", 8, Instant{1}, Milliseconds(200));
  judge.OnSaid(kOne, "reminder", 7, Instant{1}, Milliseconds(200));
  judge.OnSaid(kTwo, "question", 7, Instant{1}, Milliseconds(200));
  judge.OnSaid(kOne, "question", 7, Instant{} + Milliseconds(200), Milliseconds(200));
  judge.OnStart();
  judge.OnSaid(kOne, "question", 7, Instant{} + Milliseconds(201), Milliseconds(200));
  EXPECT_FALSE(world.failed());
}

TEST(Repeats, AreFoundWhenTheyComeTooSoon) {
  World world(1);
  RepeatsJudge judge(world, "node");
  judge.OnSaid(kOne, "question", 7, Instant{0}, Milliseconds(200));
  judge.OnSaid(kOne, "question", 7, Instant{} + Milliseconds(199), Milliseconds(200));
  EXPECT_TRUE(Says(world, "effort: node sends node 1 the same question 199000 us"));
}

// --- farewells ---

constexpr Duration kTick = Milliseconds(50);

TEST(Farewells, AreWhatOneGetsWhoDoesNotKnowYetAndAFewBeatsLater) {
  World world(1);
  FarewellJudge judge(world, "node");
  for (int i = 0; i < 20; ++i) judge.OnBeat(kTwo, Instant{} + kTick * i, kTick);
  judge.OnKnows(kTwo, Instant{} + kTick * 20);
  // With reads, before the next tick.
  for (int i = 1; i < 20; ++i) judge.OnBeat(kTwo, Instant{} + kTick * 20 + Milliseconds(i), kTick);
  for (int i = 21; i < 24; ++i) judge.OnBeat(kTwo, Instant{} + kTick * i, kTick);
  EXPECT_FALSE(world.failed());
}

TEST(Farewells, EndWhenOneKnows) {
  World world(1);
  FarewellJudge judge(world, "node");
  judge.OnKnows(kTwo, Instant{0});
  for (int i = 1; i < 5; ++i) judge.OnBeat(kTwo, Instant{} + kTick * i, kTick);
  EXPECT_TRUE(Says(world, "effort: node goes on writing to node 2, which is no member and knows it"));
}

// --- agreement ---

struct Agreement : testing::Test {
  void Choose(NodeId node, uint64_t slot, uint64_t value, uint64_t chain) {
    judge.OnNote(node, paxos::Chosen{Slot(slot), value, chain});
  }
  World world{1};
  AgreementJudge judge{world};
};

TEST_F(Agreement, IsContentWithEqualPrefixesAlsoAfterARestart) {
  for (const NodeId node : {kOne, kTwo}) {
    judge.OnStart(node);
    for (uint64_t slot = 1; slot <= 3; ++slot) Choose(node, slot, slot * 10, slot * 100);
  }
  judge.OnStart(kOne);
  Choose(kOne, 1, 10, 100);
  EXPECT_FALSE(world.failed());
  EXPECT_EQ(judge.chosen(), Slot(3));
}

TEST_F(Agreement, FindsTwoValuesInOneSlot) {
  Choose(kOne, 1, 10, 100);
  Choose(kTwo, 1, 11, 100);
  EXPECT_TRUE(Says(world, "slot 1 was chosen with value"));
}

TEST_F(Agreement, FindsHashChainsThatDiffer) {
  Choose(kOne, 1, 10, 100);
  Choose(kTwo, 1, 10, 101);
  EXPECT_TRUE(Says(world, "hash chains"));
}

TEST_F(Agreement, IsContentWithALogThatBeginsBehindASnapshot) {
  for (uint64_t slot = 1; slot <= 3; ++slot) Choose(kTwo, slot, slot * 10, slot * 100);
  judge.OnStart(kOne);
  judge.OnNote(kOne, paxos::Restored{{Slot(2), 200}});
  Choose(kOne, 3, 30, 300);
  EXPECT_FALSE(world.failed());
}

TEST_F(Agreement, FindsASnapshotOfAnotherChain) {
  for (uint64_t slot = 1; slot <= 3; ++slot) Choose(kTwo, slot, slot * 10, slot * 100);
  judge.OnNote(kOne, paxos::Restored{{Slot(2), 201}});
  EXPECT_TRUE(Says(world, "not those that were chosen"));
}

TEST_F(Agreement, FindsASnapshotThatGoesBack) {
  for (uint64_t slot = 1; slot <= 3; ++slot) Choose(kTwo, slot, slot * 10, slot * 100);
  judge.OnNote(kTwo, paxos::Restored{{Slot(2), 200}});
  EXPECT_TRUE(Says(world, "not those that were chosen"));
}

TEST_F(Agreement, FindsAGap) {
  Choose(kOne, 2, 10, 100);
  EXPECT_TRUE(Says(world, "slot 1 comes next"));
}

TEST_F(Agreement, FindsABallotUsedForTwoElections) {
  judge.OnNote(kOne, paxos::BecameLeader{Ballot{4, kOne}});
  EXPECT_FALSE(world.failed());
  judge.OnNote(kOne, paxos::BecameLeader{Ballot{4, kOne}});
  EXPECT_TRUE(Says(world, "used before"));
}

TEST_F(Agreement, FindsAReplicaThatHasDiverged) {
  judge.OnNote(kOne, paxos::Diverged{kTwo, Slot(7), 1, 2});
  EXPECT_TRUE(Says(world, "divergence: node 1 stops, for slot 7"));
}

TEST_F(Agreement, FindsTwoValuesUnderOneBallot) {
  judge.OnNote(kOne, paxos::Proposing{Ballot{4, kOne}, Slot(7), 1});
  judge.OnNote(kTwo, paxos::Proposing{Ballot{4, kTwo}, Slot(7), 2});
  EXPECT_FALSE(world.failed());
  judge.OnNote(kOne, paxos::Proposing{Ballot{4, kOne}, Slot(7), 2});
  EXPECT_TRUE(Says(world, "two values were proposed"));
}

TEST_F(Agreement, FindsAPromiseThatWentBack) {
  judge.OnTransmit(kOne, Slice::Own(Encode(paxos::Message(paxos::Promise{.ballot = {5, kTwo}}))));
  judge.OnTransmit(kOne, Slice::Own(Encode(paxos::Message(paxos::Accept{.ballot = {2, kOne}}))));
  EXPECT_FALSE(world.failed());
  judge.OnTransmit(kOne, Slice::Own(Encode(paxos::Message(paxos::Accepted{{4, kTwo}, Slot(1)}))));
  EXPECT_TRUE(Says(world, "never goes back"));
}

TEST_F(Agreement, FindsARegistryThatDiffers) {
  judge.OnApplied(kOne, Slot(1), 5);
  judge.OnApplied(kTwo, Slot(1), 5);
  EXPECT_FALSE(world.failed());
  judge.OnApplied(kTwo, Slot(1), 6);
  EXPECT_TRUE(Says(world, "another registry"));
}

// --- linearizability ---

using Answer = NameSpec::Answer;
using History = std::vector<Timed<NameSpec::Op>>;

Timed<NameSpec::Op> Register(int64_t from, int64_t to, ContentNumber content, Answer answer) {
  return {Instant{from}, to < 0 ? Instant::Never() : Instant{to}, 0, {true, content, answer}};
}
Timed<NameSpec::Op> Fetch(int64_t from, int64_t to, ContentNumber found) {
  return {Instant{from}, Instant{to}, 0, {false, found, Answer::kFound}};
}
Linearizable Verdict(History history) { return LinearizabilitySearch<NameSpec>(std::move(history)).Run(); }

TEST(Linearizability, AcceptsAReadThatOverlapsTheWriteEitherWay) {
  EXPECT_EQ(Verdict({Register(0, 10, 1, Answer::kCreated), Fetch(5, 6, 0)}), Linearizable::kYes);
  EXPECT_EQ(Verdict({Register(0, 10, 1, Answer::kCreated), Fetch(5, 6, 1)}), Linearizable::kYes);
}

TEST(Linearizability, RefusesAReadThatMissesAFinishedWrite) {
  EXPECT_EQ(Verdict({Register(0, 10, 1, Answer::kCreated), Fetch(11, 12, 0)}), Linearizable::kNo);
}

TEST(Linearizability, RefusesAReadOfWhatWasNeverWritten) {
  EXPECT_EQ(Verdict({Register(0, 10, 1, Answer::kCreated), Fetch(11, 12, 2)}), Linearizable::kNo);
}

TEST(Linearizability, RefusesTwoConcurrentCreations) {
  EXPECT_EQ(Verdict({Register(0, 10, 1, Answer::kCreated), Register(0, 10, 2, Answer::kCreated)}),
            Linearizable::kNo);
  EXPECT_EQ(Verdict({Register(0, 10, 1, Answer::kCreated), Register(0, 10, 2, Answer::kConflict)}),
            Linearizable::kYes);
}

TEST(Linearizability, RefusesTheSameAgainWhereNobodyWasFirst) {
  EXPECT_EQ(Verdict({Register(0, 10, 1, Answer::kSameAgain)}), Linearizable::kNo);
}

TEST(Linearizability, LetsAnUnansweredWriteTakeEffectLateOrNever) {
  const auto lost = Register(0, -1, 1, Answer::kNone);
  EXPECT_EQ(Verdict({lost, Fetch(100, 101, 0), Fetch(200, 201, 1)}), Linearizable::kYes);
  EXPECT_EQ(Verdict({lost, Fetch(100, 101, 0)}), Linearizable::kYes);
  EXPECT_EQ(Verdict({lost, Fetch(100, 101, 1), Fetch(200, 201, 0)}), Linearizable::kNo);
}

TEST(Linearizability, DecidesAConcurrentHistoryOfHundredsOfOperations) {
  History history;
  for (int64_t i = 0; i < 300; ++i) history.push_back(Fetch(i, i + 20, i < 150 ? 0 : 1));
  history.push_back(Register(140, 180, 1, Answer::kCreated));
  EXPECT_EQ(Verdict(history), Linearizable::kYes);
}

// A register of numbers, which unlike a name goes back to old values: the hard case.
struct RegisterSpec {
  using State = uint64_t;
  struct Op {
    bool writes = false;
    uint64_t value = 0;
  };
  static bool Apply(State& state, const Op& op) {
    if (op.writes) state = op.value;
    return state == op.value;
  }
  static bool ChangesNothing(const Op& op) { return !op.writes; }
  static std::string Describe(const Op& op) {
    return (op.writes ? "write " : "read ") + std::to_string(op.value);
  }
  static std::string DescribeState(State state) { return "value " + std::to_string(state); }
};
using RegisterHistory = std::vector<Timed<RegisterSpec::Op>>;

// Clients without a pause, each operation somewhere between its call and its answer.
RegisterHistory DrawRegisterHistory(uint64_t seed, size_t operations, uint32_t clients) {
  Rng rng(seed);
  RegisterHistory history;
  std::vector<std::pair<int64_t, size_t>> effects;  // time, operation
  std::vector<int64_t> idle(clients);
  while (history.size() < operations) {
    const auto next = std::min_element(idle.begin(), idle.end());
    const int64_t called = *next + static_cast<int64_t>(rng.Between(1, 50));
    const int64_t returned = called + static_cast<int64_t>(rng.Between(1, 100));
    *next = returned;
    effects.emplace_back(called + static_cast<int64_t>(rng.Below(static_cast<uint64_t>(returned - called))),
                         history.size());
    history.push_back({Instant{called},
                       Instant{returned},
                       static_cast<uint32_t>(next - idle.begin()),
                       {rng.Chance(1, 3), rng.Between(1, 4)}});
  }
  std::sort(effects.begin(), effects.end());
  uint64_t value = 0;
  for (const auto& [time, index] : effects) {
    RegisterSpec::Op& op = history[index].op;
    if (op.writes) value = op.value;
    if (!op.writes) op.value = value;
  }
  return history;
}

TEST(Linearizability, DecidesTenThousandOperationsOfSixteenClients) {
  RegisterHistory history = DrawRegisterHistory(1, 10'000, 16);
  EXPECT_EQ(LinearizabilitySearch<RegisterSpec>(history).Run(), Linearizable::kYes);
  const auto wrong = std::find_if(history.begin() + 2000, history.end(),
                                  [](const Timed<RegisterSpec::Op>& timed) { return !timed.op.writes; });
  wrong->op.value = 99;
  LinearizabilitySearch<RegisterSpec> search(history);
  EXPECT_EQ(search.Run(), Linearizable::kNo);
  const std::string timeline = search.Timeline();
  EXPECT_NE(timeline.find("read 99  <- no order explains this answer"), std::string::npos) << timeline;
  EXPECT_LE(std::count(timeline.begin(), timeline.end(), '\n'), 64);
}

TEST(Linearizability, DoesNotTakeAWriteOfTheSameValueForNoWrite) {
  const auto op = [](int64_t from, int64_t to, bool writes, uint64_t value) {
    return Timed<RegisterSpec::Op>{Instant{from}, Instant{to}, 0, {writes, value}};
  };
  // The second write of 1 may wait until 2 was written.
  const RegisterHistory history = {op(0, 1, true, 1), op(2, 20, true, 1), op(3, 6, true, 2),
                                   op(7, 8, false, 2), op(9, 10, false, 1)};
  EXPECT_EQ(LinearizabilitySearch<RegisterSpec>(history).Run(), Linearizable::kYes);
}

TEST(Linearizability, ShowsTheShortestPartThatFailsAsATimeline) {
  History history = {Register(0, 10, 1, Answer::kCreated), Fetch(20, 30, 1), Fetch(40, 60, 1),
                     Fetch(50, 55, 2), Fetch(70, 80, 1)};
  for (size_t i = 0; i < history.size(); ++i) history[i].client = static_cast<uint32_t>(i % 2 + 7);
  LinearizabilitySearch<NameSpec> search(history);
  EXPECT_EQ(search.Run(), Linearizable::kNo);
  EXPECT_EQ(search.Timeline(),
            "    clients 7 8; at first: bound to content 1\n"
            "    *.  0.000000s .. 0.000000s  client 7  fetch: content 1\n"
            "    |*  0.000000s .. 0.000000s  client 8  fetch: content 2  <- no order explains this answer\n");
}

// --- registry ---

struct Registry : testing::Test {
  World world{1};
  RegistryHistory history{world};
};

TEST_F(Registry, FindsANameThatMeansTwoContents) {
  history.EndRegister(history.BeginRegister(0, "a", 1), Answer::kCreated);
  history.SawBinding("a", 1, "a fetch");
  EXPECT_FALSE(world.failed());
  history.SawBinding("a", 2, "a fetch");
  EXPECT_TRUE(Says(world, "uniqueness"));
}

TEST_F(Registry, FindsACreationThatWasToldTwice) {
  history.EndRegister(history.BeginRegister(0, "a", 1), Answer::kCreated);
  history.EndRegister(history.BeginRegister(1, "a", 1), Answer::kCreated);
  EXPECT_TRUE(Says(world, "created the name a"));
}

TEST_F(Registry, PrintsTheTimelineOfAHistoryThatIsNotLinearizable) {
  history.EndRegister(history.BeginRegister(0, "a", 1), Answer::kCreated);
  world.RunFor(Seconds(1));
  history.EndFetch(history.BeginFetch(1, "a"), 0);
  history.Judge();
  EXPECT_TRUE(Says(world, "linearizability: the history of the name a"));
  EXPECT_TRUE(Says(world, "fetch: not found"));
}

// --- long messages ---

// A node that sends chunks to another, and steps each tenth of a second.
struct Bulk : testing::Test {
  Bulk() { judge.OnStart(world.now()); }

  void Send(uint64_t message, uint64_t offset) { judge.OnSent(kTwo, message, offset, world.now()); }
  void Acknowledge(uint64_t message, uint64_t offset, uint64_t assembly) {
    judge.OnAcknowledged(kTwo, message, offset, assembly, world.now());
  }
  void Run(Duration duration, uint64_t lost = 0) {
    for (const Instant end = world.now() + duration; world.now() < end && !world.failed();) {
      world.RunFor(Milliseconds(100));
      judge.OnStep(lost, world.now());
    }
  }

  World world{1};
  BulkJudge judge{world, "tracker-1"};
};

TEST_F(Bulk, IsContentWithChunksThatAreSentAgainUntilTheyAreAcknowledged) {
  Send(1, 0);
  Send(1, 8);
  Run(Milliseconds(100));
  Acknowledge(1, 8, 5);
  for (int i = 0; i < 5; ++i) {
    Run(Seconds(2));
    Send(1, 0);
  }
  Acknowledge(1, 0, 5);
  Run(Seconds(60));
  EXPECT_FALSE(world.failed());
}

TEST_F(Bulk, FindsALostChunkThatIsNotSentAgain) {
  Send(1, 0);
  Run(Seconds(4));
  EXPECT_TRUE(Says(world,
                   "bulk: tracker-1 has waited for node 2 to acknowledge a chunk since 0.000000s of its "
                   "clock, and does not send it again"));
}

TEST_F(Bulk, FindsThatNewOnesAreSentBeforeALostOneIs) {
  Send(1, 0);
  for (uint64_t message = 2; message < 20; ++message) {
    Send(message, 0);
    Run(Milliseconds(200));
    Acknowledge(message, 0, message);
  }
  EXPECT_TRUE(Says(world, "sends others that are new"));
}

TEST_F(Bulk, GoesByHowLongChunksTakeOnThisLink) {
  Send(1, 0);
  Run(Milliseconds(1900));
  Acknowledge(1, 0, 5);
  Send(1, 8);
  Run(Seconds(7));
  EXPECT_FALSE(world.failed());
}

TEST_F(Bulk, FindsThatAPartIsNotSentAgainThatThePeerHasForgotten) {
  Send(1, 0);
  Send(1, 8);
  Acknowledge(1, 0, 5);
  Acknowledge(1, 8, 6);
  Run(Seconds(4));
  EXPECT_TRUE(Says(world, "does not send it again"));
}

TEST_F(Bulk, IsContentWithOneThatIsAndWithAcknowledgementsOfBefore) {
  for (const uint64_t offset : {0, 8, 16}) Send(1, offset);
  Acknowledge(1, 0, 5);
  Acknowledge(1, 8, 6);
  Acknowledge(1, 16, 5);
  Run(Seconds(1));
  Send(1, 0);
  Send(1, 16);
  Acknowledge(1, 0, 6);
  Acknowledge(1, 16, 6);
  Run(Seconds(60));
  EXPECT_FALSE(world.failed());
}

TEST_F(Bulk, CountsOnlyFromThenOnWhereWhatWasExcusedIsSentAgain) {
  Send(1, 0);
  Run(Seconds(1));
  Run(Milliseconds(100), 1);
  Send(1, 8);
  Run(Seconds(2), 1);
  Send(1, 0);
  Run(Seconds(2), 1);
  EXPECT_FALSE(world.failed());
}

TEST_F(Bulk, ExcusesWhatTheNodeSaysItHasLostAndWhatALifeBeforeSent) {
  Send(1, 0);
  Run(Seconds(1));
  Run(Seconds(10), 1);
  Send(2, 0);
  judge.OnStart(world.now());
  Run(Seconds(10));
  EXPECT_FALSE(world.failed());
}

// tracker_faults 61000670: a repetition that was late began the message anew at the peer.
TEST_F(Bulk, ExcusesWhatThePeerForgetsOfAMessageThatWasGivenUp) {
  Send(1, 0);
  Send(1, 8);
  Acknowledge(1, 0, 5);
  Run(Milliseconds(100));
  Run(Milliseconds(100), 1);
  Acknowledge(1, 8, 6);
  Run(Seconds(10), 1);
  EXPECT_FALSE(world.failed());
}

TEST_F(Bulk, GivesAProcessThatStoodTheTimeToNotice) {
  Send(1, 0);
  Run(Milliseconds(500));
  world.RunFor(Seconds(60));
  Run(Milliseconds(300));
  Send(1, 0);
  Run(Seconds(1));
  EXPECT_FALSE(world.failed());
}

}  // namespace
}  // namespace bt::sim
