#include <absl/strings/str_format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "sim/kinds_of.h"
#include "sim/nemesis.h"
#include "sim/plan.h"
#include "sim/scenarios/examiners.h"
#include "sim/scenarios/run_until.h"
#include "sim/scenarios/scenarios.h"
#include "sim/scenarios/swarm_knobs.h"
#include "sim/scenarios/swarm_user.h"
#include "sim/scenarios/swarm_world.h"

namespace bt::sim {
namespace {

constexpr Duration kDownloadBound = Seconds(600);
constexpr Duration kLevelBound = Seconds(60);  // until a cluster is at the newest format level
// Left alone for so long, everybody has heard everything: longer than any pause before a client dials, asks
// or offers again.
constexpr Duration kPeace = Seconds(75);
// A calm swarm takes at most this multiple of the fluid bound, and the seconds beside in which it meets: the
// registration, the lookups after it, a round of choking.
constexpr int64_t kFluidMultiple = 4;
constexpr Duration kMeeting = Seconds(40);

// What is left of a plan when nothing goes wrong: the speeds.
FaultPlan Calm(const FaultPlan& plan) {
  FaultPlan calm;
  calm.network.latency_max = plan.network.latency_max;
  calm.streams.latency_max = plan.streams.latency_max;
  calm.streams.bytes_per_second = plan.streams.bytes_per_second;
  calm.disk.sync_max = plan.disk.sync_max;
  return calm;
}

// One run: downloads among liars, with faults at the clients and the network, and at the trackers too when
// told.
class SwarmRun {
 public:
  SwarmRun(World& world, const char* name, bool tracker_faults)
      : world_(world),
        tracker_faults_(tracker_faults),
        rng_(world.Stream(name)),
        plan_(DrawSwarmPlan(rng_)),
        network_(world, plan_.faults.network),
        streams_(world, network_, plan_.faults.streams),
        cluster_(world, network_, tracker_faults ? (rng_.Chance(2, 3) ? 3 : 5) : 1, TrackerPlan()),
        swarm_(world, network_, streams_, cluster_, plan_),
        user_(world, swarm_) {}

  void Run() {
    std::vector<Process*> victims = swarm_.honest();
    std::vector<uint32_t> bystanders = swarm_.others();
    for (Process* tracker : cluster_.processes()) {
      if (tracker_faults_) {
        victims.push_back(tracker);
      } else {
        bystanders.push_back(tracker->index());
      }
    }
    Nemesis nemesis(world_, network_, &streams_, plan_.faults, victims, bystanders);
    if (tracker_faults_) nemesis.MayDamage([this] { return cluster_.processes(); });
    const bool tree = swarm_.shares_a_tree();
    if (tracker_faults_ && !plan_.calm && !tree) cluster_.levels().Mix();
    cluster_.Start();
    // A member that is lost for good would keep the level from rising, and the tree from being registered.
    // So may one whose disk has failed already, in a world that is over then.
    if (tree && !RunUntilDone(world_, kLevelBound,
                              [&] { return cluster_.levels().in_force() >= tracker::kTreeLevel; }))
      return;
    if (tracker_faults_ && !plan_.calm && tree) cluster_.levels().Mix(false);
    began_ = world_.now();
    swarm_.Start();
    nemesis.Begin();
    if (!plan_.calm) user_.Begin();
    if (const auto limits = DrawClaimLimits(rng_)) {
      world_.RunFor(rng_.Between(Milliseconds(1), Seconds(1)));
      cluster_.OrderLimits(0, *limits);
    }
    world_.RunFor(rng_.Between(Milliseconds(200), Seconds(12)));
    if (tracker_faults_ && !plan_.calm) {
      cluster_.UpgradeAll();
      world_.RunFor(rng_.Fork("upgrade").Between(Milliseconds(200), Seconds(4)));
    }
    if (world_.failed()) return;

    clients_ = plan_.calm ? swarm_.honest() : swarm_.DrawCore(rng_);
    std::vector<Process*> core = clients_;
    if (tracker_faults_) {
      const std::vector<Process*> trackers = cluster_.DrawCore(rng_);
      core.insert(core.end(), trackers.begin(), trackers.end());
    }
    user_.Quiet();
    nemesis.Heal(core);
    Judge();
  }

 private:
  static SwarmPlan DrawSwarmPlan(RandomStream& rng) {
    SwarmPlan plan{DrawPlan(rng), rng.Chance(1, 8)};
    if (plan.calm) plan.faults = Calm(plan.faults);
    return plan;
  }
  FaultPlan TrackerPlan() const {
    FaultPlan plan = plan_.faults;
    if (!tracker_faults_) {
      plan.disk = DiskFaults();
      plan.crash_while_writing_permille = 0;
    }
    return plan;
  }

  template <class Done>
  bool Within(Done done, const char* what) {
    if (RunUntilDone(world_, kDownloadBound, done)) return true;
    world_.Fail(absl::StrFormat("liveness: %d s after healing %s; %s%s", kDownloadBound.seconds(), what,
                                swarm_.Situation(clients_), tracker_faults_ ? cluster_.Situation() : ""));
    return false;
  }

  void Judge() {
    if (!Within([&] { return swarm_.registered(); }, "the torrent is not registered")) return;
    const auto finished = [&] { return swarm_.Finished(clients_); };
    if (!Within([&] { return Fed(); }, "a client lacks pieces that others have")) return;
    if (!Within([&] { return swarm_.FinishedWithWeb(clients_); },
                "a download that knows an honest web server has not finished"))
      return;
    // In a calm world every piece has a source, and the time a download takes is judged: nobody waits for
    // peace.
    if (!plan_.calm && !finished()) {
      if (!JudgePeace()) return;
      if (!finished()) swarm_.StartRescuer();
    }
    if (!Within(finished, "a download that could finish has not")) return;
    if (!Within([&] { return swarm_.NotOfferedAgain(clients_).empty(); },
                "a file that was put back is not offered"))
      return;
    if (plan_.calm) JudgeEffort();
    if (tracker_faults_ && !Within([&] { return cluster_.Converged(); }, "the trackers have not converged"))
      return;
    swarm_.judge().Judge();
    RandomStream rng = world_.Stream("examiners");
    if (rng.Chance(1, 3)) Examine(rng);
  }

  // One of those that offer is tried by peers that know the rules.
  void Examine(RandomStream& rng) {
    const std::vector<ClientHost*> offering = swarm_.Offering(clients_);
    if (offering.empty() || world_.failed()) return;
    ClientHost& client = *offering[rng.Below(offering.size())];
    const swarm::Config& config = swarm_.client_config();
    const auto interested = [&client] {
      if (!client.alive()) return 0u;
      const std::vector<swarm::PeerView> peers = client.machine()->peers();
      return static_cast<uint32_t>(std::count_if(
          peers.begin(), peers.end(), [](const swarm::PeerView& peer) { return peer.peer_interested; }));
    };
    examiners_.emplace(
        world_, network_, streams_, swarm_.judge(),
        Examiners::Candidate{client.name(), client.adaptor().plan().address, config.upload_slots,
                             client.machine()->verified().all(), config.timing.choke_interval, interested});
    examiners_->Begin();
    world_.RunFor(examiners_->asking_time());
    examiners_->End();
    if (world_.failed()) return;
    if (!Within([&] { return examiners_->answered(); }, "an examiner waits for an answer")) return;
    examiners_->Judge();
  }

  // Nobody who can be asked has the rest: everybody holds what there is, and waits. A malicious peer may
  // still serve right pieces now and then; nothing is settled while pieces come.
  bool JudgePeace() {
    for (uint64_t before = UINT64_MAX; !swarm_.Finished(clients_);) {
      const std::vector<SwarmView> views = swarm_.Views(clients_);
      uint64_t held = 0;
      for (const SwarmView& view : views) held += view.verified.count();
      if (held == before && Starved(views).empty()) return JudgeSettled(views);
      before = held;
      world_.RunFor(kPeace);
      if (!Within([&] { return Fed(); }, "a client lacks pieces that others have")) return false;
    }
    return true;
  }
  bool JudgeSettled(const std::vector<SwarmView>& views) {
    const Process* tracker = tracker_faults_ ? cluster_.core().front() : cluster_.processes().front();
    std::string trouble = Disagreement(views);
    if (trouble.empty()) {
      trouble = swarm_.WrongClaim(clients_, *cluster_.host(tracker->index()).machine());
    }
    if (trouble.empty()) return true;
    world_.Fail(absl::StrFormat("peace: no piece came for %d s, %s", kPeace.seconds(), trouble));
    return false;
  }
  bool Fed() { return swarm_.Finished(clients_) || Starved(swarm_.Views(clients_)).empty(); }

  // Everybody honest, no faults: how long it took, and how much was sent for it.
  void JudgeEffort() {
    const uint64_t needed = swarm_.bytes_needed();
    const uint64_t served = swarm_.bytes_served();
    if (served > needed + needed / 2 + kSpareBytes) {
      world_.Fail(absl::StrFormat("effort: the swarm sent %d bytes where %d were needed", served, needed));
    }
    const uint64_t length = swarm_.judge().metainfo().length;
    const Duration fluid =
        Nanoseconds(static_cast<int64_t>(length * 1'000'000'000 / plan_.faults.streams.bytes_per_second));
    const Duration took = world_.now() - began_;
    if (took > fluid * kFluidMultiple + kMeeting) {
      world_.Fail(absl::StrFormat("effort: the downloads took %d ms where the fluid bound is %d ms",
                                  took.millis(), fluid.millis()));
    }
  }

  // Two requests for the last blocks at each of eight peers, for each of four downloads.
  static constexpr uint64_t kSpareBytes = uint64_t{2 * 8 * 4} * 16 * 1024;

  World& world_;
  const bool tracker_faults_;
  RandomStream rng_;
  const SwarmPlan plan_;
  Network network_;
  Streams streams_;
  TrackerCluster cluster_;
  SwarmWorld swarm_;
  SwarmUser user_;
  Instant began_{};
  std::vector<Process*> clients_;
  std::optional<Examiners> examiners_;
};

void RunSwarmFaults(World& world) { SwarmRun(world, "swarm_faults", false).Run(); }
void RunFullSystem(World& world) { SwarmRun(world, "full_system", true).Run(); }

}  // namespace

std::vector<std::string> ClientKinds() { return KindsOf<swarm::Client, ClientAdaptor>(); }
std::vector<std::string> AllKinds() {
  std::vector<std::string> all = ClientKinds();
  for (std::string& name : KindsOf<tracker::TrackerNode, TrackerAdaptor>()) all.push_back(std::move(name));
  return all;
}

const Scenario kSwarmFaults = {"swarm_faults",
                               "downloads among honest and malicious peers, one reliable tracker",
                               RunSwarmFaults, "//tools:simrun", ClientKinds};
const Scenario kFullSystem = {"full_system", "tracker cluster and swarm together, faults everywhere",
                              RunFullSystem, "//tools:simrun", AllKinds};

}  // namespace bt::sim
