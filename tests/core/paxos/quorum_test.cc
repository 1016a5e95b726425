#include "core/paxos/quorum.h"

#include <gtest/gtest.h>

namespace bt::paxos {
namespace {

TEST(Quorum, AMajorityIsMoreThanHalf) {
  const size_t majorities[] = {1, 2, 2, 3, 3, 4, 4};
  std::vector<NodeId> nodes;
  for (uint32_t n = 1; n <= 7; ++n) {
    nodes.push_back(NodeId(n * 10));
    EXPECT_EQ(Members(nodes, NodeId(10)).majority(), majorities[n - 1]);
  }
}

TEST(Quorum, OneVoterTwiceIsOneVote) {
  VoteSet votes;
  votes.Add(2);
  votes.Add(2);
  EXPECT_EQ(votes.size(), 1u);
}

TEST(Quorum, StrangersHaveNoIndex) {
  const Members members({NodeId(3), NodeId(1), NodeId(2)}, NodeId(2));
  EXPECT_EQ(members.self(), 1u);
  EXPECT_EQ(members.Index(NodeId(3)), 2u);
  EXPECT_EQ(members.Index(NodeId(4)), std::nullopt);
}

TEST(Quorum, ReachedByMajorityIsTheHighestNumberThatAMajorityHas) {
  const Members three({NodeId(1), NodeId(2), NodeId(3)}, NodeId(1));
  EXPECT_EQ(three.ReachedByMajority({9, 0, 4}), 4u);
  const Members four({NodeId(1), NodeId(2), NodeId(3), NodeId(4)}, NodeId(1));
  EXPECT_EQ(four.ReachedByMajority({9, 0, 4, 7}), 4u);
}

}  // namespace
}  // namespace bt::paxos
