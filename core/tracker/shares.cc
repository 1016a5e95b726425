#include "core/tracker/shares.h"

#include <algorithm>

#include "core/base/check.h"

namespace bt::tracker {

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
  Share& share = shares_[claim.source];
  ++share.claims;
  ++of_torrent_[{claim.source, torrent.number}];
  NoteLarge(claim.source, share);
  if (torrent.claims.size() >= kLarge) crowded_.insert(torrent.number);
}

void Shares::RemoveClaim(const Torrent& torrent, const Claim& claim) {
  Unindex(torrent, claim);
  const auto found = shares_.find(claim.source);
  CHECK(found != shares_.end() && found->second.claims > 0);
  --found->second.claims;
  NoteLarge(claim.source, found->second);
  if (found->second == Share()) shares_.erase(found);
  const auto counted = of_torrent_.find({claim.source, torrent.number});
  CHECK(counted != of_torrent_.end());
  if (--counted->second == 0) of_torrent_.erase(counted);
  if (torrent.claims.size() <= kLarge) crowded_.erase(torrent.number);
}

void Shares::AddName(Source source) {
  Share& share = shares_[source];
  ++share.names;
  NoteLarge(source, share);
}

void Shares::NoteLarge(Source source, const Share& share) {
  const uint32_t most = std::max(share.claims, share.names);
  // Only where it is crossed: a name is never taken back, and a claim comes and goes one at a time.
  if (most == kLarge) {
    large_.insert(source);
  } else if (most == kLarge - 1) {
    large_.erase(source);
  }
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
  std::vector<Source> largest(large_.begin(), large_.end());
  std::erase_if(largest, [&](Source source) { return Of(source).*what < kLarge; });
  const auto larger = [&](Source a, Source b) {
    return std::pair(Of(b).*what, a) < std::pair(Of(a).*what, b);
  };
  std::sort(largest.begin(), largest.end(), larger);
  if (largest.size() > most) largest.resize(most);
  return largest;
}

}  // namespace bt::tracker
