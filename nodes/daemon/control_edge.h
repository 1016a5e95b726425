#pragma once

// ControlEdge: what the commands ask of a daemon, over HTTP on a Unix socket that only the daemon's own user
// can connect to. docs/daemon.md has the requests and answers. Loop thread only.

#include <cstdint>
#include <functional>
#include <memory>

#include "net/http/server.h"
#include "net/loop.h"
#include "net/socket.h"
#include "nodes/daemon/data_readers.h"
#include "nodes/daemon/transfers.h"

namespace bt::nodes {

inline constexpr size_t kControlConnectionsMax = 64;
inline constexpr size_t kControlBodyMax = 256 << 10;

class ControlEdge {
 public:
  // `transfers` outlives it. `shut_down` is called when that is asked for.
  ControlEdge(net::Loop& loop, net::Listener listener, Transfers& transfers, std::function<void()> shut_down);

  void StopAccepting() { server_->StopAccepting(); }

 private:
  void OnRequest(net::HttpExchange exchange, const net::HttpRequest& request);
  void OnTransfer(net::HttpExchange exchange, const net::HttpRequest& request, uint64_t id,
                  const std::string& verb);
  void Add(net::HttpExchange exchange, const net::HttpRequest& request);
  void SetLimits(net::HttpExchange exchange, const net::HttpRequest& request, uint64_t id);
  void List(net::HttpExchange exchange);
  void Refuse(net::HttpExchange exchange, int status, std::string_view why);
  // Answers with the transfer as it is then, or with what went wrong.
  Transfers::Done Answer(net::HttpExchange exchange, uint64_t id);

  net::Loop& loop_;
  Transfers& transfers_;
  const std::function<void()> shut_down_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<DataReaders> readers_;
};

}  // namespace bt::nodes
