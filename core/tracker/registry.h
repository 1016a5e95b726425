#pragma once

// Registry: what the cluster agrees on: names, contents, piece hashes, info-hashes and claims.
// Invariant: a pure function of the commands applied. name -> content and content -> piece hashes are
// written once; all checks happen here, at apply, on every replica alike. Nothing is ever unregistered.
// For the tracker node (through ReplicatedState), judges and tests.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "core/tracker/command.h"
#include "core/tracker/limits.h"
#include "core/tracker/peaks.h"
#include "core/tracker/registry_state.h"
#include "core/tracker/shares.h"
#include "core/tracker/step_work.h"
#include "core/tracker_api/tracker_api.h"

namespace bt::tracker {

class Registry {
 public:
  Registry();
  // `stamp` is the log time of the command's batch; it never goes back. kUnavailable means that nothing
  // was done (a limit that may pass); every other outcome is final.
  // `source` asked for it.
  tracker_api::Response Apply(Instant stamp, const Operation& operation, Source source = {});

  // --- queries: the state as applied so far (registry_queries.cc) ---

  const Torrent* Find(const tracker_api::TorrentKey& key) const;
  const Torrent* FindInfoHash(const InfoHash& hash) const;
  const Torrent& torrent(TorrentNumber number) const { return state_.torrents[number.value()]; }
  // Peers drawn by `seed`, or a page of a walk. Bounded in peers, bytes, and claims looked at, as List is.
  // What the answer costs is added to `work`.
  tracker_api::Response Lookup(const tracker_api::Lookup& query, uint64_t seed, StepWork& work) const;
  tracker_api::Response List(const tracker_api::List& query, StepWork& work) const;
  tracker_api::Response Fetch(const tracker_api::Fetch& query, StepWork& work) const;
  // For who does not count it: judges and tests.
  tracker_api::Response Lookup(const tracker_api::Lookup& query, uint64_t seed) const {
    StepWork uncounted;
    return Lookup(query, seed, uncounted);
  }
  tracker_api::Response List(const tracker_api::List& query) const {
    StepWork uncounted;
    return List(query, uncounted);
  }
  tracker_api::Response Fetch(const tracker_api::Fetch& query) const {
    StepWork uncounted;
    return Fetch(query, uncounted);
  }
  // For clients' listings: true while log time has not passed the claim's expiry.
  bool Live(const Claim& claim) const { return claim.expires > state_.log_time; }

  // What a claim of `source` that is made now would meet: a full table, or its own share. nullopt: room.
  std::optional<std::string> ClaimProblem(const Torrent& torrent, Source source) const;
  // The tables that are full, each with who fills it.
  std::vector<tracker_api::Alarm> Alarms() const;

  const RegistryState& state() const { return state_; }
  // For StateWalk, which changes nothing that state() shows.
  RegistryState& mutable_state() { return state_; }
  const Limits& limits() const { return state_.limits; }
  uint32_t level() const { return state_.level; }
  uint64_t torrents() const { return state_.torrents.size(); }
  uint64_t claims() const { return claims_; }
  uint64_t accounted_bytes() const { return bytes_; }
  const Shares& shares() const { return shares_; }
  // The most that was taken of what is held here.
  Peaks peaks() const {
    Peaks all = peaks_;
    all.Note(shares_.peaks());
    return all;
  }
  Instant log_time() const { return state_.log_time; }
  // Log time of the earliest expiry the index knows (a renewed claim may live longer); Never if none.
  Instant next_expiry() const;
  // A function of the state, kept up at O(change) a command: the sum of a digest of each of its parts.
  uint64_t digest() const { return digest_; }
  // Claims that batches have updated, and that commands have dropped or indexed anew, ever: what applying
  // them costs beside their bytes. No part of the state.
  uint64_t rows() const { return rows_; }
  void CheckInvariants() const;

 private:
  friend class RegistryRestore;
  using ExpiryKey = std::tuple<Instant, TorrentNumber, Address>;

  tracker_api::Response ApplyOne(const tracker_api::Register& op, Source source);
  tracker_api::Response ApplyOne(const tracker_api::Offer& op, Source source);
  tracker_api::Response ApplyOne(const tracker_api::Withdraw& op, Source source);
  tracker_api::Response ApplyOne(const Claims& op, Source source);
  tracker_api::Response ApplyOne(const Tick& op, Source source);
  tracker_api::Response ApplyOne(const SetLimits& op, Source source);
  tracker_api::Response ApplyOne(const RaiseLevel& op, Source source);

  // --- registry_registration.cc ---
  std::optional<tracker_api::Response> Conflict(const Metainfo& metainfo, const Torrent* known) const;
  std::optional<tracker_api::Response> OverLimit(const Metainfo& metainfo, const Torrent* known,
                                                 uint32_t new_hashes, Source source) const;
  bool HasName(const Torrent& torrent, const std::string& name) const;
  std::optional<tracker_api::Response> OverShare(const Metainfo& metainfo, bool new_name, bool new_content,
                                                 Source source) const;
  Torrent& AddTorrent(const Metainfo& metainfo, Source source);
  void BindName(Torrent& torrent, const Metainfo& metainfo, const std::vector<InfoHash>& new_hashes,
                Source source);

  // --- registry_alarms.cc ---
  void AddFullTables(std::vector<tracker_api::Alarm>& alarms) const;
  void AddWholeShares(std::vector<tracker_api::Alarm>& alarms) const;
  void AddWholeSharesOfBytes(std::vector<tracker_api::Alarm>& alarms) const;
  std::string HoldersOfBytes() const;

  // --- registry_queries.cc ---
  class Page;
  bool ListClaim(const Claim& claim, bool pieces, Page& page, tracker_api::Peers& peers) const;
  void DrawPeers(const tracker_api::Lookup& query, const Torrent& torrent, uint64_t seed, StepWork& work,
                 tracker_api::Peers& peers) const;
  void WalkPeers(const tracker_api::Lookup& query, const Torrent& torrent, StepWork& work,
                 tracker_api::Peers& peers) const;

  void NoteTables();
  void NoteBound(const Torrent& torrent);

  // --- registry_claims.cc ---
  // Renews or adds, with room in the source's share for a map of `map_bytes`. nullptr when a limit forbids
  // another claim. The claim is out of the digest until Seal.
  Claim* Open(Torrent& torrent, const Address& peer, Source source, uint64_t map_bytes, const char** why);
  void MakeRoomInShare(const Torrent& torrent, Source source, uint64_t bytes);
  // The claim of the source that gives way first, of one torrent or of all, is gone.
  void DropOldest(Source source, std::optional<TorrentNumber> torrent);
  // False when the pieces of the claim cannot be kept.
  bool ChargeMap(Claim& claim, const PieceMap& pieces, const char** why);
  void Seal(const Torrent& torrent, const Claim& claim);
  bool AddPieces(Torrent& torrent, Claim& claim, const PieceMap& pieces, const char** why);
  void MakeComplete(Torrent& torrent, Claim& claim);
  void MakeEmpty(Torrent& torrent, Claim& claim);
  void RemovePieces(Torrent& torrent, Claim& claim, const PieceMap& pieces);
  void RemoveClaim(Torrent& torrent, const Address& peer);
  void Expire(uint32_t claims_max);
  void Reindex(Torrent& torrent, Claim& claim);

  // Lists the info-hashes of a torrent that has other ones than its first name gives.
  void ListInfoHashes(const Torrent& torrent, const std::vector<InfoHash>& new_hashes);

  Torrent* Mutable(const tracker_api::TorrentKey& key) { return const_cast<Torrent*>(Find(key)); }

  RegistryState state_;
  // Rebuilt from the state.
  absl::btree_map<ContentId, TorrentNumber> contents_;  // one for each torrent
  // Of torrents with several names, or with info-hashes that cannot be derived: all info-hashes.
  // At most info_hashes_per_content for each torrent.
  absl::btree_map<TorrentNumber, absl::btree_set<InfoHash>> info_hashes_of_;
  absl::btree_set<ExpiryKey> expiries_;  // exactly one per claim
  Shares shares_;
  uint64_t claims_ = 0;
  uint64_t bytes_ = 0;
  uint64_t digest_ = 0;
  uint64_t rows_ = 0;
  Peaks peaks_;
};

// --- shared by the registry's files and the node ---

// When peers of this torrent are to announce again: soon in a young or small swarm, where each newcomer
// counts and few are there to ask; else, and at most, after the agreed interval.
inline constexpr Duration kYoungRenewInterval = Seconds(2 * 60);
Duration AnnounceInterval(const Torrent& torrent, const Limits& limits, Instant log_time);

// nullopt when `peer` can be dialled, else why not.
std::optional<std::string> PeerProblem(const Address& peer);

// What the limit of bytes counts. These weights decide refusals at apply, so they are as frozen as the rules
// of Apply itself.
uint64_t AccountedBytes(const Metainfo& metainfo);
uint64_t AccountedBytes(const PieceMap& pieces);
inline constexpr uint64_t kClaimBytes = 384;    // a claim with its places in the indexes
inline constexpr uint64_t kNameBytes = 256;     // a name and its torrent's share
inline constexpr uint64_t kInfoHashBytes = 64;  // an info-hash with its name

// The digest of each part of the state; the registry's digest is their sum.
uint64_t DigestOfLimits(const RegistryState& state);
uint64_t DigestOfLevel(
    const RegistryState& state);                   // 0 at the first level, of which states once said nothing
uint64_t DigestOfTorrent(const Torrent& torrent);  // without its claims
uint64_t DigestOfClaim(const Torrent& torrent, const Claim& claim);
uint64_t DigestOfName(const std::string& name, const NameBinding& binding);
uint64_t DigestOfInfoHash(const InfoHash& hash, const InfoHashBinding& binding);

}  // namespace bt::tracker
