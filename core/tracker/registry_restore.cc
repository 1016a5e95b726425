// Restore: a registry from the plain state of another. The state comes from a disk or from another node, so
// what it holds is checked and never trusted to be free of contradictions.

#include <absl/strings/str_cat.h>

#include <utility>

#include "core/tracker/registry.h"

namespace bt::tracker {

namespace {

template <class... Parts>
absl::Status Contradiction(const Parts&... parts) {
  return absl::DataLossError(absl::StrCat("the registry's state contradicts itself: ", parts...));
}

bool Sound(const Claim& claim, uint32_t piece_count) {
  const bool fits = claim.pieces.size() == 0 || claim.pieces.size() == piece_count;
  const bool said_once = !claim.complete || claim.pieces.size() == 0;
  return fits && said_once && claim.indexed <= claim.expires && !PeerProblem(claim.peer);
}

}  // namespace

absl::Status Registry::RebuildTorrents() {
  uint32_t next = 0;
  for (const Torrent& torrent : state_.torrents) {
    const uint32_t number = torrent.number.value();
    if (number != next++) return Contradiction("torrent ", number, " does not stand at its number");
    if (torrent.metainfo.length == 0 || torrent.metainfo.piece_length == 0) {
      return Contradiction("torrent ", number, " has no pieces");
    }
    if (!contents_.emplace(torrent.content(), torrent.number).second) {
      return Contradiction("content ", torrent.content().ToString(), " is there twice");
    }
    bytes_ += AccountedBytes(torrent.metainfo);
    digest_ += DigestOfTorrent(torrent);
    uint32_t complete = 0;
    for (const Claim& claim : torrent.claims.rows()) {
      if (!Sound(claim, torrent.piece_count()))
        return Contradiction("a claim of torrent ", number, " is malformed");
      complete += claim.complete;
      expiries_.insert({claim.indexed, torrent.number, claim.peer});
      ++claims_;
      bytes_ += kClaimBytes + AccountedBytes(claim.pieces);
      Seal(torrent, claim);
    }
    if (complete != torrent.complete) return Contradiction("torrent ", number, " counts its seeders wrongly");
  }
  return absl::OkStatus();
}

absl::Status Registry::RebuildNames() {
  std::vector<uint32_t> names(state_.torrents.size());
  for (const auto& [name, binding] : state_.names) {
    if (binding.torrent.value() >= names.size()) return Contradiction("a name is bound to no torrent");
    ++names[binding.torrent.value()];
    bytes_ += kNameBytes;
    digest_ += DigestOfName(name, binding);
  }
  for (const Torrent& torrent : state_.torrents) {
    if (names[torrent.number.value()] != torrent.names || !HasName(torrent, torrent.metainfo.name)) {
      return Contradiction("torrent ", torrent.number.value(), " and its names do not fit");
    }
  }
  return absl::OkStatus();
}

absl::Status Registry::RebuildInfoHashes() {
  std::vector<uint32_t> info_hashes(state_.torrents.size());
  for (const auto& [hash, binding] : state_.info_hashes) {
    const Torrent* torrent = Find(binding.name);
    if (torrent == nullptr || torrent->number != binding.torrent) {
      return Contradiction("the info-hash ", Hex(hash), " and its name do not fit");
    }
    ++info_hashes[binding.torrent.value()];
    bytes_ += kInfoHashBytes;
    digest_ += DigestOfInfoHash(hash, binding);
  }
  for (const Torrent& torrent : state_.torrents) {
    if (info_hashes[torrent.number.value()] != torrent.info_hashes) {
      return Contradiction("torrent ", torrent.number.value(), " counts its info-hashes wrongly");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Registry> Registry::Restore(RegistryState state) {
  Registry registry;
  registry.state_ = std::move(state);
  if (auto problem = LimitsProblem(registry.limits())) return Contradiction(*problem);
  registry.digest_ = DigestOfLimits(registry.state_);
  if (absl::Status status = registry.RebuildTorrents(); !status.ok()) return status;
  if (absl::Status status = registry.RebuildNames(); !status.ok()) return status;
  if (absl::Status status = registry.RebuildInfoHashes(); !status.ok()) return status;
  return registry;
}

}  // namespace bt::tracker
