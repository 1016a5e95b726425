#pragma once

// Spreader: a seeder's hand in who fetches what. Its uplink is what a young swarm waits for, so each piece
// that no downloader has yet is handed to one of them, as a suggestion (BEP 6): the first copy of the content
// leaves once, and in different hands. Next in turn is the peer whose pieces have spread best: of what it was
// given, it has the fewest that nobody else has. A peer that asks for other pieces than it is given (few
// clients of others heed suggestions) is not counted on. While a single peer is there nothing is handed out:
// there is nothing to spread, and it knows best what it lacks.
//
// Pure bookkeeping, one entry per piece and per peer: O(1) per piece, O(peers) per suggestion, and a
// departure costs what is given and not yet spread. Uploads is its user.

#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/ids.h"
#include "core/base/rng.h"
#include "core/base/time.h"
#include "core/torrent/piece_map.h"

namespace bt::swarm {

class Spreader {
 public:
  using PeerSlot = uint32_t;  // the peer table's dense number
  struct Suggestion {
    PeerSlot peer = 0;
    PieceIndex piece;
  };

  Spreader(uint32_t pieces, Rng& rng);

  // A peer that may ask now, and ceases to. What it has is told by Has.
  void Join(PeerSlot peer);
  void Leave(PeerSlot peer);
  // The peer has announced the piece.
  void Has(PeerSlot peer, PieceIndex piece, Instant now);
  // The peer asks for a block of it.
  void Asked(PeerSlot peer, PieceIndex piece, Instant now);
  // It is not to be given: it cannot be had here any more, or who is to get it has it.
  void LeaveOut(PieceIndex piece);

  // The next suggestion that is due, if one is. Who has joined is given its first before any other.
  std::optional<Suggestion> Next(Instant now);
  // Given pieces that have not arrived in time are given anew; such as did not spread are let go.
  void Expire(Instant now);
  // When Expire has something to do next.
  Instant deadline() const;
  void CheckInvariants() const;

 private:
  static constexpr PeerSlot kNobody = UINT32_MAX;
  // kGiven: suggested to its owner, or asked for by it unbidden. kHeld: its owner has announced it, nobody
  // else has. kSpread: somebody has it who was not given it, or it is left out.
  enum class State : uint8_t { kWaiting, kGiven, kHeld, kSpread };
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Piece {
    State state = State::kWaiting;
    bool comes_back = false;  // it is in again_
    bool unbidden = false;    // its owner has chosen it
    bool owed = false;        // its owner has not asked for it yet
    PeerSlot owner = kNobody;
    Instant since{};  // given to its owner
    // Among the pieces that have an owner, by since.
    uint32_t older = kNone;
    uint32_t newer = kNone;
  };
  struct PeerState {
    bool joined = false;
    bool led = false;         // was ever given a piece
    uint32_t owns = 0;        // pieces
    uint32_t unspread = 0;    // of these, suggested to it
    uint32_t on_the_way = 0;  // of what it owns, kGiven
    Instant suggested{};      // last
    Instant heeded{};         // when it last asked for what it was given, or began to owe that
    uint32_t owed = 0;        // of what it owns, not asked for yet
    uint32_t strays = 0;      // pieces it has asked for since without being given them
    PieceIndex stray;         // the last of these
  };

  bool joined(PeerSlot peer) const { return peer < peers_.size() && peers_[peer].joined; }
  uint32_t Window() const;
  PeerSlot NextInTurn(Instant now) const;
  Duration Patience() const;
  std::optional<PieceIndex> Take();
  static void Heeded(PeerState& peer, Instant now);
  void Suggest(PeerSlot peer, PieceIndex piece, Instant now);
  enum class Bidden : bool { kNo, kYes };
  void Give(PeerSlot peer, PieceIndex piece, Bidden bidden, Instant now);
  // It is nobody's any more.
  void Free(PieceIndex piece, State state);
  // It is to be given anew.
  void TakeBack(PieceIndex piece);
  void TakeBackAll(PeerSlot peer);
  void Arrived(const Piece& piece, Instant now);

  std::vector<Piece> pieces_;  // one for each piece
  // One for each piece.
  std::vector<PieceIndex> order_;  // in which they are given first, and again_: those that come back
  size_t next_ = 0;
  std::vector<PieceIndex> again_;  // one for each piece
  uint32_t oldest_ = kNone;        // of the pieces that have an owner
  uint32_t newest_ = kNone;
  std::vector<PeerState> peers_;  // at most kPeerLimit
  uint32_t joined_ = 0;
  uint32_t on_the_way_ = 0;  // all peers together
  PeerSlot turn_ = 0;
  Duration takes_{};  // from being given to being announced, smoothed; 0: none has arrived
  Instant rate_since_{};
  uint32_t arrived_ = 0;  // since then
  uint64_t per_second_ = 0;
};

}  // namespace bt::swarm
