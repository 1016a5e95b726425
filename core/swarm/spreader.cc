#include "core/swarm/spreader.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace bt::swarm {
namespace {

constexpr uint32_t kPeersMin = 2;             // from so many on there is something to spread
constexpr uint32_t kPiecesPerPeer = 2;        // one arriving, one asked for
constexpr uint32_t kPiecesMin = 8;            // on the way at one time, all peers together, at least
constexpr uint32_t kPartOfSecond = 4;         // or as many as arrive in a quarter of a second
constexpr uint32_t kPeerLimit = 128;          // on the way to one peer
constexpr uint32_t kStraysMax = 8;            // then a peer is taken for one that does not heed suggestions
constexpr Duration kHeedWithin = Seconds(1);  // it may have chosen before it heard of one
constexpr Duration kPatienceMin = Seconds(1);
constexpr Duration kPatienceMinAtEnd = Milliseconds(250);
constexpr Duration kPatienceMax = Seconds(60);
constexpr Duration kLeadAtLeast = Milliseconds(500);  // or it would begin to choose for itself
constexpr Duration kRateWindow = Milliseconds(250);

}  // namespace

Spreader::Spreader(uint32_t pieces, Rng& rng) : pieces_(pieces) {
  order_.reserve(pieces);
  for (uint32_t i = 0; i < pieces; ++i) order_.push_back(PieceIndex(i));
  rng.Shuffle(order_);
}

// --- peers ---

void Spreader::Join(PeerSlot peer) {
  if (peer >= peers_.size()) peers_.resize(peer + 1);
  if (peers_[peer].joined) return;
  peers_[peer] = {};
  peers_[peer].joined = true;
  ++joined_;
}

// What it alone has, or was to get, is given to somebody else.
void Spreader::Leave(PeerSlot peer) {
  if (!joined(peer)) return;
  TakeBackAll(peer);
  peers_[peer] = {};
  --joined_;
}

void Spreader::TakeBackAll(PeerSlot peer) {
  for (uint32_t i = oldest_; i != kNone && peers_[peer].owns > 0;) {
    const uint32_t newer = pieces_[i].newer;
    if (pieces_[i].owner == peer) TakeBack(PieceIndex(i));
    i = newer;
  }
}

void Spreader::TakeBack(PieceIndex index) {
  Free(index, State::kWaiting);
  if (std::exchange(pieces_[index.value()].comes_back, true)) return;
  again_.push_back(index);
}

// --- what becomes of the pieces ---

void Spreader::Give(PeerSlot peer, PieceIndex index, Bidden bidden, Instant now) {
  Piece& piece = pieces_[index.value()];
  piece.state = State::kGiven;
  piece.unbidden = bidden == Bidden::kNo;
  piece.owner = peer;
  piece.since = now;
  piece.older = newest_;
  (newest_ == kNone ? oldest_ : pieces_[newest_].newer) = index.value();
  newest_ = index.value();
  PeerState& owner = peers_[peer];
  ++owner.owns;
  ++owner.on_the_way;
  ++on_the_way_;
  if (piece.unbidden) return;
  ++owner.unspread;
  ++owner.owed;
  piece.owed = true;
}

void Spreader::Free(PieceIndex index, State state) {
  Piece& piece = pieces_[index.value()];
  if (piece.owner != kNobody) {
    PeerState& owner = peers_[piece.owner];
    --owner.owns;
    if (!piece.unbidden) --owner.unspread;
    if (std::exchange(piece.owed, false)) --owner.owed;
    if (piece.state == State::kGiven) {
      --owner.on_the_way;
      --on_the_way_;
    }
    (piece.older == kNone ? oldest_ : pieces_[piece.older].newer) = piece.newer;
    (piece.newer == kNone ? newest_ : pieces_[piece.newer].older) = piece.older;
    piece.older = piece.newer = kNone;
    piece.owner = kNobody;
  }
  piece.state = state;
}

void Spreader::Has(PeerSlot peer, PieceIndex index, Instant now) {
  Piece& piece = pieces_[index.value()];
  if (piece.state == State::kSpread || (piece.state == State::kHeld && piece.owner == peer)) return;
  if (piece.owner != peer) return Free(index, State::kSpread);
  --peers_[peer].on_the_way;
  --on_the_way_;
  piece.state = State::kHeld;
  Arrived(piece, now);
}

void Spreader::Arrived(const Piece& piece, Instant now) {
  const Duration took = now - piece.since;
  takes_ = takes_.ns == 0 ? took : (takes_ * 7 + took) / 8;
  ++arrived_;
  const Duration elapsed = now - rate_since_;
  if (elapsed < kRateWindow) return;
  const int64_t micros = std::min<int64_t>(elapsed.micros(), 1'000'000);
  per_second_ = uint64_t{arrived_} * 1'000'000 / static_cast<uint64_t>(micros);
  arrived_ = 0;
  rate_since_ = now;
}

void Spreader::Heeded(PeerState& peer, Instant now) {
  peer.heeded = now;
  peer.strays = 0;
}

void Spreader::Asked(PeerSlot peer, PieceIndex index, Instant now) {
  if (!joined(peer)) return;
  Piece& piece = pieces_[index.value()];
  PeerState& asker = peers_[peer];
  if (piece.owner == peer) {
    if (!std::exchange(piece.owed, false)) return;
    --asker.owed;
    Heeded(asker, now);
    return;
  }
  const bool strays = asker.owed > 0 && now - asker.heeded > kHeedWithin;
  if (strays && (asker.strays == 0 || asker.stray != index)) {
    asker.stray = index;
    // What it was to get others may have; it gets what it asks for.
    if (++asker.strays > kStraysMax) TakeBackAll(peer);
  }
  if (piece.state == State::kWaiting) Give(peer, index, Bidden::kNo, now);
}

void Spreader::LeaveOut(PieceIndex piece) { Free(piece, State::kSpread); }

// --- suggestions ---

uint32_t Spreader::Window() const {
  const uint32_t rate = static_cast<uint32_t>(per_second_);
  // Over a slow link to many no more than one for each: what is on the way for long spreads late.
  const uint32_t each = std::clamp(rate, joined_, kPiecesPerPeer * joined_);
  return std::max({kPiecesMin, per_second_ == 0 ? kPiecesPerPeer * joined_ : each, rate / kPartOfSecond});
}

std::optional<PieceIndex> Spreader::Take() {
  while (!again_.empty()) {
    const PieceIndex piece = again_.back();
    again_.pop_back();
    pieces_[piece.value()].comes_back = false;
    if (pieces_[piece.value()].state == State::kWaiting) return piece;
  }
  while (next_ < order_.size()) {
    const PieceIndex piece = order_[next_++];
    if (pieces_[piece.value()].state == State::kWaiting) return piece;
  }
  return std::nullopt;
}

// Whose turn it is, if it is anybody's.
Spreader::PeerSlot Spreader::NextInTurn(Instant now) const {
  if (joined_ == 0) return kNobody;
  const uint32_t window = Window();
  // However well a peer spreads: what waits for it others could have by now.
  const uint32_t each = std::min(std::max(kPiecesPerPeer, window / joined_) * 3 / 2, kPeerLimit);
  PeerSlot best = kNobody;
  for (size_t i = 0; i < peers_.size(); ++i) {
    const PeerSlot slot = static_cast<PeerSlot>((turn_ + i) % peers_.size());  // among equals by turns
    const PeerState& peer = peers_[slot];
    if (!peer.joined) continue;
    // Who has nothing to ask for begins to choose for itself.
    if (!peer.led && joined_ >= kPeersMin) return slot;
    if (!peer.led || peer.strays > kStraysMax) continue;
    if (peer.on_the_way == 0) return slot;
    if (on_the_way_ >= window || peer.on_the_way >= each) continue;
    if (now - peer.suggested >= kLeadAtLeast) return slot;
    if (best == kNobody || peer.unspread < peers_[best].unspread) best = slot;
  }
  return best;
}

std::optional<Spreader::Suggestion> Spreader::Next(Instant now) {
  const PeerSlot peer = NextInTurn(now);
  if (peer == kNobody) return std::nullopt;
  const std::optional<PieceIndex> piece = Take();
  if (!piece) return std::nullopt;
  turn_ = peer + 1;
  Suggest(peer, *piece, now);
  return Suggestion{peer, *piece};
}

void Spreader::Suggest(PeerSlot slot, PieceIndex piece, Instant now) {
  PeerState& peer = peers_[slot];
  peer.led = true;
  if (peer.owed == 0) Heeded(peer, now);
  peer.suggested = now;
  Give(slot, piece, Bidden::kYes, now);
}

// Many peers at a slow link make every piece late: late is who takes much longer than others do.
Duration Spreader::Patience() const {
  if (takes_.ns == 0) return kPatienceMax;
  const bool end = next_ == order_.size() && again_.empty();
  return end ? std::clamp(takes_ * 2, kPatienceMinAtEnd, kPatienceMax)
             : std::clamp(takes_ * 4, kPatienceMin, kPatienceMax);
}

void Spreader::Expire(Instant now) {
  const Instant since = now - Patience();
  while (oldest_ != kNone && pieces_[oldest_].since <= since) {
    const PieceIndex index(oldest_);
    if (pieces_[oldest_].state == State::kGiven) {
      TakeBack(index);
    } else {
      Free(index, State::kSpread);  // its owner keeps it to itself: let whoever wants it ask us
    }
  }
}

Instant Spreader::deadline() const {
  return oldest_ == kNone ? Instant::Never() : pieces_[oldest_].since + Patience();
}

void Spreader::CheckInvariants() const {
  uint32_t joined = 0;
  uint32_t on_the_way = 0;
  for (const PeerState& peer : peers_) {
    CHECK(peer.joined || peer.owns == 0);
    CHECK(peer.on_the_way <= peer.owns && peer.unspread <= peer.owns && peer.owed <= peer.unspread);
    joined += peer.joined ? 1 : 0;
    on_the_way += peer.on_the_way;
  }
  CHECK(joined == joined_ && on_the_way == on_the_way_);
  CHECK(again_.size() <= pieces_.size());
  CHECK((oldest_ == kNone) == (newest_ == kNone));
}

}  // namespace bt::swarm
