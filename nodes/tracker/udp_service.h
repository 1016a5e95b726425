#pragma once

// What a node needs to be asked over UDP beside HTTP: both protocols' sockets at one port number, and the
// UDP edge on its socket. Loop thread only.

#include <absl/status/statusor.h>

#include <optional>

#include "net/datagrams.h"
#include "net/resolve.h"
#include "net/socket.h"
#include "nodes/tracker/http_edge.h"
#include "nodes/tracker/udp_edge.h"

namespace bt::nodes {

struct ClientPorts {
  net::Listener http;
  std::optional<net::Listener> udp;
};

// At the address that `own` has now. Errors say that they are about the client port.
absl::StatusOr<ClientPorts> ListenForClients(const net::HostAndPort& own, bool udp);

class UdpService {
 public:
  // `http` serves the same node: what it tells those whom it must refuse is told over UDP too, and its
  // metrics have this service's among them. Both outlive this.
  UdpService(net::Loop& loop, net::Listener bound, CallRouter& router, HttpEdge& http);

  // Takes no more datagrams; what is under way is answered.
  void Stop() { socket_.StopReading(); }

 private:
  UdpEdge edge_;
  net::DatagramSocket socket_;
};

}  // namespace bt::nodes
