#include <absl/container/flat_hash_set.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "sim/explore/paxos_subject.h"
#include "sim/explore/queues.h"
#include "sim/explore/search.h"
#include "sim/explore/system.h"
#include "tests/sim/explore_toy.h"

namespace bt::sim::explore {
namespace {

using Tokens = System<TokenSubject>;
using Replicas = System<PaxosSubject>;
using Fingerprints = absl::flat_hash_set<uint64_t>;

// Two nodes, and how often the token is passed on.
SearchResult WalkTokens(uint32_t passes, Mistake mistake, Scope scope = {}) {
  scope.nodes = 2;
  Tokens tokens(TokenSubject(2, passes, mistake), scope);
  const SearchOptions options;
  return Search(tokens, options).Run();
}

// By hand, with one pass: node 1 has it; it has passed it and not written that down; its disk is done and the
// token is on its way; node 2 has it and has not written that down; and has.
TEST(ExploreTokens, CountsEachStateOnce) {
  const SearchResult result = WalkTokens(1, Mistake::kNone);
  EXPECT_FALSE(result.found.has_value());
  EXPECT_TRUE(result.exhausted);
  EXPECT_EQ(result.states, 5u);
  EXPECT_EQ(result.choices, 4u);
  EXPECT_EQ(result.depth, 4u);
}

// A second pass, by node 2, can begin before its first write is durable, and ends the same both ways.
TEST(ExploreTokens, MeetsAgainWhatTwoOrdersLeadTo) {
  const SearchResult result = WalkTokens(2, Mistake::kNone);
  EXPECT_TRUE(result.exhausted);
  EXPECT_EQ(result.met_again, 1u);
}

TEST(ExploreTokens, FindsTheShortestWayToAMistake) {
  Tokens tokens(TokenSubject(2, 3, Mistake::kTakesForLost), {.nodes = 2});
  const SearchOptions options;
  const SearchResult result = Search(tokens, options).Run();
  ASSERT_TRUE(result.found.has_value());
  EXPECT_EQ(result.found->what, "token: two nodes have it");
  const std::vector<std::string> lines = tokens.Tell(result.found->path, /*taken=*/true);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0], "Node 1 is called: pass it on. It writes 1 record. ");
  EXPECT_EQ(lines[1], "Node 1's disk completes the oldest writes. It tells node 2 \"the token\". ");
  EXPECT_EQ(lines.back(), "Node 1's timer fires: lost. ");
}

TEST(ExploreTokens, FindsWhatOnlyACrashShows) {
  EXPECT_FALSE(WalkTokens(2, Mistake::kTellsBeforeDurable).found.has_value());
  const SearchResult result = WalkTokens(2, Mistake::kTellsBeforeDurable, {.crashes = 1});
  ASSERT_TRUE(result.found.has_value());
  EXPECT_EQ(result.found->path.size(), 3u);  // called, crashed, heard
  EXPECT_FALSE(WalkTokens(2, Mistake::kNone, {.crashes = 2}).found.has_value());
}

TEST(ExploreTokens, SpendsEachFault) {
  const uint64_t plain = WalkTokens(1, Mistake::kNone).states;
  EXPECT_EQ(WalkTokens(1, Mistake::kNone, {.losses = 1}).states, plain + 1);
  // The copy is taken while the token is on its way, and the token comes then as well.
  EXPECT_GT(WalkTokens(1, Mistake::kNone, {.duplicates = 1}).states, plain);
  // A token that comes twice is passed back and is at its sender when it comes again.
  EXPECT_TRUE(WalkTokens(3, Mistake::kNone, {.duplicates = 1}).found.has_value());
}

TEST(ExploreTokens, ADiskThatIsDoneAtOnceHasNoChoices) {
  EXPECT_EQ(WalkTokens(1, Mistake::kNone, {.disk_at_once = true}).states, 3u);
}

TEST(ExploreTokens, SaysWhenTheBudgetHasEndedIt) {
  Tokens tokens(TokenSubject(2, 8, Mistake::kNone), {.nodes = 2});
  const SearchOptions options{.states_max = 4};
  const SearchResult result = Search(tokens, options).Run();
  EXPECT_FALSE(result.exhausted);
  EXPECT_FALSE(result.found.has_value());
  EXPECT_EQ(result.states, 4u);
}

TEST(ExploreDeathTest, ACheckThatFailsKnowsItsWay) {
  Tokens tokens(TokenSubject(2, 1, Mistake::kDies), {.nodes = 2});
  const SearchOptions options;
  Search search(tokens, options);
  EXPECT_DEATH((void)search.Run(), "CHECK failed: mistake_");
}

TEST(Queues, AreNumberedByTheirContents) {
  Queues queues;
  const uint32_t two = queues.Push(queues.Push(0, 7), 8);
  EXPECT_EQ(queues[two], (std::vector<uint32_t>{7, 8}));
  EXPECT_EQ(queues.Without(two, 0), queues.Push(0, 8));
  EXPECT_EQ(queues.Without(queues.Without(two, 1), 0), 0u);
}

SearchResult WalkReplicas(const PaxosScope& paxos, Scope scope, Fingerprints* reached = nullptr,
                          bool prune = true) {
  scope.nodes = paxos.replicas;
  Replicas replicas(PaxosSubject(paxos), scope, /*merge=*/prune);
  SearchOptions options{.states_max = 3'000'000};
  options.prune = prune;
  options.fingerprints = reached;
  SearchResult result = Search(replicas, options).Run();
  if (result.found) {
    for (const std::string& line : replicas.Tell(result.found->path, /*taken=*/true)) ADD_FAILURE() << line;
    ADD_FAILURE() << result.found->what;
  }
  return result;
}

TEST(ExploreReplicas, ASmallScopeIsWalkedToItsEnd) {
  const SearchResult result = WalkReplicas(
      {.ballots = 2, .commands = 0, .catch_ups = 0, .pre_votes_at_once = true}, {.disk_at_once = true});
  EXPECT_TRUE(result.exhausted);
  EXPECT_GT(result.states, 100'000u);
}

TEST(ExploreReplicas, NamedCandidatesStandInTheirOrder) {
  const PaxosScope anybody{.ballots = 2, .commands = 0, .catch_ups = 0, .pre_votes_at_once = true};
  PaxosScope named = anybody;
  named.candidates = {2, 1};
  Fingerprints few;
  Fingerprints all;
  EXPECT_TRUE(WalkReplicas(named, {.disk_at_once = true}, &few).exhausted);
  EXPECT_TRUE(WalkReplicas(anybody, {.disk_at_once = true}, &all).exhausted);
  EXPECT_LT(few.size() * 4, all.size());
  for (const uint64_t state : few) ASSERT_TRUE(all.contains(state));
}

TEST(ExploreReplicas, OneElectionWithACrash) {
  const SearchResult result =
      WalkReplicas({.ballots = 1, .commands = 1, .pre_votes_at_once = true}, {.crashes = 1});
  EXPECT_TRUE(result.exhausted);
  EXPECT_GT(result.states, 1000u);
}

// What is alike is walked on from once, on the grounds that it goes on alike. Without that each order of
// events is walked for itself, and every machine steps through all of it.
TEST(ExploreReplicas, WithoutPruningTheSameStatesAreReached) {
  const PaxosScope paxos{.replicas = 2, .ballots = 1, .commands = 1};
  Fingerprints pruned;
  Fingerprints every;
  const SearchResult with = WalkReplicas(paxos, {.crashes = 1}, &pruned);
  const SearchResult without = WalkReplicas(paxos, {.crashes = 1}, &every, /*prune=*/false);
  EXPECT_TRUE(with.exhausted && without.exhausted);
  EXPECT_EQ(pruned.size(), with.states);
  EXPECT_GT(without.states, 2 * with.states);
  EXPECT_EQ(pruned, every);
}

}  // namespace
}  // namespace bt::sim::explore
