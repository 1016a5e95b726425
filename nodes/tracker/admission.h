#pragma once

// How a node without an id is let into the cluster: it asks the members over their replica ports, as a guest
// (net/replica_guest.h), and the desk of each member answers. A node has no id when it was initialised to
// join, and when its journal was damaged: it has forgotten what it promised and accepted under the old one,
// so the leader lets it in as a new member, under an id never used before, in place of the old one. Loop
// thread only.

#include <absl/container/btree_map.h>
#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/tracker/node.h"
#include "net/replica_guest.h"
#include "nodes/shared/member_address.h"
#include "nodes/tracker/call_router.h"
#include "nodes/tracker/node_state.h"
#include "nodes/tracker/tracker_flags.h"

namespace bt::nodes {

// --- the words ---

struct AdmissionQuestion {
  static constexpr uint64_t kVersion = 1;

  uint64_t version = kVersion;
  uint64_t incarnation = 0;  // drawn by who asks, and kept: one incarnation gets one id
  NodeId id;                 // the one it was initialised with; 0: any
  NodeId replaces;           // the member that it was; 0: whoever is at its address, if anybody is
  std::string contact;       // where it is, as core/paxos keeps it

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("version", self.version);
    visit("incarnation", self.incarnation);
    visit("id", self.id);
    visit("replaces", self.replaces);
    visit("contact", self.contact);
  }
  friend bool operator==(const AdmissionQuestion&, const AdmissionQuestion&) = default;
};

enum class Admission : uint8_t {
  kWait,      // not now, or not yet: ask again
  kAdmitted,  // under the id of the answer
  kNobody,    // no member is in question: the id is the one that was asked for, and an operator adds it
  kLast = kNobody,
};

struct AdmissionAnswer {
  Admission admission = Admission::kWait;
  NodeId id;
  std::string why;                   // of kWait, for people
  std::vector<NodeContact> members;  // as the answering node knows them, but for the one that asked

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("admission", self.admission);
    visit("id", self.id);
    visit("why", self.why);
    visit("members", self.members);
  }
  friend bool operator==(const AdmissionAnswer&, const AdmissionAnswer&) = default;
};

// As core/paxos keeps where a member is.
std::string ContactText(const MemberAddress& address);

// --- who answers ---

class AdmissionDesk final : public CallOrigin {
 public:
  // Where a member is, as far as this node knows.
  using WhereIs = std::function<std::optional<MemberAddress>(NodeId)>;

  // `router` and `node` outlive it.
  AdmissionDesk(CallRouter& router, const tracker::TrackerNode& node, WhereIs where_is)
      : router_(router), node_(node), where_is_(std::move(where_is)) {}

  // The answer to the encoded question of a guest. At most one order for a guest is under way at a time.
  Slice Answer(const Slice& question);

  // For the router.
  void OnReply(uint64_t number, tracker_api::Response response) override;

 private:
  AdmissionAnswer Decide(const AdmissionQuestion& question);
  AdmissionAnswer Admitted(NodeId id, const AdmissionQuestion& question) const;
  // Asks the leader to let the guest in, in place of `replaced`.
  AdmissionAnswer Order(const AdmissionQuestion& question, const MemberAddress& contact, NodeId replaced);
  // Whom the guest takes the place of; 0: nobody.
  NodeId Replaced(const AdmissionQuestion& question, const MemberAddress& contact) const;

  const paxos::Membership& members() const { return node_.replica().members().membership; }

  CallRouter& router_;
  const tracker::TrackerNode& node_;
  const WhereIs where_is_;
  bool asking_ = false;       // an order is under way
  uint64_t refused_for_ = 0;  // the incarnation whose order was answered last
  std::string refused_why_;   // and why it was not carried out; empty: it was
};

// --- who asks ---

struct AdmissionRequest {
  NodeState state;                       // without an id
  std::vector<net::HostAndPort> places;  // where members may be
  AdmissionQuestion question;
  tracker::LevelRange levels;
  const net::ReplicaTls* tls = nullptr;  // of a guest; outlives the seeker
};

// Of the node that these flags and its state make.
AdmissionRequest AdmissionRequestOf(const TrackerFlags& flags, const NodeState& state,
                                    const net::ReplicaTls* tls);

class AdmissionSeeker {
 public:
  // `admitted` is told once, with the last answer; `note` a line for the operator when the reason of the
  // waiting has changed. Neither must destroy the seeker.
  AdmissionSeeker(net::Loop& loop, AdmissionRequest request, std::function<void(AdmissionAnswer)> admitted,
                  std::function<void(std::string)> note);

 private:
  bool OnAnswer(const net::HostAndPort& place, const Slice& answer);
  void Waits(const std::string& why);

  const std::function<void(AdmissionAnswer)> admitted_;
  const std::function<void(std::string)> note_;
  net::Loop& loop_;
  absl::btree_map<std::string, Instant> said_;  // reasons, and when each may be said again; a few
  net::ReplicaGuest guest_;
};

}  // namespace bt::nodes
