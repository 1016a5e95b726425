#pragma once

// The JSON bodies of the HTTP API, both ways. The JSON library stays inside json_api.cc.
// Invariant: reading never throws, never recurses deeper than kJsonDepthLimit, and refuses with a reason
// whatever writing would not have produced (unknown fields aside, which are ignored).
//
// Shapes:  peer "HOST:PORT"   pieces [[first, count], ...]   content "<64 hex>-<length>"
//          bitfield "<base64 of BEP 3's>", instead of pieces where that is shorter

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/tracker_api/tracker_api.h"

namespace bt::nodes {

inline constexpr size_t kJsonDepthLimit = 16;
inline constexpr size_t kOfferBodyLimit = 1 << 20;
inline constexpr size_t kClusterNodesLimit = 64;

// The body of POST and DELETE /torrents/{id}/offers.
struct OfferBody {
  Address peer;
  std::vector<PieceRange> pieces;
  tracker_api::MutationId id;  // from "session" and "sequence"; zeros when absent
};
absl::StatusOr<OfferBody> ParseOfferBody(std::string_view text);
std::string WriteOfferBody(const OfferBody& body);

// Where clients reach a node of the cluster, as flags say: for people's page and for fetched torrents.
struct ClusterNode {
  NodeId id;
  std::string client;  // "HOST:PORT"
  friend bool operator==(const ClusterNode&, const ClusterNode&) = default;
};

// `warning` is left out when empty.
std::string WriteError(std::string_view reason);
std::string WriteAccepted(std::string_view warning);
std::string WriteRegistered(const tracker_api::Registered& registered, std::string_view name,
                            std::string_view warning);
std::string WriteListing(const tracker_api::Listing& listing);
std::string WritePeers(const tracker_api::Peers& peers, std::string_view warning);
std::string WriteStatus(const tracker_api::NodeStatus& status, std::string_view cluster,
                        const std::vector<ClusterNode>& nodes);

// "error" or "warning" of an answer; empty when there is none.
std::string ParseReason(std::string_view text, const char* field);
absl::StatusOr<tracker_api::Registered> ParseRegistered(std::string_view text);
absl::StatusOr<tracker_api::Listing> ParseListing(std::string_view text);
absl::StatusOr<tracker_api::Peers> ParsePeers(std::string_view text);
absl::StatusOr<tracker_api::NodeStatus> ParseStatus(std::string_view text);
// The id of the cluster a status belongs to; empty when it does not say.
std::string ParseClusterId(std::string_view text);
// The nodes a status names; what cannot be read is left out.
std::vector<ClusterNode> ParseClusterNodes(std::string_view text);

}  // namespace bt::nodes
