// The members of a simulated cluster: what the operator orders, how nodes whose disks were damaged come back,
// whose may be damaged meanwhile, and when all are of the newest release.

#include <absl/status/status.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "sim/scenarios/tracker_cluster.h"
#include "sim/scenarios/tracker_messages.h"

namespace bt::sim {
namespace {

// Incarnations of those that are let in anew, by what they were.
constexpr uint64_t kIncarnations = 1000;
constexpr Duration kAskPauseMax = Seconds(1);
// Of one whose answer was lost, or who hears of nothing yet.
constexpr Duration kAskAgainMax = Milliseconds(50);

}  // namespace

void TrackerCluster::RepairDamaged() {
  repairing_ = true;
  world_.After(repairs_.Between(Milliseconds(1), kAskPauseMax), this, 0);
}

void TrackerCluster::Fire(uint64_t argument) {
  if (argument > 0) {
    TrackerHost& host = *hosts_[argument - 1];
    if (!host.alive() || !host.machine()->unusable()) return;
    host.Stop(absl::FailedPreconditionError("it has given up"));
    if (!host.alive() && levels_.IsToBegin(host.index())) host.Start();
    return;
  }
  AskForTheLost();
  const Duration pause_max = repairs_.Chance(1, 2) ? kAskAgainMax : kAskPauseMax;
  world_.After(repairs_.Between(Milliseconds(1), pause_max), this, 0);
}

// The log lets nobody in twice, and gives no vote to a node that may not be there at all.
void TrackerCluster::JudgeMembers(const paxos::Membership& members) {
  for (const paxos::Member& member : members.members) {
    const bool was_spare = member.id.value() > first_members_;
    if (was_spare && member.kind == paxos::MemberKind::kVoter && !spoken_.contains(member.id)) {
      world_.Fail(absl::StrFormat("members: node %d votes now, and nobody has ever heard from it",
                                  member.id.value()));
    }
    for (const paxos::Member& before : told_.members) {
      if (member.incarnation == 0 || before.incarnation != member.incarnation || before.id == member.id)
        continue;
      world_.Fail(
          absl::StrFormat("members: node %d is let in again as node %d, although it is the same still",
                          before.id.value(), member.id.value()));
    }
  }
}

void TrackerCluster::OnMembers(const paxos::Membership& members) {
  if (members.version > told_.version) {
    JudgeMembers(members);
    told_ = members;
  }
  for (const paxos::Member& member : members.members) {
    const bool votes = member.incarnation != 0 && member.kind == paxos::MemberKind::kVoter;
    if (votes && let_in_anew_.insert(member.id).second) {
      world_.Count(Fault::kLetInAnew, {member.id.value() - 1});
    }
  }
}

bool TrackerCluster::IsLost(uint32_t index) const {
  return lost_.contains(index) && !hosts_[index]->alive() &&
         lockstep_.paxos().membership().Find(NodeId(index + 1)) != nullptr;
}

std::vector<uint32_t> TrackerCluster::Unrepaired() const {
  std::vector<uint32_t> unrepaired;
  const std::vector<paxos::Member>& members = lockstep_.paxos().membership().members;
  for (const paxos::Member& member : members) {
    const uint32_t index = member.id.value() - 1;
    if (!hosts_[index]->damaged()) continue;
    const bool replaced = std::any_of(members.begin(), members.end(), [&](const paxos::Member& other) {
      return other.replaces == member.id;
    });
    if (!replaced) unrepaired.push_back(index);
  }
  return unrepaired;
}

size_t TrackerCluster::FreeSpares() const {
  const uint32_t named = std::max(lockstep_.paxos().membership().highest, ordered_max_).value();
  const size_t taken = named + Unrepaired().size();
  return taken < size() ? size() - taken : 0;
}

bool TrackerCluster::MayAsk(uint32_t lost) const {
  const std::vector<paxos::Member>& members = lockstep_.paxos().membership().members;
  return std::none_of(members.begin(), members.end(), [&](const paxos::Member& member) {
    return member.replaces == NodeId(lost + 1) && member.incarnation != kIncarnations + lost;
  });
}

void TrackerCluster::AskForTheLost() {
  TrackerHost& asked = *hosts_[repairs_.Below(hosts_.size())];
  if (!asked.alive()) return;
  for (const uint32_t index : lost_) {
    if (!IsLost(index) || !MayAsk(index)) continue;
    asked.adaptor().Order(asked, tracker::Order(paxos::Readmit{.replaces = NodeId(index + 1),
                                                               .incarnation = kIncarnations + index,
                                                               .contact = hosts_[index]->name()}));
  }
}

// Every member that goes on knows who the members are, so none counts on one that is no member any more. A
// quorum of them then holds what any quorum has acknowledged, whichever one of a minority is damaged next.
std::vector<Process*> TrackerCluster::MayBeDamaged() const {
  const MultiPaxos& paxos = lockstep_.paxos();
  if (!repairing_) return processes();
  if (paxos.in_force_from() > paxos.chosen().next() || FreeSpares() == 0) return {};
  std::vector<Process*> members;
  for (const paxos::Member& member : paxos.membership().members) {
    TrackerHost* host = hosts_[member.id.value() - 1].get();
    if (member.kind != paxos::MemberKind::kVoter) return {};
    members.push_back(host);
    if (host->damaged()) continue;
    if (!host->alive()) return {};
    const paxos::Epoch& known = host->machine()->replica().members();
    if (known.membership.version != paxos.membership().version) return {};
    if (known.from > host->machine()->replica().chosen().next()) return {};
  }
  return members;
}

namespace {

// What the node knows as the last word on the members is in force, and says nothing of the other one.
bool IsRemoved(const TrackerHost& host, NodeId other) {
  if (host.machine() == nullptr || !host.machine()->begun()) return false;
  const paxos::Replica& replica = host.machine()->replica();
  const paxos::Epoch& known = replica.members();
  return replica.is_leader() && known.from <= replica.chosen().next() &&
         known.membership.Find(other) == nullptr;
}

}  // namespace

void TrackerAdaptor::JudgeBeat(TrackerHost& host, NodeId to, const Slice& message) {
  if (!IsRemoved(host, to)) return;
  const auto beat = ReadReplicas<paxos::Heartbeat>(message);
  if (!beat) return;
  if (std::exchange(leads_under_, beat->ballot) != beat->ballot) farewells_.OnStart();
  farewells_.OnBeat(to, host.now(), cluster_->config().replica.heartbeat);
}

void TrackerAdaptor::JudgeBeaten(TrackerHost& host, NodeId from, const Slice& message) {
  if (!IsRemoved(host, from)) return;
  const auto reply = ReadReplicas<paxos::HeartbeatReply>(message);
  if (reply && reply->ballot == leads_under_ && reply->chosen >= host.machine()->replica().members().chosen)
    farewells_.OnKnows(from, host.now());
}

bool TrackerAdaptor::IsUsed(const tracker::Protocol::Request& order) const {
  const auto* members = std::get_if<tracker::Order>(&order);
  const auto* add = members == nullptr ? nullptr : std::get_if<paxos::AddMember>(members);
  const paxos::Membership& now = cluster_->lockstep().paxos().membership();
  return add != nullptr && add->id <= now.highest && now.Find(add->id) == nullptr;
}

void TrackerCluster::OrderMembers(RandomStream& rng) {
  TrackerHost& host = *hosts_[rng.Below(hosts_.size())];
  const paxos::Membership& members = lockstep_.paxos().membership();
  const NodeId any(static_cast<uint32_t>(rng.Between(1, hosts_.size())));
  NodeId next(std::min(size(), members.highest.value() + 1));
  uint64_t draw = rng.Below(8);
  if (!host.alive()) return;
  if (repairing_) {
    // The operator leaves alone who comes back by itself, and the spare nodes that the lost ones need; and
    // takes nobody away, for when another has just died too few can be left.
    const paxos::Member* member = members.Find(any);
    const bool voter = member != nullptr && member->kind == paxos::MemberKind::kVoter;
    const bool spared = next > std::max(members.highest, ordered_max_) && FreeSpares() == 0;
    if (draw >= 5 || (draw >= 3 && !voter) || spared) draw = 7;
    if (draw < 5) ordered_max_ = std::max(ordered_max_, next);
  }
  // Or one that is or was another's, by mistake.
  if (rng.Fork("used", ++orders_).Chance(1, 8) && any <= members.highest) next = any;
  tracker::Order order;
  if (draw < 3) {
    order = paxos::AddMember{.id = next, .contact = host.name()};
  } else if (draw < 5) {
    order = paxos::AddMember{.id = next, .replaces = any, .contact = host.name()};
  } else if (draw < 7) {
    order = paxos::RemoveMember{any};
  } else {
    order = paxos::TransferLeadership{any};
  }
  // Clients hear of the nodes that are to come.
  if (std::find(targets_.begin(), targets_.end(), next.value() - 1) == targets_.end()) {
    targets_.push_back(next.value() - 1);
  }
  host.adaptor().Order(host, std::move(order));
}

bool TrackerCluster::MembersSettled() const {
  const MultiPaxos& paxos = lockstep_.paxos();
  for (uint32_t index = 0; index < size(); ++index) {
    if (repairing_ && IsLost(index)) return false;
  }
  const std::vector<paxos::Member>& members = paxos.membership().members;
  return paxos.in_force_from() <= paxos.chosen().next() &&
         std::all_of(members.begin(), members.end(),
                     [](const paxos::Member& member) { return member.kind == paxos::MemberKind::kVoter; });
}

void TrackerCluster::MakeMembersCore() {
  core_.clear();
  targets_.clear();
  for (const NodeId voter : lockstep_.paxos().membership().voters()) {
    core_.push_back(hosts_[voter.value() - 1].get());
    targets_.push_back(core_.back()->index());
  }
  ExpectAvailability();
}

// --- releases ---

void TrackerCluster::EndSoon(uint32_t index) { world_.After(Duration{0}, this, index + 1); }

void TrackerCluster::UpgradeAll() {
  levels_.UpgradeAll();
  for (const auto& host : hosts_) {
    if (host->alive() && levels_.IsOld(host->index()) && !levels_.IsHeld(host->index())) host->Crash();
  }
}

bool TrackerCluster::AtNewestLevel() const {
  if (!levels_.MustRise()) return true;
  const std::vector<paxos::Member>& members = lockstep_.paxos().membership().members;
  if (members.size() > core_.size()) return true;  // some are gone, and say nothing
  return std::all_of(core_.begin(), core_.end(), [this](const Process* process) {
    const TrackerHost& host = *hosts_[process->index()];
    return host.alive() && host.machine()->registry().level() == tracker::kNewestLevel;
  });
}

}  // namespace bt::sim
