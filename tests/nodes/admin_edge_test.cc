#include "nodes/tracker/admin_edge.h"

#include <gtest/gtest.h>

namespace bt::nodes {
namespace {

absl::StatusOr<tracker::Order> Post(const char* target) {
  return ParseOrder({.method = "POST", .target = target});
}

TEST(AdminEdge, ReadsEachOrder) {
  EXPECT_EQ(Post("/members/add?id=4&contact=a:1/b:2").value(),
            tracker::Order(paxos::AddMember{.id = NodeId(4), .contact = "a:1/b:2"}));
  EXPECT_EQ(Post("/members/add?id=4&contact=a%3A1%2Fb%3A2&replaces=3").value(),
            tracker::Order(paxos::AddMember{.id = NodeId(4), .replaces = NodeId(3), .contact = "a:1/b:2"}));
  EXPECT_EQ(Post("/members/remove?id=3").value(), tracker::Order(paxos::RemoveMember{NodeId(3)}));
  EXPECT_EQ(Post("/leader?to=2").value(), tracker::Order(paxos::TransferLeadership{NodeId(2)}));
  EXPECT_EQ(Post("/leader").value(), tracker::Order(paxos::TransferLeadership{}));
}

TEST(AdminEdge, RefusesWhatIsNoOrder) {
  for (const char* target : {"/members/add", "/members/add?id=4", "/members/add?id=0&contact=a:1/b:2",
                             "/members/add?id=4&contact=a", "/members/add?id=4&contact=a:1/b:2&replaces=x",
                             "/members/remove", "/members/remove?id=-1", "/leader?to=all"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Post(target).status())) << target;
  }
  EXPECT_TRUE(absl::IsNotFound(Post("/members/forget?id=3").status()));
  EXPECT_TRUE(absl::IsNotFound(ParseOrder({.method = "GET", .target = "/leader"}).status()));
}

TEST(AdminEdge, TellsTheMembersAsTheReplicaKnowsThem) {
  const paxos::Replica replica({.self = NodeId(1), .members = {NodeId(1), NodeId(2)}});
  EXPECT_EQ(MembersText(replica),
            "{\"node\": 1, \"leader\": null, \"chosen\": 0, \"version\": 0, \"in_force\": true, \"members\": "
            "[{\"id\": 1, \"kind\": \"voter\", \"contact\": \"\"}, {\"id\": 2, \"kind\": \"voter\", "
            "\"contact\": \"\"}]}\n");
}

}  // namespace
}  // namespace bt::nodes
