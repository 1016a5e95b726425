// The lock service in a simulated world: a keeper, clients, faults drawn from the seed, judges.

#include "tools/simrun/simrun_main.h"

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "examples/lock_service/lock_service.h"
#include "sim/host.h"
#include "sim/nemesis.h"
#include "sim/plan.h"

namespace lock_service {
namespace {

using bt::sim::World;

struct Judge {
  World& world;
  std::vector<std::function<bool()>> holds = {};  // of each client, at this moment of the world's time
  uint64_t highest = 0;

  // Nobody in the world can read its time; each client is asked by the client's own clock.
  void Look() {
    std::string who;
    for (size_t i = 0; i < holds.size(); ++i) {
      if (!holds[i]()) continue;
      if (!who.empty())
        world.Fail("exclusion: " + who + " and client-" + std::to_string(i + 1) + " have the lock");
      who = "client-" + std::to_string(i + 1);
    }
  }
  // What the lock protects may then refuse whoever comes with a lower token than it has seen.
  void Granted(const std::string& who, uint64_t token) {
    if (token <= highest)
      world.Fail("tokens: " + who + " has " + std::to_string(token) + ", which is not new");
    highest = token;
  }
};

// Joins a machine and its world. Endpoints count from 0, nodes from 1; node 1 is the keeper.
struct Adaptor : bt::sim::DefaultAdaptor {
  Judge* judge;
  Counting counting;

  std::unique_ptr<LockService> Make(auto& host) {
    return std::make_unique<LockService>(NodeId(host.index() + 1), NodeId(1), counting);
  }
  void Transmit(auto& host, NodeId to, const bt::Slice& message) {
    host.network().Send(host.index(), to.value() - 1, message);
  }
  void Deliver(auto& host, uint32_t from, const bt::Slice& bytes) { host.Receive(NodeId(from + 1), bytes); }
  void Note(auto& host, const Protocol::Note& note) {
    judge->Granted(host.name(), std::get<Holds>(note).token);
  }
  void AfterStep(auto&) { judge->Look(); }
};

template <Counting counting>
void Run(World& world) {
  bt::sim::RandomStream plans = world.Stream("plan");
  bt::sim::FaultPlan plan = bt::sim::DrawPlan(plans);
  plan.clock_jump = plan.clock.freeze_percent = plan.damage = 0;  // what the service is not made for
  bt::sim::Network network(world, plan.network);
  Judge judge{world};
  std::vector<std::unique_ptr<bt::sim::Host<LockService, Adaptor>>> hosts;
  std::vector<bt::sim::Process*> processes;
  for (uint32_t i = 0, clients = static_cast<uint32_t>(plans.Between(2, 4)); i <= clients; ++i) {
    hosts.push_back(std::make_unique<bt::sim::Host<LockService, Adaptor>>(
        world, network, nullptr,
        bt::sim::HostOptions{.name = i == 0 ? "keeper" : "client-" + std::to_string(i),
                             .identity = {1, NodeId(i + 1)},
                             .disk = plan.disk,
                             .clock = plan.clock,
                             .crash_while_writing_permille = plan.crash_while_writing_permille},
        Adaptor{{}, &judge, counting}));
    processes.push_back(hosts.back().get());
    if (i > 0)
      judge.holds.push_back(
          [&host = *hosts.back()] { return host.alive() && host.machine()->holds(host.now()); });
  }
  for (bt::sim::Process* process : processes) process->Start();
  bt::sim::Nemesis nemesis(world, network, nullptr, plan, processes, {});
  nemesis.Begin();
  world.RunFor(bt::Seconds(20));
  nemesis.Heal(processes);
  const uint64_t before = judge.highest;
  world.RunFor(bt::Seconds(20));
  if (judge.highest == before) world.Fail("liveness: nobody got the lock within 20 s of healing");
}

const std::vector<bt::sim::Scenario> kScenarios = {
    {"lock_service", "a lease is a duration, with a margin for clocks that drift",
     Run<Counting::kWithMargin>},
    {"no_margin", "a mistake: no margin for clocks that drift", Run<Counting::kWithoutMargin>},
    {"keepers_clock", "a mistake: a client reads the keeper's clock", Run<Counting::kByKeepersClock>},
};

}  // namespace
}  // namespace lock_service

int main(int argc, char** argv) { return bt::sim::SimrunMain(lock_service::kScenarios, argc, argv); }
