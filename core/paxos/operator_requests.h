#pragma once

// What the cluster's operator, or a node in need, asks of whoever leads, about members and the lead. Part of
// protocol.h's Request; they also travel between nodes, to the leader.

#include <cstdint>
#include <string>

#include "core/base/ids.h"

namespace bt::paxos {

// Wants this member to be added as a learner, under an id that no member ever had. It becomes a voter when it
// has caught up, and `replaces`, if it is not 0, then ceases to be a member.
struct AddMember {
  NodeId id;
  NodeId replaces;
  std::string contact;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("replaces", self.replaces);
    visit("contact", self.contact);
  }
  friend bool operator==(const AddMember&, const AddMember&) = default;
};

// Wants the member `replaces`, whose disk is lost or damaged, to be let in anew, as a learner that takes its
// place, under `id` if no member ever had that, else the next. A member that answers is not lost.
struct Readmit {
  NodeId id;
  NodeId replaces;
  uint64_t incarnation = 0;  // drawn by who asks, and not 0; one is let in once
  std::string contact;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("replaces", self.replaces);
    visit("incarnation", self.incarnation);
    visit("contact", self.contact);
  }
  friend bool operator==(const Readmit&, const Readmit&) = default;
};

// Wants that this one is no member any more.
struct RemoveMember {
  NodeId id;

  static constexpr void Fields(auto& self, auto&& visit) { visit("id", self.id); }
  friend bool operator==(const RemoveMember&, const RemoveMember&) = default;
};

// Wants this voter to lead; 0: whoever is nearest to all that this replica has proposed.
struct TransferLeadership {
  NodeId to;

  static constexpr void Fields(auto& self, auto&& visit) { visit("to", self.to); }
  friend bool operator==(const TransferLeadership&, const TransferLeadership&) = default;
};

}  // namespace bt::paxos
