#include "sim/scenarios/tracker_faults.h"

#include <absl/container/btree_map.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/kinds_of.h"
#include "sim/nemesis.h"
#include "sim/plan.h"
#include "sim/scenarios/disk_rooms.h"
#include "sim/scenarios/greedy_client.h"
#include "sim/scenarios/knobs.h"
#include "sim/scenarios/registry_client.h"
#include "sim/scenarios/run_until.h"
#include "sim/scenarios/scenarios.h"
#include "sim/scenarios/tracker_cluster.h"

namespace bt::sim {
namespace {

constexpr Duration kLivenessBound = Seconds(90);
// A node whose batch of claims was refused proposes it again after a second.
constexpr Duration kAnnounceBound = Seconds(3);
// Beyond the lifetime: a tick every five seconds drops a few of at most some hundred claims.
constexpr Duration kExpiryBound = Seconds(240);

// From when a leader notices that its journal hangs: it may ask in vain once, and asks again after two
// seconds.
constexpr Duration kHandOverBound = Seconds(4);

// Of the workload's clients. A client registers no other.
constexpr uint32_t kNamesMax = 10;

// What Apply keeps up by the way and no digest covers: it decides what is refused and what a listing says.
bool SameCounts(const tracker::Registry& kept, const tracker::Registry& counted) {
  if (kept.claims() != counted.claims() || kept.accounted_bytes() != counted.accounted_bytes()) return false;
  if (!(kept.shares() == counted.shares())) return false;
  for (uint32_t i = 0; i < kept.torrents(); ++i) {
    const tracker::Torrent& one = kept.torrent(tracker::TorrentNumber(i));
    const tracker::Torrent& other = counted.torrent(tracker::TorrentNumber(i));
    if (one.complete != other.complete || one.names != other.names) return false;
  }
  return true;
}

// No source holds more than its share. For limits that were in force before there was anything to hold.
void JudgeShares(World& world, const Process& node, const tracker::Registry& registry) {
  absl::btree_map<tracker::Source, uint32_t> claims;
  for (const tracker::Torrent& torrent : registry.state().torrents) {
    absl::btree_map<tracker::Source, uint32_t> of_content;
    for (const tracker::Claim& claim : torrent.claims.rows()) {
      const uint32_t here = ++of_content[claim.source];
      const uint32_t all = ++claims[claim.source];
      if (here <= registry.limits().source_claims_per_content && all <= registry.limits().source_claims)
        continue;
      return world.Fail(absl::StrFormat("shares: %s holds %d claims of %s, %d of them of one content",
                                        node.name(), all, SourceText(claim.source), here));
    }
  }
  absl::btree_map<tracker::Source, uint32_t> names;
  for (const auto& [name, binding] : registry.state().names) {
    if (++names[binding.source] > registry.limits().source_names)
      return world.Fail(absl::StrFormat("shares: %s lets %s register over %d names", node.name(),
                                        SourceText(binding.source), registry.limits().source_names));
  }
}

// Decode counts everything anew, the digest included: whatever Apply kept up by the way must be the same.
void JudgeStates(World& world, TrackerCluster& cluster) {
  for (const Process* process : cluster.core()) {
    const tracker::ReplicatedState& state = cluster.host(process->index()).machine()->state();
    state.CheckInvariants();
    JudgeShares(world, *process, state.registry());
    if (state.sessions().size() > state.registry().limits().sessions) {
      world.Fail(absl::StrFormat("bounds: %s knows %d sessions, and may know %d", process->name(),
                                 state.sessions().size(), state.registry().limits().sessions));
    }
    const auto rebuilt = tracker::ReplicatedState::Decode(Slice::Own(state.Encode()));
    if (!rebuilt.ok()) {
      world.Fail(absl::StrFormat("state: %s", std::string(rebuilt.status().message())));
    } else if (!SameCounts(state.registry(), rebuilt->registry())) {
      world.Fail("state: " + process->name() + " has miscounted its claims, seeders, names or bytes");
    }
  }
}

// One node, three or five.
uint32_t DrawNodes(RandomStream& rng) {
  const uint64_t draw = rng.Below(12);
  return draw == 0 ? 1 : draw <= 6 ? 3 : 5;
}

// In some worlds the members change: an operator orders it, and those whose disks are damaged come back as
// others.
uint32_t DrawSpares(RandomStream& rng) {
  if (!rng.Chance(1, 3)) return 0;
  return static_cast<uint32_t>(rng.Between(1, 6));
}

// One run: the cluster, its clients, and what is demanded of them.
class TrackerRun {
 public:
  TrackerRun(World& world, const EdgeTranslation* edge)
      : world_(world),
        edge_(edge),
        rng_(world.Stream("tracker_faults")),
        plan_(DrawPlan(rng_)),
        network_(world, plan_.network),
        nodes_(DrawNodes(rng_)),
        spares_(DrawSpares(rng_)),
        cluster_(world, network_, nodes_, plan_, spares_),
        history_(world) {}

  void Run() {
    cluster_.levels().Mix();
    if (world_.Stream("disks have sizes").Chance(1, 3)) rooms_.emplace(world_, cluster_);
    RandomStream first_orders = rng_.Fork("first orders");
    const bool orders_first = spares_ > 0 && first_orders.Chance(1, 2);
    orders_first ? cluster_.StartMembers() : cluster_.Start();
    const uint64_t clients = rng_.Between(1, 6);
    // Two greedy clients at most have sessions of their own too.
    knobs_ = DrawTrackerKnobs(rng_, static_cast<uint32_t>(clients) + nodes_ + 2, kTestContents, kNamesMax);
    if (knobs_.has_value() && !PutInForce()) return Stuck("the drawn limits are not in force");
    MakeClients(clients);
    std::vector<uint32_t> bystanders;
    for (const auto& client : clients_) bystanders.push_back(client->index());
    for (const auto& greedy : greedy_) bystanders.push_back(greedy->index());
    Nemesis nemesis(world_, network_, nullptr, plan_, cluster_.processes(), bystanders);
    nemesis.MayDamage([this] { return cluster_.MayBeDamaged(); });
    if (spares_ > 0 && plan_.damage > 0) cluster_.RepairDamaged();
    nemesis.Begin();
    if (rooms_) rooms_->Begin();
    for (const auto& client : clients_) client->Begin();
    for (const auto& greedy : greedy_) greedy->Begin();
    for (uint64_t i = orders_first ? first_orders.Between(1, 4) : 0; i > 0; --i) {
      world_.RunFor(first_orders.Between(Milliseconds(100), Milliseconds(800)));
      cluster_.OrderMembers(first_orders);
    }
    world_.RunFor(rng_.Between(Seconds(1), Seconds(8)));
    for (uint64_t i = rng_.Chance(1, 2) ? rng_.Between(1, 3) : 0; i > 0; --i) {
      cluster_.LowerLimits(rng_);
      world_.RunFor(rng_.Between(Milliseconds(1), Seconds(2)));
    }
    for (uint64_t i = rng_.Chance(1, 3) ? rng_.Between(1, 6) : 0; i > 0; --i) {
      cluster_.OrderSnapshot(rng_);
      world_.RunFor(rng_.Between(Milliseconds(1), Seconds(1)));
    }
    for (uint64_t i = spares_ > 0 ? rng_.Between(1, 12) : 0; i > 0; --i) {
      cluster_.OrderMembers(rng_);
      world_.RunFor(rng_.Between(Milliseconds(1), Seconds(2)));
    }
    cluster_.UpgradeAll();
    world_.RunFor(rng_.Between(Seconds(1), Seconds(6)));
    if (world_.failed()) return;
    if (spares_ == 0) {
      nemesis.Heal(cluster_.DrawCore(rng_));
      if (rooms_) rooms_->MakeRoom();
    } else {
      nemesis.Heal(cluster_.processes());
      if (rooms_) rooms_->MakeRoom();
      if (!SettleMembers()) return;
    }
    Judge();
  }

 private:
  bool PutInForce() {
    return RunUntilDone(world_, kLivenessBound, [&] {
      if (cluster_.limits_in_force()) return true;
      for (Process* tracker : cluster_.processes()) {
        if (!tracker->alive()) tracker->Start();
      }
      cluster_.OrderLimits(static_cast<uint32_t>(rng_.Below(nodes_)), knobs_->limits);
      return false;
    });
  }

  void MakeClients(uint64_t clients) {
    const tracker::Limits limits = knobs_ ? knobs_->limits : tracker::Limits();
    claims_.emplace(world_, limits.claim_lifetime);
    RegistryWorkload workload;
    workload.clients = static_cast<uint32_t>(clients);
    workload.strangers = knobs_ ? knobs_->greedy * knobs_->limits.source_claims_per_content : 0;
    workload.names = static_cast<uint32_t>(rng_.Between(2, kNamesMax));
    workload.think_max = Milliseconds(static_cast<int64_t>(1 << rng_.Below(10)));
    workload.operations = static_cast<uint32_t>(rng_.Between(20, 300));
    workload.churn_percent = knobs_ ? knobs_->churn_percent : 0;
    workload.edge = edge_;
    workload.sessions = {limits.session_lifetime, limits.session_eviction_age};
    for (; clients > 0; --clients) {
      clients_.push_back(
          std::make_unique<RegistryClient>(world_, network_, cluster_, history_, *claims_, workload));
    }
    for (uint32_t i = 0; knobs_ && i < knobs_->greedy; ++i)
      greedy_.push_back(std::make_unique<GreedyClient>(world_, network_, cluster_, history_));
  }

  bool Idle() const {
    return std::all_of(clients_.begin(), clients_.end(), [](const auto& client) { return client->idle(); });
  }
  bool Quiet() { return Idle() && cluster_.Quiet(); }
  bool NothingClaimed() {
    return std::all_of(cluster_.core().begin(), cluster_.core().end(), [&](const Process* one) {
      return cluster_.host(one->index()).machine()->registry().claims() == 0;
    });
  }

  template <class Done>
  bool Within(Duration bound, Done done, const char* what) {
    if (RunUntilDone(world_, bound, done)) return true;
    Stuck(what);
    return false;
  }

  void Stuck(const char* what) {
    std::string text = absl::StrFormat("liveness: %s; %s", what, cluster_.Situation());
    for (const auto& client : clients_) {
      if (!client->idle()) text += " " + client->Situation();
    }
    world_.Fail(text);
  }

  // The last orders are carried out, by whoever leads.
  bool SettleMembers() {
    constexpr Duration kOrderWaits = Seconds(6);
    world_.RunFor(cluster_.stragglers_max() + kOrderWaits);
    if (!Within(
            kLivenessBound, [&] { return cluster_.MembersSettled(); }, "the members go on changing"))
      return false;
    cluster_.MakeMembersCore();
    return true;
  }

  bool Everybody(void (RegistryClient::*act)(), const char* what) {
    for (const auto& client : clients_) (*client.*act)();
    return Within(
        kLivenessBound, [&] { return Idle(); }, what);
  }

  // They go on for a while in the healed cluster, and leave it to the others in the end.
  void Judge() {
    for (const auto& greedy : greedy_) greedy->Hurry();
    if (!Everybody(&RegistryClient::Hurry, "clients still wait for answers after healing")) return;
    if (!Everybody(&RegistryClient::Verify, "clients still wait for answers to reads after healing")) return;
    if (!Within(
            kLivenessBound, [&] { return cluster_.Converged(); }, "the core has not converged after healing"))
      return;
    if (!RunUntilDone(world_, kLivenessBound, [&] { return Quiet(); })) {
      return world_.Fail("queues: something is left that nobody waits for: " + cluster_.Situation());
    }
    if (!Within(
            kLivenessBound, [&] { return cluster_.AtNewestLevel(); },
            "all members read a newer format level, and it does not rise"))
      return;
    if (!JudgeAnnounces()) return;
    if (knobs_.has_value() && rng_.Chance(1, 3) && !JudgeExpiry()) return;
    if (rng_.Chance(1, 4) && !JudgeOrder()) return;
    if (world_.Stream("hung leader").Chance(1, 4) && !JudgeHungLeader()) return;
    if (world_.Stream("told").Chance(1, 3) && !JudgeTold()) return;
    JudgeStates(world_, cluster_);
    history_.Judge();
  }

  // What was announced to a node that lives on is in the replicated state soon after. Announces of earlier
  // operations are given the time to get there first: two nodes need not replicate in the order of their
  // asking.
  bool JudgeAnnounces() {
    if (knobs_.has_value() && (knobs_->claims_run_full || knobs_->churn_percent > 0 ||
                               knobs_->limits.claim_lifetime < Seconds(10) || SessionsRunOut())) {
      return true;
    }
    return Replicated() &&
           Everybody(&RegistryClient::AnnounceLast, "clients wait for answers to announces") &&
           Replicated() && Everybody(&RegistryClient::LookForIt, "clients wait for answers to lookups");
  }
  // A node proposes its batch of claims in a session of its own, and waits while the agreed table has no room
  // for one more of each node's.
  bool SessionsRunOut() {
    return std::any_of(cluster_.core().begin(), cluster_.core().end(), [&](const Process* one) {
      const tracker::ReplicatedState& state = cluster_.host(one->index()).machine()->state();
      return state.sessions().size() + nodes_ > state.registry().limits().sessions;
    });
  }
  bool Replicated() {
    world_.RunFor(kAnnounceBound);
    return Within(
        kLivenessBound, [&] { return Quiet(); }, "announces are still on their way");
  }

  // Nothing more is asked, and no leader may lose its place.
  bool JudgeOrder() {
    world_.RunUntil(std::max(world_.now(), cluster_.availability().settled()) + Seconds(1));
    return Within(
        AvailabilityJudge::kPromptness, [&] { return cluster_.Converged(); },
        "a healed cluster has not stayed in order");
  }

  // What is chosen in a quiet cluster, its followers are told at once and not by the next heartbeat. One that
  // hears of it before the Accept that it is about has to wait for the heartbeat, but not each time.
  bool JudgeTold() {
    absl::btree_map<uint32_t, int> late;  // by process
    constexpr int kTimes = 3;
    for (int time = 0; time < kTimes; ++time) {
      const std::optional<std::vector<uint32_t>> untold = Untold();
      if (!untold) return true;
      for (const uint32_t process : *untold) {
        if (++late[process] < kTimes) continue;
        world_.Fail("told: " + cluster_.host(process).name() +
                    " does not know what its leader knows as chosen for longer than a message takes");
        return false;
      }
      world_.RunFor(cluster_.config().replica.heartbeat * 2);
    }
    return true;
  }
  // Who of the core does not know soon after the leader that something was chosen; nullopt where that cannot
  // be said.
  std::optional<std::vector<uint32_t>> Untold() {
    TrackerHost* const leader = cluster_.Leader();
    const tracker::Config& config = cluster_.config();
    const Duration crossing = plan_.network.latency_max;
    const bool short_messages = config.chunk_bytes_min >= tracker::Config().chunk_bytes_min;
    if (leader == nullptr || !short_messages || crossing * 8 > config.replica.heartbeat) return std::nullopt;
    const Slot before = leader->machine()->replica().chosen();
    cluster_.OrderLimits(leader->index(), leader->machine()->registry().limits());
    const auto chosen = [&] {
      return cluster_.Leader() != leader || leader->machine()->replica().chosen() > before;
    };
    for (Instant end = world_.now() + kLivenessBound; !chosen() && world_.now() < end;)
      world_.RunFor(crossing);
    world_.RunFor(crossing * 2);
    if (cluster_.Leader() != leader || !cluster_.Quiet()) return std::nullopt;
    std::vector<uint32_t> untold;
    for (const Process* process : cluster_.core()) {
      const TrackerHost& host = cluster_.host(process->index());
      if (host.machine()->replica().chosen() <= before) untold.push_back(process->index());
    }
    return untold;
  }

  // Nobody renews any more: everything claimed runs out, in a cluster nobody talks to, and whoever comes back
  // after the lifetime of its session is told so.
  bool JudgeExpiry() {
    world_.RunFor(std::max(knobs_->limits.claim_lifetime, knobs_->limits.session_lifetime > Seconds(60)
                                                              ? Duration()
                                                              : knobs_->limits.session_lifetime));
    return Within(
               kExpiryBound, [&] { return NothingClaimed(); }, "claims are kept that nobody renews") &&
           Everybody(&RegistryClient::Verify, "clients still wait for answers after a pause") &&
           Everybody(&RegistryClient::Repeat, "clients still wait for answers to repetitions");
  }

  // The leader's journal hangs, for good. It goes on committing with the others' votes, and another leads
  // soon.
  bool JudgeHungLeader() {
    TrackerHost* const hung = cluster_.Leader();
    const size_t voters = cluster_.lockstep().paxos().membership().voters().size();
    if (hung == nullptr || (cluster_.core().size() - 1) * 2 <= voters) return true;
    cluster_.availability().Rest();
    world_.Trace({.who = "nemesis"},
                 [&] { return "the journal of " + hung->name() + ", which leads, hangs"; });
    hung->HangJournal();
    const tracker::Limits limits = hung->machine()->registry().limits();
    cluster_.OrderLimits(hung->index(), limits);
    const Duration bound = cluster_.config().journal_stall_max + kHandOverBound;
    const auto another = [&] {
      TrackerHost* const leader = cluster_.Leader();
      return leader != nullptr && leader != hung && !hung->machine()->replica().is_leader();
    };
    if (!Within(bound, another, "the leader's journal hangs, and nobody else leads")) return false;
    const Slot before = cluster_.judge().chosen();
    cluster_.OrderLimits(cluster_.Leader()->index(), limits);
    return Within(
        AvailabilityJudge::kPromptness, [&] { return cluster_.judge().chosen() > before; },
        "nothing is chosen after the leader whose journal hangs has been replaced");
  }

  World& world_;
  const EdgeTranslation* const edge_;
  RandomStream rng_;
  FaultPlan plan_;
  Network network_;
  const uint32_t nodes_;
  const uint32_t spares_;
  TrackerCluster cluster_;
  std::optional<DiskRooms> rooms_;
  RegistryHistory history_;
  std::optional<TrackerKnobs> knobs_;
  std::optional<ClaimsJudge> claims_;
  std::vector<std::unique_ptr<RegistryClient>> clients_;
  std::vector<std::unique_ptr<GreedyClient>> greedy_;
};

void Run(World& world) { RunTrackerFaults(world, nullptr); }

}  // namespace

void RunTrackerFaults(World& world, const EdgeTranslation* edge) { TrackerRun(world, edge).Run(); }

const Scenario kTrackerFaults = {
    "tracker_faults", "a tracker cluster and registry clients under network, process and disk faults", Run,
    "//tools:simrun", KindsOf<tracker::TrackerNode, TrackerAdaptor>};

}  // namespace bt::sim
