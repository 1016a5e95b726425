#include "core/tracker/registry.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/base/digest.h"
#include "core/base/fields.h"

namespace bt::tracker {

using tracker_api::Outcome;
using tracker_api::Refuse;
using tracker_api::Response;

Registry::Registry() : digest_(DigestOfLimits(state_)) {}

Response Registry::Apply(Instant stamp, const Operation& operation, Source source) {
  // Log time is the only clock there is here. The leader stamps a batch, the log keeps the stamp, and so
  // every replica expires the same claims at the same command, however late it applies it.
  CHECK(stamp >= state_.log_time);
  state_.log_time = stamp;
  Expire(limits().expiries_per_command);
  const uint32_t needed = LevelOf(operation);
  if (needed > level() && !std::holds_alternative<RaiseLevel>(operation))
    return tracker_api::Unavailable(NotInForceYet(needed, level()));
  return std::visit([&](const auto& op) { return ApplyOne(op, source); }, operation);
}

// The limits change for all replicas between the same two commands. What the state holds beyond a lowered
// limit stays until it expires or is withdrawn; a promise once given (a name, a hash) is not taken back.
Response Registry::ApplyOne(const SetLimits& op, Source) {
  if (auto problem = LimitsProblem(op.limits)) return Refuse(Outcome::kInvalid, *std::move(problem));
  // Two operators who start from one version do not undo each other's work unseen.
  if (op.replaces != state_.limits_version) {
    return Refuse(Outcome::kConflict, absl::StrCat("the limits are at version ", state_.limits_version,
                                                   ", not ", op.replaces, ": look at them again"));
  }
  digest_ -= DigestOfLimits(state_);
  ++state_.limits_version;
  state_.limits = op.limits;
  digest_ += DigestOfLimits(state_);
  return {};
}

// Two leaders may have proposed one rise. The level never falls: what it allowed has been written.
Response Registry::ApplyOne(const RaiseLevel& op, Source) {
  if (op.to <= level()) return {};
  digest_ -= DigestOfLevel(state_);
  state_.level = op.to;
  digest_ += DigestOfLevel(state_);
  return {};
}

// Changes nothing but log time; it lets claims expire in a cluster nobody talks to.
Response Registry::ApplyOne(const Tick&, Source) {
  Expire(limits().expiries_per_tick);
  return {};
}

// Where a table has grown.
void Registry::NoteTables() {
  peaks_.Note(Held::kTorrents, torrents());
  peaks_.Note(Held::kClaims, claims_);
  peaks_.Note(Held::kBytes, bytes_);
}

void Registry::NoteBound(const Torrent& torrent) {
  peaks_.Note(Held::kNamesPerContent, torrent.names);
  peaks_.Note(Held::kInfoHashesPerContent, torrent.info_hashes);
  peaks_.Note(Held::kPieces, torrent.piece_count());
  peaks_.Note(Held::kPieceLength, torrent.metainfo.piece_length);
}

void Registry::CheckInvariants() const {
  CHECK(contents_.size() == state_.torrents.size());
  CHECK(state_.names.size() >= state_.torrents.size());
  CHECK(expiries_.size() == claims_);
  CHECK(shares_.indexed() == claims_);
}

// --- digests ---
//
// Each part's digest covers all that decides how a later command is answered, and no prose: the words of a
// reason may change from one release to the next, and replicas of both must still agree.

uint64_t DigestOfLimits(const RegistryState& state) {
  RollingDigest digest;
  digest.Add(state.limits_version, DigestOf(state.limits));
  return digest.value();
}

uint64_t DigestOfLevel(const RegistryState& state) {
  if (state.level == kFirstLevel) return 0;
  RollingDigest digest;
  digest.Add(state.level);
  return digest.value();
}

uint64_t DigestOfTorrent(const Torrent& torrent) {
  RollingDigest digest;
  digest.Add(torrent.number.value(), static_cast<uint64_t>(torrent.since.ns), DigestOf(torrent.metainfo));
  const FileTree& tree = torrent.metainfo.tree;
  if (!tree.empty()) digest.Add(DigestOf(tree));
  return digest.value();
}

uint64_t DigestOfClaim(const Torrent& torrent, const Claim& claim) {
  RollingDigest digest;
  digest.Add(torrent.number.value(), claim.peer.port);
  digest.Add(BytesOf(claim.peer.ip));
  digest.Add(static_cast<uint64_t>(claim.expires.ns), static_cast<uint64_t>(claim.indexed.ns), claim.complete,
             claim.source.value());
  for (const uint64_t word : claim.pieces.words()) digest.Add(word);
  return digest.value();
}

uint64_t DigestOfName(const std::string& name, const NameBinding& binding) {
  RollingDigest digest;
  digest.Add(name);
  digest.Add(binding.torrent.value(), binding.source.value());
  for (const InfoHash& hash : binding.foreign) digest.Add(BytesOf(hash));
  return digest.value();
}

uint64_t DigestOfInfoHash(const InfoHash& hash, const InfoHashBinding& binding) {
  RollingDigest digest;
  digest.Add(BytesOf(hash));
  digest.Add(binding.torrent.value());
  digest.Add(binding.name);
  return digest.value();
}

}  // namespace bt::tracker
