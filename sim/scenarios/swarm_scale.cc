// Swarm scale: one seeder, five trackers, and as many downloads as the scenario's name says, on equal links.
// The leader of the trackers dies, and one download in fifty dies and comes back; each finishes all the same.
// What is measured is how long the last one takes beside a fluid, and, by whoever runs it, what a world of
// that size costs.

#include <absl/strings/str_format.h>

#include <string>
#include <utility>
#include <vector>

#include "sim/scenarios/run_until.h"
#include "sim/scenarios/scenarios.h"
#include "sim/scenarios/swarm_world.h"

namespace bt::sim {
namespace {

constexpr uint32_t kPieces = 64;
constexpr uint64_t kRate = 1'000'000;  // bytes per second, each way, of each client
constexpr Duration kPatience = Seconds(3600);
constexpr uint32_t kOneInDies = 50;

SwarmPlan PlanFor(uint32_t loads) {
  SwarmPlan::Given given{.pieces = kPieces, .piece_length = kPieceLengthMin};
  given.clients.push_back({.name = "seeder"});
  for (uint32_t i = 1; i <= loads; ++i) {
    given.clients.push_back({.name = absl::StrFormat("loader-%d", i), .downloads = true});
  }
  return {.calm = true, .given = std::move(given)};
}

class SwarmScale {
 public:
  SwarmScale(World& world, uint32_t loads)
      : world_(world),
        rng_(world.Stream("swarm_scale")),
        network_(world, {.latency_max = Milliseconds(5)}),
        streams_(world, network_,
                 {.latency_min = Milliseconds(1),
                  .latency_max = Milliseconds(5),
                  .bytes_per_second = 1'000'000'000}),
        cluster_(world, network_, 5, FaultPlan()),
        swarm_(world, network_, streams_, cluster_, PlanFor(loads)) {
    cluster_.UseConfig({});
  }

  void Run() {
    cluster_.Start();
    swarm_.Register();
    for (const auto& client : swarm_.clients()) streams_.Limit(client->index(), kRate, kRate);
    ClientHost& seeder = *swarm_.clients().front();
    seeder.Start();
    const auto offered = [&] { return cluster_.host(0).machine()->registry().claims() > 0; };
    if (!RunUntilDone(world_, kPatience, offered))
      return world_.Fail("liveness: the seeder's claim is not listed");
    const Instant begun = world_.now();
    for (const auto& client : swarm_.clients()) {
      if (client.get() != &seeder) client->Start();
    }
    world_.RunFor(rng_.Between(Milliseconds(100), Seconds(1)));
    KillSome();
    if (!RunUntilDone(world_, kPatience, [&] { return Finished(); })) {
      return world_.Fail("liveness: a download has not finished; " + swarm_.Situation(swarm_.honest()));
    }
    swarm_.judge().Judge();
    const uint64_t loads = swarm_.clients().size() - 1;
    const uint64_t length = uint64_t{kPieces} * kPieceLengthMin;
    const Duration bound = Nanoseconds(static_cast<int64_t>(length * 1'000'000'000 / kRate));
    world_.Measure("makespan over bound",
                   static_cast<uint64_t>((world_.now() - begun).micros() * 1000 / bound.micros()));
    world_.Measure("copies sent by the seeder", seeder.adaptor().bytes_served() * 1000 / length);
    world_.Measure("sent over needed", swarm_.bytes_served() * 1000 / (length * loads));
  }

 private:
  void KillSome() {
    std::vector<Process*> dead;
    for (uint32_t i = 0; i < cluster_.size(); ++i) {
      if (cluster_.host(i).machine()->replica().is_leader()) dead.push_back(&cluster_.host(i));
    }
    for (size_t i = 1; i < swarm_.clients().size(); ++i) {
      if (rng_.Chance(1, kOneInDies)) dead.push_back(swarm_.clients()[i].get());
    }
    for (Process* process : dead) process->Crash();
    world_.RunFor(Seconds(1));
    for (Process* process : dead) process->Start();
  }
  bool Finished() const {
    for (size_t i = 1; i < swarm_.clients().size(); ++i) {
      if (!swarm_.clients()[i]->adaptor().finished()) return false;
    }
    return true;
  }

  World& world_;
  RandomStream rng_;
  Network network_;
  Streams streams_;
  TrackerCluster cluster_;
  SwarmWorld swarm_;
};

template <uint32_t kLoads>
void RunScale(World& world) {
  SwarmScale(world, kLoads).Run();
}

}  // namespace

const Scenario kSwarmScale10 = {"swarm_scale_10", "five trackers, one seeder, 10 downloads, a few crashes",
                                RunScale<10>, "//tools:simrun"};
const Scenario kSwarmScale1000 = {"swarm_scale_1000", "the same with 1,000 downloads", RunScale<1000>,
                                  "//tools:simrun"};

}  // namespace bt::sim
