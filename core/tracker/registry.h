#pragma once

// Registry: what the cluster agrees on: names, contents, piece hashes, info-hashes and claims.
// Invariant: a pure function of the commands applied. name -> content and content -> piece hashes are
// written once; all checks happen here, at apply, on every replica alike. Nothing is ever unregistered.
// For the tracker node (through ReplicatedState), judges and tests.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "core/base/digest.h"
#include "core/swarm/tracker_api.h"
#include "core/tracker/command.h"
#include "core/tracker/limits.h"

namespace bt::tracker {

struct Claim {
  Address peer;
  Instant expires;  // log time
  Instant indexed;  // where the expiry index has it: at most `expires`, renewals do not move it
  bool complete = false;
  PieceMap pieces;  // of size 0 when complete or when the peer has none
};

// The claims of one content, densely stored: a listing can start anywhere. Order is a function of the
// history of additions and removals alone.
class ClaimTable {
 public:
  const Claim* Find(const Address& peer) const;
  Claim* Find(const Address& peer);
  Claim& Add(const Address& peer);  // must not be there
  void Remove(const Address& peer);
  uint32_t size() const { return static_cast<uint32_t>(claims_.size()); }
  const Claim& at(uint32_t index) const { return claims_[index]; }

 private:
  std::vector<Claim> claims_;
  absl::flat_hash_map<Address, uint32_t> index_;  // look-up only
};

struct Torrent {
  TorrentNumber number;
  ContentId content;
  Metainfo metainfo;  // under the first name it was registered with, without foreign info-hashes
  absl::btree_set<std::string> names;
  Instant since;  // log time of its registration
  uint32_t piece_count = 0;
  uint32_t info_hashes = 0;
  uint32_t complete = 0;  // claims of all pieces
  ClaimTable claims;
};

class Registry {
 public:
  explicit Registry(const Limits& limits = Limits());

  // `stamp` is the log time of the command's batch; it never goes back. kUnavailable means that nothing
  // was done (a limit that may pass); every other outcome is final.
  tracker_api::Response Apply(Instant stamp, const Operation& operation);

  // --- queries: the state as applied so far ---

  const Torrent* Find(const tracker_api::TorrentKey& key) const;
  const Torrent* FindInfoHash(const InfoHash& hash) const;
  const Torrent& torrent(TorrentNumber number) const { return *torrents_[number.value()]; }
  // Lists at most `limit` peers, starting at a place drawn from `rotation`, wrapping around.
  tracker_api::Response Lookup(const tracker_api::Lookup& query, uint64_t rotation) const;
  tracker_api::Response List(const tracker_api::List& query) const;
  tracker_api::Response Fetch(const tracker_api::Fetch& query) const;
  // For clients' listings: true while log time has not passed the claim's expiry.
  bool Live(const Claim& claim) const { return claim.expires > log_time_; }

  uint64_t torrents() const { return torrents_.size(); }
  uint64_t claims() const { return claims_; }
  uint64_t accounted_bytes() const { return bytes_; }
  Instant log_time() const { return log_time_; }
  // Log time of the earliest expiry the index knows (a renewed claim may live longer); Never if none.
  Instant next_expiry() const;
  // Equal after equal commands; a chain over every change with its result, so it costs O(change).
  uint64_t digest() const { return digest_.value(); }
  void CheckInvariants() const;

 private:
  struct Binding {
    TorrentNumber torrent;
    std::vector<InfoHash> foreign;  // those registered with this name
  };
  struct HashBinding {
    TorrentNumber torrent;
    std::string name;
  };
  using ExpiryKey = std::tuple<Instant, TorrentNumber, Address>;

  tracker_api::Response ApplyOne(const tracker_api::Register& op);
  tracker_api::Response ApplyOne(const tracker_api::Offer& op);
  tracker_api::Response ApplyOne(const tracker_api::Withdraw& op);
  tracker_api::Response ApplyOne(const Claims& op);
  tracker_api::Response ApplyOne(const Tick& op);

  std::optional<tracker_api::Response> RegistrationConflict(const Metainfo& metainfo,
                                                            const Torrent* known) const;
  std::optional<tracker_api::Response> RegistrationOverLimit(const Metainfo& metainfo, const Torrent* known,
                                                             uint32_t new_hashes) const;
  Torrent& AddTorrent(const Metainfo& metainfo);
  void BindName(Torrent& torrent, const Metainfo& metainfo, const std::vector<InfoHash>& new_hashes);
  // nullptr when a limit forbids another claim. Renews.
  Claim* ClaimOf(Torrent& torrent, const Address& peer, const char** why);
  bool AddPieces(Torrent& torrent, Claim& claim, const PieceMap& pieces, const char** why);
  void MakeComplete(Torrent& torrent, Claim& claim);
  void MakeEmpty(Torrent& torrent, Claim& claim);
  void RemovePieces(Torrent& torrent, Claim& claim, const PieceMap& pieces);
  void RemoveClaim(Torrent& torrent, const Address& peer);
  void ExpireSome();
  void DigestClaim(const Torrent& torrent, const Claim& claim, uint64_t change);
  Torrent* Mutable(const tracker_api::TorrentKey& key) { return const_cast<Torrent*>(Find(key)); }

  Limits limits_;
  Instant log_time_{};
  std::vector<std::unique_ptr<Torrent>> torrents_;  // by number
  absl::btree_map<ContentId, TorrentNumber> contents_;
  absl::btree_map<std::string, Binding> names_;
  absl::btree_map<InfoHash, HashBinding> hashes_;
  absl::btree_set<ExpiryKey> expiries_;  // exactly one per claim
  uint64_t claims_ = 0;
  uint64_t bytes_ = 0;
  RollingDigest digest_;
};

// --- helpers shared with the node ---

tracker_api::Response Refuse(tracker_api::Outcome outcome, std::string reason);
// "name \"x\"", "content <id>" or "info-hash <hex>".
std::string Describe(const tracker_api::TorrentKey& key);
// The claim as clients see it.
tracker_api::PeerClaim ToPeerClaim(const Claim& claim, uint32_t piece_count);
// When peers of this torrent are to announce again: soon in a young or small swarm, where each newcomer
// counts and few are there to ask.
Duration AnnounceInterval(const Torrent& torrent, Instant log_time);
// nullopt when `peer` can be dialled, else why not.
std::optional<std::string> PeerProblem(const Address& peer);

}  // namespace bt::tracker
