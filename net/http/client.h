#pragma once

// HttpClient: requests to a few servers over pooled keep-alive connections, one request at a time on each.
// Invariant: every Send() that is not cancelled ends in exactly one call of its `done`, on the loop's
// thread, never from within Send(), and at the latest when its timeout is over. Loop thread only.

#include <absl/container/btree_map.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/address.h"
#include "core/base/time.h"
#include "net/http/codec.h"
#include "net/http/message.h"
#include "net/loop.h"
#include "net/socket.h"

namespace bt::net {

struct HttpClientLimits {
  size_t connections_per_server = 4;
  size_t waiting = 1024;        // requests of all servers that wait for a connection
  Duration idle = Seconds(30);  // then an unused connection is closed (below the servers' own limit)
};

class HttpClient {
 public:
  using Done = std::function<void(absl::StatusOr<HttpResponse>)>;

  explicit HttpClient(Loop& loop, const HttpClientLimits& limits = {});
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // kUnavailable: refused, reset, not HTTP; kDeadlineExceeded; kResourceExhausted: too many waiting. A
  // request that meets the end of a connection kept alive is sent once more on a new one.
  uint64_t Send(const Address& server, const HttpRequest& request, Duration timeout, Done done);
  // Its `done` is not called any more.
  void Cancel(uint64_t request);

 private:
  struct Exchange {
    uint64_t id;
    std::string bytes;
    Instant deadline;
    Done done;
    bool retried = false;
  };
  struct Connection {
    uint64_t id;
    Fd fd;
    std::unique_ptr<Watcher> watcher;
    HttpResponseReader reader;
    bool connected = false;
    bool used_before = false;
    size_t sent = 0;
    std::optional<Exchange> exchange;
    Instant idle_since;
  };
  struct Server {
    std::deque<Exchange> waiting;
    std::vector<std::unique_ptr<Connection>> connections;
  };

  void Pump(const Address& address);
  void OnReady(const Address& address, uint64_t connection, uint32_t events);
  void Fail(const Address& address, uint64_t connection, absl::Status why);
  void Complete(const Address& address, Connection& connection);
  void Finish(Exchange exchange, absl::StatusOr<HttpResponse> result);
  Connection* Find(const Address& address, uint64_t connection);
  std::unique_ptr<Connection> Remove(const Address& address, uint64_t connection);
  void ArmTimer();
  void OnTimer();

  Loop& loop_;
  const HttpClientLimits limits_;
  absl::btree_map<Address, Server> servers_;
  uint64_t next_id_ = 1;
  size_t waiting_ = 0;
  std::vector<char> buffer_;
  Timer timer_;
  // Failures met inside Send() are told from here, after it has returned.
  std::vector<std::function<void()>> later_;
  Deferred tell_later_;
};

}  // namespace bt::net
