// Distribution: one seeder and many downloads that begin together, each behind a link of its own. The time
// until the last has all is judged by the bound of a fluid that flows everywhere at once:
//
//   T = max(F / u_s, F / min d, N F / (u_s + sum u))
//
// with F the content's bytes, u_s the seeder's uplink, d and u the downloads' links (Kumar and Ross,
// "Peer-assisted file distribution: the minimum distribution time", 2006).

#include <absl/strings/str_format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "sim/scenarios/run_until.h"
#include "sim/scenarios/scenarios.h"
#include "sim/scenarios/swarm_world.h"

namespace bt::sim {
namespace {

// Of the bound, beside the time in which peers meet: when everybody is honest and has an equal link, and
// else.
constexpr int64_t kCalmPercent = 140;
constexpr int64_t kPercent = 350;
constexpr Duration kMeeting = Seconds(1);
// What a seeder sends when everybody is honest and equal, in thousandths of the content.
constexpr uint64_t kCopiesMax = 1300;
constexpr uint64_t kSpareBlocks = 4;  // and of each as many, which are much of a small content
constexpr uint64_t kSentMax = 1060;   // likewise, by all together, of what all needed
constexpr Duration kPatience = Seconds(3600);

struct Load {
  Duration starts;
  uint64_t up = 0;  // bytes per second
  uint64_t down = 0;
  bool ordinary = true;  // of those that are judged: not slow, not late, not lying, not leaving
  bool leaves = false;
};

struct Plan {
  uint32_t pieces = 0;
  uint32_t piece_length = kPieceLengthMin;
  uint64_t seeder_up = 0;
  Duration latency_max = Milliseconds(1);
  std::vector<Load> loads;
  uint32_t liars = 0;
};

// Equal links, nobody slow, late, lying or leaving.
Plan EqualLinks(uint32_t loads, uint32_t pieces) {
  constexpr uint64_t kRate = 500'000;
  Plan plan{.pieces = pieces, .seeder_up = kRate, .latency_max = Milliseconds(5)};
  plan.loads.assign(loads, {.starts = {}, .up = kRate, .down = kRate});
  return plan;
}

Plan Draw(RandomStream& rng) {
  const uint32_t loads = static_cast<uint32_t>(rng.Between(2, rng.Chance(1, 8) ? 24 : 9));
  Plan plan = EqualLinks(loads, static_cast<uint32_t>(rng.Between(16 * loads, 32 * loads)));
  plan.piece_length <<= rng.Below(3);
  // So that one copy takes seconds: how peers meet is not what is judged here.
  const uint64_t rate = uint64_t{plan.pieces} * plan.piece_length / rng.Between(4, 40);
  plan.seeder_up = rate;
  plan.latency_max = rng.Between(Microseconds(500), Milliseconds(40));
  const bool slow = rng.Chance(1, 3);
  const bool late = rng.Chance(1, 3);
  const bool leaving = rng.Chance(1, 3);
  for (Load& load : plan.loads) {
    load = {rng.Between(Duration{}, Milliseconds(300)), rate, rate};
    if (slow && rng.Chance(1, 10)) load = {load.starts, rate / 10, rate / 10, false};
    if (late && rng.Chance(1, 10)) load.starts = rng.Between(Seconds(1), Seconds(8)), load.ordinary = false;
    if (leaving && rng.Chance(1, 10)) load.leaves = true, load.ordinary = false;
  }
  if (rng.Chance(1, 3)) plan.liars = static_cast<uint32_t>(rng.Between(1, 1 + loads / 10));
  return plan;
}

class Distribution {
 public:
  Distribution(World& world, RandomStream& rng, Plan plan)
      : world_(world),
        rng_(rng),
        plan_(std::move(plan)),
        network_(world, {.latency_max = plan_.latency_max}),
        streams_(world, network_,
                 {.latency_min = plan_.latency_max / 4,
                  .latency_max = plan_.latency_max,
                  .bytes_per_second = kFast}),
        cluster_(world, network_, 1, FaultPlan()),
        swarm_(world, network_, streams_, cluster_, Given()) {}

  void Run() {
    cluster_.Start();
    swarm_.Register();
    ClientHost& seeder = *swarm_.clients().front();
    streams_.Limit(seeder.index(), plan_.seeder_up, plan_.seeder_up);
    seeder.Start();
    for (uint32_t liar = 0; liar < plan_.liars; ++liar) {
      ClientHost& host = *swarm_.clients()[1 + plan_.loads.size() + liar];
      streams_.Limit(host.index(), plan_.seeder_up, plan_.seeder_up);
      host.Start();
    }
    const auto offered = [&] { return swarm_.Claimed(seeder.adaptor().plan().address).has_value(); };
    if (!RunUntilDone(world_, kPatience, offered))
      return world_.Fail("liveness: the seeder's claim is not listed");
    begun_ = world_.now();
    world_.Trace({.who = "distribution"}, [&] { return Text(); });
    StartLoads();
    if (!RunUntilDone(world_, kPatience, [&] { return Finished(); })) {
      return world_.Fail("liveness: a download that could finish has not; " +
                         swarm_.Situation(swarm_.honest()));
    }
    Judge();
    swarm_.judge().Judge();
  }

 private:
  static constexpr uint64_t kFast = 1'000'000'000;  // one stream alone: its node's rate decides

  SwarmPlan Given() const {
    SwarmPlan::Given given{.pieces = plan_.pieces, .piece_length = plan_.piece_length};
    given.clients.push_back({.name = "seeder"});
    for (size_t i = 0; i < plan_.loads.size(); ++i) {
      given.clients.push_back({.name = absl::StrFormat("loader-%d", i + 1), .downloads = true});
    }
    for (uint32_t i = 0; i < plan_.liars; ++i) {
      given.clients.push_back({.name = absl::StrFormat("liar-%d", i + 1), .honest = false});
    }
    return {.calm = true, .given = std::move(given)};
  }

  void StartLoads() {
    std::vector<size_t> order;
    for (size_t i = 0; i < plan_.loads.size(); ++i) order.push_back(i);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return plan_.loads[a].starts < plan_.loads[b].starts; });
    for (const size_t i : order) {
      world_.RunUntil(begun_ + plan_.loads[i].starts);
      streams_.Limit(Loader(i).index(), plan_.loads[i].up, plan_.loads[i].down);
      Loader(i).Start();
    }
    for (const size_t i : order) {
      if (!plan_.loads[i].leaves) continue;
      world_.RunFor(rng_.Between(Duration{}, Bound() / 4));
      Loader(i).Crash();
    }
  }

  std::string Text() const {
    std::string text = absl::StrFormat(
        "%d pieces of %d bytes, seeder at %d bytes/s, %d liars, delays up to %d us, bound %d ms; loads:",
        plan_.pieces, plan_.piece_length, plan_.seeder_up, plan_.liars, plan_.latency_max.micros(),
        Bound().millis());
    for (const Load& load : plan_.loads) {
      text += absl::StrFormat(" %s%sat %d ms, %d bytes/s;", load.ordinary ? "" : "extra ",
                              load.leaves ? "leaving " : "", load.starts.millis(), load.down);
    }
    return text;
  }

  ClientHost& Loader(size_t index) const { return *swarm_.clients()[1 + index]; }
  uint64_t Length() const { return uint64_t{plan_.pieces} * plan_.piece_length; }

  bool Finished() const {
    for (size_t i = 0; i < plan_.loads.size(); ++i) {
      if (!plan_.loads[i].leaves && !Loader(i).adaptor().finished()) return false;
    }
    return true;
  }

  // Of those that are judged alone: what the others take of the links, or lend, is not theirs to answer for.
  Duration Bound() const {
    uint64_t up = plan_.seeder_up;
    uint64_t slowest = plan_.seeder_up;
    uint64_t loads = 0;
    for (const Load& load : plan_.loads) {
      if (!load.ordinary) continue;
      ++loads;
      up += load.up;
      slowest = std::min(slowest, load.down);
    }
    const double length = static_cast<double>(Length());
    const double seconds = std::max(length / static_cast<double>(slowest),
                                    static_cast<double>(loads) * length / static_cast<double>(up));
    return Nanoseconds(static_cast<int64_t>(seconds * 1e9));
  }

  void Judge() {
    Instant last = begun_;
    for (size_t i = 0; i < plan_.loads.size(); ++i) {
      const Load& load = plan_.loads[i];
      if (load.leaves) continue;
      const Instant finished = Loader(i).adaptor().finished_at();
      if (load.ordinary) {
        last = std::max(last, finished);
        continue;
      }
      const Duration own = Nanoseconds(static_cast<int64_t>(Length() * 1'000'000'000 / load.down));
      JudgeOne(Loader(i).name(), finished - (begun_ + load.starts), std::max(own, Bound()));
    }
    const Duration took = last - begun_;
    if (std::none_of(plan_.loads.begin(), plan_.loads.end(), [](const Load& load) { return load.ordinary; }))
      return;
    const uint64_t copies = swarm_.clients().front()->adaptor().bytes_served() * 1000 / Length();
    world_.Measure("makespan over bound", static_cast<uint64_t>(took.micros() * 1000 / Bound().micros()));
    world_.Measure("copies sent by the seeder", copies);
    const uint64_t sent = swarm_.bytes_served() * 1000 / swarm_.bytes_needed();
    if (Calm()) {
      world_.Measure("equal links: makespan over bound",
                     static_cast<uint64_t>(took.micros() * 1000 / Bound().micros()));
      world_.Measure("equal links: sent over needed", sent);
    }
    JudgeOne("the last", took, Bound());
    const uint64_t spare = kSpareBlocks * kBlockSize * plan_.loads.size();
    if (Calm() && swarm_.bytes_served() > swarm_.bytes_needed() * kSentMax / 1000 + spare) {
      world_.Fail(absl::StrFormat("distribution: %d downloads were sent %d thousandths of what they needed",
                                  plan_.loads.size(), sent));
    }
    if (Calm() && copies > kCopiesMax) {
      world_.Fail(
          absl::StrFormat("distribution: the seeder sent %d thousandths of the content to %d downloads",
                          copies, plan_.loads.size()));
    }
  }
  bool Calm() const {
    return plan_.liars == 0 && std::all_of(plan_.loads.begin(), plan_.loads.end(),
                                           [](const Load& load) { return load.ordinary; });
  }

  void JudgeOne(const std::string& who, Duration took, Duration bound) {
    if (took <= bound * (Calm() ? kCalmPercent : kPercent) / 100 + kMeeting) return;
    world_.Fail(absl::StrFormat("distribution: %s of %d took %d ms where the fluid bound is %d ms", who,
                                plan_.loads.size(), took.millis(), bound.millis()));
  }

  World& world_;
  RandomStream& rng_;
  const Plan plan_;
  Network network_;
  Streams streams_;
  TrackerCluster cluster_;
  SwarmWorld swarm_;
  Instant begun_;
};

void RunDrawn(World& world) {
  RandomStream rng = world.Stream("distribution");
  Plan plan = Draw(rng);
  Distribution(world, rng, std::move(plan)).Run();
}

template <uint32_t kLoads>
void RunEqual(World& world) {
  RandomStream rng = world.Stream("distribution");
  Distribution(world, rng, EqualLinks(kLoads, 400 + 12 * kLoads)).Run();
}

}  // namespace

const Scenario kDistribution = {"distribution", "one seeder to many downloads, each behind a link of its own",
                                RunDrawn, "//tools:simrun"};
const Scenario kDistribution10 = {"distribution_10",
                                  "one seeder to 10 downloads, equal links, nothing goes wrong", RunEqual<10>,
                                  "//tools:simrun"};
const Scenario kDistribution50 = {"distribution_50",
                                  "one seeder to 50 downloads, equal links, nothing goes wrong", RunEqual<50>,
                                  "//tools:simrun"};

}  // namespace bt::sim
