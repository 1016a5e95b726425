#include "core/tracker/registry.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/base/fields.h"

namespace bt::tracker {

using tracker_api::Outcome;
using tracker_api::Response;

namespace {

// What the digest's chain says happened.
enum Change : uint64_t { kBound = 1, kClaimSet, kClaimRemoved };

constexpr uint64_t kClaimBytes = 192;    // a claim with its places in the two indexes
constexpr uint64_t kTorrentBytes = 512;  // a torrent, a name, its info-hashes

uint64_t MetainfoBytes(const Metainfo& metainfo) {
  return metainfo.piece_layer.size() * sizeof(Sha256Digest) + metainfo.v1_pieces.size() * sizeof(Sha1Digest);
}

uint64_t MapBytes(const PieceMap& pieces) { return (uint64_t{pieces.size()} + 63) / 64 * 8; }

std::string Quoted(const std::string& name) { return absl::StrCat("\"", name, "\""); }

}  // namespace

Response Refuse(Outcome outcome, std::string reason) {
  Response response;
  response.outcome = outcome;
  response.reason = std::move(reason);
  if (outcome == Outcome::kUnavailable) response.retry_after = Seconds(5);
  return response;
}

std::string Describe(const tracker_api::TorrentKey& key) {
  if (const auto* content = std::get_if<ContentId>(&key))
    return absl::StrCat("content ", content->ToString());
  if (const auto* hash = std::get_if<InfoHash>(&key)) return absl::StrCat("info-hash ", Hex(*hash));
  return absl::StrCat("name ", Quoted(std::get<std::string>(key).substr(0, kNameLimit)));
}

std::optional<std::string> PeerProblem(const Address& peer) {
  if (peer.port == 0) return "the peer's port is 0: nobody could connect to it";
  const bool v4 = peer.is_v4();
  const auto first = peer.ip.begin() + (v4 ? 12 : 0);
  if (std::all_of(first, peer.ip.end(), [](uint8_t byte) { return byte == 0; })) {
    return "the peer's address is unspecified: nobody could connect to it";
  }
  return std::nullopt;
}

tracker_api::PeerClaim ToPeerClaim(const Claim& claim, uint32_t piece_count) {
  tracker_api::PeerClaim out;
  out.peer = claim.peer;
  out.complete = claim.complete;
  if (claim.complete) {
    out.pieces.push_back({PieceIndex(0), piece_count});
  } else {
    out.pieces = claim.pieces.ToRanges();
  }
  return out;
}

// --- ClaimTable ---

const Claim* ClaimTable::Find(const Address& peer) const {
  const auto found = index_.find(peer);
  return found == index_.end() ? nullptr : &claims_[found->second];
}

Claim* ClaimTable::Find(const Address& peer) {
  return const_cast<Claim*>(static_cast<const ClaimTable*>(this)->Find(peer));
}

Claim& ClaimTable::Add(const Address& peer) {
  CHECK(index_.emplace(peer, size()).second);
  Claim& claim = claims_.emplace_back();
  claim.peer = peer;
  return claim;
}

void ClaimTable::Remove(const Address& peer) {
  const auto found = index_.find(peer);
  CHECK(found != index_.end());
  const uint32_t hole = found->second;
  index_.erase(found);
  if (hole + 1 != size()) {
    claims_[hole] = std::move(claims_.back());
    index_[claims_[hole].peer] = hole;
  }
  claims_.pop_back();
}

// --- Registry ---

Registry::Registry(const Limits& limits) : limits_(limits) {}

Response Registry::Apply(Instant stamp, const Operation& operation) {
  CHECK(stamp >= log_time_);
  log_time_ = stamp;
  ExpireSome();
  return std::visit([this](const auto& op) { return ApplyOne(op); }, operation);
}

const Torrent* Registry::Find(const tracker_api::TorrentKey& key) const {
  if (const auto* content = std::get_if<ContentId>(&key)) {
    const auto found = contents_.find(*content);
    return found == contents_.end() ? nullptr : &torrent(found->second);
  }
  if (const auto* hash = std::get_if<InfoHash>(&key)) return FindInfoHash(*hash);
  const auto found = names_.find(std::get<std::string>(key));
  return found == names_.end() ? nullptr : &torrent(found->second.torrent);
}

const Torrent* Registry::FindInfoHash(const InfoHash& hash) const {
  const auto found = hashes_.find(hash);
  return found == hashes_.end() ? nullptr : &torrent(found->second.torrent);
}

// --- registration: write-once both ways ---

std::optional<Response> Registry::RegistrationConflict(const Metainfo& metainfo, const Torrent* known) const {
  const ContentId content = metainfo.content();
  const auto name = names_.find(metainfo.name);
  if (name != names_.end() && torrent(name->second.torrent).content != content) {
    return Refuse(Outcome::kConflict,
                  absl::StrCat("the name ", Quoted(metainfo.name), " is already bound to content ",
                               torrent(name->second.torrent).content.ToString(), "; this torrent is content ",
                               content.ToString()));
  }
  if (known == nullptr) return std::nullopt;
  const auto differs = [&](std::string what) {
    return Refuse(Outcome::kConflict,
                  absl::StrCat("content ", content.ToString(), " is already registered (as ",
                               Quoted(known->metainfo.name), ") ", what));
  };
  if (known->metainfo.piece_length != metainfo.piece_length) {
    return differs(
        absl::StrCat("with piece length ", known->metainfo.piece_length, ", not ", metainfo.piece_length));
  }
  if (known->metainfo.piece_layer != metainfo.piece_layer) return differs("with other piece hashes (v2)");
  // Saying less is no contradiction; saying more would be a second write.
  if (metainfo.v1_pieces.empty()) return std::nullopt;
  if (known->metainfo.v1_pieces.empty()) {
    return differs("without v1 piece hashes, and hashes are written once: they cannot be added");
  }
  if (known->metainfo.v1_pieces != metainfo.v1_pieces) return differs("with other piece hashes (v1)");
  return std::nullopt;
}

std::optional<Response> Registry::RegistrationOverLimit(const Metainfo& metainfo, const Torrent* known,
                                                        uint32_t new_hashes) const {
  if (known == nullptr && torrents_.size() >= limits_.torrents) {
    return Refuse(Outcome::kTooLarge, absl::StrCat("this cluster keeps at most ", limits_.torrents,
                                                   " torrents and has them all"));
  }
  if (known != nullptr && !known->names.contains(metainfo.name) &&
      known->names.size() >= limits_.names_per_content) {
    return Refuse(Outcome::kTooLarge,
                  absl::StrCat("content ", known->content.ToString(), " already has ",
                               limits_.names_per_content, " names, the most it can have"));
  }
  if ((known == nullptr ? 0 : known->info_hashes) + new_hashes > limits_.info_hashes_per_content) {
    return Refuse(Outcome::kTooLarge,
                  absl::StrCat("content ", metainfo.content().ToString(), " would have over ",
                               limits_.info_hashes_per_content, " info-hashes"));
  }
  const uint64_t more = kTorrentBytes + (known == nullptr ? MetainfoBytes(metainfo) : 0);
  if (bytes_ + more > limits_.bytes) {
    return Refuse(Outcome::kTooLarge,
                  absl::StrCat("the registry is full: it keeps at most ", limits_.bytes, " bytes"));
  }
  return std::nullopt;
}

Torrent& Registry::AddTorrent(const Metainfo& metainfo) {
  const TorrentNumber number(static_cast<uint32_t>(torrents_.size()));
  Torrent& torrent = *torrents_.emplace_back(std::make_unique<Torrent>());
  torrent.number = number;
  torrent.content = metainfo.content();
  torrent.since = log_time_;
  torrent.metainfo = metainfo;
  torrent.metainfo.foreign_info_hashes.clear();
  torrent.piece_count = metainfo.piece_count();
  contents_.emplace(torrent.content, number);
  bytes_ += MetainfoBytes(metainfo);
  return torrent;
}

void Registry::BindName(Torrent& torrent, const Metainfo& metainfo, const std::vector<InfoHash>& new_hashes) {
  torrent.names.insert(metainfo.name);
  Binding& binding = names_[metainfo.name];
  binding.torrent = torrent.number;
  for (const InfoHash& hash : new_hashes) {
    hashes_.emplace(hash, HashBinding{torrent.number, metainfo.name});
    const auto& foreign = metainfo.foreign_info_hashes;
    if (std::find(foreign.begin(), foreign.end(), hash) != foreign.end()) binding.foreign.push_back(hash);
  }
  torrent.info_hashes += static_cast<uint32_t>(new_hashes.size());
  bytes_ += kTorrentBytes;
  digest_.Add(kBound);
  digest_.Add(torrent.number.value());
  digest_.Add(DigestOf(torrent.metainfo));
  digest_.Add(metainfo.name);
  for (const InfoHash& hash : new_hashes) digest_.Add(Hex(hash));
}

Response Registry::ApplyOne(const tracker_api::Register& op) {
  if (const absl::Status form = op.metainfo.Validate(); !form.ok()) {
    return Refuse(Outcome::kInvalid, std::string(form.message()));
  }
  const ContentId content = op.metainfo.content();
  const auto found = contents_.find(content);
  Torrent* known = found == contents_.end() ? nullptr : torrents_[found->second.value()].get();
  if (auto conflict = RegistrationConflict(op.metainfo, known)) return *std::move(conflict);

  // The whole promise under this name: what is registered already, and the new name and foreign hashes.
  Metainfo whole = known == nullptr ? op.metainfo : known->metainfo;
  whole.name = op.metainfo.name;
  whole.foreign_info_hashes = op.metainfo.foreign_info_hashes;
  std::vector<InfoHash> new_hashes;
  for (const InfoHash& hash : whole.AllInfoHashes()) {
    const auto bound = hashes_.find(hash);
    if (bound == hashes_.end()) {
      if (std::find(new_hashes.begin(), new_hashes.end(), hash) == new_hashes.end())
        new_hashes.push_back(hash);
    } else if (known == nullptr || bound->second.torrent != known->number) {
      return Refuse(Outcome::kConflict, absl::StrCat("the info-hash ", Hex(hash), " already means content ",
                                                     torrent(bound->second.torrent).content.ToString()));
    }
  }
  const bool created = known == nullptr || !known->names.contains(whole.name);
  if (created || !new_hashes.empty()) {
    if (auto over = RegistrationOverLimit(whole, known, static_cast<uint32_t>(new_hashes.size()))) {
      return *std::move(over);
    }
    if (known == nullptr) known = &AddTorrent(whole);
    BindName(*known, whole, new_hashes);
  }
  Response response;
  response.outcome = created ? Outcome::kCreated : Outcome::kOk;
  response.body = tracker_api::Registered{content};
  return response;
}

// --- claims ---

Claim* Registry::ClaimOf(Torrent& torrent, const Address& peer, const char** why) {
  Claim* claim = torrent.claims.Find(peer);
  if (claim != nullptr && !Live(*claim)) {  // due, but not reached by ExpireSome yet
    RemoveClaim(torrent, peer);
    claim = nullptr;
  }
  const Instant expires = log_time_ + kClaimLifetime;
  if (claim == nullptr) {
    if (torrent.claims.size() >= limits_.claims_per_content) {
      *why = "too many peers claim this content";
      return nullptr;
    }
    if (claims_ >= limits_.claims || bytes_ + kClaimBytes > limits_.bytes) {
      *why = "the cluster holds as many claims as it can";
      return nullptr;
    }
    claim = &torrent.claims.Add(peer);
    claim->indexed = expires;
    expiries_.insert({expires, torrent.number, peer});
    ++claims_;
    bytes_ += kClaimBytes;
  }
  claim->expires = expires;
  return claim;
}

bool Registry::AddPieces(Torrent& torrent, Claim& claim, const PieceMap& pieces, const char** why) {
  if (claim.complete || pieces.none()) return true;
  if (pieces.all()) {
    MakeComplete(torrent, claim);
    return true;
  }
  if (claim.pieces.size() == 0) {
    if (bytes_ + MapBytes(pieces) > limits_.bytes) {
      *why = "the cluster holds as many claims as it can";
      return false;
    }
    bytes_ += MapBytes(pieces);
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
  bytes_ -= MapBytes(claim.pieces);
  claim.pieces = PieceMap();
}

void Registry::RemovePieces(Torrent& torrent, Claim& claim, const PieceMap& pieces) {
  if (pieces.none()) return;
  if (claim.complete) {
    MakeEmpty(torrent, claim);
    PieceMap all = PieceMap::All(torrent.piece_count);
    // Without room for the map the claim shrinks to nothing: saying too little is safe.
    if (bytes_ + MapBytes(all) > limits_.bytes) return;
    bytes_ += MapBytes(all);
    claim.pieces = std::move(all);
  }
  if (claim.pieces.size() == 0) return;
  claim.pieces.RemoveAll(pieces);
  if (claim.pieces.none()) MakeEmpty(torrent, claim);
}

void Registry::RemoveClaim(Torrent& torrent, const Address& peer) {
  Claim* claim = torrent.claims.Find(peer);
  CHECK(claim != nullptr);
  DigestClaim(torrent, *claim, kClaimRemoved);
  MakeEmpty(torrent, *claim);
  CHECK(expiries_.erase({claim->indexed, torrent.number, peer}) == 1);
  torrent.claims.Remove(peer);
  --claims_;
  bytes_ -= kClaimBytes;
}

void Registry::DigestClaim(const Torrent& torrent, const Claim& claim, uint64_t change) {
  digest_.Add(change << 32 | torrent.number.value());
  digest_.Add(std::string_view(reinterpret_cast<const char*>(claim.peer.ip.data()), claim.peer.ip.size()));
  digest_.Add(uint64_t{claim.peer.port} << 33 | uint64_t{claim.complete} << 32 | claim.pieces.count());
  digest_.Add(static_cast<uint64_t>(claim.expires.ns));
}

Response Registry::ApplyOne(const tracker_api::Offer& op) {
  if (auto problem = PeerProblem(op.peer)) return Refuse(Outcome::kInvalid, *std::move(problem));
  Torrent* torrent = Mutable(op.torrent);
  if (torrent == nullptr) {
    return Refuse(Outcome::kNotFound, absl::StrCat("no torrent is registered under ", Describe(op.torrent)));
  }
  const auto pieces = PieceMap::FromRanges(op.pieces, torrent->piece_count);
  if (!pieces) {
    return Refuse(Outcome::kInvalid,
                  absl::StrCat("the offered ranges are not sorted, disjoint and within the ",
                               torrent->piece_count, " pieces"));
  }
  const char* why = nullptr;
  Claim* claim = ClaimOf(*torrent, op.peer, &why);
  if (claim == nullptr || !AddPieces(*torrent, *claim, *pieces, &why)) {
    if (claim != nullptr) DigestClaim(*torrent, *claim, kClaimSet);
    return Refuse(Outcome::kUnavailable, why);
  }
  DigestClaim(*torrent, *claim, kClaimSet);
  for (const PieceRange& range : op.pieces) {
    digest_.Add(uint64_t{range.first.value()} << 32 | range.count);
  }
  return {};
}

Response Registry::ApplyOne(const tracker_api::Withdraw& op) {
  Torrent* torrent = Mutable(op.torrent);
  if (torrent == nullptr) {
    return Refuse(Outcome::kNotFound, absl::StrCat("no torrent is registered under ", Describe(op.torrent)));
  }
  const auto pieces = PieceMap::FromRanges(op.pieces, torrent->piece_count);
  if (!pieces) {
    return Refuse(Outcome::kInvalid,
                  absl::StrCat("the withdrawn ranges are not sorted, disjoint and within the ",
                               torrent->piece_count, " pieces"));
  }
  Claim* claim = torrent->claims.Find(op.peer);
  if (claim == nullptr) return {};
  if (op.pieces.empty()) {
    RemoveClaim(*torrent, op.peer);
    return {};
  }
  RemovePieces(*torrent, *claim, *pieces);
  DigestClaim(*torrent, *claim, kClaimSet);
  for (const PieceRange& range : op.pieces) {
    digest_.Add(uint64_t{range.first.value()} << 32 | range.count);
  }
  return {};
}

Response Registry::ApplyOne(const Claims& op) {
  if (op.updates.size() > kClaimsPerCommand) {
    return Refuse(Outcome::kTooLarge,
                  absl::StrCat("more than ", kClaimsPerCommand, " claims in one command"));
  }
  Response response;
  for (const ClaimUpdate& update : op.updates) {
    ExpireSome();
    if (update.torrent.value() >= torrents_.size() || PeerProblem(update.peer)) continue;
    Torrent& torrent = *torrents_[update.torrent.value()];
    if (update.kind == ClaimUpdate::Kind::kGone) {
      if (torrent.claims.Find(update.peer) != nullptr) RemoveClaim(torrent, update.peer);
      continue;
    }
    const char* why = nullptr;
    Claim* claim = ClaimOf(torrent, update.peer, &why);
    if (claim == nullptr) {
      response.reason = why;
      continue;
    }
    if (update.kind == ClaimUpdate::Kind::kComplete) {
      MakeComplete(torrent, *claim);
    } else if (claim->complete) {
      MakeEmpty(torrent, *claim);
    }
    DigestClaim(torrent, *claim, kClaimSet);
  }
  return response;
}

Response Registry::ApplyOne(const Tick&) {
  for (uint32_t i = 0; i < kExpiriesPerTick / kExpiriesPerStep; ++i) ExpireSome();
  return {};
}

void Registry::ExpireSome() {
  for (uint32_t i = 0; i < kExpiriesPerStep && !expiries_.empty(); ++i) {
    const auto first = expiries_.begin();
    const auto [at, number, peer] = *first;
    if (at > log_time_) return;
    Torrent& torrent = *torrents_[number.value()];
    Claim* claim = torrent.claims.Find(peer);
    CHECK(claim != nullptr && claim->indexed == at);
    if (Live(*claim)) {  // renewed since it was indexed
      expiries_.erase(first);
      claim->indexed = claim->expires;
      expiries_.insert({claim->expires, number, peer});
    } else {
      RemoveClaim(torrent, peer);
    }
  }
}

Instant Registry::next_expiry() const {
  return expiries_.empty() ? Instant::Never() : std::get<Instant>(*expiries_.begin());
}

// --- queries ---

Duration AnnounceInterval(const Torrent& torrent, Instant log_time) {
  const bool young = torrent.claims.size() < kSmallSwarm || log_time - torrent.since < kYoungFor;
  return young ? kYoungRenewInterval : kRenewInterval;
}

Response Registry::Lookup(const tracker_api::Lookup& query, uint64_t rotation) const {
  const Torrent* torrent = Find(query.torrent);
  if (torrent == nullptr) {
    return Refuse(Outcome::kNotFound,
                  absl::StrCat("no torrent is registered under ", Describe(query.torrent)));
  }
  tracker_api::Peers peers;
  peers.content = torrent->content;
  peers.piece_count = torrent->piece_count;
  peers.complete = torrent->complete;
  peers.incomplete = torrent->claims.size() - torrent->complete;
  peers.interval = AnnounceInterval(*torrent, log_time_);
  const uint32_t limit = std::min(query.limit, tracker_api::kLookupLimit);
  const uint32_t size = torrent->claims.size();
  const uint32_t start = size == 0 ? 0 : static_cast<uint32_t>(rotation % size);
  for (uint32_t i = 0; i < size && peers.peers.size() < limit; ++i) {
    const Claim& claim = torrent->claims.at((start + i) % size);
    if (Live(claim)) peers.peers.push_back(ToPeerClaim(claim, torrent->piece_count));
  }
  Response response;
  response.body = std::move(peers);
  return response;
}

Response Registry::List(const tracker_api::List& query) const {
  const uint32_t limit = std::min(query.limit, tracker_api::kListLimit);
  tracker_api::Listing listing;
  auto at = query.after.empty() ? names_.begin() : names_.upper_bound(query.after);
  for (; at != names_.end() && listing.torrents.size() < limit; ++at) {
    const Torrent& torrent = this->torrent(at->second.torrent);
    tracker_api::ListEntry& entry = listing.torrents.emplace_back();
    entry.name = at->first;
    entry.content = torrent.content;
    entry.piece_length = torrent.metainfo.piece_length;
    entry.complete = torrent.complete;
    entry.incomplete = torrent.claims.size() - torrent.complete;
  }
  listing.more = at != names_.end();
  Response response;
  response.body = std::move(listing);
  return response;
}

Response Registry::Fetch(const tracker_api::Fetch& query) const {
  const Torrent* torrent = Find(query.torrent);
  if (torrent == nullptr) {
    return Refuse(Outcome::kNotFound,
                  absl::StrCat("no torrent is registered under ", Describe(query.torrent)));
  }
  tracker_api::Fetched fetched{torrent->metainfo};
  if (const auto* name = std::get_if<std::string>(&query.torrent)) fetched.metainfo.name = *name;
  if (const auto* hash = std::get_if<InfoHash>(&query.torrent))
    fetched.metainfo.name = hashes_.at(*hash).name;
  const std::vector<InfoHash>& foreign = names_.at(fetched.metainfo.name).foreign;
  const size_t count = std::min<size_t>(foreign.size(), 2);
  fetched.metainfo.foreign_info_hashes.assign(foreign.begin(),
                                              foreign.begin() + static_cast<ptrdiff_t>(count));
  Response response;
  response.body = std::move(fetched);
  return response;
}

void Registry::CheckInvariants() const {
  CHECK(contents_.size() == torrents_.size());
  CHECK(names_.size() >= torrents_.size());
  CHECK(expiries_.size() == claims_);
  CHECK(bytes_ <= limits_.bytes);
}

}  // namespace bt::tracker
