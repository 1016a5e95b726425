#pragma once

// TrackerEdge: what lies around a hosted tracker node. Its messages go to the replica links, its replies
// through the router to the edge that asked, its notes to the operator. Loop thread only.

#include <absl/status/status.h>

#include <functional>
#include <string>

#include "core/machine/step_recorder.h"
#include "core/tracker/node.h"
#include "net/host.h"
#include "net/message_links.h"
#include "nodes/tracker/call_router.h"

namespace bt::nodes {

class TrackerEdge {
 public:
  using Host = net::Host<tracker::TrackerNode, TrackerEdge, net::NoStore, StepRecorder<tracker::Protocol>>;
  using Links = net::MessageLinks<tracker::Protocol::Message>;

  // `fatal` is told once when the node must stop; `forgot` when it must because its journal has lost what had
  // been durable; `note` gets lines for the operator.
  TrackerEdge(std::function<void(absl::Status)> fatal, std::function<void(absl::Status)> forgot,
              std::function<void(std::string)> note);

  // The rest of the wiring, before the host starts, of node `self`. `links` is nullptr for a cluster of one;
  // `members_changed` is called when the log has told of other members.
  void Attach(NodeId self, Host* host, Links* links,
              std::function<void(const paxos::Membership&)> members_changed);

  // Where edges ask the node.
  CallRouter& router() { return router_; }

  // Ballots of its own that this node has led, and of others that it has promised.
  uint64_t leader_changes() const { return leader_changes_; }

  const Host& host() const { return *host_; }

  // For the host.
  void SendMessage(NodeId to, const tracker::Protocol::Message& message);
  void OnReply(CallId call, tracker_api::Response response);
  void OnNote(const tracker::Protocol::Note& note);
  void OnFatal(absl::Status status);

 private:
  NodeId self_;
  std::function<void(absl::Status)> fatal_;
  std::function<void(absl::Status)> forgot_;
  std::function<void(std::string)> note_;
  Host* host_ = nullptr;
  Links* links_ = nullptr;
  std::function<void(const paxos::Membership&)> members_changed_;
  uint64_t leader_changes_ = 0;
  CallRouter router_;
};

}  // namespace bt::nodes
