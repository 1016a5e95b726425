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
#include <vector>

#include "core/base/address.h"
#include "core/base/slice.h"
#include "core/base/time.h"
#include "net/connection.h"
#include "net/http/codec.h"
#include "net/http/message.h"
#include "net/loop.h"

namespace bt::net {

struct HttpClientLimits {
  size_t connections_per_server = 4;
  size_t waiting = 1024;        // requests of all servers that wait for a connection
  Duration idle = Seconds(30);  // then an unused connection is closed (below the servers' own limit)
  ConnectionOptions connection;
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
  // That something waits for or is connected to.
  size_t servers() const { return servers_.size(); }

 private:
  struct Exchange {
    uint64_t id;
    Slice bytes;
    Instant deadline;
    Done done;
    bool retried = false;
  };
  // A connection of the pool, free or with one exchange.
  struct Pooled {
    uint64_t id;
    std::unique_ptr<Connection> connection;
    HttpResponseReader reader;
    bool used_before = false;
    std::optional<Exchange> exchange;
  };
  struct Server {
    std::deque<Exchange> waiting;               // at most `waiting`, with those of other servers
    std::vector<std::unique_ptr<Pooled>> pool;  // at most connections_per_server
  };

  void Pump(const Address& address);
  Pooled* FreeConnection(const Address& address, bool must_be_new);
  void OnEvent(const Address& address, uint64_t id, ConnectionEvent event);
  void Read(const Address& address, Pooled& pooled);
  void OnDown(const Address& address, Pooled& pooled);
  void Fail(const Address& address, uint64_t id, absl::Status why);
  void Complete(const Address& address, Pooled& pooled);
  void Finish(Exchange exchange, absl::StatusOr<HttpResponse> result);
  Pooled* Find(const Address& address, uint64_t id);
  std::unique_ptr<Pooled> Remove(const Address& address, uint64_t id);
  void ArmTimer();
  void OnTimer();

  Loop& loop_;
  const HttpClientLimits limits_;
  ConnectionCounters counters_;
  absl::btree_map<Address, Server> servers_;  // at most one for each exchange or connection
  uint64_t next_id_ = 1;
  size_t waiting_ = 0;
  std::vector<char> buffer_;  // at most kReadSize
  Timer timer_;  // for exchanges that wait for a connection; the others' deadline is their connection's
  // Failures, some of which are met inside Send(), are told from here, after it has returned.
  Later later_;
};

}  // namespace bt::net
