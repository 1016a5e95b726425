#include "nodes/http_api/claim_address.h"

#include <gtest/gtest.h>

namespace bt::nodes {
namespace {

Address At(const std::string& text) {
  const auto address = Address::Parse(text);
  EXPECT_TRUE(address.has_value()) << text;
  return address.value_or(Address{});
}

const Address kLoopback = At("127.0.0.1:40000");
const Address kPrivate = At("192.168.1.5:40000");
const Address kPublic = At("203.0.113.9:40000");
const Address kPublicSix = At("[2001:db8::9]:40000");

TEST(ClaimAddress, TakesTheConnectionsOwnHostWithAnyPort) {
  for (const Address& from : {kLoopback, kPrivate, kPublic, kPublicSix}) {
    Address asked = from;
    asked.port = 6881;
    EXPECT_EQ(ClaimAddress(asked, from), asked);
  }
}

TEST(ClaimAddress, TakesAnUnspecifiedHostForTheConnectionsOfEitherFamily) {
  for (const char* any : {"0.0.0.0:7", "[::]:7"}) {
    EXPECT_EQ(ClaimAddress(At(any), kPublic), At("203.0.113.9:7"));
    EXPECT_EQ(ClaimAddress(At(any), kPublicSix), At("[2001:db8::9]:7"));
  }
}

TEST(ClaimAddress, TakesAnotherHostOnlyAmongLocalOnes) {
  EXPECT_EQ(ClaimAddress(kPrivate, kLoopback), kPrivate);
  EXPECT_EQ(ClaimAddress(kLoopback, kPrivate), kLoopback);
  EXPECT_EQ(ClaimAddress(kPublic, kLoopback), std::nullopt);
  EXPECT_EQ(ClaimAddress(kPrivate, kPublic), std::nullopt);
  EXPECT_EQ(ClaimAddress(kLoopback, kPublic), std::nullopt);
  EXPECT_EQ(ClaimAddress(At("198.51.100.7:1"), kPublic), std::nullopt);
  EXPECT_EQ(ClaimAddress(At("[::1]:1"), kPublicSix), std::nullopt);
}

TEST(IsLocalAddress, KnowsEveryLocalRangeAndItsEdges) {
  for (const char* local :
       {"127.0.0.1:1", "127.255.255.255:1", "10.0.0.0:1", "10.255.255.255:1", "172.16.0.0:1",
        "172.31.255.255:1", "192.168.0.0:1", "169.254.1.1:1", "100.64.0.0:1", "100.127.255.255:1", "[::1]:1",
        "[fc00::1]:1", "[fdff::1]:1", "[fe80::1]:1", "[febf::1]:1"}) {
    EXPECT_TRUE(IsLocalAddress(At(local))) << local;
  }
  for (const char* foreign :
       {"126.255.255.255:1", "128.0.0.1:1", "9.255.255.255:1", "11.0.0.0:1", "172.15.255.255:1",
        "172.32.0.0:1", "192.167.255.255:1", "192.169.0.0:1", "169.253.1.1:1", "100.63.255.255:1",
        "100.128.0.0:1", "[::2]:1", "[fbff::1]:1", "[fe00::1]:1", "[fec0::1]:1", "[2001:db8::1]:1"}) {
    EXPECT_FALSE(IsLocalAddress(At(foreign))) << foreign;
  }
}

}  // namespace
}  // namespace bt::nodes
