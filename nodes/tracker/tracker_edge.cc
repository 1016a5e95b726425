#include "nodes/tracker/tracker_edge.h"

#include <absl/strings/str_cat.h>

#include <utility>
#include <variant>

#include "core/base/check.h"
#include "nodes/http_api/form.h"

namespace bt::nodes {

TrackerEdge::TrackerEdge(std::function<void(absl::Status)> fatal, std::function<void(absl::Status)> forgot,
                         std::function<void(std::string)> note)
    : fatal_(std::move(fatal)),
      forgot_(std::move(forgot)),
      note_(std::move(note)),
      router_([this](Input<tracker::Protocol> input) { host_->Deliver(std::move(input)); }) {}

void TrackerEdge::Attach(NodeId self, Host* host, Links* links,
                         std::function<void(const paxos::Membership&)> members_changed) {
  self_ = self;
  host_ = host;
  links_ = links;
  members_changed_ = std::move(members_changed);
}

void TrackerEdge::SendMessage(NodeId to, const tracker::Protocol::Message& message) {
  CHECK(links_ != nullptr);
  links_->Send(to, message);
}

void TrackerEdge::OnReply(CallId call, tracker_api::Response response) {
  router_.OnReply(call, std::move(response));
}

void TrackerEdge::OnNote(const tracker::Protocol::Note& note) {
  if (const auto* unusable = std::get_if<tracker::Unusable>(&note)) {
    fatal_(absl::DataLossError(absl::StrCat("node ", self_.value(),
                                            " cannot go on with what its data directory ",
                                            "or the cluster holds: ", unusable->why)));
  }
  const auto* replica = std::get_if<paxos::Note>(&note);
  if (replica == nullptr) return;
  if (const auto* leader = std::get_if<paxos::BecameLeader>(replica)) {
    ++leader_changes_;
    note_(absl::StrCat("node ", self_.value(), " leads, ballot round ", leader->ballot.round));
  } else if (const auto* stepped = std::get_if<paxos::SteppedDown>(replica)) {
    note_(absl::StrCat("node ", self_.value(), " no longer leads, ballot round ", stepped->ballot.round));
  } else if (const auto* changed = std::get_if<paxos::MembersChanged>(replica)) {
    members_changed_(changed->membership);
  } else if (const auto* promised = std::get_if<paxos::Promised>(replica)) {
    if (promised->ballot.node == self_) return;
    ++leader_changes_;
    note_(absl::StrCat("node ", self_.value(), " promises ballot round ", promised->ballot.round, " to node ",
                       promised->ballot.node.value(), ", which is to lead"));
  } else if (const auto* forgot = std::get_if<paxos::Forgot>(replica)) {
    const std::string what =
        forgot->acknowledged == Slot(0)
            ? absl::StrCat("has promised it ballot round ", forgot->round)
            : absl::StrCat("has acknowledged slot ", forgot->acknowledged.value(), " to it");
    forgot_(
        absl::DataLossError(absl::StrCat("node ", forgot->leader.value(), " leads and knows that this node ",
                                         what, ", and the journal here ends at slot ", forgot->held.value(),
                                         ": the disk has lost what it had called durable, or an older copy "
                                         "of the data directory was put back")));
  } else if (const auto* diverged = std::get_if<paxos::Diverged>(replica)) {
    fatal_(absl::DataLossError(absl::StrCat(
        "slot ", diverged->slot.value(), " of the log was decided otherwise here than at node ",
        diverged->peer.value(), " (digest ", absl::Hex(diverged->here, absl::kZeroPad16), " here, ",
        absl::Hex(diverged->there, absl::kZeroPad16),
        " there): one of the two has lost or changed what was acknowledged; keep its data directory, see "
        "with "
        "`bytetorrent status` which node differs from the others, and start that one anew from them")));
  }
}

void TrackerEdge::OnFatal(absl::Status status) { fatal_(std::move(status)); }

}  // namespace bt::nodes
