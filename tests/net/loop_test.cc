#include "net/loop.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "net/socket.h"
#include "tests/net/support.h"

namespace bt::net {
namespace {

TEST(LoopTest, TimersFireInOrderOfTheirDeadlinesAndNotBeforeThem) {
  Loop loop;
  const Instant start = Loop::ReadClock();
  std::vector<int> fired;
  Timer late(loop, [&] { fired.push_back(2); });
  Timer early(loop, [&] { fired.push_back(1); });
  Timer never(loop, [&] { fired.push_back(3); });
  late.Arm(start + Milliseconds(20));
  early.Arm(start + Milliseconds(10));
  never.Arm(start + Milliseconds(5));
  never.Disarm();
  ASSERT_TRUE(RunUntil(loop, [&] { return fired.size() == 2; }));
  EXPECT_EQ(fired, (std::vector<int>{1, 2}));
  EXPECT_GE(Loop::ReadClock(), start + Milliseconds(20));
}

TEST(LoopTest, ATimerThatArmsItselfForThePastRunsOnceAnIterationHoweverManyOthersWait) {
  Loop loop;
  std::vector<std::unique_ptr<Timer>> others;
  for (int i = 0; i < 100; ++i) {
    others.push_back(std::make_unique<Timer>(loop, [] {}));
    others.back()->Arm(loop.now() + Seconds(3600));
  }
  int calls = 0;
  std::optional<Timer> again;
  again.emplace(loop, [&] {
    ++calls;
    again->Arm(loop.now());
  });
  again->Arm(loop.now());
  loop.RunOnce(Seconds(1));
  EXPECT_EQ(calls, 1);
  loop.RunOnce(Seconds(1));
  EXPECT_EQ(calls, 2);
}

TEST(LoopTest, ATimerThatArmsItselfForThePastDoesNotKeepOutEverythingElse) {
  Loop loop;
  bool posted = false;
  Timer greedy(loop, [&] { greedy.Arm(Instant{1}); });
  greedy.Arm(Instant{1});
  loop.RunOnce(Duration{0});
  loop.Post([&] { posted = true; });
  ASSERT_TRUE(RunUntil(loop, [&] { return posted; }));
}

TEST(LoopTest, AnIdleLoopSleepsAndBurnsNoProcessorTime) {
  Loop loop;
  bool fired = false;
  Timer timer(loop, [&] { fired = true; });
  timer.Arm(Loop::ReadClock() + Milliseconds(100));
  int iterations = 0;
  while (!fired && iterations < 1000) {
    loop.RunOnce(Seconds(10));
    ++iterations;
  }
  EXPECT_TRUE(fired);
  EXPECT_LE(iterations, 3);
}

TEST(LoopTest, FunctionsPostedByOtherThreadsRunOnTheLoopInOrder) {
  Loop loop;
  std::vector<int> seen;
  std::thread poster([&] {
    for (int i = 0; i < 1000; ++i) loop.Post([&seen, i] { seen.push_back(i); });
    loop.Stop();
  });
  loop.Run();
  poster.join();
  ASSERT_TRUE(RunUntil(loop, [&] { return seen.size() == 1000; }));
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(seen[static_cast<size_t>(i)], i);
}

TEST(LoopTest, AWatcherMayDestroyItselfAndItsNeighbourWhileEventsAreDelivered) {
  Loop loop;
  int a[2];
  int b[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, b), 0);
  const Fd a0(a[0]), a1(a[1]), b0(b[0]), b1(b[1]);
  int called = 0;
  std::unique_ptr<Watcher> first;
  std::unique_ptr<Watcher> second;
  const auto destroy_both = [&](uint32_t) {
    ++called;
    first.reset();
    second.reset();
  };
  first = std::make_unique<Watcher>(loop, a[0], EPOLLIN, destroy_both);
  second = std::make_unique<Watcher>(loop, b[0], EPOLLIN, destroy_both);
  ASSERT_EQ(write(a[1], "x", 1), 1);
  ASSERT_EQ(write(b[1], "x", 1), 1);
  ASSERT_TRUE(RunUntil(loop, [&] { return called > 0; }));
  loop.RunOnce(Duration{0});
  EXPECT_EQ(called, 1);
}

TEST(LoopTest, DeferredWorkRunsOncePerIterationAndMayDeferMore) {
  Loop loop;
  int outer = 0;
  int inner = 0;
  Deferred second(loop, [&] { ++inner; });
  Deferred first(loop, [&] {
    ++outer;
    second.Schedule();
  });
  first.Schedule();
  first.Schedule();
  loop.RunOnce(Duration{0});
  EXPECT_EQ(outer, 1);
  EXPECT_EQ(inner, 1);
}

TEST(LoopTest, WhatIsToldLaterRunsInOrderAfterTheStepUnlessItsOwnerIsGone) {
  Loop loop;
  std::vector<int> told;
  std::optional<Later> later(loop);
  later->Tell([&] {
    told.push_back(1);
    later->Tell([&] { told.push_back(3); });
  });
  later->Tell([&] { told.push_back(2); });
  EXPECT_TRUE(told.empty());
  loop.RunOnce(Duration{0});
  EXPECT_EQ(told, (std::vector<int>{1, 2, 3}));

  later->Tell([&] { told.push_back(4); });
  loop.Post(later->UnlessGone([&] { told.push_back(5); }));
  std::thread([&loop, function = later->UnlessGone([&] { told.push_back(6); })] {
    loop.Post(function);
  }).join();
  later.reset();
  loop.RunOnce(Duration{0});
  EXPECT_EQ(told.size(), 3u);
}

TEST(LoopTest, WhoIsDestroyedByWhatItTellsTellsNothingMore) {
  Loop loop;
  int told = 0;
  std::optional<Later> later(loop);
  later->Tell([&] {
    ++told;
    later.reset();
  });
  later->Tell([&] { ++told; });
  loop.RunOnce(Duration{0});
  EXPECT_EQ(told, 1);
}

TEST(LoopTest, SignalsArriveAsCallbacksOnTheLoop) {
  Loop loop;
  int seen = 0;
  loop.OnSignals({SIGUSR1}, [&](int number) { seen = number; });
  ASSERT_EQ(raise(SIGUSR1), 0);
  ASSERT_TRUE(RunUntil(loop, [&] { return seen != 0; }));
  EXPECT_EQ(seen, SIGUSR1);
}

TEST(SocketTest, ListeningOnAPortInUseSaysSoAndWhatToDo) {
  const auto listener = Listen(Address::V4(127, 0, 0, 1, 0));
  ASSERT_TRUE(listener.ok());
  EXPECT_NE(listener->address.port, 0);
  const auto second = Listen(listener->address);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  const std::string message(second.status().message());
  EXPECT_NE(message.find(listener->address.ToString()), std::string::npos) << message;
  EXPECT_NE(message.find("in use"), std::string::npos) << message;
}

// Timers of one deadline run in an order that nobody chooses, so both orders are tried.
TEST(LoopTest, ATimerThatIsDueIsNotPutOffByAnotherThatArmsItAnewInEachIteration) {
  for (const bool busy_is_first : {true, false}) {
    Loop loop;
    int ran = 0;
    std::array<std::optional<Timer>, 2> timers;
    std::optional<Timer>& busy = timers[busy_is_first ? 0 : 1];
    std::optional<Timer>& due = timers[busy_is_first ? 1 : 0];
    const Instant over = loop.now();
    busy.emplace(loop, [&] {
      busy->Arm(loop.now() + Nanoseconds(1));
      due->Arm(over);
    });
    due.emplace(loop, [&] { ++ran; });
    busy->Arm(over);
    for (int i = 0; i < 10; ++i) loop.RunOnce(Milliseconds(1));
    EXPECT_GE(ran, 5) << busy_is_first;
  }
}

}  // namespace
}  // namespace bt::net
