#pragma once

// A server on the test's own loop that answers each request with its target, but for /later, whose exchanges
// wait in a list, and raw connections to it.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/http/server.h"
#include "tests/net/support.h"

namespace bt::net {

class HttpServerTest : public ::testing::Test {
 protected:
  static constexpr Duration kPatience = Seconds(20);

  void Serve(const HttpServerLimits& limits = {}) {
    absl::StatusOr<Listener> listener = Listen(Address::V4(127, 0, 0, 1, 0));
    ASSERT_TRUE(listener.ok()) << listener.status();
    server_ = std::make_unique<HttpServer>(
        loop_, *std::move(listener), limits,
        [this](HttpExchange exchange, HttpRequest&& request, const Address&) {
          requests_.push_back(request);
          if (request.target == "/later") {
            waiting_.push_back(exchange);
          } else {
            server_->Reply(exchange, Text(request.target));
          }
        },
        [this](HttpExchange exchange) { gone_.push_back(exchange); });
  }

  static HttpResponse Text(const std::string& body) {
    HttpResponse response;
    response.body = body;
    return response;
  }

  Fd Connect() {
    absl::StatusOr<Fd> fd = StartConnect(server_->address());
    EXPECT_TRUE(fd.ok());
    Until([&] {
      pollfd poll{fd->get(), POLLOUT, 0};
      return ::poll(&poll, 1, 0) == 1;
    });
    return *std::move(fd);
  }
  Fd ConnectFrom(const char* host) { return net::ConnectFrom(host, server_->address()); }
  void Write(const Fd& fd, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
      if (sent < 0 && errno != EAGAIN) return;
      if (!bytes.empty()) loop_.RunOnce(Milliseconds(1));
    }
  }
  // What arrives until `enough` or until the connection ends ("<eof>" or "<reset>" is added).
  std::string ReadUntil(const Fd& fd, const std::function<bool(const std::string&)>& enough) {
    std::string text;
    Until([&] {
      char buffer[4096];
      const ssize_t got = ::recv(fd.get(), buffer, sizeof(buffer), 0);
      if (got > 0) text.append(buffer, static_cast<size_t>(got));
      if (got == 0 || (got < 0 && errno != EAGAIN)) {
        text += got == 0 ? "<eof>" : "<reset>";
        return true;
      }
      return enough(text);
    });
    return text;
  }
  std::string ReadToEnd(const Fd& fd) {
    return ReadUntil(fd, [](const std::string&) { return false; });
  }
  void Until(const std::function<bool()>& done) {
    const Instant end = Loop::ReadClock() + kPatience;
    while (!done()) {
      ASSERT_LT(Loop::ReadClock(), end) << "nothing happened in time";
      loop_.RunOnce(Milliseconds(1));
    }
  }

  Loop loop_;
  std::unique_ptr<HttpServer> server_;
  std::vector<HttpRequest> requests_;
  std::vector<HttpExchange> waiting_;
  std::vector<HttpExchange> gone_;
};

inline size_t Count(const std::string& text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

}  // namespace bt::net
