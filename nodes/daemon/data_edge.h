#pragma once

// DataEdge: contents that a daemon has, at a TCP port, for readers that speak no Unix sockets: GET and HEAD
// of /transfers/ID/data as at the control socket, and nothing else. Whoever reaches the port may read. Loop
// thread only.

#include <memory>
#include <string_view>

#include "core/base/address.h"
#include "net/http/server.h"
#include "net/loop.h"
#include "net/socket.h"
#include "nodes/daemon/data_readers.h"
#include "nodes/daemon/transfers.h"

namespace bt::nodes {

inline constexpr size_t kDataConnectionsMax = 64;

// Whether the value of a Host header names its host by an address, or is "localhost", or is empty. A browser
// that a stranger's page has led here says the page's name, whatever address that was made to have (DNS
// rebinding); who reads here has no name to say.
bool IsPlainHost(std::string_view host);

class DataEdge {
 public:
  // `transfers` outlives it.
  DataEdge(net::Loop& loop, net::Listener listener, Transfers& transfers);

  const Address& address() const { return server_->address(); }
  void StopAccepting() { server_->StopAccepting(); }

 private:
  void OnRequest(net::HttpExchange exchange, const net::HttpRequest& request);

  Transfers& transfers_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<DataReaders> readers_;
};

}  // namespace bt::nodes
