// What any server on the network may answer our client.

#include <string>

#include "core/base/check.h"
#include "net/http/codec.h"
#include "nodes/http_api/client.h"
#include "nodes/http_api/json_api.h"
#include "tests/fuzz/input.h"

namespace api = bt::tracker_api;

namespace {

api::Request RequestOf(uint8_t kind) {
  switch (kind % 7) {
    case 0:
      return api::Announce{};
    case 1:
      return api::Register{};
    case 2:
      return api::Lookup{};
    case 3:
      return api::List{};
    case 4:
      return api::Fetch{};
    case 5:
      return api::Offer{};
    default:
      return api::Status{};
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bt::fuzz::Input input(data, size);
  const api::Request request = RequestOf(input.Byte());
  bt::net::HttpResponseReader reader;
  std::string_view bytes = input.rest();
  bt::net::HttpRead read = reader.Read(bytes);
  if (read == bt::net::HttpRead::kMore) read = reader.End();
  if (read != bt::net::HttpRead::kDone) return 0;
  const bt::net::HttpResponse response = reader.Take();
  const auto answer = bt::nodes::ParseResponse(request, response);
  CHECK(answer.ok() || !answer.status().message().empty());
  (void)bt::nodes::ParseClusterId(response.body);
  CHECK(bt::nodes::ParseClusterNodes(response.body).size() <= bt::nodes::kClusterNodesLimit);
  return 0;
}
