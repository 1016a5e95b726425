#include "core/paxos/configuration.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace bt::paxos {
namespace {

VoteSet Votes(std::initializer_list<uint32_t> nodes) {
  VoteSet votes;
  for (const uint32_t node : nodes) votes.Add(NodeId(node));
  return votes;
}

TEST(Configuration, AMajorityIsMoreThanHalf) {
  const size_t majorities[] = {1, 2, 2, 3, 3, 4, 4};
  std::vector<NodeId> nodes;
  for (uint32_t n = 1; n <= 7; ++n) {
    nodes.push_back(NodeId(n * 10));
    EXPECT_EQ(Configuration(nodes).majority(), majorities[n - 1]);
  }
}

TEST(Configuration, OneVoterTwiceIsOneVote) {
  const Configuration three({NodeId(1), NodeId(2), NodeId(3)});
  EXPECT_FALSE(three.IsQuorum(Votes({2, 2})));
  EXPECT_TRUE(three.IsQuorum(Votes({2, 3})));
}

TEST(Configuration, VotesOfOthersDoNotCount) {
  const Configuration three({NodeId(3), NodeId(1), NodeId(2)});
  EXPECT_FALSE(three.Contains(NodeId(4)));
  EXPECT_FALSE(three.IsQuorum(Votes({1, 4, 5})));
  EXPECT_TRUE(three.IsQuorum(Votes({1, 4, 5, 3})));
}

TEST(Configuration, ReachedByQuorumIsTheHighestNumberThatAQuorumHas) {
  const Configuration three({NodeId(1), NodeId(2), NodeId(3)});
  EXPECT_EQ(three.ReachedByQuorum({{NodeId(1), 9}, {NodeId(2), 0}, {NodeId(3), 4}}), 4u);
  EXPECT_EQ(three.ReachedByQuorum({{NodeId(1), 9}, {NodeId(7), 8}}), 0u) << "of two nothing is known";
  const Configuration four({NodeId(1), NodeId(2), NodeId(3), NodeId(4)});
  EXPECT_EQ(four.ReachedByQuorum({{NodeId(1), 9}, {NodeId(2), 0}, {NodeId(3), 4}, {NodeId(4), 7}}), 4u);
}

}  // namespace
}  // namespace bt::paxos
