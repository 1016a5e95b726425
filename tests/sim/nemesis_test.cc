#include "sim/nemesis.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

namespace bt::sim {
namespace {

// A process of which only what the nemesis does to it is remembered.
class Puppet final : public Process, public Endpoint {
 public:
  explicit Puppet(Network& network) : index_(network.Attach(this)) {}

  void Start() override {
    ++starts;
    alive_ = !damaged_;
  }
  void Crash() override { alive_ = stalled_ = false; }
  void Stall() override { stalled_ = true; }
  void Resume() override { stalled_ = false; }
  void DamageDisk() override {
    EXPECT_FALSE(alive_);
    damaged_ = true;
  }
  void JumpClock(Duration forward) override { leapt = leapt + forward; }
  void SetPace(Duration per_input) override { slowest = std::max(slowest, per_input); }
  void StopFaults() override {}
  bool alive() const override { return alive_; }
  bool stalled() const override { return stalled_; }
  bool damaged() const override { return damaged_; }
  bool writing() const override { return false; }
  uint32_t index() const override { return index_; }
  const std::string& name() const override { return name_; }
  void Deliver(uint32_t, const Slice&) override { ++heard; }

  uint64_t starts = 0;
  uint64_t heard = 0;
  Duration leapt{0};
  Duration slowest{0};

 private:
  const uint32_t index_;
  const std::string name_ = "puppet";
  bool alive_ = false;
  bool stalled_ = false;
  bool damaged_ = false;
};

struct Stage {
  Stage(World& world, size_t count) : network(world, {}) {
    for (size_t i = 0; i < count; ++i) processes.push_back(&puppets.emplace_back(network));
    for (Process* process : processes) process->Start();
  }
  size_t damaged() const {
    return static_cast<size_t>(
        std::count_if(puppets.begin(), puppets.end(), [](const Puppet& one) { return one.damaged(); }));
  }

  Network network;
  std::deque<Puppet> puppets;
  std::vector<Process*> processes;
};

FaultPlan Often() {
  FaultPlan plan;
  plan.interval = Milliseconds(50);
  return plan;
}

TEST(Nemesis, DamagesAtMostAMinorityOfThoseWhoseDisksItMayDamage) {
  for (const size_t count : {1u, 3u, 5u}) {
    World world(1);
    Stage stage(world, count);
    FaultPlan plan = Often();
    plan.damage = 1;
    Nemesis nemesis(world, stage.network, nullptr, plan, stage.processes, {});
    nemesis.MayDamage([&] { return stage.processes; });
    nemesis.Begin();
    world.RunFor(Seconds(60));
    EXPECT_EQ(stage.damaged(), (count - 1) / 2);
  }
}

TEST(Nemesis, DamagesNobodyWithoutLeave) {
  World world(1);
  Stage stage(world, 5);
  FaultPlan plan = Often();
  plan.damage = 1;
  Nemesis nemesis(world, stage.network, nullptr, plan, stage.processes, {});
  nemesis.Begin();
  world.RunFor(Seconds(60));
  EXPECT_EQ(stage.damaged(), 0u);
}

TEST(Nemesis, MakesClocksLeap) {
  World world(1);
  Stage stage(world, 3);
  FaultPlan plan = Often();
  plan.clock_jump = 1;
  Nemesis nemesis(world, stage.network, nullptr, plan, stage.processes, {});
  nemesis.Begin();
  world.RunFor(Seconds(5));
  EXPECT_GT(world.faults().count(Fault::kClockJump), 10u);
  EXPECT_GT(stage.puppets[0].leapt, Duration{0});
}

TEST(Nemesis, SlowsProcessesDownAndTheirRepliesForSeconds) {
  World world(1);
  Stage stage(world, 3);
  FaultPlan plan = Often();
  plan.slow_process = plan.slow_replies = 1;
  Nemesis nemesis(world, stage.network, nullptr, plan, stage.processes, {});
  nemesis.Begin();
  world.RunFor(Seconds(5));
  EXPECT_GT(stage.puppets[0].slowest, Duration{0});
  EXPECT_GT(world.faults().count(Fault::kSlowProcess), 10u);
  EXPECT_GT(world.faults().count(Fault::kSlowReplies), 10u);
  stage.network.Send(0, 1, Slice::Copy("late"));
  world.RunFor(Milliseconds(200));
  EXPECT_EQ(stage.puppets[1].heard, 0u);
  world.RunFor(Seconds(5));
  EXPECT_EQ(stage.puppets[1].heard, 1u);
}

TEST(Nemesis, ALossyLinkLosesTwoInAHundredUntilItIsHealed) {
  World world(1);
  Stage stage(world, 2);
  FaultPlan plan = Often();
  plan.lossy_link = 1;
  Nemesis nemesis(world, stage.network, nullptr, plan, stage.processes, {});
  nemesis.Begin();
  world.RunFor(Seconds(5));
  const auto send = [&] {
    for (int i = 0; i < 10'000; ++i) stage.network.Send(0, 1, Slice::Copy("x"));
    world.RunFor(Milliseconds(100));
    return std::exchange(stage.puppets[1].heard, 0);
  };
  EXPECT_NEAR(static_cast<double>(send()), 9'800, 100);
  nemesis.Heal(stage.processes);
  EXPECT_EQ(send(), 10'000u);
}

}  // namespace
}  // namespace bt::sim
