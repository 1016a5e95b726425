// Claims: which peer has which pieces, until when.
//
// All of it runs at apply. So it looks at the command, at log time and at the state alone, in an order that
// the state fixes: replicas that dropped different claims would answer the next command differently.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/tracker/registry.h"

namespace bt::tracker {

using tracker_api::NoSuchTorrent;
using tracker_api::Outcome;
using tracker_api::Refuse;
using tracker_api::Response;
using tracker_api::Unavailable;

namespace {

Response NotRanges(const char* what, uint32_t piece_count) {
  return Refuse(
      Outcome::kInvalid,
      absl::StrCat("the ", what, " ranges are not sorted, disjoint and within the ", piece_count, " pieces"));
}

constexpr const char* kNoRoom = "the cluster holds as many claims as it can";
constexpr const char* kFullContent = "too many peers claim this content";
constexpr const char* kFullShare = "the claims of your address hold as many bytes as those of one may";

}  // namespace

uint64_t AccountedBytes(const PieceMap& pieces) { return (uint64_t{pieces.size()} + 63) / 64 * 8; }

std::optional<std::string> PeerProblem(const Address& peer) {
  if (peer.port == 0) return "the peer's port is 0: nobody could connect to it";
  const bool v4 = peer.is_v4();
  const auto first = peer.ip.begin() + (v4 ? 12 : 0);
  if (std::all_of(first, peer.ip.end(), [](uint8_t byte) { return byte == 0; })) {
    return "the peer's address is unspecified: nobody could connect to it";
  }
  return std::nullopt;
}

Claim* Registry::Open(Torrent& torrent, const Address& peer, Source source, uint64_t map_bytes,
                      const char** why) {
  Claim* claim = torrent.claims.Change(peer);
  if (claim != nullptr && !Live(*claim)) {  // due, but not reached by Expire yet
    RemoveClaim(torrent, peer);
    claim = nullptr;
  }
  const Instant expires = log_time() + limits().claim_lifetime;
  if (claim != nullptr) {
    digest_ -= DigestOfClaim(torrent, *claim);
    // A lowered lifetime shortens no promise that was given, and the index stays at or before the expiry.
    claim->expires = std::max(claim->expires, expires);
    return claim;
  }
  // Nothing of its own gives way where that would make no room.
  const bool makes_room = shares_.ClaimsOf(source, torrent.number) >= limits().source_claims_per_content;
  if (!makes_room && torrent.claims.size() >= limits().claims_per_content) {
    *why = kFullContent;
    return nullptr;
  }
  MakeRoomInShare(torrent, source, kClaimBytes + map_bytes);
  if (claims_ >= limits().claims || bytes_ + kClaimBytes > limits().bytes) {
    *why = kNoRoom;
    return nullptr;
  }
  expiries_.insert({expires, torrent.number, peer});
  ++claims_;
  bytes_ += kClaimBytes;
  shares_.AddClaimBytes(source, kClaimBytes);
  Claim& added = torrent.claims.Add({.peer = peer,
                                     .expires = expires,
                                     .indexed = expires,
                                     .complete = false,
                                     .pieces = {},
                                     .source = source});
  shares_.AddClaim(torrent, added);
  NoteTables();
  return &added;
}

// Whoever asks for more than its share pays with what it had, so that nobody is kept out by somebody else's
// flood, and a client that has moved to other ports is not kept out by what it claimed before. Of the bytes
// as many claims give way as any command may drop; what is still too much is refused where it is charged.
void Registry::MakeRoomInShare(const Torrent& torrent, Source source, uint64_t bytes) {
  if (shares_.ClaimsOf(source, torrent.number) >= limits().source_claims_per_content)
    DropOldest(source, torrent.number);
  if (shares_.Of(source).claims >= limits().source_claims) DropOldest(source, std::nullopt);
  for (uint32_t i = 0; i < limits().expiries_per_command; ++i) {
    const Share share = shares_.Of(source);
    if (share.claims == 0 || share.claim_bytes + bytes <= limits().source_claim_bytes) return;
    DropOldest(source, std::nullopt);
  }
}

void Registry::DropOldest(Source source, std::optional<TorrentNumber> of) {
  for (uint32_t looked = 0;; ++looked) {
    const auto oldest = of ? shares_.Oldest(source, *of) : shares_.Oldest(source);
    CHECK(oldest);
    Torrent& torrent = state_.torrents[oldest->torrent.value()];
    Claim* claim = torrent.claims.Change(oldest->peer);
    // Renewed since it was indexed: others may be older. A bounded number of such are looked at.
    if (claim->indexed == claim->expires || looked >= limits().expiries_per_command)
      return RemoveClaim(torrent, oldest->peer);
    digest_ -= DigestOfClaim(torrent, *claim);
    Reindex(torrent, *claim);
    Seal(torrent, *claim);
  }
}

void Registry::Seal(const Torrent& torrent, const Claim& claim) { digest_ += DigestOfClaim(torrent, claim); }

bool Registry::ChargeMap(Claim& claim, const PieceMap& pieces, const char** why) {
  const uint64_t bytes = AccountedBytes(pieces);
  const bool fits = bytes_ + bytes <= limits().bytes;
  if (!fits || shares_.Of(claim.source).claim_bytes + bytes > limits().source_claim_bytes) {
    *why = fits ? kFullShare : kNoRoom;
    return false;
  }
  bytes_ += bytes;
  shares_.AddClaimBytes(claim.source, bytes);
  NoteTables();
  return true;
}

bool Registry::AddPieces(Torrent& torrent, Claim& claim, const PieceMap& pieces, const char** why) {
  if (claim.complete || pieces.none()) return true;
  if (pieces.all()) {
    MakeComplete(torrent, claim);
    return true;
  }
  if (claim.pieces.size() == 0) {
    if (!ChargeMap(claim, pieces, why)) return false;
    claim.pieces = pieces;
  } else {
    claim.pieces.AddAll(pieces);
  }
  if (claim.pieces.all()) MakeComplete(torrent, claim);
  return true;
}

void Registry::MakeComplete(Torrent& torrent, Claim& claim) {
  if (claim.complete) return;
  MakeEmpty(torrent, claim);
  claim.complete = true;
  ++torrent.complete;
}

void Registry::MakeEmpty(Torrent& torrent, Claim& claim) {
  if (claim.complete) --torrent.complete;
  claim.complete = false;
  bytes_ -= AccountedBytes(claim.pieces);
  shares_.RemoveClaimBytes(claim.source, AccountedBytes(claim.pieces));
  claim.pieces = PieceMap();
}

void Registry::RemovePieces(Torrent& torrent, Claim& claim, const PieceMap& pieces) {
  if (pieces.none()) return;
  if (claim.complete) {
    MakeEmpty(torrent, claim);
    PieceMap all = PieceMap::All(torrent.piece_count());
    // Without room for the map the claim shrinks to nothing: saying too little is safe.
    const char* why = nullptr;
    if (!ChargeMap(claim, all, &why)) return;
    claim.pieces = std::move(all);
  }
  if (claim.pieces.size() == 0) return;
  claim.pieces.RemoveAll(pieces);
  if (claim.pieces.none()) MakeEmpty(torrent, claim);
}

void Registry::RemoveClaim(Torrent& torrent, const Address& peer) {
  Claim* claim = torrent.claims.Change(peer);
  CHECK(claim != nullptr);
  ++rows_;
  digest_ -= DigestOfClaim(torrent, *claim);
  MakeEmpty(torrent, *claim);
  CHECK(expiries_.erase({claim->indexed, torrent.number, peer}) == 1);
  shares_.RemoveClaimBytes(claim->source, kClaimBytes);
  shares_.RemoveClaim(torrent, *claim);
  torrent.claims.Remove(peer);
  --claims_;
  bytes_ -= kClaimBytes;
}

Response Registry::ApplyOne(const tracker_api::Offer& op, Source source) {
  if (auto problem = PeerProblem(op.peer)) return Refuse(Outcome::kInvalid, *std::move(problem));
  Torrent* torrent = Mutable(op.torrent);
  if (torrent == nullptr) return NoSuchTorrent(op.torrent);
  const auto pieces = PieceMap::FromRanges(op.pieces, torrent->piece_count());
  if (!pieces) return NotRanges("offered", torrent->piece_count());
  const char* why = nullptr;
  const uint64_t map_bytes = pieces->all() || pieces->none() ? 0 : AccountedBytes(*pieces);
  Claim* claim = Open(*torrent, op.peer, source, map_bytes, &why);
  if (claim == nullptr) return Unavailable(why);
  const bool kept = AddPieces(*torrent, *claim, *pieces, &why);
  Seal(*torrent, *claim);
  return kept ? Response{} : Unavailable(why);
}

// Withdrawing what is not claimed succeeds: a repetition, or a claim that has run out meanwhile, leaves what
// was asked for. A claim is known by its address alone, so whoever may claim an address may take that claim
// back.
Response Registry::ApplyOne(const tracker_api::Withdraw& op, Source) {
  Torrent* torrent = Mutable(op.torrent);
  if (torrent == nullptr) return NoSuchTorrent(op.torrent);
  const auto pieces = PieceMap::FromRanges(op.pieces, torrent->piece_count());
  if (!pieces) return NotRanges("withdrawn", torrent->piece_count());
  Claim* claim = torrent->claims.Change(op.peer);
  if (claim == nullptr) return {};
  if (op.pieces.empty()) {
    RemoveClaim(*torrent, op.peer);
    return {};
  }
  digest_ -= DigestOfClaim(*torrent, *claim);
  RemovePieces(*torrent, *claim, *pieces);
  Seal(*torrent, *claim);
  return {};
}

Response Registry::ApplyOne(const Claims& op, Source) {
  // The sender cut its batch by the limit it knew; it cuts another one by the limit in force now.
  if (op.updates.size() > limits().claims_per_command) {
    return Unavailable(absl::StrCat("more than ", limits().claims_per_command, " claims in one command"));
  }
  peaks_.Note(Held::kClaimsPerCommand, op.updates.size());
  Response response;
  for (const ClaimUpdate& update : op.updates) {
    ++rows_;
    Expire(limits().expiries_per_command);
    if (update.torrent.value() >= state_.torrents.size() || PeerProblem(update.peer)) continue;
    Torrent& torrent = state_.torrents[update.torrent.value()];
    if (update.kind == ClaimUpdate::Kind::kGone) {
      if (torrent.claims.Find(update.peer) != nullptr) RemoveClaim(torrent, update.peer);
      continue;
    }
    const char* why = nullptr;
    Claim* claim = Open(torrent, update.peer, update.source, 0, &why);
    if (claim == nullptr) {
      response.reason = why;
      continue;
    }
    if (update.kind == ClaimUpdate::Kind::kComplete) {
      MakeComplete(torrent, *claim);
    } else if (claim->complete) {
      MakeEmpty(torrent, *claim);
    }
    Seal(torrent, *claim);
  }
  return response;
}

// A bounded number a command, so that no command takes long however many claims are due. A claim that is due
// and not dropped yet is not listed (Live), so its being there is seen by nobody but the limits.
void Registry::Expire(uint32_t claims_max) {
  for (uint32_t i = 0; i < claims_max && !expiries_.empty(); ++i) {
    const auto first = expiries_.begin();
    const auto [at, number, peer] = *first;
    if (at > log_time()) return;
    Torrent& torrent = state_.torrents[number.value()];
    Claim* claim = torrent.claims.Change(peer);
    CHECK(claim != nullptr && claim->indexed == at);
    if (!Live(*claim)) {
      RemoveClaim(torrent, peer);
      continue;
    }
    // Renewed since it was indexed.
    digest_ -= DigestOfClaim(torrent, *claim);
    Reindex(torrent, *claim);
    Seal(torrent, *claim);
  }
}

void Registry::Reindex(Torrent& torrent, Claim& claim) {
  ++rows_;
  CHECK(expiries_.erase({claim.indexed, torrent.number, claim.peer}) == 1);
  shares_.Unindex(torrent, claim);
  claim.indexed = claim.expires;
  expiries_.insert({claim.indexed, torrent.number, claim.peer});
  shares_.Index(torrent, claim);
}

std::optional<std::string> Registry::ClaimProblem(const Torrent& torrent, Source source) const {
  if (shares_.ClaimsOf(source, torrent.number) >= limits().source_claims_per_content) {
    return absl::StrCat("your address holds ", limits().source_claims_per_content,
                        " claims of this torrent, as many as one may: the oldest of them makes room");
  }
  if (shares_.Of(source).claims >= limits().source_claims) {
    return absl::StrCat("your address holds ", limits().source_claims,
                        " claims, as many as one may: the oldest of them makes room");
  }
  const char* why = torrent.claims.size() >= limits().claims_per_content                  ? kFullContent
                    : claims_ >= limits().claims || bytes_ + kClaimBytes > limits().bytes ? kNoRoom
                                                                                          : nullptr;
  if (why == nullptr) return std::nullopt;
  return absl::StrCat(why, ": you will not be listed until some of them have run out");
}

Instant Registry::next_expiry() const {
  return expiries_.empty() ? Instant::Never() : std::get<Instant>(*expiries_.begin());
}

}  // namespace bt::tracker
