#include "nodes/tracker/descriptors.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "core/tracker/config.h"
#include "net/http/message.h"
#include "net/http/server.h"
#include "net/replica_links.h"
#include "nodes/tracker/memory.h"

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

TEST(Memory, EnoughLeavesEveryPartItsUsualLimitAndLittleGivesEachLess) {
  const auto usual = ShareMemory(uint64_t{8} << 30);
  ASSERT_TRUE(usual.ok()) << usual.status();
  const net::HttpServerLimits http;
  EXPECT_EQ(usual->connections, http.connections);
  EXPECT_EQ(usual->unsent, http.unsent);
  EXPECT_EQ(usual->receiving, http.receiving);
  EXPECT_EQ(usual->mutations, tracker::Config{}.pending_bytes_max);
  for (const uint64_t mib : {128, 256, 512, 1024, 2048}) {
    const auto shares = ShareMemory(mib << 20);
    ASSERT_TRUE(shares.ok()) << shares.status();
    EXPECT_LE(shares->sum(), (mib << 20) / 2) << mib;
    EXPECT_GT(shares->receiving, net::kHttpBodyLimit) << "a longest request does not fit";
    EXPECT_LE(shares->connections, usual->connections);
  }
  EXPECT_LT(ShareMemory(uint64_t{256} << 20)->receiving, http.receiving);
  const auto few = ShareMemory(uint64_t{64} << 20);
  ASSERT_FALSE(few.ok());
  EXPECT_NE(few.status().message().find("--memory-limit"), std::string::npos) << few.status();
}

TEST(Limits, NoAddressMayHaveMoreThanAQuarterOfTheConnectionsWhereThereAreEnough) {
  const auto usual = DeriveLimits(65536, 8192, 3);
  ASSERT_TRUE(usual.ok()) << usual.status();
  EXPECT_EQ(usual->clients.connections_per_address, net::HttpServerLimits{}.connections_per_address);
  const auto few = DeriveLimits(256, 8192, 3);
  ASSERT_TRUE(few.ok()) << few.status();
  EXPECT_EQ(few->clients.connections_per_address, few->clients.connections / 4);
  EXPECT_EQ(DeriveLimits(64, 8192, 1)->clients.connections_per_address, 16u);
}

TEST(Memory, IsTheLeastOfTheMachinesAndOfEachControlGroup) {
  const std::string root = testing::TempDir() + "/groups";
  std::filesystem::create_directories(root + "/a/b");
  const std::string machine = "MemFree: 1 kB\nMemTotal:       4096 kB\nSwapTotal: 0 kB\n";
  EXPECT_EQ(MemoryOfMachine(machine, "0::/a/b\n", root), 4096u << 10);
  std::ofstream(root + "/a/memory.max") << "1048576\n";
  std::ofstream(root + "/a/b/memory.max") << "max\n";
  EXPECT_EQ(MemoryOfMachine(machine, "0::/a/b\n", root), 1048576u);
  EXPECT_EQ(MemoryOfMachine(machine, "3:cpu:/x\n0::/\n", root), 4096u << 10);
  EXPECT_GE(DefaultMemoryLimit(), uint64_t{128} << 20);
  EXPECT_GT(ResidentBytes(), uint64_t{1} << 20);
}

}  // namespace
}  // namespace bt::nodes
