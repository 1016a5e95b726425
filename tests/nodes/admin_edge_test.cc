#include "nodes/tracker/admin_edge.h"

#include <gtest/gtest.h>

#include "nodes/tracker/admin_json.h"

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

TEST(AdminEdge, ReadsLimitsToAgreeOn) {
  const tracker::Limits in_force;
  const auto post = [&](const char* target) {
    return ParseSetLimits({.method = "POST", .target = target}, in_force);
  };
  const auto set = post("/limits?version=3&claims=5000&claim_lifetime=3600&metainfo.pieces=9");
  ASSERT_TRUE(set.ok()) << set.status();
  tracker::Limits expected;
  expected.claims = 5000;
  expected.claim_lifetime = Seconds(3600);
  expected.metainfo.pieces = 9;
  EXPECT_EQ(set->limits, expected);
  EXPECT_EQ(set->replaces, 3u);
  for (const char* target : {"/limits?claims=5000", "/limits?version=3&clams=5", "/limits?version=3&claims=x",
                             "/limits?version=3&claims=4294967296", "/limits?version=3&claims=-1",
                             "/limits?version=3&claim_lifetime=18446744073709551615"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(post(target).status())) << target;
  }
}

TEST(AdminEdge, TellsEachLimitWithItsUnitAndWhatIsTakenOfIt) {
  const std::string text = LimitsText(tracker::ReplicatedState(), {{"reads", "", 7, 1, 3, "refused"}});
  for (const char* part : {
           R"({"version":0,"agreed":[{"name":"metainfo.pieces","unit":"","value":131072,)",
           R"({"name":"claims","unit":"","value":2097152,"use":0,"highest":0,)",
           R"({"name":"claim_lifetime","unit":"seconds","value":1800,"use":null,"highest":null,)",
           R"("own":[{"name":"reads","unit":"","value":7,"use":1,"highest":3,"at_limit":"refused"}]})",
       }) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in " << text;
  }
}

TEST(AdminEdge, EachAgreedLimitOfWhatIsHeldHasAHighestUseAndSaysWhatIsRefused) {
  size_t held = 0;
  for (const LimitRow& row : AgreedLimits(tracker::ReplicatedState())) {
    EXPECT_EQ(row.highest.has_value(), !row.at_limit.empty()) << row.name;
    held += row.highest.has_value();
  }
  EXPECT_EQ(held, static_cast<size_t>(tracker::Held::kCount));
}

TEST(AdminEdge, TellsTheMembersAsTheReplicaKnowsThem) {
  const paxos::Replica replica({.self = NodeId(1), .members = {NodeId(1), NodeId(2)}});
  EXPECT_EQ(MembersText(replica),
            R"({"node":1,"leader":null,"chosen":0,"version":0,"in_force":true,"members":)"
            R"([{"id":1,"kind":"voter","contact":""},{"id":2,"kind":"voter","contact":""}]})"
            "\n");
}

}  // namespace
}  // namespace bt::nodes
