// The scenario tracker_faults with the HTTP API between its clients and its nodes: each request is written as
// HTTP text, read back, asked; each answer is written, read back, judged. What the API loses or changes on
// the way shows as an answer that may not come, or as a registry that is not what was acknowledged.

#include <string>
#include <utility>
#include <variant>

#include "core/base/check.h"
#include "net/http/codec.h"
#include "nodes/http_api/client.h"
#include "nodes/http_api/server.h"
#include "sim/harness.h"
#include "sim/scenarios/tracker_faults.h"

namespace bt::sim {
namespace {

using tracker_api::Request;
using tracker_api::Response;

class HttpEdge final : public EdgeTranslation {
 public:
  std::variant<Request, Response> Ask(const Request& request) const override {
    nodes::ParsedRequest parsed = Parse(request);
    if (parsed.request.has_value()) return *std::move(parsed.request);
    return Read(request, parsed.answer);
  }
  Response Answer(const Request& request, const Response& response) const override {
    return Read(request, nodes::RenderResponse(Parse(request).rendering, response, {}));
  }

 private:
  // As it arrives at a node, over a connection from the peer that the request speaks for.
  static nodes::ParsedRequest Parse(const Request& request) {
    std::string text;
    net::WriteHttpRequest(nodes::RenderRequest(request), "tracker", text);
    net::HttpRequestReader reader;
    std::string_view rest = text;
    CHECK(reader.Read(rest) == net::HttpRead::kDone && rest.empty());
    return nodes::ParseRequest(reader.Take(), From(request));
  }
  static Response Read(const Request& request, const net::HttpResponse& answer) {
    std::string text;
    net::WriteHttpResponse(answer, false, true, false, text);
    net::HttpResponseReader reader;
    std::string_view rest = text;
    CHECK(reader.Read(rest) == net::HttpRead::kDone && rest.empty());
    const absl::StatusOr<Response> response = nodes::ParseResponse(request, reader.Take());
    CHECK_MSG(response.ok(), std::string(response.status().message()).c_str());
    return *response;
  }
  static Address From(const Request& request) {
    return std::visit(
        [](const auto& one) {
          if constexpr (requires { one.peer; }) return one.peer;
          return Address::V4(10, 1, 0, 1, 1);
        },
        request);
  }
};

void Run(World& world) {
  static const HttpEdge edge;
  RunTrackerFaults(world, &edge);
}

const Scenario kHttpEdge = {"http_edge", "tracker_faults with the HTTP API between clients and nodes", Run};

}  // namespace
}  // namespace bt::sim

int main(int argc, char** argv) {
  return bt::sim::ScenarioTestMain(bt::sim::kHttpEdge, 60, {1, 2, 3, 4, 5, 6, 7, 8}, argc, argv);
}
