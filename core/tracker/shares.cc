#include "core/tracker/shares.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/tracker/holders.h"

namespace bt::tracker {
namespace {

bool IsLarge(const Share& share) {
  return std::max(share.claims, share.names) >= Shares::kLarge ||
         std::max(share.claim_bytes, share.registered_bytes) >= Shares::kLargeBytes;
}

}  // namespace

template <class Change>
void Shares::Update(Source source, Change change) {
  const auto found = shares_.try_emplace(source).first;
  Share& share = found->second;
  const bool was_large = IsLarge(share);
  change(share);
  if (IsLarge(share) != was_large) was_large ? (void)large_.erase(source) : (void)large_.insert(source);
  peaks_.Note(Held::kSourceClaims, share.claims);
  peaks_.Note(Held::kSourceNames, share.names);
  peaks_.Note(Held::kSourceClaimBytes, share.claim_bytes);
  peaks_.Note(Held::kSourceRegisteredBytes, share.registered_bytes);
  if (share == Share()) shares_.erase(found);
}

// Which claim gives way is decided at apply, so the order must be the same on every replica: it is that of
// the claims' indexed times, which are replicated state, and then of numbers and addresses.
void Shares::Index(const Torrent& torrent, const Claim& claim) {
  by_age_.insert({claim.source, claim.indexed, torrent.number, claim.peer});
  by_torrent_.insert({claim.source, torrent.number, claim.indexed, claim.peer});
}

void Shares::Unindex(const Torrent& torrent, const Claim& claim) {
  CHECK(by_age_.erase({claim.source, claim.indexed, torrent.number, claim.peer}) == 1);
  CHECK(by_torrent_.erase({claim.source, torrent.number, claim.indexed, claim.peer}) == 1);
}

void Shares::AddClaim(const Torrent& torrent, const Claim& claim) {
  Index(torrent, claim);
  Update(claim.source, [](Share& share) { ++share.claims; });
  peaks_.Note(Held::kSourceClaimsPerContent, ++of_torrent_[{claim.source, torrent.number}]);
  peaks_.Note(Held::kClaimsPerContent, torrent.claims.size());
  if (torrent.claims.size() >= kLarge) crowded_.insert(torrent.number);
}

void Shares::RemoveClaim(const Torrent& torrent, const Claim& claim) {
  Unindex(torrent, claim);
  Update(claim.source, [](Share& share) {
    CHECK(share.claims > 0);
    --share.claims;
  });
  const auto counted = of_torrent_.find({claim.source, torrent.number});
  CHECK(counted != of_torrent_.end());
  if (--counted->second == 0) of_torrent_.erase(counted);
  if (torrent.claims.size() <= kLarge) crowded_.erase(torrent.number);
}

void Shares::AddClaimBytes(Source source, uint64_t bytes) {
  Update(source, [&](Share& share) { share.claim_bytes += bytes; });
}

void Shares::RemoveClaimBytes(Source source, uint64_t bytes) {
  Update(source, [&](Share& share) {
    CHECK(share.claim_bytes >= bytes);
    share.claim_bytes -= bytes;
  });
}

void Shares::AddName(Source source) {
  Update(source, [](Share& share) { ++share.names; });
}

void Shares::AddRegisteredBytes(Source source, uint64_t bytes) {
  Update(source, [&](Share& share) { share.registered_bytes += bytes; });
}

Share Shares::Of(Source source) const {
  const auto found = shares_.find(source);
  return found == shares_.end() ? Share() : found->second;
}

uint32_t Shares::ClaimsOf(Source source, TorrentNumber torrent) const {
  const auto found = of_torrent_.find({source, torrent});
  return found == of_torrent_.end() ? 0 : found->second;
}

std::optional<Shares::Place> Shares::Oldest(Source source) const {
  const auto first = by_age_.lower_bound({source, Instant{INT64_MIN}, TorrentNumber(0), Address{}});
  if (first == by_age_.end() || std::get<0>(*first) != source) return std::nullopt;
  return Place{std::get<2>(*first), std::get<3>(*first)};
}

std::optional<Shares::Place> Shares::Oldest(Source source, TorrentNumber torrent) const {
  const auto first = by_torrent_.lower_bound({source, torrent, Instant{INT64_MIN}, Address{}});
  if (first == by_torrent_.end() || std::get<0>(*first) != source || std::get<1>(*first) != torrent)
    return std::nullopt;
  return Place{torrent, std::get<3>(*first)};
}

std::vector<Source> Shares::Largest(uint32_t Share::*what, size_t most) const {
  return LargestOf({large_.begin(), large_.end()}, most, kLarge,
                   [&](Source source) { return Of(source).*what; });
}

std::vector<Source> Shares::Largest(uint64_t Share::*what, size_t most) const {
  return LargestOf({large_.begin(), large_.end()}, most, kLargeBytes,
                   [&](Source source) { return Of(source).*what; });
}

}  // namespace bt::tracker
