#include "core/tracker_api/answers.h"

#include <absl/strings/str_cat.h>

#include <utility>

namespace bt::tracker_api {

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kFollower:
      return "follower";
    case Role::kCandidate:
      return "candidate";
    case Role::kLeader:
      return "leader";
  }
  return "unknown";
}

std::optional<Role> ParseRole(std::string_view name) {
  for (const Role role : kRoles) {
    if (RoleName(role) == name) return role;
  }
  return std::nullopt;
}

PieceMap PiecesOf(const PeerClaim& claim, uint32_t piece_count) {
  if (claim.complete) return PieceMap::All(piece_count);
  return claim.pieces.size() == 0 ? PieceMap(piece_count) : claim.pieces;
}

Response Refuse(Outcome outcome, std::string reason) {
  Response response;
  response.outcome = outcome;
  response.reason = std::move(reason);
  return response;
}

Response Unavailable(std::string reason, Duration retry_after) {
  Response response = Refuse(Outcome::kUnavailable, std::move(reason));
  response.retry_after = retry_after;
  return response;
}

std::string RecoveringReason(uint32_t percent) {
  return absl::StrCat("recovering, ", percent,
                      " %: this node takes up what its journal holds; ask another node, or again");
}

Response NoSuchTorrent(const TorrentKey& key) {
  return Refuse(Outcome::kNotFound, absl::StrCat("no torrent is registered under ", Describe(key)));
}

}  // namespace bt::tracker_api
