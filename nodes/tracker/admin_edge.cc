#include "nodes/tracker/admin_edge.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <optional>
#include <utility>

#include "core/base/check.h"
#include "nodes/http_api/form.h"
#include "nodes/http_api/json_api.h"
#include "nodes/http_api/uri.h"
#include "nodes/shared/backup.h"
#include "nodes/shared/member_address.h"
#include "nodes/shared/text.h"
#include "nodes/tracker/admin_json.h"

namespace bt::nodes {
namespace {

constexpr size_t kConnections = 8;

// nullopt: it is not given.
absl::StatusOr<std::optional<NodeId>> IdIn(const Target& target, const char* field) {
  const std::string* text = target.Find(field);
  if (text == nullptr) return std::nullopt;
  uint32_t id = 0;
  if (absl::SimpleAtoi(*text, &id) && id > 0) return NodeId(id);
  return absl::InvalidArgumentError(absl::StrCat(field, "=", Printable(*text), " is no node's id"));
}

absl::StatusOr<NodeId> RequiredId(const Target& target) {
  const absl::StatusOr<std::optional<NodeId>> id = IdIn(target, "id");
  if (!id.ok()) return id.status();
  if (!*id) return absl::InvalidArgumentError("id is missing");
  return **id;
}

absl::StatusOr<tracker::Order> ParseAdd(const Target& target) {
  const absl::StatusOr<NodeId> id = RequiredId(target);
  if (!id.ok()) return id.status();
  const absl::StatusOr<std::optional<NodeId>> replaces = IdIn(target, "replaces");
  if (!replaces.ok()) return replaces.status();
  const std::string* contact = target.Find("contact");
  if (contact == nullptr) return absl::InvalidArgumentError("contact is missing");
  const absl::StatusOr<MemberAddress> addresses = ParseMemberAddress(*contact);
  if (!addresses.ok()) return addresses.status();
  return paxos::AddMember{.id = *id, .replaces = replaces->value_or(NodeId(0)), .contact = *contact};
}

int StatusOf(tracker_api::Outcome outcome) {
  switch (outcome) {
    case tracker_api::Outcome::kOk:
      return 200;
    case tracker_api::Outcome::kConflict:
      return 409;
    case tracker_api::Outcome::kInvalid:
      return 400;
    default:
      return 503;
  }
}

}  // namespace

absl::StatusOr<tracker::Order> ParseOrder(const net::HttpRequest& request) {
  const std::optional<Target> target = ParseTarget(request.target);
  if (!target) return absl::InvalidArgumentError("not a path");
  const std::string path = absl::StrJoin(target->path, "/");
  if (request.method != "POST") return absl::NotFoundError("no such path, or not by that method");
  if (path == "members/add") return ParseAdd(*target);
  if (path == "members/remove") {
    const absl::StatusOr<NodeId> id = RequiredId(*target);
    if (!id.ok()) return id.status();
    return paxos::RemoveMember{*id};
  }
  if (path == "leader") {
    const absl::StatusOr<std::optional<NodeId>> to = IdIn(*target, "to");
    if (!to.ok()) return to.status();
    return paxos::TransferLeadership{to->value_or(NodeId(0))};
  }
  return absl::NotFoundError("no such path, or not by that method");
}

net::HttpResponse BackupResponse(const net::HttpRequest& request, uint64_t cluster,
                                 const paxos::Snapshot& snapshot) {
  const std::optional<Target> target = ParseTarget(request.target);
  const auto number = [&](const char* field) -> std::optional<uint64_t> {
    const std::string* text = target ? target->Find(field) : nullptr;
    uint64_t value = 0;
    return text != nullptr && absl::SimpleAtoi(*text, &value) ? std::optional(value) : std::nullopt;
  };
  const auto bytes = [](std::string body) {
    return net::HttpResponse{.content_type = "application/octet-stream", .body = std::move(body)};
  };
  if (snapshot.empty()) {
    return ApiResponse(409, WriteError("this node has written no snapshot yet: POST /snapshot"));
  }
  if (target && target->Find("part") == nullptr) {
    return bytes(BackupBeginning({.cluster = cluster,
                                  .prefix = snapshot.prefix,
                                  .stamp = snapshot.stamp,
                                  .parts = static_cast<uint32_t>(snapshot.parts.size())}));
  }
  const std::optional<uint64_t> slot = number("slot");
  const std::optional<uint64_t> part = number("part");
  if (!slot || !part || *part >= snapshot.parts.size()) {
    return ApiResponse(400, WriteError("give slot= and part= of the snapshot, as numbers"));
  }
  if (*slot != snapshot.prefix.slot.value()) {
    return ApiResponse(409, WriteError("this node has written a newer snapshot meanwhile: begin again"));
  }
  return bytes(BackupFrame(snapshot.parts[*part]));
}

AdminEdge::AdminEdge(net::Loop& loop, net::Listener listener, CallRouter& router,
                     const tracker::TrackerNode& node, About about)
    : loop_(loop), router_(router), node_(node), about_(std::move(about)) {
  server_ = std::make_unique<net::HttpServer>(
      loop, std::move(listener), net::HttpServerLimits{.connections = kConnections},
      [this](net::HttpExchange exchange, net::HttpRequest&& request, const Address&) {
        OnRequest(exchange, request);
      },
      [this](net::HttpExchange exchange) { OnGone(exchange); });
}

void AdminEdge::OnRequest(net::HttpExchange exchange, const net::HttpRequest& request) {
  if (request.method == "GET" && request.target == "/members") {
    return server_->Reply(exchange, ApiResponse(200, MembersText(node_.replica())));
  }
  if (request.method == "GET" && request.target == "/level") {
    return server_->Reply(exchange, ApiResponse(200, LevelText(node_, loop_.now())));
  }
  if (request.method == "GET" && request.target.starts_with("/backup")) {
    return server_->Reply(exchange, BackupResponse(request, about_.cluster, node_.replica().snapshot()));
  }
  if (request.method == "GET" && request.target == "/limits") {
    return server_->Reply(exchange, ApiResponse(200, LimitsText(node_.state(), about_.own_limits())));
  }
  if (request.method == "POST" && request.target.starts_with("/limits?")) return SetLimits(exchange, request);
  if (request.method == "POST" && request.target == "/snapshot")
    return Ask(exchange, request.target, tracker::TakeSnapshot{});
  absl::StatusOr<tracker::Order> order = ParseOrder(request);
  if (!order.ok()) {
    const int status = absl::IsNotFound(order.status()) ? 404 : 400;
    return server_->Reply(exchange, ApiResponse(status, WriteError(Message(order.status()))));
  }
  if (!about_.may_grow && std::holds_alternative<paxos::AddMember>(*order)) {
    return server_->Reply(
        exchange, ApiResponse(409, WriteError("this node has no port for other nodes; start it with --node "
                                              "ID=REPLICA_HOST:PORT/CLIENT_HOST:PORT")));
  }
  Ask(exchange, request.target, *std::move(order));
}

void AdminEdge::SetLimits(net::HttpExchange exchange, const net::HttpRequest& request) {
  absl::StatusOr<tracker::SetLimits> limits = ParseSetLimits(request, node_.registry().limits());
  if (!limits.ok()) return server_->Reply(exchange, ApiResponse(400, WriteError(Message(limits.status()))));
  Ask(exchange, request.target, *std::move(limits), /*limits=*/true);
}

void AdminEdge::Ask(net::HttpExchange exchange, std::string what, tracker::Protocol::Request request,
                    bool limits) {
  const std::optional<CallId> call = router_.Open(*this, exchange);
  if (!call) return server_->Reply(exchange, ApiResponse(503, WriteError("too many requests at this node")));
  asked_.emplace(exchange, Asked{*call, std::move(what), limits});
  router_.Ask(*call, std::move(request));
}

void AdminEdge::OnGone(net::HttpExchange exchange) {
  const auto found = asked_.find(exchange);
  if (found == asked_.end()) return;
  const CallId call = found->second.call;
  about_.audit->Ordered(found->second.what, AuditLog::kGone);
  asked_.erase(found);
  router_.Cancel(call);
}

void AdminEdge::OnReply(uint64_t exchange, tracker_api::Response response) {
  const auto found = asked_.find(exchange);
  CHECK(found != asked_.end());  // an exchange that is gone has cancelled its call
  const Asked asked = std::move(found->second);
  asked_.erase(found);
  const int status = StatusOf(response.outcome);
  about_.audit->Ordered(asked.what, AuditLog::OutcomeOf(status));
  if (status != 200) return server_->Reply(exchange, ApiResponse(status, WriteError(response.reason)));
  server_->Reply(exchange, ApiResponse(200, asked.limits ? LimitsText(node_.state(), about_.own_limits())
                                                         : MembersText(node_.replica())));
}

}  // namespace bt::nodes
