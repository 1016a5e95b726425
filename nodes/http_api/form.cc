#include "nodes/http_api/form.h"

#include <utility>

namespace bt::nodes {

std::string HostText(const Address& address) {
  const std::string text = address.ToString();
  const std::string host = text.substr(0, text.rfind(':'));
  return host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
}

net::HttpResponse ApiResponse(int status, std::string body, std::string_view content_type) {
  net::HttpResponse response;
  response.status = status;
  response.content_type = std::string(content_type);
  response.headers.push_back({std::string(kApiHeader), std::string(kApiVersion)});
  response.body = std::move(body);
  return response;
}

net::HttpResponse TextResponse(int status, std::string_view text) {
  net::HttpResponse response;
  response.status = status;
  response.body = std::string(text);
  return response;
}

}  // namespace bt::nodes
