#include "nodes/shared/member_address.h"

#include <gtest/gtest.h>

namespace bt::nodes {
namespace {

TEST(MemberAddress, AMemberIsAnIdAndTwoAddresses) {
  const auto member = ParseMember("4=10.0.0.4:7000/tracker-4:6969");
  ASSERT_TRUE(member.ok()) << member.status();
  EXPECT_EQ(member->first, NodeId(4));
  EXPECT_EQ(member->second.replica.ToString(), "10.0.0.4:7000");
  EXPECT_EQ(member->second.client.ToString(), "tracker-4:6969");
}

TEST(MemberAddress, WhatIsNoMemberIsRefusedWithTheWayToWriteIt) {
  for (const char* text : {"", "4", "=a:1/b:2", "0=a:1/b:2", "4x=a:1/b:2", "-4=a:1/b:2", "4=a:1", "4=a/b:2",
                           "4=a:1/b", "4=a:1/b:99999", "99999999999=a:1/b:2"}) {
    const auto member = ParseMember(text);
    EXPECT_FALSE(member.ok()) << text;
    EXPECT_NE(member.status().message().find("write ID=REPLICA_HOST:PORT/CLIENT_HOST:PORT"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace bt::nodes
