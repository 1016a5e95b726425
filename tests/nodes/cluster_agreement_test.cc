#include "nodes/commands/cluster_agreement.h"

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

namespace bt::nodes {
namespace {

NodeAnswer Node(uint32_t id, uint64_t applied, uint64_t digest, std::optional<uint32_t> leader = 1) {
  NodeAnswer answer{absl::StrCat("http://127.0.0.1:", 6000 + id), "c1", {}};
  answer.status.node = NodeId(id);
  if (leader) answer.status.leader = NodeId(*leader);
  answer.status.applied = Slot(applied);
  answer.status.registry_digest = digest;
  answer.status.members = {NodeId(1), NodeId(2), NodeId(3)};
  return answer;
}

std::string Sentences(const std::vector<NodeAnswer>& answers) {
  std::string text;
  for (const Disagreement& disagreement : Disagreements(answers)) {
    absl::StrAppend(&text, disagreement.passing ? "passing: " : "", disagreement.sentence, "\n");
  }
  return text;
}

TEST(ClusterAgreement, NodesThatAgreeMayBeDifferentlyFarAndWithoutALeader) {
  EXPECT_EQ(Sentences({Node(1, 7, 70), Node(2, 7, 70), Node(3, 5, 50, std::nullopt)}), "");
}

TEST(ClusterAgreement, DifferentResultsOfEquallyManySlotsAreAFault) {
  const std::string text = Sentences({Node(1, 7, 70), Node(2, 6, 60), Node(3, 7, 71)});
  EXPECT_EQ(
      text.find("node 1 (http://127.0.0.1:6001) and node 3 (http://127.0.0.1:6003) have applied the same "
                "7 slots with different results (digests 0000000000000046 and 0000000000000047)"),
      0u)
      << text;
}

TEST(ClusterAgreement, TwoLeadersAreAFaultOnlyWhenTheyStay) {
  const std::string text = Sentences({Node(1, 7, 70, 1), Node(2, 7, 70, 2), Node(3, 7, 70, std::nullopt)});
  EXPECT_EQ(text.find("passing: node 1 (http://127.0.0.1:6001) names node 1 as the leader"), 0u) << text;
}

TEST(ClusterAgreement, NodesOfDifferentClustersAreNotComparedFurther) {
  NodeAnswer other = Node(1, 7, 71, 2);
  other.cluster = "c2";
  const std::string text = Sentences({Node(2, 7, 70), other});
  EXPECT_NE(text.find("belongs to cluster c1 and"), std::string::npos) << text;
  EXPECT_EQ(text.find("results"), std::string::npos) << text;
}

TEST(ClusterAgreement, DifferentListsOfMembersAreAFault) {
  NodeAnswer other = Node(2, 5, 50);
  other.status.members.pop_back();
  EXPECT_NE(Sentences({Node(1, 7, 70), other}).find("counts nodes 1 2 3 as the cluster and"),
            std::string::npos);
}

}  // namespace
}  // namespace bt::nodes
