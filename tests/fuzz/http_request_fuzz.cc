// Requests over HTTP, from the socket's bytes to what the node is asked.

#include <string>
#include <vector>

#include "core/base/check.h"
#include "net/http/codec.h"
#include "nodes/http_api/server.h"
#include "tests/fuzz/input.h"

namespace {

void Serve(const bt::net::HttpRequest& request) {
  const bt::Address from = bt::Address::V4(192, 0, 2, 7, 4711);
  const bt::nodes::ParsedRequest parsed = bt::nodes::ParseRequest(request, from);
  std::string out;
  if (!parsed.request) {
    bt::net::WriteHttpResponse(parsed.answer, request.http_1_0, request.keep_alive, false, out);
  } else if (parsed.rendering.endpoint != bt::nodes::Endpoint::kMetrics) {
    bt::tracker_api::Response refusal;
    refusal.outcome = bt::tracker_api::Outcome::kUnavailable;
    refusal.reason = "no";
    bt::net::WriteHttpResponse(bt::nodes::RenderResponse(parsed.rendering, refusal, {}), request.http_1_0,
                               request.keep_alive, false, out);
  }
  // Nobody writes lines into our answers' heads.
  const size_t head = out.find("\r\n\r\n");
  CHECK(out.empty() || head != std::string::npos);
  for (size_t at = 0; (at = out.find('\n', at)) < head; ++at) CHECK(out[at - 1] == '\r');
}

size_t ReadAll(std::string_view stream, size_t cut, bool serve) {
  bt::net::HttpRequestReader reader;
  size_t requests = 0;
  while (!stream.empty()) {
    std::string_view part = stream.substr(0, cut);
    stream.remove_prefix(part.size());
    while (!part.empty()) {
      const bt::net::HttpRead read = reader.Read(part);
      if (read == bt::net::HttpRead::kMore) break;
      if (read != bt::net::HttpRead::kDone) return requests;
      ++requests;
      const bt::net::HttpRequest request = reader.Take();
      if (serve) Serve(request);
    }
  }
  return requests;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bt::fuzz::Input input(data, size);
  const size_t cut = 1 + input.Byte();
  const size_t whole = ReadAll(input.rest(), size + 1, true);
  CHECK_MSG(ReadAll(input.rest(), cut, false) == whole, "a cut stream holds other requests");
  return 0;
}
