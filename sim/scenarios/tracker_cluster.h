#pragma once

// TrackerCluster: the tracker nodes of a simulated world with their edge: an Ask that arrives from a
// client becomes a Call at the node, its reply an Answer. Notes and departing messages go to the
// agreement judge. Trackers are endpoints 0..n-1 of the network; NodeId(i + 1) is endpoint i.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "core/tracker/node.h"
#include "core/tracker_api/tracker_api.h"
#include "sim/check/agreement.h"
#include "sim/check/answers.h"
#include "sim/check/availability.h"
#include "sim/check/bulk.h"
#include "sim/check/farewells.h"
#include "sim/check/limits.h"
#include "sim/check/lockstep.h"
#include "sim/check/repeats.h"
#include "sim/check/steps.h"
#include "sim/host.h"
#include "sim/nemesis.h"
#include "sim/network.h"
#include "sim/plan.h"
#include "sim/scenarios/format_levels.h"

namespace bt::sim {

// What clients and trackers exchange: the client machine's own message type. From a client, Unreachable
// says that it has hung up on the question of that id.
using EdgeMessage = std::variant<tracker_api::Ask, tracker_api::Answer, tracker_api::Unreachable>;

// Whose share what an endpoint of the network asks for counts to: each has an address of its own.
tracker::Source SourceOfEndpoint(uint32_t index);

class TrackerCluster;

class TrackerAdaptor : public DefaultAdaptor {
 public:
  using TrackerHost = Host<tracker::TrackerNode, TrackerAdaptor>;
  static constexpr std::string_view kMachine = "tracker";
  static constexpr std::string_view kRoles[] = {"recovering", "follower", "pre-candidate", "candidate",
                                                "leader"};
  std::string_view Role(const tracker::TrackerNode& node) const {
    return node.begun() ? node.replica().role_name() : "recovering";
  }

  TrackerAdaptor(TrackerCluster* cluster, World& world, const std::string& name)
      : cluster_(cluster),
        answers_(world, name),
        bulk_(world, name),
        steps_(world, name),
        limits_(world, name),
        repeats_(world, name),
        farewells_(world, name) {}

  std::unique_ptr<tracker::TrackerNode> Make(TrackerHost& host);
  void Transmit(TrackerHost& host, NodeId to, const Slice& message);
  // A message is on its way, whole or in chunks: for the judges.
  void Leaves(TrackerHost& host, NodeId to, const Slice& message);
  void Writes(TrackerHost& host, const JournalWrite& write);
  void Deliver(TrackerHost& host, uint32_t from, const Slice& bytes);
  void Refuse(TrackerHost& host, uint32_t from, const Slice& bytes);
  void Reply(TrackerHost& host, CallId call, tracker_api::Response& response);
  void Note(TrackerHost& host, const tracker::Protocol::Note& note);
  void AfterStep(TrackerHost& host);
  void Ended(TrackerHost& host);
  void Refused(TrackerHost& host, const absl::Status& status);
  // A call of the operator's.
  void Order(TrackerHost& host, tracker::Protocol::Request order);
  void OrderSnapshot(TrackerHost& host);
  AnswerJudge& answers() { return answers_; }

 private:
  void JudgeDisk(TrackerHost& host);  // disk_rooms.cc
  void JudgeSnapshot(TrackerHost& host, Slot known);
  void JudgeStep(TrackerHost& host);
  void JudgeRepeats(TrackerHost& host, NodeId to, const Slice& message);
  // Beats, and what answers them: tracker_members.cc.
  void JudgeBeat(TrackerHost& host, NodeId to, const Slice& message);
  void JudgeBeaten(TrackerHost& host, NodeId from, const Slice& message);
  // What the node says out of its state is what the state says.
  void JudgeAnswer(TrackerHost& host, const tracker_api::Request& asked, const tracker_api::Response& answer);
  // The order is to let in a node under an id that was another's.
  bool IsUsed(const tracker::Protocol::Request& order) const;

  struct Caller {
    uint32_t client;
    uint64_t ask;
    bool reads;                  // linearizably
    tracker_api::Request asked;  // a query; of a mutation nothing is kept
  };
  TrackerCluster* cluster_;
  AnswerJudge answers_;
  BulkJudge bulk_;
  StepJudge steps_;
  LimitsJudge limits_;
  RepeatsJudge repeats_;
  FarewellJudge farewells_;
  paxos::Ballot leads_under_;       // when it last sent a beat
  std::optional<NodeId> led_by_;    // as of the last step
  uint64_t changes_of_leader_ = 0;  // that it has heard of in this life
  absl::btree_map<CallId, Caller> calls_;
  absl::btree_set<CallId> used_;             // orders that are to be refused: IsUsed
  absl::btree_map<CallId, Slot> snapshots_;  // asked for, and what was known chosen then
  uint64_t next_call_ = 0;
  Slot chosen_;
  bool begins_ = false;    // the first step of a life
  bool restored_ = false;  // in this step, its state is a snapshot's
  uint64_t commands_ = 0;  // applied, as of the last step
  // As of the last step, for JudgeDisk.
  uint64_t handed_over_ = 0;
  uint64_t taken_ = 0;
  bool led_without_room_ = false;
  WriteSeq durable_;
  Instant synced_{0};  // when something became durable last, nothing was owed, it did not lead, or it asked
  Instant stepped_;    // last
};

using TrackerHost = TrackerAdaptor::TrackerHost;

class TrackerCluster final : public EventSink {
 public:
  // Attaches `count` trackers to a network that has no endpoints yet, and `spares` more that are no members.
  TrackerCluster(World& world, Network& network, uint32_t count, const FaultPlan& plan, uint32_t spares = 0);

  // Before Start: what the nodes are told instead of what was drawn; but for who the members are.
  void UseConfig(tracker::Config config);
  void Start();
  // As an operator does who adds nodes first and installs them afterwards: the spare ones are not started.
  void StartMembers();
  // A node's process ends, and its kernel tells the others, or does not.
  void CloseLinks(uint32_t index);
  uint32_t size() const { return static_cast<uint32_t>(hosts_.size()); }
  uint32_t first_members() const { return first_members_; }
  TrackerHost& host(uint32_t index) { return *hosts_[index]; }
  std::vector<Process*> processes() const;
  AgreementJudge& judge() { return judge_; }
  LockstepJudge& lockstep() { return lockstep_; }
  AvailabilityJudge& availability() { return availability_; }
  FormatLevels& levels() { return levels_; }
  World& world() { return world_; }
  const tracker::Config& config() const { return config_; }

  // The operator asks one of the trackers for limits on registrations that some workloads meet. Whether the
  // log takes them up depends on the faults; from here on clients may be refused for want of room.
  void LowerLimits(RandomStream& rng);
  bool limits_lowered() const { return limits_lowered_; }
  // The operator orders these limits of one node, if it is alive.
  void OrderLimits(uint32_t node, tracker::Limits limits);
  // The operator asks one of the nodes for a snapshot.
  void OrderSnapshot(RandomStream& rng);
  // The operator asks one of the nodes to add, remove or replace a member, or to let another one lead.
  void OrderMembers(RandomStream& rng);
  // From here on a node that refuses its damaged journal asks to be let in anew, of whatever node it reaches,
  // now and then, as an AdmissionSeeker does (nodes/tracker/admission.h); it comes back as one of the spare
  // nodes.
  void RepairDamaged();
  // Whose disks may be damaged now: the members, but nobody while they change, and while there is no spare
  // for one more.
  std::vector<Process*> MayBeDamaged() const;
  // The journal of the node is damaged, and it has noticed.
  void OnDamaged(uint32_t index) { lost_.insert(index); }
  // A node has been told who the members are.
  void OnMembers(const paxos::Membership& members);
  // The node has sent something.
  void Spoke(NodeId node) { spoken_.insert(node); }
  // 0: it is time to ask for the lost ones again; else the node of this number less one has given up.
  void Fire(uint64_t argument) override;
  // The node's process ends by itself, when its step is over.
  void EndSoon(uint32_t index);
  // No change is under way or may come any more, if nobody orders one: the log's last word on the members is
  // in force, all of them vote, and none of them has lost its journal.
  bool MembersSettled() const;
  // The core is now who the members are.
  void MakeMembersCore();
  // Some node has applied an order.
  bool limits_in_force() const;

  // The latest log times that any node has applied, ever: the registry's, and that of the table of sessions,
  // which a mutation that is refused there moves on alone.
  Instant log_time() const { return log_time_; }
  Instant session_time() const { return session_time_; }
  void SawState(const tracker::ReplicatedState& state) {
    log_time_ = std::max(log_time_, state.registry().log_time());
    session_time_ = std::max(session_time_, state.sessions().state().log_time);
  }

  // Everybody is to be of the newest release. Whoever lives as an older one ends, and is started again by
  // whoever starts the dead.
  void UpgradeAll();
  // Every member lives in the core, and has applied the newest level; true as well if one is held at an
  // older.
  bool AtNewestLevel() const;

  // At least a majority, of nodes whose disks are whole, about to be healed: from here on it must become
  // available, and stay so.
  std::vector<Process*> DrawCore(RandomStream& rng);
  // The endpoints clients should ask: all, or after healing the core.
  const std::vector<uint32_t>& targets() const { return targets_; }
  const std::vector<Process*>& core() const { return core_; }
  // No message, and nothing on a disk, is later than this when the faults are over.
  Duration stragglers_max() const { return stragglers_max_; }
  // The core's nodes know and have applied everything anybody ever knew as chosen, and one leads.
  bool Converged() const;
  bool Led() const { return Leader() != nullptr; }
  // The first of the core that leads; nullptr if none does.
  TrackerHost* Leader() const;
  // Nobody waits at the core's nodes, and they owe nothing to each other.
  bool Quiet() const;
  std::string Situation() const;

 private:
  void ExpectAvailability();
  void JudgeMembers(const paxos::Membership& members);
  void AskForTheLost();
  // It is a member still, and does not live.
  bool IsLost(uint32_t index) const;
  // The lost ones that no learner takes the place of.
  std::vector<uint32_t> Unrepaired() const;
  // No other than its own learner takes the place of the lost one.
  bool MayAsk(uint32_t lost) const;
  // Spare nodes that neither the log nor an operator's order has named, and no lost one needs.
  size_t FreeSpares() const;

  World& world_;
  const uint32_t first_members_;
  tracker::Config config_;
  Duration latency_max_;
  Duration stragglers_max_;
  AgreementJudge judge_;
  LockstepJudge lockstep_;
  AvailabilityJudge availability_;
  FormatLevels levels_;
  RandomStream closings_;
  std::vector<std::unique_ptr<TrackerHost>> hosts_;
  std::vector<uint32_t> targets_;
  std::vector<Process*> core_;
  RandomStream repairs_;
  bool repairing_ = false;
  absl::btree_set<uint32_t> lost_;  // have refused their damaged journals
  absl::btree_set<NodeId> let_in_anew_;
  paxos::Membership told_;  // the latest that any node was told of
  absl::btree_set<NodeId> spoken_;
  uint64_t orders_ = 0;  // of members
  NodeId ordered_max_;   // the highest id that the operator has named
  bool limits_lowered_ = false;
  Instant log_time_{0};
  Instant session_time_{0};
};

}  // namespace bt::sim
