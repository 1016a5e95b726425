// Restore: a registry from the plain state of another: its rows; what is counted (in Torrent) and listed (in
// NameBinding) of them is filled in here. The state comes from a disk or from another node, so
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
  for (Torrent& torrent : state_.torrents) {
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
    if (absl::Status status = RebuildClaims(torrent); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Registry::RebuildClaims(Torrent& torrent) {
  for (uint32_t i = 0; i < torrent.claims.size(); ++i) {
    const Claim& claim = torrent.claims.at(i);
    if (!Sound(claim, torrent.piece_count())) {
      return Contradiction("a claim of torrent ", torrent.number.value(), " is malformed");
    }
    torrent.complete += claim.complete;
    expiries_.insert({claim.indexed, torrent.number, claim.peer});
    ++claims_;
    bytes_ += kClaimBytes + AccountedBytes(claim.pieces);
    shares_.AddClaim(torrent, claim);
    shares_.AddClaimBytes(claim.source, kClaimBytes + AccountedBytes(claim.pieces));
    Seal(torrent, claim);
  }
  return absl::OkStatus();
}

// A name's digest waits for its foreign info-hashes.
absl::Status Registry::RebuildNames() {
  for (const auto& [name, binding] : state_.names) {
    if (binding.torrent.value() >= torrents()) return Contradiction("a name is bound to no torrent");
    if (binding.binding >= state_.bindings) return Contradiction("a name has a number of the future");
    ++state_.torrents[binding.torrent.value()].names;
    bytes_ += kNameBytes;
    shares_.AddName(binding.source);
  }
  for (const Torrent& torrent : state_.torrents) {
    if (!HasName(torrent, torrent.metainfo.name)) {
      return Contradiction("torrent ", torrent.number.value(), " does not have its name");
    }
    shares_.AddRegisteredBytes(state_.names.at(torrent.metainfo.name).source,
                               AccountedBytes(torrent.metainfo));
  }
  return absl::OkStatus();
}

absl::Status Registry::RebuildInfoHashes() {
  absl::btree_map<uint64_t, InfoHash> foreign;  // by running number
  for (const auto& [hash, bound] : state_.info_hashes) {
    const Torrent* torrent = Find(bound.name);
    if (torrent == nullptr || torrent->number != bound.torrent) {
      return Contradiction("the info-hash ", Hex(hash), " and its name do not fit");
    }
    if (bound.binding >= state_.bindings || (bound.foreign && !foreign.emplace(bound.binding, hash).second)) {
      return Contradiction("the info-hash ", Hex(hash), " has a number that cannot be");
    }
    ++state_.torrents[bound.torrent.value()].info_hashes;
    bytes_ += kInfoHashBytes;
    digest_ += DigestOfInfoHash(hash, bound);
  }
  absl::btree_set<TorrentNumber> several;
  for (const auto& [number, hash] : foreign) several.insert(state_.info_hashes.at(hash).torrent);
  for (const auto& [hash, bound] : state_.info_hashes) {
    if (torrent(bound.torrent).names > 1 || several.contains(bound.torrent))
      info_hashes_of_[bound.torrent].insert(hash);
  }
  for (const auto& [number, hash] : foreign) {
    state_.names.at(state_.info_hashes.at(hash).name).foreign.push_back(hash);
  }
  for (const auto& [name, binding] : state_.names) {
    digest_ += DigestOfName(name, binding);
    peaks_.Note(Held::kNameBytes, name.size());
    peaks_.Note(Held::kForeignInfoHashes, binding.foreign.size());
  }
  for (const Torrent& torrent : state_.torrents) NoteBound(torrent);
  NoteTables();
  return absl::OkStatus();
}

absl::StatusOr<Registry> Registry::Restore(RegistryState state) {
  Registry registry;
  registry.state_ = std::move(state);
  if (auto problem = LimitsProblem(registry.limits())) return Contradiction(*problem);
  registry.digest_ = DigestOfLimits(registry.state_) + DigestOfLevel(registry.state_);
  if (absl::Status status = registry.RebuildTorrents(); !status.ok()) return status;
  if (absl::Status status = registry.RebuildNames(); !status.ok()) return status;
  if (absl::Status status = registry.RebuildInfoHashes(); !status.ok()) return status;
  return registry;
}

}  // namespace bt::tracker
