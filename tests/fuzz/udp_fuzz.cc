// Datagrams of the UDP tracker protocol (BEP 15), at the server and at the client.

#include <variant>

#include "core/base/check.h"
#include "nodes/udp_api/udp_api.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bt::fuzz::Input input(data, size);
  const bool v4 = (input.Byte() & 1) != 0;
  const std::string_view datagram = input.rest();
  const bt::Address from = bt::Address::V4(192, 0, 2, 7, 4711);
  const auto head = bt::nodes::ReadUdpHead(datagram);
  if (head && head->action != bt::nodes::UdpAction::kConnect) {
    const auto request = bt::nodes::ReadUdpRequest(*head, datagram, from);
    if (!request.ok()) {
      const std::string error =
          bt::nodes::RenderUdpError(head->transaction, std::string(request.status().message()));
      CHECK(error.size() <= bt::nodes::kUdpAnswerLimit);
    } else if (const auto* scrape = std::get_if<bt::nodes::UdpScrapeRequest>(&*request)) {
      CHECK(!scrape->info_hashes.empty() && scrape->info_hashes.size() <= bt::nodes::kUdpScrapeLimit);
      CHECK(bt::nodes::RenderUdpScraped(1, scrape->info_hashes, {}).size() <= bt::nodes::kUdpAnswerLimit);
    }
  }
  (void)bt::nodes::ReadUdpAnswer(datagram, v4);
  return 0;
}
