#include "nodes/tracker/http_edge.h"

#include <optional>
#include <utility>
#include <variant>

#include "core/base/check.h"
#include "nodes/http_api/form.h"
#include "nodes/tracker/cluster_json.h"
#include "nodes/tracker/descriptors.h"
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

Access HttpEdge::Judge(Endpoint endpoint, const net::HttpRequest& request) const {
  if (std::optional<net::HttpResponse> foreign = RefuseForeignPage(endpoint, request, identity_)) {
    return {{}, std::move(foreign)};
  }
  return table() == nullptr ? Access{} : JudgeAccess(*table(), endpoint, request);
}

// Before anything of the body is looked at: strangers make this node parse nothing. `who` is whose token it
// is that may go on.
bool HttpEdge::Refused(net::HttpExchange exchange, const net::HttpRequest& request, const Address& peer,
                       std::string& who) {
  const bool judged =
      table() != nullptr || !request.Header("Origin").empty() || !request.Header("Sec-Fetch-Site").empty();
  if (!judged) return false;
  const Endpoint endpoint = EndpointOf(request);
  Access access = Judge(endpoint, request);
  who = std::move(access.who);
  if (!access.refusal) return false;
  if (table() != nullptr && IsWrite(endpoint)) {
    audit_->Refused(who, peer, EndpointName(endpoint), AuditLog::OutcomeOf(access.refusal->status));
  }
  Answer(exchange, endpoint, *access.refusal);
  return true;
}

bool HttpEdge::LacksKey(net::HttpExchange exchange, const net::HttpRequest& request, std::string& who) {
  if (keys() == nullptr) return false;
  const Endpoint endpoint = EndpointOf(request);
  std::optional<std::string> why = RefuseWithoutKey(*keys(), endpoint, request, who);
  if (!why) return false;
  tracker_api::Response response;
  response.outcome = tracker_api::Outcome::kInvalid;
  response.reason = *std::move(why);
  Answer(exchange, endpoint, RenderResponse({.endpoint = endpoint}, response, identity_));
  return true;
}

std::optional<std::string> HttpEdge::UdpRefusal() const {
  if (keys() != nullptr && !keys()->anybody().Has(TokenRole::kAnnounce)) {
    return "this tracker wants a key in the announce URL, which it takes over HTTP alone";
  }
  return Refusal();
}

void HttpEdge::OnRequest(net::HttpExchange exchange, net::HttpRequest&& request, const Address& peer) {
  std::string who;
  if (Refused(exchange, request, peer, who) || LacksKey(exchange, request, who)) return;
  ParsedRequest parsed = ParseRequest(request, peer);
  const Endpoint endpoint = parsed.rendering.endpoint;
  if (!parsed.request) return Answer(exchange, endpoint, parsed.answer);
  std::unique_ptr<Audited> audited;
  if (table() != nullptr && IsWrite(endpoint)) {
    std::string what = WriteText(*parsed.request);
    if (!what.empty()) audited = std::make_unique<Audited>(Audited{std::move(who), peer, std::move(what)});
  }
  const auto refuse = [&](const std::string& why) {
    if (audited) Tell(*audited, AuditLog::OutcomeOf(503));
    Answer(exchange, endpoint,
           RenderResponse(parsed.rendering, tracker_api::Unavailable(why, Seconds(1)), identity_));
  };
  if (const std::optional<std::string> why = Refusal()) return refuse(*why);
  const std::optional<CallId> call = router_.Open(*this, exchange);
  if (!call) return refuse("too many requests are under way at this node; ask another node, or again");
  asked_.emplace(exchange, Asked{*call, std::move(parsed.rendering), std::move(audited)});
  router_.Ask(*call, tracker::Asked{*std::move(parsed.request), tracker::SourceOf(peer)});
}

void HttpEdge::OnGone(net::HttpExchange exchange) {
  const auto found = asked_.find(exchange);
  if (found == asked_.end()) return;
  const CallId call = found->second.call;
  if (found->second.audited) Tell(*found->second.audited, AuditLog::kGone);
  asked_.erase(found);
  router_.Cancel(call);
}

void HttpEdge::OnReply(uint64_t exchange, tracker_api::Response response) {
  const auto found = asked_.find(exchange);
  CHECK(found != asked_.end());  // an exchange that is gone has cancelled its call
  const Asked asked = std::move(found->second);
  asked_.erase(found);
  const Endpoint endpoint = asked.rendering.endpoint;
  const bool ok = response.outcome == tracker_api::Outcome::kOk;
  const net::HttpResponse answer = ok && endpoint == Endpoint::kMetrics ? Metrics(response)
                                   : ok && endpoint == Endpoint::kCluster
                                       ? ClusterView()
                                       : RenderResponse(asked.rendering, response, identity_);
  if (asked.audited) Tell(*asked.audited, AuditLog::OutcomeOf(answer.status));
  Answer(exchange, endpoint, answer);
}

void HttpEdge::Tell(const Audited& audited, std::string_view outcome) const {
  audit_->Written(audited.who, audited.from, audited.what, outcome);
}

net::HttpResponse HttpEdge::Metrics(const tracker_api::Response& response) const {
  const auto* status = std::get_if<tracker_api::NodeStatus>(&response.body);
  CHECK(status != nullptr);
  net::HttpResponse answer = TextResponse(
      200, MetricsText({counters_, *server_, router_.under_way(), journal_->counters(), links_,
                        node_->leader_changes(), *status, node_->host().machine(), node_->host().step_times(),
                        node_->host().dropped_sends(), journal_set_aside_, udp_, OwnLimits()}));
  answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
  return answer;
}

std::vector<LimitRow> HttpEdge::OwnLimits() const {
  return nodes::OwnLimits({*server_, limits_, node_->host().machine(), router_, *journal_,
                           most_descriptors_.value(), udp_edge_, links_});
}

void HttpEdge::NoteDescriptors() { most_descriptors_.Note(OpenDescriptors(limits_.descriptors)); }

net::HttpResponse HttpEdge::ClusterView() const {
  return ApiResponse(200, ClusterText({node_->host().machine(), net::Loop::ReadClock(), identity_.nodes,
                                       links_, journal_->counters(), *server_}));
}

void HttpEdge::Answer(net::HttpExchange exchange, Endpoint endpoint, const net::HttpResponse& response) {
  counters_.Count(endpoint, response.status);
  server_->Reply(exchange, response);
}

}  // namespace bt::nodes
