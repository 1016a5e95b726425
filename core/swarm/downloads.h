#pragma once

// Downloads: fetching what is missing: which blocks are asked of whom, where arriving blocks go, and the
// verdict on each piece. Active from Begin to End; otherwise peers' pieces do not matter to it. Invariants:
// what is asked for or being stored, all peers together, stays near Limits::bytes_in_flight; a piece counts
// only after its hash. For the client's engine, which acts on what it returns (bans, cut connections).

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "core/base/digest.h"
#include "core/swarm/blame.h"
#include "core/swarm/demand_order.h"
#include "core/swarm/peer_table.h"
#include "core/swarm/picker.h"
#include "core/swarm/throttle.h"
#include "core/swarm/torrent.h"

namespace bt::swarm {

class Downloads {
 public:
  using Ctx = Context<Protocol>;
  // What a piece message turned out to be.
  enum class Arrival : uint8_t { kAskedFor, kNotAskedFor, kFloodOfThose, kMalformed };
  // What a stored block has decided: at most one piece, and who is proven to have lied about it.
  struct Verdict {
    bool verified = false;
    PieceIndex piece;
    std::vector<Sender> liars;  // at most kPeerLimit
  };

  // All must outlive this; `totals` is added to.
  Downloads(const Torrent& torrent, PeerTable& peers, swarm::Progress& totals, const Config& config)
      : torrent_(torrent),
        peers_(peers),
        totals_(totals),
        limits_(config.limits),
        throttle_(config.download_limit) {}

  void Begin(Rng& rng);
  void End() { picker_.reset(); }
  bool active() const { return picker_.has_value(); }

  // --- what a peer has, and whether it lets us ask ---

  // Its pieces begin to count, and cease to.
  void Adopt(Peer& peer);
  void Disown(const Peer& peer);
  void PeerHas(Peer& peer, PieceIndex piece);
  // It would like to be asked for this piece (BEP 6).
  void Suggested(Peer& peer, PieceIndex piece, Ctx& context);
  // Its suggestions have not come in time: from now on it is asked as others are.
  void LeadIsOver(Peer& peer);
  void Rejected(Peer& peer, BlockRef block, Ctx& context);
  // Peer::refused is over: what it has rejected may be asked of it again.
  void AskAgain(Peer& peer, Ctx& context);
  void Choked(Peer& peer);
  void Left(Peer& peer);

  // --- requests ---

  void Refill(Peer& peer, Ctx& context);
  // If blocks have become free in this step: those who deliver choose first.
  void RefillAll(Ctx& context);
  // It owes blocks and sends none: others get its requests, and it has to prove itself with one at a time.
  // False when it has been given that chance often enough.
  bool Snub(Peer& peer, Ctx& context);
  // Pieces that have been demanded of one peer alone for longer than `limit` may come from others.
  void ExpireAlone(Duration limit, Ctx& context);
  // Timer::kPeers has fired: the endgame may be due, and Config::download_limit let more be asked for.
  void Wake(Ctx& context);
  // Another limit of bytes a second from now on; 0: none.
  void SetLimit(uint64_t bytes_per_second, Ctx& context);

  // --- for web seeds (downloads_runs.cc): pieces nobody is asked for ---

  // Pieces of one file one behind the other.
  struct Run {
    PieceIndex first;
    uint32_t count = 0;
    uint64_t bytes = 0;
    Picker::PeerSlot taker = 0;
  };
  // Takes pieces for the `number`-th of those who take runs: one, or as many as have `bytes_max` bytes.
  // nullopt: there is nothing to take, or enough is in flight.
  std::optional<Run> TakeRun(uint32_t number, uint64_t bytes_max, Instant now);
  // The bytes of the run from `begin` on, a multiple of 16 KiB, are here.
  void StoreRun(const Run& run, uint64_t begin, const Slice& bytes, const Sender& sender, Ctx& context);
  // What the `number`-th has taken and has not brought is anybody's.
  void GiveUpRuns(uint32_t number);
  // When a peer last sent a block that was wanted; the origin: none has. For long only if whole pieces that
  // are right come of it: liars, and who sends too little, are no reason to wait.
  Instant last_arrival() const { return std::min(last_arrival_, last_whole_ + kWithoutPieceMax); }
  // Of what is asked for: whoever takes runs keeps to it and pays it.
  Throttle& throttle() { return throttle_; }

  // --- blocks and pieces ---

  Arrival OnBlock(Peer& peer, const wire::Piece& piece, Ctx& context);
  Verdict Stored(const BlockStored& stored, Ctx& context);
  // A piece is there now, or not any more: what peers have of it is worth less, or more.
  void Gained(PieceIndex piece);
  void Lost(PieceIndex piece);
  // And may be written to from now on.
  void MayFetch(PieceIndex piece);
  void Distrust(const Sender& sender);

  // A peer that could be asked for a block and is asked for none; nullptr when there is none, as there must
  // be at the end of a step: nothing would have it asked later. Walks the pieces that are missing: for
  // judges.
  const Peer* Overlooked() const;
  void CheckInvariants() const;
  uint64_t Digest() const;

 private:
  static constexpr Duration kWithoutPieceMax = Seconds(60);

  uint32_t FairShare() const;
  bool Plenty(const Peer& peer) const;
  bool Endgame(Ctx& context);
  uint32_t Sources() const;
  bool IsLed(const Peer& peer) const;
  static bool MayAsk(const Peer& peer);
  uint64_t Room() const;
  wire::BlockSpan SpanOf(BlockRef block) const;
  uint32_t BlockLength(BlockRef block) const;
  void UpdateInterest(Peer& peer);
  void LoseTurn(Peer& peer, PieceIndex piece, Ctx& context);
  bool HasSpread();
  bool MayDemand(const Peer& peer, PieceIndex piece) const;
  void GiveUpRequests(Peer& peer, bool tell, std::optional<PieceIndex> only = std::nullopt);
  void Store(BlockRef block, const Slice& bytes, Ctx& context);
  void CancelElsewhere(BlockRef block, const Peer* except);
  Verdict Judge(PieceIndex piece, PieceRecord record, Ctx& context);

  const Torrent& torrent_;
  PeerTable& peers_;
  swarm::Progress& totals_;
  const Limits limits_;
  Throttle throttle_;       // of what is asked for
  bool throttled_ = false;  // somebody waits for it
  std::optional<Picker> picker_;
  Blame blame_;
  DemandOrder demands_;
  std::vector<BlockRef> picked_;  // of one refill, kept for its memory; at most kRequestsPerPeerLimit
  uint64_t requested_bytes_ = 0;  // in peers' requests
  uint64_t storing_bytes_ = 0;
  Instant endgame_ = Instant::Never();  // when all is asked for: until then it should have come
  Rate rate_;                           // from all peers together
  Instant last_arrival_{};
  Instant last_whole_{};  // when a piece of peers was last verified, or the first block came
  bool refill_all_ = false;
  uint32_t rarest_ = 0;   // Picker::rarest() when all were last refilled
  bool starved_ = false;  // Limits::bytes_in_flight was reached: somebody may want to ask for more
  RollingDigest digest_;
};

}  // namespace bt::swarm
