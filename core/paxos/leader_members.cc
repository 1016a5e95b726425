// How a leader changes who the members are, and gives its place up.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "core/paxos/leader.h"

namespace bt::paxos {
namespace {

// A learner this far behind is fed the rest while it votes.
constexpr uint32_t kCaughtUpSlots = 64;

Membership Without(Membership membership, NodeId id) {
  std::erase_if(membership.members, [&](const Member& member) { return member.id == id; });
  return membership;
}

Membership After(const Membership& now) {
  Membership next = now;
  ++next.version;
  return next;
}

}  // namespace

void Leader::OnOperator(CallId call, const Request& request, Acceptor& acceptor, Context<Protocol>& context) {
  Response response = Noted{};
  if (const auto* add = std::get_if<AddMember>(&request)) {
    response = Add(*add, acceptor);
  } else if (const auto* readmit = std::get_if<Readmit>(&request)) {
    response = LetInAnew(*readmit, acceptor, context.now);
  } else if (const auto* remove = std::get_if<RemoveMember>(&request)) {
    response = Remove(*remove, acceptor, context.now);
  } else {
    response = Transfer(std::get<TransferLeadership>(request), acceptor, context.now);
  }
  context.out.Reply(call, std::move(response));
  ProposePending(acceptor, context);
}

// One change at a time, and the next one only when the last is in force: else some slot would be decided by
// three memberships, and a candidate asks the quorums of two (Configurations::Choose). What is inherited may
// hold a change, of which this leader does not know until it is chosen.
bool Leader::MayChange(const Acceptor& acceptor) const {
  return acceptor.chosen() >= own_no_op_ && !change_ && changed_ == Slot(0) &&
         acceptor.chosen().next() >= acceptor.configurations().latest().from;
}

Response Leader::Add(const AddMember& request, const Acceptor& acceptor) {
  const Membership& now = acceptor.configurations().latest().membership;
  if (const Member* known = now.Find(request.id)) {
    const bool same = known->contact == request.contact &&
                      (known->kind == MemberKind::kVoter ? now.Find(request.replaces) == nullptr
                                                         : known->replaces == request.replaces);
    if (same) return Noted{};
    return Refused{absl::StrCat("node ", request.id.value(), " is a member already, and not on these terms")};
  }
  if (request.id <= now.highest) {
    return Refused{absl::StrCat("the id ", request.id.value(),
                                " is or was another's, and no id is used twice; choose one from ",
                                now.highest.value() + 1, " on, and initialise the node with that")};
  }
  if (request.replaces != NodeId(0) && now.Find(request.replaces) == nullptr) {
    return Refused{absl::StrCat("node ", request.replaces.value(), " is not a member")};
  }
  if (now.members.size() >= kMembersMax) {
    return Refused{absl::StrCat("a cluster has at most ", kMembersMax, " members")};
  }
  if (request.contact.size() > kContactBytesMax) return Refused{"its addresses are too long"};
  if (!MayChange(acceptor)) return Busy{};
  change_ = After(now);
  change_->highest = request.id;
  change_->members.push_back({request.id, MemberKind::kLearner, request.replaces, request.contact});
  return Noted{};
}

// The one that comes back has forgotten what it promised and accepted under its old id, and votes under that
// were counted: it gets another, and learns before it votes. Its old self goes on being a member until then:
// a quorum is no smaller for it. A learner has no vote that could be missed, so one that is lost itself, or
// was let in for a life before, makes room at once.
Response Leader::LetInAnew(const Readmit& request, const Acceptor& acceptor, Instant now) {
  const Membership& members = acceptor.configurations().latest().membership;
  const Member* lost = nullptr;
  for (const Member& member : members.members) {
    if (member.incarnation == request.incarnation) return Noted{};
    if (member.id == request.replaces) lost = &member;
  }
  if (request.incarnation == 0) return Refused{"an incarnation is missing"};
  if (lost == nullptr) return Refused{absl::StrCat("node ", request.replaces.value(), " is not a member")};
  if (Hears(lost->id, now)) {
    return Refused{absl::StrCat("node ", lost->id.value(), " is there and answers: it is not lost")};
  }
  if (request.contact.size() > kContactBytesMax) return Refused{"its addresses are too long"};
  const NodeId voter = lost->kind == MemberKind::kLearner ? lost->replaces : lost->id;
  Membership next = After(members);
  std::erase_if(next.members, [&](const Member& member) {
    const bool of_a_life_before = member.incarnation != 0 && voter != NodeId(0) && member.replaces == voter;
    return member.kind == MemberKind::kLearner && (member.id == lost->id || of_a_life_before);
  });
  for (const Member& member : next.members) {
    if (member.kind != MemberKind::kLearner || voter == NodeId(0) || member.replaces != voter) continue;
    return Refused{
        absl::StrCat("node ", member.id.value(), " takes the place of node ", voter.value(), " already")};
  }
  if (next.members.size() >= kMembersMax) {
    return Refused{
        absl::StrCat("a cluster has at most ", kMembersMax, " members, and one more is needed for a while")};
  }
  if (members.highest == NodeId::Max()) return Refused{"no id is left that no member ever had"};
  if (!MayChange(acceptor)) return Busy{};
  next.highest = std::max(request.id, members.highest.next());
  next.members.push_back({next.highest, MemberKind::kLearner, voter, request.contact, request.incarnation});
  change_ = std::move(next);
  return Noted{};
}

Response Leader::Remove(const RemoveMember& request, const Acceptor& acceptor, Instant now) {
  const Membership& members = acceptor.configurations().latest().membership;
  if (members.Find(request.id) == nullptr) return Noted{};
  if (!MayChange(acceptor)) return Busy{};
  Membership next = Without(After(members), request.id);
  if (std::string why = TooFew(next, now); !why.empty()) return Refused{std::move(why)};
  change_ = std::move(next);
  return Noted{};
}

bool Leader::Hears(NodeId node, Instant now) const {
  if (node == config_.self) return true;
  const auto peer = peers_.find(node);
  return peer != peers_.end() && now - peer->second.heard <= config_.election_min;
}

std::string Leader::TooFew(const Membership& next, Instant now) const {
  const std::vector<NodeId> voters = next.voters();
  if (voters.empty()) return "it is the last member that votes";
  // A new leader presumes for a while that it hears everybody. Here that is not enough.
  const auto heard = static_cast<size_t>(std::count_if(voters.begin(), voters.end(), [&](NodeId v) {
    if (v == config_.self) return true;
    return Hears(v, now) && (peers_.at(v).beat > 0 || peers_.at(v).acknowledged > Slot(0));
  }));
  const size_t needed = voters.size() / 2 + 1;
  if (heard >= needed) return "";
  return absl::StrCat("of the ", voters.size(), " members that would vote then, ", needed,
                      " would be needed for everything, and ", heard, heard == 1 ? " answers" : " answer");
}

// --- at each tick ---

void Leader::TendMembers(Acceptor& acceptor, Context<Protocol>& context) {
  Forget(acceptor, context.now);
  Promote(acceptor, context.now);
  if (handing_over_ && context.now > handing_over_->until) handing_over_.reset();
  // Who votes on nothing any more leads only until somebody else can.
  if (!handing_over_ && !acceptor.configurations().Votes(config_.self, acceptor.chosen())) {
    (void)Transfer({}, acceptor, context.now);
  }
  ProposePending(acceptor, context);
}

// A new voter makes the quorum larger at once, and can help to fill it only when it has the log. So a member
// is fed as a learner first, and gets its vote when it has nearly caught up (Ongaro, 4.2.1); and not while
// too few of the voters answer that there would be then.
void Leader::Promote(const Acceptor& acceptor, Instant now) {
  if (!MayChange(acceptor)) return;
  const Membership& members = acceptor.configurations().latest().membership;
  for (const Member& learner : members.members) {
    if (learner.kind != MemberKind::kLearner || !Hears(learner.id, now)) continue;
    // One that has never answered may not be there at all.
    const Peer& peer = peers_.at(learner.id);
    if (peer.beat == 0 || peer.chosen + kCaughtUpSlots < acceptor.chosen()) continue;
    Membership next = Without(After(members), learner.replaces);
    for (Member& member : next.members) {
      if (member.id != learner.id) continue;
      member.kind = MemberKind::kVoter;
      member.replaces = NodeId(0);
    }
    if (!TooFew(next, now).empty()) continue;
    change_ = std::move(next);
    return;
  }
}

void Leader::Forget(const Acceptor& acceptor, Instant now) {
  const Configurations& configurations = acceptor.configurations();
  const std::vector<NodeId> others = configurations.Others(config_.self, acceptor.chosen());
  absl::erase_if(peers_, [&](const auto& entry) {
    const auto& [node, peer] = entry;
    if (std::binary_search(others.begin(), others.end(), node)) return false;
    return peer.chosen >= configurations.latest().chosen || !Hears(node, now);
  });
}

// --- giving the place up ---

// The one that lacks least. One may have answered the last slot and lack others before it, which it was not
// there for: it is waited for until they are sent again.
std::optional<NodeId> Leader::Successor(const Acceptor& acceptor, Instant now) const {
  const auto first_lacking = [](const Peer& peer) {
    return peer.sent.empty() ? peer.next : peer.sent.front().slot;
  };
  std::optional<NodeId> best;
  for (const auto& [node, peer] : peers_) {
    if (!Hears(node, now) || !acceptor.configurations().Votes(node, acceptor.chosen())) continue;
    if (!best || first_lacking(peer) > first_lacking(peers_.at(*best))) best = node;
  }
  return best;
}

Response Leader::Transfer(const TransferLeadership& request, const Acceptor& acceptor, Instant now) {
  if (request.to == config_.self) return Noted{};
  const std::optional<NodeId> to =
      request.to == NodeId(0) ? Successor(acceptor, now) : std::optional(request.to);
  if (!to) return Refused{"no other member that votes answers"};
  if (!peers_.contains(*to) || !acceptor.configurations().Votes(*to, acceptor.chosen())) {
    return Refused{absl::StrCat("node ", to->value(), " is no member that votes")};
  }
  if (!Hears(*to, now)) return Refused{absl::StrCat("node ", to->value(), " does not answer")};
  // Commands wait meanwhile, and are let go on if nothing comes of it.
  if (!handing_over_ || handing_over_->to != *to) handing_over_ = {*to, now + config_.election_min};
  return Noted{};
}

// The successor is told to stand once it has acknowledged everything that was proposed, and proposing has
// stopped: then it has nothing to learn before it leads (Ongaro, 3.10). It stands like any candidate, so
// safety rests on phase 1 as always; if it fails, this leader goes on when the time is over.
void Leader::HandOver(const Acceptor& acceptor, Context<Protocol>& context) {
  if (!handing_over_ || handing_over_->told || acceptor.chosen() < own_no_op_) return;
  const auto peer = peers_.find(handing_over_->to);
  if (peer == peers_.end() || peer->second.next != next_ || !peer->second.sent.empty()) return;
  handing_over_->told = true;
  context.out.Send(handing_over_->to, StandNow{ballot_});
}

}  // namespace bt::paxos
