#include "sim/clock.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "sim/host.h"
#include "tests/sim/toy.h"

namespace bt::sim {
namespace {

constexpr ClockFaults kOwn{.own = true, .drift_ppm_max = 500};

TEST(HostClock, IsTheWorldsUnlessItIsItsOwn) {
  World world(1);
  HostClock clock(world, 0, {});
  clock.BeginLife();
  world.RunFor(Seconds(3));
  EXPECT_EQ(clock.Now(), world.now());
  EXPECT_EQ(clock.WorldTime(Instant{} + Seconds(5)), Instant{} + Seconds(5));
}

TEST(HostClock, HasAnotherOriginAndRateInEachLife) {
  World world(1);
  HostClock clock(world, 0, kOwn);
  std::vector<int64_t> drifts;
  std::vector<Instant> origins;
  for (int life = 0; life < 50; ++life) {
    clock.BeginLife();
    origins.push_back(clock.Now());
    drifts.push_back(clock.drift_ppm());
    EXPECT_LE(std::abs(drifts.back()), 500);
  }
  EXPECT_GT(*std::max_element(drifts.begin(), drifts.end()), 250);
  EXPECT_LT(*std::min_element(drifts.begin(), drifts.end()), -250);
  EXPECT_LT(*std::min_element(origins.begin(), origins.end()), Instant{} + Seconds(1));
  EXPECT_GT(*std::max_element(origins.begin(), origins.end()), Instant{} + Seconds(24 * 3600));
  EXPECT_EQ(world.faults().count(Fault::kClockOrigin), 50u);
  EXPECT_EQ(world.faults().count(Fault::kClockDrift), 50u);
}

TEST(HostClock, HasNoDriftWhereEverythingIsDecidedInTheSimplestWay) {
  Decisions decisions;
  decisions.otherwise = Otherwise::kSimplest;
  World world(1, WorldOptions{.decisions = &decisions});
  HostClock clock(world, 0, kOwn);
  clock.BeginLife();
  world.RunFor(Seconds(1000));
  EXPECT_EQ(clock.drift_ppm(), 0);
}

TEST(HostClock, ShowsATimeWhenItSaysThatItWillAndNeverGoesBack) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    World world(seed);
    Rng rng(seed);
    HostClock clock(world, 0, {.own = true, .drift_ppm_max = 50'000});
    clock.BeginLife();
    EXPECT_EQ(clock.WorldTime(Instant{}), world.now()) << "at once, however long ago that is";
    for (int i = 0; i < 50; ++i) {
      const Instant before = clock.Now();
      const Duration wait = rng.Between(Duration{0}, Seconds(rng.Chance(1, 10) ? 3000 : 1));
      const Instant end = clock.WorldTime(before + wait);
      world.RunUntil(Instant{end.ns - 2});
      EXPECT_TRUE(clock.Now() < before + wait || wait == Duration{0}) << "too late";
      world.RunUntil(end);
      EXPECT_GE(clock.Now(), before + wait) << "too early";
      EXPECT_GE(clock.Now(), before);
    }
  }
}

TEST(HostClock, StandsStillInAStallOfTheWholeMachineAndNeverLeapsAfterIt) {
  World world(1);
  HostClock clock(world, 0, {.own = true, .drift_ppm_max = 0, .freeze_percent = 100});
  clock.BeginLife();
  world.RunFor(Seconds(1));
  const Instant before = clock.Now();
  clock.Stall();
  world.RunFor(Seconds(10));
  EXPECT_EQ(clock.Now(), before);
  clock.Resume();
  EXPECT_EQ(clock.Now(), before);
  world.RunFor(Seconds(1));
  EXPECT_EQ(clock.Now(), before + Seconds(1));
  EXPECT_EQ(world.faults().count(Fault::kClockFreeze), 1u);
}

TEST(HostClock, ALeapMakesTimersDueAtOnce) {
  World world(1);
  ToyPair pair(world);
  world.RunFor(Milliseconds(5));
  EXPECT_EQ(pair.a().machine()->pulses(), 0u);
  pair.a().JumpClock(Milliseconds(5));
  EXPECT_EQ(pair.a().machine()->pulses(), 1u);
  EXPECT_EQ(pair.a().now(), world.now() + Milliseconds(5));
  world.RunFor(Milliseconds(10));
  EXPECT_EQ(pair.a().machine()->pulses(), 2u);
}

// --- a protocol that is right with one clock for all ---

// Whoever is sent the lease holds it until `until`: a time of the granter's clock.
struct Lease {
  Instant until;

  static constexpr void Fields(auto& self, auto&& visit) { visit("until", self.until); }
};

struct LeaseProtocol {
  using Message = std::variant<Lease>;
  enum class Timer : uint8_t { kNext, kCount };
  using FileEffect = NoFiles;
  using FileDone = NoFiles;
  using Request = std::variant<std::monostate>;
  using Response = std::variant<std::monostate>;
  using Note = std::variant<std::monostate>;
};

// Node 0 grants the lease to 1 and 2 in turn, the next one when it takes the last one to be over.
class LeaseNode final {
 public:
  using Protocol = LeaseProtocol;
  static constexpr Duration kLease = Milliseconds(100);

  explicit LeaseNode(bool grants) : grants_(grants) {}

  void Step(const Input<Protocol>& input, Context<Protocol>& context) {
    if (const auto* received = std::get_if<Received<Protocol>>(&input)) {
      until_ = std::get<Lease>(received->message).until;
    } else if (grants_ && (std::holds_alternative<Started>(input) ||
                           std::holds_alternative<TimerFired<Protocol>>(input))) {
      const Instant until = context.now + kLease;
      context.out.Send(NodeId(1 + grants_made_++ % 2), Lease{until});
      context.out.Arm(Protocol::Timer::kNext, until);
    }
  }
  void CheckInvariants() const {}
  uint64_t Digest() const { return static_cast<uint64_t>(until_.ns); }
  bool Holds(Instant now) const { return now < until_; }

 private:
  const bool grants_;
  uint64_t grants_made_ = 0;
  Instant until_{0};
};

struct LeaseAdaptor : DefaultAdaptor {
  std::unique_ptr<LeaseNode> Make(auto& host) { return std::make_unique<LeaseNode>(host.index() == 0); }
  void Transmit(auto& host, NodeId to, const Slice& message) {
    host.network().Send(host.index(), to.value(), message);
  }
  void Deliver(auto& host, uint32_t from, const Slice& bytes) { host.Receive(NodeId(from), bytes); }
};

// Did both hold the lease at one time?
bool LeasesOverlap(uint64_t seed, ClockFaults clock) {
  World world(seed);
  Network network(world, {});
  std::vector<std::unique_ptr<Host<LeaseNode, LeaseAdaptor>>> hosts;
  for (uint32_t i = 0; i < 3; ++i) {
    HostOptions options{.name = "lease-" + std::to_string(i), .clock = clock};
    hosts.push_back(
        std::make_unique<Host<LeaseNode, LeaseAdaptor>>(world, network, nullptr, options, LeaseAdaptor()));
  }
  for (const auto& host : hosts) host->Start();
  for (int looks = 0; looks < 5000; ++looks) {
    world.RunFor(Milliseconds(1));
    if (hosts[1]->machine()->Holds(hosts[1]->now()) && hosts[2]->machine()->Holds(hosts[2]->now()))
      return true;
  }
  return false;
}

TEST(HostClock, ALeaseThatSendsATimeOfOneClockIsRightOnlyWhileAllShareOne) {
  uint64_t wrong = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_FALSE(LeasesOverlap(seed, {})) << "seed " << seed;
    wrong += LeasesOverlap(seed, kOwn);
  }
  EXPECT_GT(wrong, 5u);
}

}  // namespace
}  // namespace bt::sim
