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
  Duration stalled_output = Seconds(20);  // a receiver that takes nothing
  Duration drain = Seconds(2);            // after an error answer, so that it is not lost to a reset
};

struct HttpServerCounters {
  uint64_t accepted = 0;
  uint64_t overloaded = 0;  // dropped because unfinished requests fill the memory set aside for them
  uint64_t refused = 0;     // over the limit of connections
  uint64_t requests = 0;
  uint64_t malformed = 0;  // not HTTP, or over a limit: answered 4xx and closed
  uint64_t timed_out = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
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
  size_t open_connections() const { return connections_.size(); }

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
  struct Connection {
    uint64_t id;
    Fd fd;
    Address peer;
    std::unique_ptr<Watcher> watcher;
    HttpRequestReader reader;
    std::string input;            // read but not yet parsed: reading was paused meanwhile
    std::deque<Pending> pending;  // in order of arrival
    uint64_t next_sequence = 0;
    std::string output;
    size_t held = 0;        // bytes of answers that wait for an earlier request's
    size_t unfinished = 0;  // bytes of the request that is being received
    Instant request_began;
    size_t sent = 0;         // of output
    Instant deadline;        // of what the connection is doing now
    bool receiving = false;  // a request has begun and is not complete
    bool no_more = false;    // nothing after the pending requests will be read
    bool draining = false;   // our end is shut; reading into the void until the peer's end is
    bool dirty = false;      // in dirty_
  };

  void Take(Fd fd, const Address& peer);
  void OnReady(uint64_t id, uint32_t events);
  bool ReadSome(Connection& connection);
  void Parse(Connection& connection);
  void CountUnfinished(Connection& connection, size_t bytes);
  void Refuse(Connection& connection, HttpRead why);
  void ReleaseAnswers(Connection& connection);
  void MarkDirty(Connection& connection);
  void FlushDirty();
  void Flush(Connection& connection);
  void SetEvents(Connection& connection);
  void SetDeadline(Connection& connection);
  bool Paused(const Connection& connection) const;
  void Close(uint64_t id);
  void Sweep();

  Loop& loop_;
  const Address address_;
  const HttpServerLimits limits_;
  Handler handler_;
  Gone gone_;
  HttpServerCounters counters_;
  size_t receiving_ = 0;  // of all connections' `unfinished`
  absl::flat_hash_map<uint64_t, std::unique_ptr<Connection>> connections_;
  uint64_t next_connection_ = 1;
  std::vector<uint64_t> dirty_;
  std::vector<char> buffer_;
  bool stopping_ = false;
  std::optional<Acceptor> acceptor_;
  std::unique_ptr<Timer> sweep_timer_;
  std::unique_ptr<Deferred> flush_;
};

}  // namespace bt::net
