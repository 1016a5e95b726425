#pragma once

// The UDP tracker protocol (BEP 15) as pure functions over values, the server's half and the client's beside
// each other; sockets are net/datagrams.h's. docs/udp_api.md is what it promises to strangers. Numbers are
// big-endian. Invariant: what the client's half renders the server's half reads as the same, and the other
// way round. Nothing here throws, whatever the bytes.

#include <absl/status/statusor.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/address.h"
#include "core/tracker_api/tracker_api.h"

namespace bt::nodes {

// An answer's bytes at most: with the headers of UDP and IPv6 they fit into the 1,280 bytes that every IPv6
// link carries whole.
inline constexpr size_t kUdpAnswerLimit = 1232;
inline constexpr size_t kUdpScrapeLimit = 74;  // info-hashes of one request

enum class UdpAction : uint32_t { kConnect, kAnnounce, kScrape, kError };

struct UdpHead {
  uint64_t connection = 0;  // of a connect request: the protocol's magic number
  UdpAction action = UdpAction::kConnect;
  uint32_t transaction = 0;  // drawn by who asks, repeated in the answer
  friend bool operator==(const UdpHead&, const UdpHead&) = default;
};

// --- the server's half ---

// nullopt: this is no request, and is not to be answered. A request is never shorter than the error that says
// its connection id is unknown, so that nobody can make a tracker send a stranger more than was sent to it.
std::optional<UdpHead> ReadUdpHead(std::string_view datagram);

struct UdpScrapeRequest {
  std::vector<InfoHash> info_hashes;  // 1 to kUdpScrapeLimit
};
using UdpRequest = std::variant<tracker_api::Announce, UdpScrapeRequest>;
// The announce or scrape of a datagram with a valid connection id. kInvalidArgument: the sentence to answer.
// Whatever follows an announce (BEP 41) is passed over.
absl::StatusOr<UdpRequest> ReadUdpRequest(const UdpHead& head, std::string_view datagram,
                                          const Address& from);

std::string RenderUdpConnected(uint32_t transaction, uint64_t connection);
// An answer that is no list of peers is told as an error. Peers are those of the asker's family; a warning
// has no place in this protocol.
std::string RenderUdpAnnounced(uint32_t transaction, const tracker_api::Response& response, bool v4);
// One entry for each of `asked`, in its order; of what is not registered it is all zeros.
std::string RenderUdpScraped(uint32_t transaction, const std::vector<InfoHash>& asked,
                             const std::vector<tracker_api::ScrapeEntry>& entries);
std::string RenderUdpError(uint32_t transaction, std::string_view why);

inline constexpr std::string_view kUdpConnectAgain = "connect again";

// --- the client's half ---

// What an announce says of the client beside tracker_api::Announce.
struct UdpClient {
  std::array<uint8_t, 20> peer_id{};
  uint32_t key = 0;  // by which a tracker knows the client again under another address
};

std::string RenderUdpConnect(uint32_t transaction);
std::string RenderUdpAnnounce(uint64_t connection, uint32_t transaction,
                              const tracker_api::Announce& announce, const UdpClient& client);
std::string RenderUdpScrape(uint64_t connection, uint32_t transaction, const std::vector<InfoHash>& hashes);

struct UdpConnected {
  uint64_t connection = 0;
};
struct UdpScraped {
  std::vector<tracker_api::ScrapeEntry> entries;  // without their info-hashes, in the order of the request
};
struct UdpError {
  std::string why;
};
using UdpAnswer = std::variant<UdpConnected, tracker_api::Peers, UdpScraped, UdpError>;
struct UdpAnswered {
  uint32_t transaction = 0;
  UdpAnswer answer;
};
// nullopt: no answer. `v4`: of the tracker that was asked.
std::optional<UdpAnswered> ReadUdpAnswer(std::string_view datagram, bool v4);

}  // namespace bt::nodes
