#pragma once

// HTTP messages as plain values: what the HTTP edges of nodes/ see of the protocol. No parser type leaks
// out of this folder.
// Invariant: header names are kept as received; look-ups ignore ASCII case. Any thread, no I/O.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bt::net {

inline constexpr size_t kHttpHeaderLimit = 16 * 1024;              // request or status line and all headers
inline constexpr size_t kHttpBodyLimit = (8 << 20) + (64 * 1024);  // a .torrent at its limit, and slack

struct HttpHeader {
  std::string name;
  std::string value;
};

struct HttpRequest {
  std::string method;  // "GET", as received
  std::string target;  // path and query, percent-encoding untouched
  std::vector<HttpHeader> headers;
  std::string body;
  bool http_1_0 = false;
  bool keep_alive = true;  // what the sender asked for (or its version implies)

  // The first header of that name; empty when there is none.
  std::string_view Header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::vector<HttpHeader> headers;  // beside Content-Type, Content-Length, Connection
  std::string body;
  // Bytes of a body that is given to HttpServer::ReplyPart after this answer, instead of `body`.
  uint64_t body_in_parts = 0;
  bool keep_alive = true;  // received: whether the connection can be used again

  std::string_view Header(std::string_view name) const;
};

// "Not Found" for 404.
std::string_view HttpReason(int status);

}  // namespace bt::net
