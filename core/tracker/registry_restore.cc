#include "core/tracker/registry_restore.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "core/base/check.h"

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

RegistryRestore::RegistryRestore(RegistryState state) : registry_(std::make_unique<Registry>()) {
  registry_->state_ = std::move(state);
  registry_->digest_ = DigestOfLimits(this->state()) + DigestOfLevel(this->state());
}

absl::Status RegistryRestore::Go(StepWork& work) {
  if (auto problem = LimitsProblem(registry_->limits())) return Contradiction(*problem);
  while (!done() && work.left()) {
    work.Rows(kRow);
    if (absl::Status status = Next(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status RegistryRestore::Next() {
  switch (part_) {
    case Part::kTorrents:
      return TorrentOrClaim();
    case Part::kNames:
      return Name();
    case Part::kRegistered:
      return Registered();
    case Part::kInfoHashes:
      return InfoHashRow();
    case Part::kListed:
      return Listed();
    case Part::kForeign:
      return Foreign();
    case Part::kDigests:
      return NameDigest();
    case Part::kBound:
      return Bound();
    case Part::kDone:
      break;
  }
  return absl::OkStatus();
}

void RegistryRestore::Begin(Part part) {
  part_ = part;
  torrent_ = 0;
  name_ = state().names.begin();
  info_hash_ = state().info_hashes.begin();
}

bool RegistryRestore::NoTorrentIsLeft(Part next) {
  if (torrent_ < state().torrents.size()) return false;
  Begin(next);
  return true;
}

absl::Status RegistryRestore::TorrentOrClaim() {
  if (NoTorrentIsLeft(Part::kNames)) return absl::OkStatus();
  Registry& registry = *registry_;
  Torrent& torrent = state().torrents[torrent_];
  const uint32_t number = torrent.number.value();
  if (!in_claims_) {
    if (number != torrent_) return Contradiction("torrent ", number, " does not stand at its number");
    if (torrent.metainfo.length == 0 || torrent.metainfo.piece_length == 0) {
      return Contradiction("torrent ", number, " has no pieces");
    }
    if (!registry.contents_.emplace(torrent.content(), torrent.number).second) {
      return Contradiction("content ", torrent.content().ToString(), " is there twice");
    }
    registry.bytes_ += AccountedBytes(torrent.metainfo);
    registry.digest_ += DigestOfTorrent(torrent);
    in_claims_ = true;
    row_ = 0;
    return absl::OkStatus();
  }
  if (row_ == torrent.claims.size()) {
    ++torrent_;
    in_claims_ = false;
    return absl::OkStatus();
  }
  const Claim& claim = torrent.claims.at(row_++);
  if (!Sound(claim, torrent.piece_count())) {
    return Contradiction("a claim of torrent ", number, " is malformed");
  }
  torrent.complete += claim.complete;
  registry.expiries_.insert({claim.indexed, torrent.number, claim.peer});
  ++registry.claims_;
  registry.bytes_ += kClaimBytes + AccountedBytes(claim.pieces);
  registry.shares_.AddClaim(torrent, claim);
  registry.shares_.AddClaimBytes(claim.source, kClaimBytes + AccountedBytes(claim.pieces));
  registry.Seal(torrent, claim);
  return absl::OkStatus();
}

absl::Status RegistryRestore::Name() {
  if (name_ == state().names.end()) {
    Begin(Part::kRegistered);
    return absl::OkStatus();
  }
  const NameBinding& binding = (name_++)->second;
  if (binding.torrent.value() >= registry_->torrents()) return Contradiction("a name is bound to no torrent");
  if (binding.binding >= state().bindings) return Contradiction("a name has a number of the future");
  ++state().torrents[binding.torrent.value()].names;
  registry_->bytes_ += kNameBytes;
  registry_->shares_.AddName(binding.source);
  return absl::OkStatus();
}

absl::Status RegistryRestore::Registered() {
  if (NoTorrentIsLeft(Part::kInfoHashes)) return absl::OkStatus();
  const Torrent& torrent = state().torrents[torrent_++];
  if (!registry_->HasName(torrent, torrent.metainfo.name)) {
    return Contradiction("torrent ", torrent.number.value(), " does not have its name");
  }
  registry_->shares_.AddRegisteredBytes(state().names.at(torrent.metainfo.name).source,
                                        AccountedBytes(torrent.metainfo));
  return absl::OkStatus();
}

absl::Status RegistryRestore::InfoHashRow() {
  if (info_hash_ == state().info_hashes.end()) {
    Begin(Part::kListed);
    return absl::OkStatus();
  }
  const auto& [hash, bound] = *info_hash_++;
  const Torrent* torrent = registry_->Find(bound.name);
  if (torrent == nullptr || torrent->number != bound.torrent) {
    return Contradiction("the info-hash ", Hex(hash), " and its name do not fit");
  }
  if (bound.binding >= state().bindings || (bound.foreign && !foreign_.emplace(bound.binding, hash).second)) {
    return Contradiction("the info-hash ", Hex(hash), " has a number that cannot be");
  }
  if (bound.foreign) several_.insert(bound.torrent);
  ++state().torrents[bound.torrent.value()].info_hashes;
  registry_->bytes_ += kInfoHashBytes;
  registry_->digest_ += DigestOfInfoHash(hash, bound);
  return absl::OkStatus();
}

absl::Status RegistryRestore::Listed() {
  if (info_hash_ == state().info_hashes.end()) {
    Begin(Part::kForeign);
    return absl::OkStatus();
  }
  const auto& [hash, bound] = *info_hash_++;
  if (registry_->torrent(bound.torrent).names > 1 || several_.contains(bound.torrent))
    registry_->info_hashes_of_[bound.torrent].insert(hash);
  return absl::OkStatus();
}

// A name lists its foreign info-hashes in the order in which they were bound.
absl::Status RegistryRestore::Foreign() {
  if (foreign_.empty()) {
    Begin(Part::kDigests);
    return absl::OkStatus();
  }
  const InfoHash hash = foreign_.begin()->second;
  foreign_.erase(foreign_.begin());
  state().names.at(state().info_hashes.at(hash).name).foreign.push_back(hash);
  return absl::OkStatus();
}

absl::Status RegistryRestore::NameDigest() {
  if (name_ == state().names.end()) {
    Begin(Part::kBound);
    return absl::OkStatus();
  }
  const auto& [name, binding] = *name_++;
  registry_->digest_ += DigestOfName(name, binding);
  registry_->peaks_.Note(Held::kNameBytes, name.size());
  registry_->peaks_.Note(Held::kForeignInfoHashes, binding.foreign.size());
  return absl::OkStatus();
}

absl::Status RegistryRestore::Bound() {
  if (torrent_ == state().torrents.size()) {
    registry_->NoteTables();
    part_ = Part::kDone;
    return absl::OkStatus();
  }
  registry_->NoteBound(state().torrents[torrent_++]);
  return absl::OkStatus();
}

}  // namespace bt::tracker
