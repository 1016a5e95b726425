#include "core/paxos/membership.h"

#include <algorithm>

namespace bt::paxos {

const Member* Membership::Find(NodeId id) const {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.id == id; });
  return found == members.end() ? nullptr : &*found;
}

std::vector<NodeId> Membership::voters() const {
  std::vector<NodeId> voters;
  for (const Member& member : members) {
    if (member.kind == MemberKind::kVoter) voters.push_back(member.id);
  }
  return voters;
}

Membership FirstMembership(std::vector<NodeId> voters) {
  std::sort(voters.begin(), voters.end());
  Membership first;
  for (const NodeId voter : voters) first.members.push_back({.id = voter});
  if (!voters.empty()) first.highest = voters.back();
  return first;
}

bool IsWellFormed(const Membership& membership) {
  if (membership.members.size() > kMembersMax || membership.voters().empty()) return false;
  NodeId last;
  for (const Member& member : membership.members) {
    const bool fits = member.id > last && member.id <= membership.highest;
    if (!fits || member.contact.size() > kContactBytesMax) return false;
    last = member.id;
  }
  return true;
}

// Each replica asks this of each change when it is chosen, and so all of them ignore the same ones: two
// leaders may have proposed a change each on the same membership, and the second must not undo the first
// unseen.
bool MayFollow(const Membership& now, const Membership& next) {
  if (!IsWellFormed(next) || next.version != now.version + 1 || next.highest < now.highest) return false;
  return std::all_of(next.members.begin(), next.members.end(), [&](const Member& member) {
    return member.id > now.highest || now.Find(member.id) != nullptr;
  });
}

bool AreEpochs(const std::vector<Epoch>& epochs) {
  if (epochs.empty() || epochs.size() > 2 || !IsWellFormed(epochs.front().membership)) return false;
  return epochs.size() == 1 ||
         (epochs[0].from < epochs[1].from && MayFollow(epochs[0].membership, epochs[1].membership));
}

}  // namespace bt::paxos
