#include <absl/strings/str_format.h>

#include <memory>
#include <vector>

#include "sim/nemesis.h"
#include "sim/plan.h"
#include "sim/scenarios/registry_client.h"
#include "sim/scenarios/run_until.h"
#include "sim/scenarios/scenarios.h"
#include "sim/scenarios/tracker_cluster.h"

namespace bt::sim {
namespace {

constexpr Duration kLivenessBound = Seconds(90);

// Decode counts everything anew, the digest included: whatever Apply kept up by the way must be the same.
void JudgeStates(World& world, TrackerCluster& cluster) {
  for (const Process* process : cluster.core()) {
    const tracker::ReplicatedState& state = cluster.host(process->index()).machine()->state();
    state.CheckInvariants();
    const auto rebuilt = tracker::ReplicatedState::Decode(Slice::Own(state.Encode()));
    if (!rebuilt.ok()) world.Fail(absl::StrFormat("state: %s", std::string(rebuilt.status().message())));
  }
}

void Run(World& world) {
  Rng rng = world.Stream("tracker_faults");
  const FaultPlan plan = DrawPlan(rng);
  Network network(world, plan.network);
  const uint32_t nodes = rng.Chance(1, 12) ? 1 : rng.Chance(1, 2) ? 3 : 5;
  TrackerCluster cluster(world, network, nodes, plan);
  RegistryHistory history(world);
  RegistryWorkload workload;
  workload.names = static_cast<uint32_t>(rng.Between(2, 10));
  workload.think_max = Milliseconds(static_cast<int64_t>(1 << rng.Below(10)));
  workload.operations = static_cast<uint32_t>(rng.Between(20, 300));
  std::vector<std::unique_ptr<RegistryClient>> clients;
  std::vector<uint32_t> bystanders;
  for (uint64_t i = rng.Between(1, 6); i > 0; --i) {
    clients.push_back(std::make_unique<RegistryClient>(world, network, cluster, history, workload));
    bystanders.push_back(clients.back()->index());
  }
  Nemesis nemesis(world, network, nullptr, plan, cluster.processes(), bystanders);
  cluster.Start();
  nemesis.Begin();
  for (const auto& client : clients) client->Begin();
  world.RunFor(rng.Between(Seconds(1), Seconds(8)));
  for (uint64_t i = rng.Chance(1, 2) ? rng.Between(1, 3) : 0; i > 0; --i) {
    cluster.LowerLimits(rng);
    world.RunFor(rng.Between(Milliseconds(1), Seconds(2)));
  }
  world.RunFor(rng.Between(Seconds(1), Seconds(6)));
  if (world.failed()) return;

  nemesis.Heal(cluster.DrawCore(rng));
  for (const auto& client : clients) client->Hurry();
  const auto everybody_idle = [&] {
    for (const auto& client : clients) {
      if (!client->idle()) return false;
    }
    return true;
  };
  const auto stuck = [&](const char* what) {
    std::string text = absl::StrFormat("liveness: %d s after healing %s; %s", kLivenessBound.seconds(), what,
                                       cluster.Situation());
    for (const auto& client : clients) {
      if (!client->idle()) text += " " + client->Situation();
    }
    world.Fail(text);
  };
  if (!RunUntilDone(world, kLivenessBound, everybody_idle)) return stuck("clients still wait for answers");
  for (const auto& client : clients) client->Verify();
  if (!RunUntilDone(world, kLivenessBound, everybody_idle))
    return stuck("clients still wait for answers to reads");
  if (!RunUntilDone(world, kLivenessBound, [&] { return cluster.Converged(); }))
    return stuck("the core has not converged");
  const auto quiet = [&] {
    for (const Process* process : cluster.core()) {
      if (cluster.host(process->index()).machine()->has_pending()) return false;
    }
    return true;
  };
  if (!RunUntilDone(world, kLivenessBound, quiet)) return stuck("a node still holds work nobody waits for");
  JudgeStates(world, cluster);
  history.Judge();
}

}  // namespace

const Scenario kTrackerFaults = {
    "tracker_faults", "a tracker cluster and registry clients under network, process and disk faults", Run};

}  // namespace bt::sim
