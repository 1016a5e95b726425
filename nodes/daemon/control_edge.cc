#include "nodes/daemon/control_edge.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <optional>
#include <utility>

#include "core/base/version.h"
#include "nodes/http_api/form.h"
#include "nodes/http_api/json_api.h"
#include "nodes/http_api/uri.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

int StatusOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kFailedPrecondition:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 413;
    default:
      return 503;
  }
}

// Deeper than any order: text that nests for ever must not be followed.
Json ParseBody(const std::string& body) {
  const auto shallow = [](int depth, Json::parse_event_t, Json&) {
    return depth <= static_cast<int>(kJsonDepthLimit);
  };
  return Json::parse(body, shallow, /*allow_exceptions=*/false);
}

// What `json` says in place of what there is in `limits`.
absl::StatusOr<Transfers::Limits> ParseLimits(const Json& json, Transfers::Limits limits) {
  if (!json.is_object()) return absl::InvalidArgumentError("the body is no JSON object");
  for (const auto& [name, value] : json.items()) {
    if (name.starts_with("seed_")) {
      const absl::Status read = ReadSeedLimit(name, value, limits.seed);
      if (!read.ok()) return read;
      continue;
    }
    const bool known = name == "upload_limit" || name == "download_limit";
    if (!known || !value.is_number_unsigned() || value.get<uint64_t>() > kRateLimitMax) {
      return absl::InvalidArgumentError(
          "give upload_limit and download_limit, bytes a second each, seed_time, seed_ratio; 0 is no limit");
    }
    (name == "upload_limit" ? limits.upload : limits.download) = value.get<uint64_t>();
  }
  return limits;
}

}  // namespace

ControlEdge::ControlEdge(net::Loop& loop, net::Listener listener, Transfers& transfers,
                         std::function<void()> shut_down)
    : loop_(loop), transfers_(transfers), shut_down_(std::move(shut_down)) {
  server_ = std::make_unique<net::HttpServer>(
      loop, std::move(listener), net::HttpServerLimits{.connections = kControlConnectionsMax},
      [this](net::HttpExchange exchange, net::HttpRequest&& request, const Address&) {
        OnRequest(exchange, request);
      },
      // What it has asked for is done all the same.
      [this](net::HttpExchange exchange) { readers_->Gone(exchange); });
  readers_ = std::make_unique<DataReaders>(loop_, *server_, transfers_);
  server_->OnMore([this](net::HttpExchange exchange) { readers_->More(exchange); });
}

void ControlEdge::Refuse(net::HttpExchange exchange, int status, std::string_view why) {
  server_->Reply(exchange, ApiResponse(status, WriteError(why)));
}

void ControlEdge::OnRequest(net::HttpExchange exchange, const net::HttpRequest& request) {
  const std::optional<Target> target = ParseTarget(request.target);
  if (!target || target->path.empty()) return Refuse(exchange, 404, "no such path");
  if (request.body.size() > kControlBodyMax) {
    return Refuse(exchange, 413, "the body is too large: 256 KiB are the most");
  }
  if (transfers_.stopping()) return Refuse(exchange, 503, "the daemon is stopping");
  const std::vector<std::string>& path = target->path;
  const bool get = request.method == "GET";
  const bool post = request.method == "POST";
  if (path[0] == "transfers" && path.size() > 1) {
    uint64_t id = 0;
    if (!absl::SimpleAtoi(path[1], &id) || transfers_.Find(id) == nullptr) {
      return Refuse(exchange, 404, absl::StrCat("there is no transfer ", Printable(path[1])));
    }
    if (path.size() > 2 && path[2] == "data") return readers_->Begin(exchange, request, *target, id);
    if (path.size() > 3) return Refuse(exchange, 404, "no such path");
    return OnTransfer(exchange, request, id, path.size() == 3 ? path[2] : "");
  }
  if (path.size() == 1 && path[0] == "transfers" && get) return List(exchange);
  if (path.size() == 1 && path[0] == "transfers" && post) return Add(exchange, request);
  if (path.size() == 1 && path[0] == "limits" && post) return SetLimits(exchange, request, 0);
  if (path.size() == 1 && path[0] == "shutdown" && post) {
    server_->Reply(exchange, ApiResponse(200, "{}\n"));
    return shut_down_();
  }
  const bool known =
      path.size() == 1 && (path[0] == "transfers" || path[0] == "limits" || path[0] == "shutdown");
  Refuse(exchange, known ? 405 : 404, known ? "not by that method" : "no such path");
}

void ControlEdge::OnTransfer(net::HttpExchange exchange, const net::HttpRequest& request, uint64_t id,
                             const std::string& verb) {
  const bool get = request.method == "GET";
  if (verb.empty() && get) {
    return server_->Reply(exchange, ApiResponse(200, JsonText(transfers_.Find(id)->ToJson()) + "\n"));
  }
  if (verb.empty() && request.method == "DELETE") {
    return transfers_.Remove(id, [this, exchange](const absl::Status& status) {
      if (!status.ok()) return Refuse(exchange, StatusOf(status), Message(status));
      server_->Reply(exchange, ApiResponse(200, "{}\n"));
    });
  }
  const bool known = verb.empty() || verb == "pause" || verb == "resume" || verb == "limits";
  if (!known) return Refuse(exchange, 404, "no such path");
  if (request.method != "POST" || verb.empty()) return Refuse(exchange, 405, "not by that method");
  if (verb == "pause") return transfers_.Pause(id, Answer(exchange, id));
  if (verb == "resume") return transfers_.Resume(id, Answer(exchange, id));
  SetLimits(exchange, request, id);
}

Transfers::Done ControlEdge::Answer(net::HttpExchange exchange, uint64_t id) {
  return [this, exchange, id](const absl::Status& status) {
    if (!status.ok()) return Refuse(exchange, StatusOf(status), Message(status));
    const DaemonTransfer* transfer = transfers_.Find(id);
    if (transfer == nullptr) return Refuse(exchange, 404, "it was removed meanwhile");
    server_->Reply(exchange, ApiResponse(200, JsonText(transfer->ToJson()) + "\n"));
  };
}

void ControlEdge::Add(net::HttpExchange exchange, const net::HttpRequest& request) {
  absl::StatusOr<Order> order = ParseOrder(ParseBody(request.body));
  if (!order.ok()) {
    return Refuse(exchange, 400, absl::StrCat("the body is no order: ", order.status().message()));
  }
  transfers_.Add(*std::move(order), [this, exchange](const absl::StatusOr<Transfers::Added>& added) {
    if (!added.ok()) return Refuse(exchange, StatusOf(added.status()), Message(added.status()));
    const DaemonTransfer* transfer = transfers_.Find(added->id);
    if (transfer == nullptr) return Refuse(exchange, 404, "it was removed meanwhile");
    server_->Reply(exchange, ApiResponse(added->created ? 201 : 200, JsonText(transfer->ToJson()) + "\n"));
  });
}

void ControlEdge::SetLimits(net::HttpExchange exchange, const net::HttpRequest& request, uint64_t id) {
  Transfers::Limits now{transfers_.upload_limit(), transfers_.download_limit(), transfers_.seed()};
  if (id != 0) {
    const Order& order = transfers_.Find(id)->order();
    now = {order.upload_limit, order.download_limit, order.seed};
  }
  const absl::StatusOr<Transfers::Limits> limits = ParseLimits(ParseBody(request.body), now);
  if (!limits.ok()) return Refuse(exchange, 400, Message(limits.status()));
  if (id != 0) return transfers_.SetLimits(id, *limits, Answer(exchange, id));
  transfers_.SetLimits(*limits, [this, exchange](const absl::Status& status) {
    if (!status.ok()) return Refuse(exchange, StatusOf(status), Message(status));
    List(exchange);
  });
}

void ControlEdge::List(net::HttpExchange exchange) {
  Json json = {{"version", kVersion},
               {"listen", transfers_.listen().ToString()},
               {"upload_limit", transfers_.upload_limit()},
               {"download_limit", transfers_.download_limit()},
               {"transfers", Json::array()}};
  WriteSeedLimits(transfers_.seed(), json);
  for (const auto& [id, transfer] : transfers_.all()) json["transfers"].push_back(transfer->ToJson());
  server_->Reply(exchange, ApiResponse(200, JsonText(json) + "\n"));
}

}  // namespace bt::nodes
