#include "nodes/client/trackers.h"

#include <gtest/gtest.h>

namespace bt::nodes {
namespace {

TEST(ResolveTrackers, TakesTheUsersFirstAndEveryAddressOnce) {
  const auto list =
      ResolveTrackers({"http://127.0.0.1:2"}, {"http://127.0.0.1:1/announce", "http://127.0.0.1:2/announce"},
                      TrackerUse::kCluster);
  ASSERT_TRUE(list.ok()) << list.status();
  const std::vector<Address> expected = {Address::V4(127, 0, 0, 1, 2), Address::V4(127, 0, 0, 1, 1)};
  EXPECT_EQ(list->addresses, expected);
  EXPECT_EQ(list->names[1], "http://127.0.0.1:1");
}

// A token is shown to those, so the torrent's must never be among them.
TEST(ResolveTrackers, CountsTheUsersOwnFromTheFront) {
  const auto own = [](const std::vector<std::string>& given, const std::vector<std::string>& listed) {
    const auto list = ResolveTrackers(given, listed, TrackerUse::kTransfer);
    EXPECT_TRUE(list.ok()) << list.status();
    return list->own;
  };
  EXPECT_EQ(own({}, {"http://127.0.0.1:1"}), 0u);
  EXPECT_EQ(own({"http://127.0.0.1:1"}, {"http://127.0.0.1:2"}), 1u);
  EXPECT_EQ(own({"http://127.0.0.1:1", "http://127.0.0.1:1/announce"}, {"http://127.0.0.1:2"}), 1u);
  EXPECT_EQ(own({"udp://127.0.0.1:1", "http://127.0.0.1:1"}, {"http://127.0.0.1:1", "http://127.0.0.1:2"}),
            2u);
}

TEST(ResolveTrackers, OneAddressIsAskedWithTlsOrWithoutNotBothWays) {
  const auto list = ResolveTrackers({"https://127.0.0.1:1"}, {"http://127.0.0.1:1", "udp://127.0.0.1:1"},
                                    TrackerUse::kTransfer);
  ASSERT_TRUE(list.ok()) << list.status();
  const std::vector<std::string> names = {"https://127.0.0.1:1", "udp://127.0.0.1:1"};
  EXPECT_EQ(list->names, names);
}

TEST(ResolveTrackers, WarnsOfATorrentsUnusableTrackersAndRefusesTheUsers) {
  const auto list =
      ResolveTrackers({}, {"udp://127.0.0.1:1", "http://127.0.0.1:1/announce"}, TrackerUse::kCluster);
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->addresses.size(), 1u);
  ASSERT_EQ(list->warnings.size(), 1u);
  EXPECT_NE(list->warnings[0].find("announces alone"), std::string::npos);
  for (const char* url :
       {"udp://127.0.0.1:1", "http://127.0.0.1", "http://127.0.0.1:0", "http://127.0.0.1:99999", "", "x"}) {
    EXPECT_EQ(ResolveTrackers({url}, {"http://127.0.0.1:1"}, TrackerUse::kCluster).status().code(),
              absl::StatusCode::kInvalidArgument)
        << url;
  }
}

TEST(ResolveTrackers, ATransferAsksOverUdpBehindWhatElseIsThere) {
  const auto list = ResolveTrackers({"udp://127.0.0.1:1"},
                                    {"udp://127.0.0.1:2", "http://127.0.0.1:2", "http://127.0.0.1:1"},
                                    TrackerUse::kTransfer);
  ASSERT_TRUE(list.ok()) << list.status();
  const std::vector<std::string> names = {"udp://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:1",
                                          "udp://127.0.0.1:2"};
  EXPECT_EQ(list->names, names);
  EXPECT_EQ(list->schemes[0], TrackerScheme::kUdp);
  EXPECT_EQ(list->schemes[1], TrackerScheme::kHttp);
  EXPECT_TRUE(list->warnings.empty());
}

TEST(ResolveTrackers, SaysWhatToDoWhenNothingIsLeft) {
  const auto list = ResolveTrackers({}, {"udp://127.0.0.1:1"}, TrackerUse::kCluster);
  EXPECT_EQ(list.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(std::string(list.status().message()).find("--tracker"), std::string::npos);
}

TEST(ResolveTrackers, GoesOnWithoutATrackerWhoseHostHasNoAddress) {
  const auto list =
      ResolveTrackers({"http://no-such-host.invalid:1", "http://127.0.0.1:2"}, {}, TrackerUse::kCluster);
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->names, std::vector<std::string>{"http://127.0.0.1:2"});
  ASSERT_EQ(list->warnings.size(), 1u);
  EXPECT_NE(list->warnings[0].find("no-such-host.invalid"), std::string::npos);
}

TEST(AskTrackers, NamesEveryTrackerAndWhatItDidWhenNobodyAnswers) {
  const auto list = ResolveTrackers({"http://127.0.0.1:1", "http://127.0.0.1:2"}, {"udp://tracker.example:3"},
                                    TrackerUse::kCluster);
  ASSERT_TRUE(list.ok());
  int stopped_by = 0;
  const auto response = AskTrackers(*list, tracker_api::Status{}, "", Milliseconds(500), stopped_by);
  ASSERT_EQ(response.status().code(), absl::StatusCode::kUnavailable);
  const std::string why(response.status().message());
  for (const char* part : {"http://127.0.0.1:1: ", "http://127.0.0.1:2: ", "connection refused", "udp://"}) {
    EXPECT_NE(why.find(part), std::string::npos) << why;
  }
}

}  // namespace
}  // namespace bt::nodes
