// How nodes whose disks were damaged come back to a simulated cluster, and whose may be damaged meanwhile.

#include <absl/status/status.h>

#include <algorithm>
#include <vector>

#include "sim/scenarios/tracker_cluster.h"

namespace bt::sim {
namespace {

// Incarnations of those that are let in anew, by what they were.
constexpr uint64_t kIncarnations = 1000;
constexpr Duration kAskPauseMax = Seconds(1);

}  // namespace

void TrackerCluster::RepairDamaged() {
  repairing_ = true;
  world_.After(repairs_.Between(Milliseconds(1), kAskPauseMax), this, 0);
}

void TrackerCluster::Fire(uint64_t) {
  AskForTheLost();
  world_.After(repairs_.Between(Milliseconds(1), kAskPauseMax), this, 0);
}

void TrackerCluster::OnMembers(const paxos::Membership& members) {
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

void TrackerCluster::AskForTheLost() {
  TrackerHost& asked = *hosts_[repairs_.Below(hosts_.size())];
  if (!asked.alive()) return;
  for (const uint32_t index : Unrepaired()) {
    if (!IsLost(index)) continue;
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

}  // namespace bt::sim
