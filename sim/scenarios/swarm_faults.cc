#include <absl/strings/str_format.h>

#include <vector>

#include "sim/nemesis.h"
#include "sim/plan.h"
#include "sim/scenarios/run_until.h"
#include "sim/scenarios/scenarios.h"
#include "sim/scenarios/swarm_world.h"

namespace bt::sim {
namespace {

constexpr Duration kDownloadBound = Seconds(600);

// Downloads among liars, with faults at the clients and the network, and at the trackers too when told.
void RunSwarm(World& world, const char* name, bool tracker_faults) {
  RandomStream rng = world.Stream(name);
  FaultPlan plan = DrawPlan(rng);
  Network network(world, plan.network);
  Streams streams(world, network, plan.streams);
  FaultPlan tracker_plan = plan;
  if (!tracker_faults) {
    tracker_plan.disk = DiskFaults();
    tracker_plan.crash_while_writing_permille = 0;
  }
  TrackerCluster cluster(world, network, tracker_faults ? (rng.Chance(2, 3) ? 3 : 5) : 1, tracker_plan);
  SwarmWorld swarm(world, network, streams, cluster, plan);

  std::vector<Process*> victims = swarm.honest();
  std::vector<uint32_t> bystanders = swarm.others();
  for (Process* tracker : cluster.processes()) {
    if (tracker_faults) {
      victims.push_back(tracker);
    } else {
      bystanders.push_back(tracker->index());
    }
  }
  Nemesis nemesis(world, network, &streams, plan, victims, bystanders);
  if (tracker_faults) nemesis.MayDamage(cluster.processes());
  cluster.Start();
  swarm.Start();
  nemesis.Begin();
  world.RunFor(rng.Between(Milliseconds(200), Seconds(12)));
  if (world.failed()) return;

  std::vector<Process*> clients = swarm.DrawCore(rng);
  std::vector<Process*> core = clients;
  if (tracker_faults) {
    const std::vector<Process*> trackers = cluster.DrawCore(rng);
    core.insert(core.end(), trackers.begin(), trackers.end());
  }
  nemesis.Heal(core);
  const auto stuck = [&](const char* what) {
    world.Fail(absl::StrFormat("liveness: %d s after healing %s; %s%s", kDownloadBound.seconds(), what,
                               swarm.Situation(clients), tracker_faults ? cluster.Situation() : ""));
  };
  if (!RunUntilDone(world, kDownloadBound, [&] { return swarm.registered(); })) {
    return stuck("the torrent is not registered");
  }
  if (!RunUntilDone(world, kDownloadBound, [&] { return swarm.Finished(clients); })) {
    return stuck("a download that could finish has not");
  }
  if (tracker_faults && !RunUntilDone(world, kDownloadBound, [&] { return cluster.Converged(); })) {
    return stuck("the trackers have not converged");
  }
  swarm.judge().Judge();
}

void RunSwarmFaults(World& world) { RunSwarm(world, "swarm_faults", false); }
void RunFullSystem(World& world) { RunSwarm(world, "full_system", true); }

}  // namespace

const Scenario kSwarmFaults = {"swarm_faults",
                               "downloads among honest and malicious peers, one reliable tracker",
                               RunSwarmFaults, "//tools:simrun"};
const Scenario kFullSystem = {"full_system", "tracker cluster and swarm together, faults everywhere",
                              RunFullSystem, "//tools:simrun"};

}  // namespace bt::sim
