// A small random world: messages are lost, doubled and reordered, disks sync late and in part, nodes crash
// and come back with what was durable, leaders stall. Whatever happens, all agree; when it stops, all
// that was chosen is everywhere and new commands go through.

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/core/paxos/cluster.h"

namespace bt::paxos {
namespace {

struct Rates {
  uint64_t lose, repeat, sync, crash, restart, stall, propose, save, change;  // in a thousand, per step
};

class World {
 public:
  World(uint64_t seed, Config config, bool members_change = false)
      : cluster_(seed % 3 == 0 ? 5 : 3, seed, std::move(config)), rng_(Rng(seed).Fork("world")) {
    const auto rate = [&](uint64_t highest) { return rng_.Chance(1, 3) ? 0 : rng_.Below(highest); };
    rates_ = {rate(200),
              rate(100),
              100 + rng_.Below(800),
              rate(15),
              20 + rng_.Below(80),
              rate(10),
              200,
              rate(40),
              members_change ? 1 + rng_.Below(20) : 0};
  }

  void Run(int steps) {
    for (int i = 0; i < steps && cluster_.violation().empty(); ++i) Step();
  }

  // Faults end; everybody must come to know everything, and something new besides.
  void Heal() {
    for (uint32_t node = 1; node <= cluster_.size(); ++node) {
      if (!cluster_.running(node)) cluster_.Restart(node);
      cluster_.Resume(node);
    }
    for (int i = 0; i < 4000 && cluster_.violation().empty(); ++i) {
      cluster_.Settle();
      if (Converged()) return;
      cluster_.FireNext();
      if (i % 50 == 0) ProposeSomewhere("healed");
    }
  }

  // All that are members as the latest log tells it.
  bool Converged() {
    const uint32_t latest = Latest();
    const Slot chosen = cluster_.replica(latest).chosen();
    if (chosen == Slot(0) || cluster_.Log(latest).find("healed") == std::string::npos) return false;
    for (const Member& member : cluster_.replica(latest).members().membership.members) {
      if (member.id.value() > cluster_.size()) continue;  // nobody is there
      const Replica& replica = cluster_.replica(member.id.value());
      if (replica.chosen() != chosen || replica.chain() != cluster_.replica(latest).chain()) return false;
    }
    return true;
  }
  // The node that knows most.
  uint32_t Latest() {
    uint32_t latest = 1;
    for (uint32_t node = 2; node <= cluster_.size(); ++node) {
      if (cluster_.replica(node).chosen() > cluster_.replica(latest).chosen()) latest = node;
    }
    return latest;
  }
  uint64_t versions() { return cluster_.replica(Latest()).members().membership.version; }

  Cluster& cluster() { return cluster_; }
  uint64_t saved() const { return saved_; }
  // Replicas that were not told of the first slots one by one.
  uint64_t cut() {
    uint64_t count = 0;
    for (uint32_t node = 1; node <= cluster_.size(); ++node)
      count += cluster_.replica(node).first() > Slot(1);
    return count;
  }
  // Every command proposed is distinct: none may be chosen twice.
  bool SomethingTwice() {
    std::vector<std::string> commands;
    std::string log = cluster_.Log(Latest());
    for (size_t at = 0; at < log.size();) {
      const size_t end = std::min(log.find(' ', at), log.size());
      const std::string word = log.substr(at, end - at);
      if (word != "|" && word != "-" && word != "healed") commands.push_back(word);
      at = end + 1;
    }
    std::sort(commands.begin(), commands.end());
    return std::adjacent_find(commands.begin(), commands.end()) != commands.end();
  }

 private:
  bool Chance(uint64_t rate) { return rng_.Chance(rate, 1000); }
  uint32_t AnyNode() { return static_cast<uint32_t>(1 + rng_.Below(cluster_.size())); }

  void ProposeSomewhere(const std::string& command) {
    for (uint32_t node = 1; node <= cluster_.size(); ++node) {
      if (cluster_.running(node) && cluster_.replica(node).is_leader()) cluster_.Propose(node, command);
    }
  }

  // Some member is added, removed or replaced, or shall lead.
  void ChangeMembers() {
    constexpr uint32_t kNodesMax = 9;
    for (uint32_t node = 1; node <= cluster_.size(); ++node) {
      if (!cluster_.running(node) || !cluster_.replica(node).is_leader()) continue;
      const NodeId some(AnyNode());
      switch (rng_.Below(4)) {
        case 0:
          return (void)cluster_.Ask(node, RemoveMember{some});
        case 1:
          return (void)cluster_.Ask(node, TransferLeadership{some});
        case 2:
          if (cluster_.size() < kNodesMax) cluster_.Join();
          return (void)cluster_.Ask(node, AddMember{.id = NodeId(cluster_.size())});
        default:
          if (cluster_.size() < kNodesMax) cluster_.Join();
          return (void)cluster_.Ask(node, AddMember{.id = NodeId(cluster_.size()), .replaces = some});
      }
    }
  }

  void Step() {
    std::vector<Envelope>& list = cluster_.in_flight();
    if (!list.empty() && !rng_.Chance(1, 4)) {
      // Any message, in any order; old ones more likely than not.
      const size_t pick = std::min(rng_.Below(list.size()), rng_.Below(list.size()));
      Envelope envelope = list[pick];
      if (!Chance(rates_.repeat)) list.erase(list.begin() + static_cast<std::ptrdiff_t>(pick));
      if (!Chance(rates_.lose)) {
        std::vector<Envelope> rest = std::exchange(list, {});
        list.push_back(std::move(envelope));
        cluster_.Deliver(Everything());
        rest.insert(rest.end(), list.begin(), list.end());
        list = std::move(rest);
      }
      if (list.size() > 400) list.erase(list.begin(), list.begin() + 200);
    } else if (rng_.Chance(1, 6)) {
      cluster_.FireNext();
    }
    const uint32_t node = AnyNode();
    if (Chance(rates_.sync) && cluster_.unsynced(node) > 0) {
      cluster_.SyncOnly(node, 1 + rng_.Below(cluster_.unsynced(node)));
    }
    if (Chance(rates_.propose)) {
      for (uint32_t leader = 1; leader <= cluster_.size(); ++leader) {
        if (cluster_.running(leader) && cluster_.replica(leader).is_leader()) {
          cluster_.Propose(leader, absl::StrCat("c", ++commands_));
        }
      }
    }
    if (Chance(rates_.change)) ChangeMembers();
    // A crash is likelier while a write is under way.
    if (cluster_.running(node) && Chance(rates_.crash * (cluster_.unsynced(node) > 0 ? 2 : 1))) {
      cluster_.Crash(node);
    } else if (!cluster_.running(node) && Chance(rates_.restart)) {
      cluster_.Restart(node);
    }
    if (Chance(rates_.save) && cluster_.running(node)) {
      cluster_.Save(node, piece_bytes_);
      ++saved_;
    }
    if (Chance(rates_.stall)) cluster_.Stall(AnyNode());
    if (Chance(rates_.stall * 3)) cluster_.Resume(AnyNode());
  }

  Cluster cluster_;
  Rng rng_;
  Rates rates_{};
  // One and the same for all snapshots of a slot, as the state's pieces are.
  const size_t piece_bytes_ = 1 + rng_.Below(64);
  int commands_ = 0;
  uint64_t saved_ = 0;
};

Config SmallLimits(uint64_t seed) {
  Config config;
  if (seed % 2 == 0) return config;
  config.window_slots = 3;
  config.batch_commands_max = 2;
  config.peer_slots_max = 4;
  config.promise_bytes_max = 20;
  config.catch_up_bytes_max = 30;
  config.candidate_lag_slots_max = 5;
  config.log_bytes_kept = seed % 7 == 1 ? 1 << 20 : 0;
  return config;
}

TEST(RandomFaults, ReplicasAgreeAndRecover) {
  constexpr uint64_t kSeeds = 400;
  uint64_t slots = 0;
  uint64_t saved = 0;
  uint64_t cut = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    World world(seed, SmallLimits(seed));
    world.Run(4000);
    ASSERT_EQ(world.cluster().violation(), "") << "seed " << seed;
    world.Heal();
    ASSERT_EQ(world.cluster().violation(), "") << "seed " << seed;
    ASSERT_TRUE(world.Converged()) << "seed " << seed;
    ASSERT_FALSE(world.SomethingTwice()) << "seed " << seed;
    slots += world.cluster().replica(1).chosen().value();
    saved += world.saved();
    cut += world.cut();
  }
  // A world in which nothing is chosen would prove nothing.
  EXPECT_GT(slots, kSeeds * 20);
  EXPECT_GT(saved, kSeeds);
  EXPECT_GT(cut, kSeeds / 2);
}

TEST(RandomFaults, ReplicasAgreeWhileTheMembersChange) {
  constexpr uint64_t kSeeds = 600;
  uint64_t versions = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    World world(seed, SmallLimits(seed), /*members_change=*/true);
    world.Run(5000);
    ASSERT_EQ(world.cluster().violation(), "") << "seed " << seed;
    world.Heal();
    ASSERT_EQ(world.cluster().violation(), "") << "seed " << seed;
    ASSERT_TRUE(world.Converged()) << "seed " << seed;
    ASSERT_FALSE(world.SomethingTwice()) << "seed " << seed;
    versions += world.versions();
  }
  EXPECT_GT(versions, kSeeds * 3);
}

TEST(RandomFaults, OneSeedIsOneRun) {
  std::string logs[2];
  for (std::string& log : logs) {
    World world(4711, SmallLimits(4711));
    world.Run(3000);
    world.Heal();
    for (uint32_t node = 1; node <= world.cluster().size(); ++node) {
      absl::StrAppend(&log, world.cluster().Log(node), " ", world.cluster().replica(node).Digest(), "\n");
    }
  }
  EXPECT_EQ(logs[0], logs[1]);
}

}  // namespace
}  // namespace bt::paxos
