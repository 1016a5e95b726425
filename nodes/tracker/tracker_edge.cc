#include "nodes/tracker/tracker_edge.h"

#include <absl/strings/str_cat.h>

#include <type_traits>
#include <utility>
#include <variant>

#include "core/base/check.h"
#include "nodes/http_api/form.h"

namespace bt::nodes {

TrackerEdge::TrackerEdge(EdgeIdentity identity, std::function<void(absl::Status)> fatal,
                         std::function<void(std::string)> note)
    : identity_(std::move(identity)), fatal_(std::move(fatal)), note_(std::move(note)) {}

void TrackerEdge::Attach(Host* host, Links* links, net::HttpServer* server, const net::Journal* journal,
                         const net::ReplicaLinks* replica_links) {
  host_ = host;
  links_ = links;
  server_ = server;
  journal_ = journal;
  replica_links_ = replica_links;
}

void TrackerEdge::OnRequest(net::HttpExchange exchange, net::HttpRequest&& request, const Address& peer) {
  ParsedRequest parsed = ParseRequest(request, peer);
  if (!parsed.request) return Answer(exchange, parsed.rendering.endpoint, parsed.answer);
  calls_.emplace(exchange, std::move(parsed.rendering));
  host_->Deliver(Call<tracker::Protocol>{CallId(exchange), *std::move(parsed.request)});
}

void TrackerEdge::OnGone(net::HttpExchange exchange) {
  if (calls_.erase(exchange) > 0) host_->Deliver(CallCancelled{CallId(exchange)});
}

void TrackerEdge::SendMessage(NodeId to, const tracker::Protocol::Message& message) {
  CHECK(links_ != nullptr);
  links_->Send(to, message);
}

void TrackerEdge::OnReply(CallId call, tracker_api::Response response) {
  const auto found = calls_.find(call.value());
  if (found == calls_.end()) return;  // the asker left in the meantime
  const Rendering rendering = std::move(found->second);
  calls_.erase(found);
  const bool metrics =
      rendering.endpoint == Endpoint::kMetrics && response.outcome == tracker_api::Outcome::kOk;
  Answer(call.value(), rendering.endpoint,
         metrics ? Metrics(response) : RenderResponse(rendering, response, identity_));
}

net::HttpResponse TrackerEdge::Metrics(const tracker_api::Response& response) const {
  const auto* status = std::get_if<tracker_api::NodeStatus>(&response.body);
  CHECK(status != nullptr);
  net::HttpResponse answer = TextResponse(
      200, MetricsText({counters_, server_->counters(), server_->open_connections(), journal_->counters(),
                        replica_links_ == nullptr ? nullptr : &replica_links_->counters(), *status}));
  answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
  return answer;
}

void TrackerEdge::Answer(net::HttpExchange exchange, Endpoint endpoint, const net::HttpResponse& response) {
  counters_.Count(endpoint, response.status);
  server_->Reply(exchange, response);
}

void TrackerEdge::OnNote(const tracker::Protocol::Note& note) {
  const auto* replica = std::get_if<paxos::Note>(&note);
  if (replica == nullptr) return;
  if (const auto* leader = std::get_if<paxos::BecameLeader>(replica)) {
    note_(absl::StrCat("node ", identity_.node.value(), " leads, ballot round ", leader->ballot.round));
  } else if (const auto* stepped = std::get_if<paxos::SteppedDown>(replica)) {
    note_(absl::StrCat("node ", identity_.node.value(), " no longer leads, ballot round ",
                       stepped->ballot.round));
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
