#include "nodes/tracker/descriptors.h"

#include <gtest/gtest.h>

#include "net/http/server.h"
#include "net/replica_links.h"

namespace bt::nodes {
namespace {

TEST(Descriptors, ManyLeaveEveryPartItsUsualLimit) {
  const auto shares = ShareDescriptors(65536, 3);
  ASSERT_TRUE(shares.ok()) << shares.status();
  EXPECT_EQ(shares->clients, net::HttpServerLimits{}.connections);
  EXPECT_EQ(shares->replica_inbound, net::ReplicaLinksOptions{}.inbound_max);
}

TEST(Descriptors, FewLeaveClientsWhatJournalAndLinksDoNotNeed) {
  for (const uint64_t limit : {128, 256, 1024, 4096}) {
    for (const size_t members : {1, 3, 5}) {
      const auto shares = ShareDescriptors(limit, members);
      ASSERT_TRUE(shares.ok()) << shares.status();
      EXPECT_GE(shares->replica_inbound, 2 * (members - 1));
      EXPECT_GE(limit - shares->clients - shares->replica_inbound, 30 + members - 1)
          << limit << ", " << members;
    }
  }
}

TEST(Descriptors, TooFewAreRefusedWithWhatIsNeeded) {
  const auto shares = ShareDescriptors(64, 15);
  ASSERT_FALSE(shares.ok());
  EXPECT_NE(shares.status().message().find("ulimit -n"), std::string::npos) << shares.status();
  EXPECT_TRUE(ShareDescriptors(64, 1).ok());
}

}  // namespace
}  // namespace bt::nodes
