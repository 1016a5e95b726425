#include "nodes/daemon/data_edge.h"

#include <absl/strings/match.h>
#include <absl/strings/numbers.h>

#include <optional>
#include <string>

#include "nodes/http_api/form.h"
#include "nodes/http_api/json_api.h"
#include "nodes/http_api/uri.h"
#include "nodes/shared/text.h"

namespace bt::nodes {

bool IsPlainHost(std::string_view host) {
  if (host.empty() || absl::EqualsIgnoreCase(Absl(host), "localhost")) return true;
  const std::string_view name = host.substr(0, host.rfind(':'));
  if (absl::EqualsIgnoreCase(Absl(name), "localhost")) return true;
  return Address::Parse(host).has_value() || Address::Parse(std::string(host) + ":80").has_value();
}

DataEdge::DataEdge(net::Loop& loop, net::Listener listener, Transfers& transfers) : transfers_(transfers) {
  server_ = std::make_unique<net::HttpServer>(
      loop, std::move(listener), net::HttpServerLimits{.connections = kDataConnectionsMax},
      [this](net::HttpExchange exchange, net::HttpRequest&& request, const Address&) {
        OnRequest(exchange, request);
      },
      [this](net::HttpExchange exchange) { readers_->Gone(exchange); });
  readers_ = std::make_unique<DataReaders>(loop, *server_, transfers_);
  server_->OnMore([this](net::HttpExchange exchange) { readers_->More(exchange); });
}

void DataEdge::OnRequest(net::HttpExchange exchange, const net::HttpRequest& request) {
  const auto refuse = [&](int status, std::string_view why) {
    server_->Reply(exchange, ApiResponse(status, WriteError(why)));
  };
  const std::optional<Target> target = ParseTarget(request.target);
  uint64_t id = 0;
  const bool data = target && target->path.size() >= 3 && target->path[0] == "transfers" &&
                    target->path[2] == "data" && absl::SimpleAtoi(target->path[1], &id);
  if (!IsPlainHost(request.Header("Host"))) return refuse(403, "name this host by its address");
  if (!data || transfers_.Find(id) == nullptr) return refuse(404, "no such path");
  readers_->Begin(exchange, request, *target, id);
}

}  // namespace bt::nodes
