#include "core/base/address.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "tests/support/generators.h"

namespace bt {
namespace {

TEST(Address, PrintsIpv4AndIpv6) {
  EXPECT_EQ(Address::V4(127, 0, 0, 1, 6881).ToString(), "127.0.0.1:6881");
  Address loopback;
  loopback.ip[15] = 1;
  loopback.port = 80;
  EXPECT_EQ(loopback.ToString(), "[::1]:80");
}

TEST(Address, ReadsWhatItPrints) {
  EXPECT_EQ(Address::Parse("10.77.0.3:65535"), Address::V4(10, 77, 0, 3, 65535));
  EXPECT_TRUE(rc::check("Parse(ToString(x)) == x", [] {
    Address address = *test::AnyOf<Address>();
    if (*rc::gen::arbitrary<bool>()) {
      address = Address::V4(address.ip[0], address.ip[1], address.ip[2], address.ip[3], address.port);
    }
    RC_ASSERT(Address::Parse(address.ToString()) == address);
  }));
}

TEST(Address, RefusesWhatIsNotAnIpAddressAndAPort) {
  for (const char* text : {"",
                           ":",
                           ":80",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:65536",
                           "127.0.0.1:-1",
                           "127.0.0.1:+1",
                           "127.0.0.1: 80",
                           "127.0.0.1:80 ",
                           "127.0.0.1:000080",
                           "127.0.0:80",
                           "127.0.0.256:80",
                           "localhost:80",
                           "::1:80",
                           "[::1]",
                           "[::1:80",
                           "[127.0.0.1]:80",
                           "[::g]:80",
                           "[]:80",
                           "[:80",
                           "]:80"}) {
    EXPECT_FALSE(Address::Parse(text)) << text;
  }
}

TEST(Address, AMappedIpv6SpellingIsTheIpv4Address) {
  EXPECT_EQ(Address::Parse("[::ffff:1.2.3.4]:5"), Address::V4(1, 2, 3, 4, 5));
}

}  // namespace
}  // namespace bt
