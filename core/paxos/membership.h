#pragma once

// Membership: who belongs to the cluster, as the log says it. A change is a value of the log that names all
// members anew. It is chosen in one slot and in force from kMembershipDelay slots after it, so that every
// replica knows, by what is chosen below a slot, whose votes decide it ("Paxos Made Simple", section 3).

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/ids.h"

namespace bt::paxos {

inline constexpr size_t kMembersMax = 15;
// No leader proposes a slot further than this above the one up to which it knows the log as chosen.
inline constexpr uint32_t kMembershipDelay = 16;
inline constexpr size_t kContactBytesMax = 1024;

// A learner is fed like a voter, and its votes are counted nowhere. Once it has caught up, whoever leads
// makes it a voter.
enum class MemberKind : uint8_t { kVoter, kLearner, kLast = kLearner };

struct Member {
  NodeId id;
  MemberKind kind = MemberKind::kVoter;
  NodeId replaces;      // of a learner: who ceases to be a member when it becomes a voter; 0: nobody
  std::string contact;  // how the others reach it, in words of the host's; empty: as their hosts know already
  uint64_t incarnation = 0;  // of one that asked to be let in (Readmit); 0: an operator's order, or first

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("kind", self.kind);
    visit("replaces", self.replaces);
    visit("contact", self.contact);
    visit("incarnation", self.incarnation);
  }
  friend bool operator==(const Member&, const Member&) = default;
};

struct Membership {
  uint64_t version = 0;  // 0: the first one, of which no slot tells; then one more with each change
  // The highest id there ever was. None is used twice: votes are counted by id, and whoever comes back under
  // one that others know may have forgotten what it promised.
  NodeId highest;
  std::vector<Member> members;  // ascending ids

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("version", self.version);
    visit("highest", self.highest);
    visit("members", self.members);
  }
  friend bool operator==(const Membership&, const Membership&) = default;

  const Member* Find(NodeId id) const;
  std::vector<NodeId> voters() const;  // ascending
};

// The first membership of a cluster: these voters, in any order.
Membership FirstMembership(std::vector<NodeId> voters);
// Ids ascend, none is above `highest`, somebody votes, and there are not too many.
bool IsWellFormed(const Membership& membership);
// Whether `next` is well-formed and may follow on `now`: its version is the next one, and no id comes back.
bool MayFollow(const Membership& now, const Membership& next);

// A membership and where it stands in the log.
struct Epoch {
  Slot chosen;  // the slot that tells of it; 0: none does
  Slot from;    // the first slot that its voters decide
  Membership membership;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("chosen", self.chosen);
    visit("from", self.from);
    visit("membership", self.membership);
  }
  friend bool operator==(const Epoch&, const Epoch&) = default;
};
// Whether they are one or two that can follow on each other.
bool AreEpochs(const std::vector<Epoch>& epochs);

}  // namespace bt::paxos
