#include "nodes/tracker/udp_service.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "net/host.h"
#include "nodes/shared/member_address.h"
#include "nodes/tracker/sentences.h"

namespace bt::nodes {

namespace {

constexpr int kPortAttempts = 16;  // of port 0: the one that the kernel picks may be taken for UDP

absl::StatusOr<ClientPorts> Bind(const Address& address, bool udp) {
  for (int attempt = 1;; ++attempt) {
    absl::StatusOr<net::Listener> http = net::Listen(address);
    if (!http.ok()) return http.status();
    if (!udp) return ClientPorts{*std::move(http), std::nullopt};
    absl::StatusOr<net::Listener> datagrams = net::BindDatagrams(http->address);
    if (datagrams.ok()) return ClientPorts{*std::move(http), *std::move(datagrams)};
    const bool again =
        address.port == 0 && absl::IsAlreadyExists(datagrams.status()) && attempt < kPortAttempts;
    if (again) continue;
    return absl::Status(
        datagrams.status().code(),
        absl::StrCat(datagrams.status().message(), "; with --no-udp the node is asked over HTTP alone"));
  }
}

}  // namespace

absl::StatusOr<ClientPorts> ListenForClients(const net::HostAndPort& own, bool udp) {
  const absl::StatusOr<Address> address = OwnAddress("client port", own);
  if (!address.ok()) return address.status();
  absl::StatusOr<ClientPorts> ports = Bind(*address, udp);
  if (!ports.ok()) return About("client port", ports.status());
  return ports;
}

UdpService::UdpService(net::Loop& loop, net::Listener bound, CallRouter& router, HttpEdge& http)
    : edge_(
          router, {net::SystemSeed(), net::SystemSeed()}, [&loop] { return loop.now(); },
          [this](const net::DatagramRoute& to, std::string_view bytes) { socket_.Send(to, bytes); },
          [&http] { return http.UdpRefusal(); }),
      socket_(loop, std::move(bound), [this](const net::DatagramRoute& from, std::string_view bytes) {
        edge_.OnDatagram(from, bytes);
      }) {
  http.TellAlso(edge_, socket_.counters());
}

}  // namespace bt::nodes
