#pragma once

// HttpServer: HTTP/1.0 and 1.1 connections on one listening socket. Keep-alive; pipelined requests are
// handed out as they arrive and answered in their order, whatever order Reply() is called in.
// Invariant: every exchange handed to the handler ends by one Reply() or by one call of `gone`; memory per
// connection and their number are bounded by the limits. Loop thread only.

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/base/time.h"
#include "net/acceptor.h"
#include "net/connection.h"
#include "net/http/codec.h"
#include "net/http/message.h"
#include "net/loop.h"
#include "net/socket.h"

namespace bt::net {

using HttpExchange = uint64_t;  // one request and its answer

struct HttpServerLimits {
  size_t connections = 16384;      // more are closed as they are accepted
  size_t pipelined = 64;           // unanswered requests of one connection; above, it is not read
  size_t output = 512 * 1024;      // unsent bytes of one connection; above, it is not read
  size_t receiving = 256 << 20;    // bytes of unfinished requests, all connections together
  Duration idle = Seconds(75);     // between requests
  Duration request = Seconds(20);  // for a request, and a second more per slow_bytes of it
  size_t slow_bytes = 16 * 1024;
  ConnectionOptions connection;
};

struct HttpServerCounters : ConnectionCounters {
  uint64_t accepted = 0;
  uint64_t overloaded = 0;  // dropped because unfinished requests fill the memory set aside for them
  uint64_t refused = 0;     // over the limit of connections
  uint64_t requests = 0;
  uint64_t malformed = 0;  // not HTTP, or over a limit: answered 4xx and closed
  uint64_t timed_out = 0;
};

class HttpServer {
 public:
  using Handler = std::function<void(HttpExchange, HttpRequest&&, const Address& peer)>;
  using Gone = std::function<void(HttpExchange)>;

  HttpServer(Loop& loop, Listener listener, const HttpServerLimits& limits, Handler handler, Gone gone);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  const Address& address() const { return address_; }
  const HttpServerCounters& counters() const { return counters_; }
  size_t open_connections() const { return clients_.size(); }

  // Once per exchange, from the handler or later; ignored when the connection is gone.
  void Reply(HttpExchange exchange, const HttpResponse& response);
  // Closes the listener and idle connections; the others close after their last answer.
  void StopAccepting();

 private:
  struct Pending {
    HttpExchange exchange;
    bool http_1_0;
    bool keep_alive;
    bool head_only;
    std::optional<std::string> answer;  // bytes, once given
  };
  struct Client {
    uint64_t id;
    std::unique_ptr<Connection> connection;
    HttpRequestReader reader;
    std::string input;            // read but not yet parsed: reading was paused meanwhile
    std::deque<Pending> pending;  // in order of arrival
    uint64_t next_sequence = 0;
    size_t held = 0;        // bytes of answers that wait for an earlier request's
    size_t unfinished = 0;  // bytes of the request that is being received
    Instant request_began;
    bool receiving = false;  // a request has begun and is not complete
    bool no_more = false;    // nothing after the pending requests will be read
  };

  void Take(Fd fd, const Address& peer);
  void OnEvent(Client& client, ConnectionEvent event);
  void Read(Client& client);
  void Parse(Client& client, std::string_view bytes);
  bool ParseOne(Client& client, std::string_view& rest);
  void CountUnfinished(Client& client, size_t bytes);
  void Refuse(Client& client, HttpRead why);
  void Send(Client& client, std::string& answer);
  void ReleaseAnswers(Client& client);
  void GoOn(Client& client);
  void SetDeadline(Client& client);
  bool Paused(const Client& client) const;
  void Remove(uint64_t id);

  Loop& loop_;
  const Address address_;
  const HttpServerLimits limits_;
  Handler handler_;
  Gone gone_;
  HttpServerCounters counters_;
  size_t receiving_ = 0;  // of all clients' `unfinished`
  absl::flat_hash_map<uint64_t, std::unique_ptr<Client>> clients_;
  uint64_t next_client_ = 1;
  std::vector<char> buffer_;
  std::string answer_;  // the one being written, kept for its room
  bool stopping_ = false;
  std::optional<Acceptor> acceptor_;
};

}  // namespace bt::net
