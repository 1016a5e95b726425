// What a daemon is asked for, what it remembers of it, how it divides its limits, and whom its port lets in.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "nodes/daemon/completion_hook.h"
#include "nodes/daemon/order.h"
#include "nodes/daemon/seed_limits.h"
#include "nodes/daemon/shares.h"
#include "nodes/daemon/side_threads.h"
#include "nodes/daemon/state_file.h"
#include "tests/net/support.h"

namespace bt::nodes {
namespace {

Order Everything() {
  Order order;
  order.what = "/tmp/music.torrent";
  order.path = "/tmp/music";
  order.trackers = {"http://127.0.0.1:6969", "udp://[::1]:1"};
  order.trust = {"/tmp/token", "/tmp/ca.pem"};
  order.select = {"*.jpg"};
  order.upload_limit = 1000;
  order.download_limit = uint64_t{1} << 40;
  order.keep_offering = true;
  order.timeout_seconds = 7;
  order.seed = {7200, 1500};
  return order;
}

std::string Refusal(const char* text) {
  const absl::StatusOr<Order> order = ParseOrder(Json::parse(text, nullptr, false));
  return order.ok() ? "" : std::string(order.status().message());
}

TEST(OrderTest, IsReadAsItWasWritten) {
  EXPECT_EQ(ParseOrder(OrderJson(Everything())).value(), Everything());
  Order offer;
  offer.kind = Order::Kind::kOffer;
  offer.what = "/t";
  offer.path = "/f";
  EXPECT_EQ(ParseOrder(OrderJson(offer)).value(), offer);
}

TEST(OrderTest, SaysWhichFieldIsWrong) {
  EXPECT_EQ(Refusal("nonsense"), "it is no JSON object");
  EXPECT_EQ(Refusal("[]"), "it is no JSON object");
  EXPECT_EQ(Refusal(R"({"kind":"steal","what":"a","path":"/b"})"), "kind: is neither offer nor download");
  EXPECT_EQ(Refusal(R"({"kind":"download","path":"/b"})"), "what: is missing");
  EXPECT_EQ(Refusal(R"({"kind":"download","what":7,"path":"/b"})"), "what: is no text");
  EXPECT_EQ(Refusal(R"({"kind":"download","what":"a","path":"b"})"), "path: is not an absolute path");
  EXPECT_EQ(Refusal(R"({"kind":"offer","what":"a","path":"/b"})"), "what: is not an absolute path");
  EXPECT_EQ(Refusal(R"({"kind":"download","what":"a/b.torrent","path":"/b"})"),
            "what: is not an absolute path");
  EXPECT_EQ(Refusal(R"({"kind":"download","what":"a","path":"/b","trackers":"x"})"),
            "trackers: is no list of texts");
  EXPECT_EQ(Refusal(R"({"kind":"download","what":"a","path":"/b","upload_limit":-1})"),
            "upload_limit: is no number, or too large");
  EXPECT_EQ(Refusal(R"({"kind":"download","what":"a","path":"/b","more":1})"),
            "it has fields that are not known");
  EXPECT_EQ(Refusal(R"({"kind":"offer","what":"/a","path":"/b","keep_offering":true})"),
            "kind: an offer has options of a download");
  EXPECT_EQ(Refusal(R"({"kind":"offer","what":"/a","path":"/b","seed_ratio":-1})"),
            "seed_ratio: is no number from 0 to 1000");
  EXPECT_EQ(Refusal(R"({"kind":"offer","what":"/a","path":"/b","seed_time":1.5})"),
            "seed_time: is no number of seconds, or too large");
}

TEST(SeedLimitsTest, AreReachedByTimeOrByRatioAndNeverByWhatIsNotLimited) {
  const SeedLimits both{3600, 2000};
  EXPECT_FALSE(both.Reached(3599, 1999, 1000));
  EXPECT_TRUE(both.Reached(3600, 0, 1000));
  EXPECT_TRUE(both.Reached(0, 2000, 1000));
  EXPECT_FALSE(both.Reached(0, 0, 0));
  EXPECT_FALSE(SeedLimits{}.Reached(1 << 30, 1 << 30, 1));
  const SeedLimits never = SeedLimits{0, 0}.Or(both);
  EXPECT_FALSE(never.Reached(1 << 30, 1 << 30, 1)) << "0 of its own is more than the daemon's";
  EXPECT_EQ((SeedLimits{std::nullopt, 7}.Or(both)), (SeedLimits{3600, 7}));
}

DaemonState TwoTransfers() {
  DaemonState state;
  state.next_id = 9;
  state.upload_limit = 5;
  state.seed.permille = 0;
  state.transfers.push_back({3, Everything(), true, false});
  state.transfers.push_back({8, Everything(), false, true, true, true, uint64_t{1} << 40, 86400});
  return state;
}

TEST(DaemonStateTest, IsReadAsItWasWritten) {
  EXPECT_EQ(ParseState(StateText(TwoTransfers())).value(), TwoTransfers());
  EXPECT_EQ(ParseState(StateText(DaemonState{})).value(), DaemonState{});
}

TEST(DaemonStateTest, WhatIsCutOrMadeUpIsRefused) {
  const std::string whole = StateText(TwoTransfers());
  for (size_t cut = 0; cut + 2 < whole.size(); ++cut) {
    EXPECT_FALSE(ParseState(whole.substr(0, cut)).ok()) << cut;
  }
  EXPECT_FALSE(ParseState(R"({"format":2,"next_id":1,"transfers":[]})").ok());
  DaemonState twice = TwoTransfers();
  twice.transfers[1].id = 3;
  EXPECT_FALSE(ParseState(StateText(twice)).ok());
  DaemonState given_again = TwoTransfers();
  given_again.next_id = 8;
  EXPECT_FALSE(ParseState(StateText(given_again)).ok());
}

TEST(DaemonStateTest, IsThereAgainAfterItWasSavedAndBelongsToOneAtATime) {
  const net::TemporaryDirectory directory;
  const std::string path = (directory / "state");
  {
    const absl::StatusOr<net::Fd> lock = LockStateDirectory(path);
    ASSERT_TRUE(lock.ok()) << lock.status();
    EXPECT_EQ(LockStateDirectory(path).status().code(), absl::StatusCode::kAlreadyExists);
    EXPECT_EQ(LoadState(path).value(), DaemonState{});
    ASSERT_TRUE(SaveState(path, StateText(TwoTransfers())).ok());
  }
  EXPECT_TRUE(LockStateDirectory(path).ok());
  EXPECT_EQ(LoadState(path).value(), TwoTransfers());
}

TEST(DaemonStateTest, CopiesOfTorrentFilesThatNoTransferHasAreTakenAwayAndNothingElse) {
  const net::TemporaryDirectory directory;
  for (const char* name :
       {"3.torrent", "4.torrent", "8.torrent", "03.torrent", "x.torrent", "lock", "4.torrent.bak"}) {
    net::WriteFile(directory / name, "d");
  }
  RemoveLeftovers(directory.path(), TwoTransfers());
  EXPECT_FALSE(std::filesystem::exists(directory / "4.torrent"));
  for (const char* name : {"3.torrent", "8.torrent", "03.torrent", "x.torrent", "lock", "4.torrent.bak"}) {
    EXPECT_TRUE(std::filesystem::exists(directory / name)) << name;
  }
}

TEST(CompletionHookTest, RunsAFewAtOnceEachWithItsArgumentsAsTheyAre) {
  const net::TemporaryDirectory directory;
  const std::string gate = directory / "gate";
  ASSERT_EQ(::mkfifo(gate.c_str(), 0600), 0);
  // Each waits at the gate, so that it is seen how many are there at once.
  net::WriteFile(directory / "program", "#!/bin/sh\nread go < " + gate + "\nprintf '%s|' \"$#\" \"$@\" > " +
                                            (directory / "out") + ".$1\n");
  std::filesystem::permissions(directory / "program", std::filesystem::perms::owner_all);
  net::Loop loop;
  CompletionHook hook(loop, directory / "program");
  const std::string name = "$(touch x); `y` -rf \"' \n*";
  for (uint64_t id = 1; id <= 6; ++id) hook.Run(id, name, "/to/" + name);
  EXPECT_EQ(hook.running(), CompletionHook::kRunningMax);
  EXPECT_EQ(hook.waiting(), 2u);
  // Open for both, so that no reader sees the end; a line for each.
  const net::Fd open(::open(gate.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::write(open.get(), "\n\n\n\n\n\n", 6), 6);
  ASSERT_TRUE(net::RunUntil(loop, [&] { return hook.running() + hook.waiting() == 0; }));
  for (int id = 1; id <= 6; ++id) {
    EXPECT_EQ(net::ReadFile((directory / "out") + "." + std::to_string(id)),
              "3|" + std::to_string(id) + "|" + name + "|/to/" + name + "|");
  }
}

uint64_t Sum(const std::vector<uint64_t>& shares) {
  return std::accumulate(shares.begin(), shares.end(), uint64_t{0});
}

TEST(DivideLimitTest, IdleOnesLeaveTheirShareToTheBusy) {
  const std::vector<uint64_t> shares = DivideLimit(10'000'000, {{0, 0}, {4'000'000, 0}, {0, 0}});
  EXPECT_LE(Sum(shares), 10'000'000u);
  EXPECT_GE(shares[1], 8'000'000u);
  EXPECT_GE(shares[0], 64u << 10);
}

TEST(DivideLimitTest, BusyOnesHaveTheSameAndNobodyMoreThanItsOwnLimit) {
  EXPECT_EQ(DivideLimit(900, {{900, 0}, {900, 0}, {900, 0}}), (std::vector<uint64_t>{300, 300, 300}));
  EXPECT_EQ(DivideLimit(900, {{900, 100}, {900, 0}, {900, 0}}), (std::vector<uint64_t>{100, 400, 400}));
  EXPECT_EQ(DivideLimit(900, {}), std::vector<uint64_t>{});
}

TEST(DivideLimitTest, AShareIsNeverNone) {
  EXPECT_EQ(DivideLimit(1, {{0, 0}, {0, 0}}), (std::vector<uint64_t>{1, 1}));
}

TEST(SideThreadsTest, TellsTheLoopUnlessItsOwnerIsGone) {
  net::Loop loop;
  SideThreads side(loop, 1);
  int told = 0;
  std::optional<net::Later> gone(std::in_place, loop);
  const net::Later here(loop);
  side.Run([] { return 1; }, *gone, [&](int by) { told += by; });
  gone.reset();
  side.Run([] { return 10; }, here, [&](int by) { told += by; });
  ASSERT_TRUE(net::RunUntil(loop, [&] { return told >= 10; }));
  EXPECT_EQ(told, 10);
}

}  // namespace
}  // namespace bt::nodes
