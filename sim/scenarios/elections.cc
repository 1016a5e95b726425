#include <absl/strings/str_format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "sim/kinds_of.h"
#include "sim/plan.h"
#include "sim/scenarios/run_until.h"
#include "sim/scenarios/scenarios.h"
#include "sim/scenarios/tracker_cluster.h"

namespace bt::sim {
namespace {

using Members = std::vector<uint32_t>;

// Four election timeouts, each as long as failed elections may have made it, with the messages and syncs of
// an election and of the catching up before it.
Duration Bound(const paxos::Config& config, const FaultPlan& plan) {
  const Duration longest = config.election_max + (config.election_max - config.election_min) * 4;
  return (longest + plan.network.latency_max * 10 + plan.disk.sync_max * 5) * 4;
}

bool Led(TrackerCluster& cluster, const Members& members) {
  return std::any_of(members.begin(), members.end(), [&](uint32_t member) {
    const TrackerHost& host = cluster.host(member);
    return host.alive() && host.machine()->replica().is_leader();
  });
}

void CutBoth(Network& network, uint32_t a, uint32_t b, bool cut) {
  network.Cut(a, b, cut);
  network.Cut(b, a, cut);
}

// Nodes start together or within two seconds, and links come up late, in one direction before the other.
void FirstStart(World& world, RandomStream& rng, Network& network, TrackerCluster& cluster) {
  std::vector<std::pair<Duration, std::function<void()>>> events;
  const Duration stagger = rng.Chance(1, 2) ? Duration{0} : Seconds(2);
  for (uint32_t node = 0; node < cluster.size(); ++node) {
    events.emplace_back(rng.Between(Duration{0}, stagger), [&, node] { cluster.host(node).Start(); });
    for (uint32_t other = 0; other < cluster.size(); ++other) {
      if (other == node || !rng.Chance(1, 3)) continue;
      world.Count(Fault::kLateLink);
      network.Cut(node, other, true);
      events.emplace_back(rng.Between(Duration{0}, Seconds(3)),
                          [&, node, other] { network.Cut(node, other, false); });
    }
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [when, act] : events) {
    world.RunUntil(Instant{} + when);
    act();
  }
}

// The leader dies, and of the links among the others those of a star or a chain are left, for good. Its
// middle is the one that reaches a majority, and has missed what was chosen last.
Members LeaveAShape(World& world, RandomStream& rng, Network& network, TrackerCluster& cluster) {
  Members members;
  std::optional<uint32_t> leader;
  for (uint32_t node = 0; node < cluster.size(); ++node) {
    if (!leader && cluster.host(node).machine()->replica().is_leader()) {
      leader = node;
    } else {
      members.push_back(node);
    }
  }
  rng.Shuffle(members);
  constexpr size_t kMiddle = 1;
  const uint32_t middle = members[kMiddle];
  for (uint32_t node = 0; node < cluster.size(); ++node) CutBoth(network, middle, node, true);
  for (uint64_t commands = rng.Below(100); commands > 0; --commands) {
    cluster.LowerLimits(rng);
    world.RunFor(rng.Between(Duration{0}, Milliseconds(20)));
  }
  cluster.host(*leader).Crash();
  const bool chain = rng.Chance(1, 2);
  for (size_t a = 0; a < members.size(); ++a) {
    for (size_t b = a + 1; b < members.size(); ++b) {
      const bool left = chain ? b == a + 1 : a == kMiddle || b == kMiddle;
      if (!left) world.Count(Fault::kLastingCut);
      CutBoth(network, members[a], members[b], !left);
    }
  }
  world.Trace({.who = "elections"}, [&] {
    return absl::StrFormat("the leader is dead, node %d is the middle of a %s", middle + 1,
                           chain ? "chain" : "star");
  });
  return members;
}

void Run(World& world) {
  RandomStream rng = world.Stream("elections");
  FaultPlan plan;
  plan.network.latency_max = DrawPlan(rng).network.latency_max;
  plan.clock.own = true;
  Network network(world, plan.network);
  TrackerCluster cluster(world, network, rng.Chance(1, 3) ? 3 : 5, plan);
  const Duration bound = Bound(cluster.config().replica, plan);
  Members everybody;
  for (uint32_t node = 0; node < cluster.size(); ++node) everybody.push_back(node);

  FirstStart(world, rng, network, cluster);
  if (!RunUntilDone(world, bound, [&] { return Led(cluster, everybody); })) {
    return world.Fail(
        absl::StrFormat("liveness: no leader within %d ms of the first start with all links up; %s",
                        bound.millis(), cluster.Situation()));
  }
  const Members left = LeaveAShape(world, rng, network, cluster);
  if (!RunUntilDone(world, bound, [&] { return Led(cluster, left); })) {
    return world.Fail(
        absl::StrFormat("liveness: a node reaches a majority, and there is no leader within %d ms; %s",
                        bound.millis(), cluster.Situation()));
  }
  const auto converged = [&] {
    return std::all_of(left.begin(), left.end(), [&](uint32_t node) {
      return cluster.host(node).machine()->replica().chosen() == cluster.judge().chosen();
    });
  };
  if (!RunUntilDone(world, bound * 2, converged)) {
    world.Fail("liveness: a node that does not reach the leader does not learn from others what is chosen; " +
               cluster.Situation());
  }
}

}  // namespace

const Scenario kElections = {"elections",
                             "first starts, and a leader's death, with links that are late or never mended",
                             Run, "//tools:simrun", KindsOf<tracker::TrackerNode, TrackerAdaptor>};

}  // namespace bt::sim
