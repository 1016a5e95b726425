#include "core/paxos/configurations.h"

#include <absl/container/btree_set.h>

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace bt::paxos {

Configurations::Configurations(std::vector<NodeId> first_voters) {
  Add({Slot(0), Slot(1), FirstMembership(std::move(first_voters))});
}

Configurations::Configurations(const std::vector<Epoch>& epochs) {
  CHECK(!epochs.empty());
  for (const Epoch& epoch : epochs) Add(epoch);
}

void Configurations::Add(Epoch epoch) {
  Configuration voters(epoch.membership.voters());
  epochs_.push_back({std::move(epoch), std::move(voters)});
  if (epochs_.size() > kKeptMax) epochs_.pop_front();
}

// Safety rests on all replicas knowing the same voters for a slot. The change of slot s is in force from
// s + kMembershipDelay on, and nobody proposes in a slot before all slots that far below it are chosen
// (Leader::MayPropose): so whoever proposes in a slot, or counts votes there, knows every change that could
// concern it (Lamport's alpha, "Paxos Made Simple", section 3).
// A second change while the first is under way would leave slots that three memberships decide.
void Configurations::Choose(Slot slot, const Membership& next) {
  const Epoch& now = latest();
  if (slot < now.from || !MayFollow(now.membership, next)) return;
  Add({slot, slot + kMembershipDelay, next});
}

std::vector<Epoch> Configurations::At(Slot slot) const {
  std::vector<Epoch> at;
  for (const Known& known : epochs_) {
    if (known.epoch.chosen > slot) break;
    if (known.epoch.from <= slot.next()) at.clear();
    at.push_back(known.epoch);
  }
  CHECK(!at.empty());
  return at;
}

const Configuration& Configurations::For(Slot slot) const {
  const auto after = std::find_if(epochs_.rbegin(), epochs_.rend(),
                                  [&](const Known& known) { return known.epoch.from <= slot; });
  CHECK(after != epochs_.rend());
  return after->voters;
}

template <class Visit>
void Configurations::EachAbove(Slot chosen, const Visit& visit) const {
  for (size_t i = 0; i < epochs_.size(); ++i) {
    const bool replaced = i + 1 < epochs_.size() && epochs_[i + 1].epoch.from <= chosen.next();
    if (!replaced) visit(epochs_[i]);
  }
}

// One ballot is for all slots above the chosen prefix, and two memberships may decide them. A candidate that
// had promises of a quorum of one of them alone could miss a value that a quorum of the other has chosen; so
// a quorum of each is asked for, and P1 and P2c hold slot by slot ("Paxos Made Simple", section 2.2).
bool Configurations::IsQuorum(const VoteSet& votes, Slot chosen) const {
  bool all = true;
  EachAbove(chosen, [&](const Known& known) { all = all && known.voters.IsQuorum(votes); });
  return all;
}

uint64_t Configurations::ReachedByQuorum(const absl::btree_map<NodeId, uint64_t>& numbers,
                                         Slot chosen) const {
  uint64_t reached = UINT64_MAX;
  EachAbove(chosen,
            [&](const Known& known) { reached = std::min(reached, known.voters.ReachedByQuorum(numbers)); });
  return reached;
}

bool Configurations::Votes(NodeId node, Slot chosen) const {
  bool votes = false;
  EachAbove(chosen, [&](const Known& known) { votes = votes || known.voters.Contains(node); });
  return votes;
}

bool Configurations::VotesAlone(NodeId node, Slot chosen) const {
  return Votes(node, chosen) && OtherVoters(node, chosen).empty();
}

std::vector<NodeId> Configurations::OtherVoters(NodeId self, Slot chosen) const {
  absl::btree_set<NodeId> others;
  EachAbove(chosen, [&](const Known& known) {
    others.insert(known.voters.voters().begin(), known.voters.voters().end());
  });
  others.erase(self);
  return {others.begin(), others.end()};
}

std::vector<NodeId> Configurations::Others(NodeId self, Slot chosen) const {
  absl::btree_set<NodeId> others;
  EachAbove(chosen, [&](const Known& known) {
    for (const Member& member : known.epoch.membership.members) others.insert(member.id);
  });
  others.erase(self);
  return {others.begin(), others.end()};
}

}  // namespace bt::paxos
