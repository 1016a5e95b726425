#include "nodes/tracker/http_edge.h"

#include <optional>
#include <utility>
#include <variant>

#include "core/base/check.h"
#include "nodes/http_api/form.h"
#include "nodes/tracker/tracker_edge.h"

namespace bt::nodes {

HttpEdge::HttpEdge(EdgeIdentity identity, CallRouter& router)
    : identity_(std::move(identity)), router_(router) {}

void HttpEdge::Begin(const net::Journal* journal, const net::ReplicaLinks* links, const TrackerEdge* node) {
  node_ = node;
  journal_ = journal;
  links_ = links;
  begun_ = true;
}

void HttpEdge::OnRequest(net::HttpExchange exchange, net::HttpRequest&& request, const Address& peer) {
  ParsedRequest parsed = ParseRequest(request, peer);
  const Endpoint endpoint = parsed.rendering.endpoint;
  if (!parsed.request) return Answer(exchange, endpoint, parsed.answer);
  const auto refuse = [&](const std::string& why) {
    Answer(exchange, endpoint,
           RenderResponse(parsed.rendering, tracker_api::Unavailable(why, Seconds(1)), identity_));
  };
  if (const std::optional<std::string> why = Refusal()) return refuse(*why);
  const std::optional<CallId> call = router_.Open(*this, exchange);
  if (!call) return refuse("too many requests are under way at this node; ask another node, or again");
  asked_.emplace(exchange, Asked{*call, std::move(parsed.rendering)});
  router_.Ask(*call, tracker::Asked{*std::move(parsed.request), tracker::SourceOf(peer)});
}

void HttpEdge::OnGone(net::HttpExchange exchange) {
  const auto found = asked_.find(exchange);
  if (found == asked_.end()) return;
  const CallId call = found->second.call;
  asked_.erase(found);
  router_.Cancel(call);
}

void HttpEdge::OnReply(uint64_t exchange, tracker_api::Response response) {
  const auto found = asked_.find(exchange);
  CHECK(found != asked_.end());  // an exchange that is gone has cancelled its call
  const Rendering rendering = std::move(found->second.rendering);
  asked_.erase(found);
  const bool metrics =
      rendering.endpoint == Endpoint::kMetrics && response.outcome == tracker_api::Outcome::kOk;
  Answer(exchange, rendering.endpoint,
         metrics ? Metrics(response) : RenderResponse(rendering, response, identity_));
}

net::HttpResponse HttpEdge::Metrics(const tracker_api::Response& response) const {
  const auto* status = std::get_if<tracker_api::NodeStatus>(&response.body);
  CHECK(status != nullptr);
  net::HttpResponse answer = TextResponse(
      200, MetricsText({counters_, *server_, router_.under_way(), journal_->counters(), links_,
                        node_->leader_changes(), *status, node_->host().machine(), node_->host().step_times(),
                        node_->host().dropped_sends(), journal_set_aside_, udp_}));
  answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
  return answer;
}

void HttpEdge::Answer(net::HttpExchange exchange, Endpoint endpoint, const net::HttpResponse& response) {
  counters_.Count(endpoint, response.status);
  server_->Reply(exchange, response);
}

}  // namespace bt::nodes
