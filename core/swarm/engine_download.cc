// Downloading: requests out, blocks in, verdicts on pieces, and what follows from them.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "core/swarm/engine.h"

namespace bt::swarm {
namespace {

// A StoreBlock's token carries the block and its piece's generation: no table to look it up in.
constexpr uint32_t kBlockBits = 12;
static_assert(kPieceLengthMax / kBlockSize <= 1u << kBlockBits);
static_assert(kPieceCountLimit <= 1u << (32 - kBlockBits));

BlockToken TokenOf(BlockRef block, uint32_t generation) {
  return BlockToken(uint64_t{generation} << 32 | uint64_t{block.piece.value()} << kBlockBits | block.block);
}
BlockRef BlockOf(BlockToken token) {
  const uint32_t low = static_cast<uint32_t>(token.value());
  return {PieceIndex(low >> kBlockBits), low & ((1u << kBlockBits) - 1)};
}
uint32_t GenerationOf(BlockToken token) { return static_cast<uint32_t>(token.value() >> 32); }

// Takes `block` out of a queue in which it is most likely near the front.
bool Remove(std::deque<BlockRef>& queue, BlockRef block) {
  const auto found = std::find(queue.begin(), queue.end(), block);
  if (found == queue.end()) return false;
  queue.erase(found);
  return true;
}

}  // namespace

uint32_t Client::Engine::BlockLength(BlockRef block) const {
  const uint32_t piece = metainfo_->piece_size(block.piece.value());
  return std::min(kBlockSize, piece - block.block * kBlockSize);
}

wire::BlockSpan Client::Engine::SpanOf(BlockRef block) const {
  return {block.piece, block.block * kBlockSize, BlockLength(block)};
}

// --- requests ---

// A peer's part of what may be in flight, and of what is left to ask for: so that the first to connect do not
// take a small file all for themselves. In whole pieces, where that is possible: a piece of one sender is one
// that can be blamed on it.
uint32_t Client::Engine::FairShare() const {
  const uint32_t peers = std::max({1u, ready_, dialled_});
  const uint32_t per_piece = metainfo_->block_count(0);
  uint64_t left = uint64_t{picker_->missing()} * per_piece / peers;
  left = (left + per_piece) / per_piece * per_piece;
  return static_cast<uint32_t>(
      std::max<uint64_t>(kWindowMin, std::min<uint64_t>(left, kBytesInFlightLimit / kBlockSize / peers)));
}

void Client::Engine::Refill(Peer& peer, Ctx& context) {
  if (phase_ != Phase::kDownloading || peer.state != Peer::State::kReady || peer.peer_choking ||
      !peer.am_interested) {
    return;
  }
  const uint32_t fair_share = FairShare();
  const uint32_t target = peer.WindowTarget(fair_share);
  const uint32_t out = static_cast<uint32_t>(peer.requests.size());
  // Requests go out in batches: topping up one by one would cost a message each.
  if (out >= target || (out > 0 && target - out < target / 8)) return;
  const uint64_t used = requested_bytes_ + storing_bytes_;
  const uint64_t room = used >= kBytesInFlightLimit ? 0 : (kBytesInFlightLimit - used) / kBlockSize;
  if (room < target - out) starved_ = true;
  const uint32_t count = static_cast<uint32_t>(std::min<uint64_t>(target - out, room));
  if (count == 0) return;
  picked_.clear();
  picker_->Pick(peer.slot, peer.pieces, count, context.now, context.rng, picked_);
  if (picked_.empty() && out < kEndgameDepth) {
    const std::vector<BlockRef> already(peer.requests.begin(), peer.requests.end());
    picker_->PickEndgame(peer.pieces, already, std::min(count, kEndgameDepth - out), picked_);
  }
  if (picked_.empty()) return;
  if (out == 0) {
    peer.waiting_since = context.now;
    if (peer.blocks_per_second == 0) peer.rate_since = context.now;
  }
  for (const BlockRef block : picked_) {
    peer.requests.push_back(block);
    Queue(peer, wire::Request{SpanOf(block)});
  }
  requested_bytes_ += uint64_t{kBlockSize} * picked_.size();
  Touch(peer, context);
}

// After blocks have become free: those who deliver choose first.
void Client::Engine::RefillAll(Ctx& context) {
  refill_all_ = false;
  for (const bool snubbed : {false, true}) {
    for (size_t i = 0; i < peers_.size(); ++i) {
      Peer* peer = peers_[i].get();
      if (peer != nullptr && peer->snubbed == snubbed) Refill(*peer, context);
    }
  }
}

// Its requests go back to the picker; `tell`: with a cancel each. Late answers are still welcome.
void Client::Engine::GiveUpRequests(Peer& peer, bool tell) {
  if (peer.requests.empty()) return;
  for (const BlockRef block : peer.requests) {
    picker_->Release(block);
    if (tell) Queue(peer, wire::Cancel{SpanOf(block)});
    peer.stale.push_back(block);
    if (peer.stale.size() > kStaleLimit) peer.stale.pop_front();
  }
  requested_bytes_ -= uint64_t{kBlockSize} * peer.requests.size();
  peer.requests.clear();
  refill_all_ = true;
}

// It owes blocks and sends none: others get its requests, and it has to prove itself with one at a time.
void Client::Engine::Snub(Peer& peer, Ctx& context) {
  peer.snubbed = true;
  peer.window = kWindowMin;
  peer.waiting_since = context.now;
  GiveUpRequests(peer, true);
  picker_->Disown(peer.slot);
  refill_all_ = true;
  if (++peer.timeouts >= kTimeoutLimit) Disconnect(peer, "does not send what it has", true, context);
}

void Client::Engine::CancelElsewhere(BlockRef block, const Peer& except) {
  for (const auto& peer : peers_) {
    if (peer == nullptr || peer.get() == &except || !Remove(peer->requests, block)) continue;
    requested_bytes_ -= kBlockSize;
    Queue(*peer, wire::Cancel{SpanOf(block)});
    peer->stale.push_back(block);
    if (peer->stale.size() > kStaleLimit) peer->stale.pop_front();
  }
}

// --- blocks ---

void Client::Engine::OnBlock(Peer& peer, const wire::Piece& piece, Ctx& context) {
  const BlockRef block{piece.piece, piece.offset / kBlockSize};
  if (piece.piece.value() >= metainfo_->piece_count() ||
      piece.offset >= metainfo_->piece_size(piece.piece.value()) || piece.offset % kBlockSize != 0 ||
      piece.bytes.size() != BlockLength(block)) {
    return ProtocolError(peer, "a block of a form nobody asked for", context);
  }
  const uint32_t length = static_cast<uint32_t>(piece.bytes.size());
  totals_.bytes_received += length;
  const bool asked = Remove(peer.requests, block);
  if (asked) requested_bytes_ -= kBlockSize;
  if (!asked && !Remove(peer.stale, block)) {
    totals_.bytes_wasted += length;
    if (++peer.unrequested > kUnrequestedLimit) ProtocolError(peer, "blocks nobody asked for", context);
    return;
  }
  peer.given += length;
  peer.CountBlock(context.now);
  book_.Worked(peer.address);
  if (phase_ != Phase::kDownloading) return;
  const bool others_asked = picker_->requesters(block) > (asked ? 1 : 0);
  if (picker_->Arrived(block, peer.slot, peer.sender()) == Picker::Arrival::kDuplicate) {
    totals_.bytes_wasted += length;
    return;
  }
  if (others_asked) CancelElsewhere(block, peer);
  storing_bytes_ += length;
  context.out.File(StoreBlock{TokenOf(block, picker_->generation(block.piece)), kContentFile,
                              uint64_t{block.piece.value()} * metainfo_->piece_length + piece.offset,
                              piece.bytes});
}

void Client::Engine::Handle(const BlockStored& input, Ctx& context) {
  if (phase_ != Phase::kDownloading) return;
  if (!input.status.ok()) {
    return Fail(absl::StrCat("cannot write the download: ", input.status.message()), context);
  }
  const BlockRef block = BlockOf(input.token);
  storing_bytes_ -= BlockLength(block);
  if (starved_) {
    starved_ = false;
    refill_all_ = true;
  }
  std::optional<PieceRecord> record = picker_->Stored(block, GenerationOf(input.token), input.leaf);
  if (record) Judge(block.piece, *std::move(record), context);
}

// --- verdicts ---

// All blocks of a piece are on disk. Its hash decides whether they ever count.
void Client::Engine::Judge(PieceIndex piece, PieceRecord record, Ctx& context) {
  if (metainfo_->VerifyPiece(piece.value(), record.leaves)) {
    picker_->Accept(piece);
    for (const Sender& liar : blame_.Passed(piece, record)) Convict(liar, piece, context);
    return HavePiece(piece, context);
  }
  ++totals_.pieces_rejected;
  totals_.bytes_wasted += metainfo_->piece_size(piece.value());
  digest_.Add(uint64_t{piece.value()} << 1);
  PieceRejected rejected{piece, {}};
  for (const Sender& sender : SendersOf(record)) rejected.peers.push_back(sender.address);
  context.out.Note(std::move(rejected));
  // Of several senders at least one lies, and which one only a correct copy can tell: the next attempt is
  // one peer's alone, so that it ends in that copy or in proof against that peer.
  const std::vector<Sender> liars = blame_.Failed(piece, std::move(record));
  picker_->Reject(piece, true);
  for (const Sender& liar : liars) Convict(liar, piece, context);
  refill_all_ = true;
}

void Client::Engine::HavePiece(PieceIndex piece, Ctx& context) {
  CHECK(verified_.Add(piece));
  digest_.Add(uint64_t{piece.value()} << 1 | 1);
  context.out.Note(PieceVerified{piece});
  tracker_.HoldChanged();
  ProgressMade(context);
  for (const auto& peer : peers_) {
    if (peer == nullptr || peer->state != Peer::State::kReady) continue;
    if (peer->pieces.Has(piece)) {
      --peer->useful;
      UpdateInterest(*peer);
    } else {
      Queue(*peer, wire::Have{piece});
    }
  }
  FinishIfProven(context);
}

void Client::Engine::Convict(const Sender& sender, PieceIndex piece, Ctx& context) {
  if (book_.banned(sender.address)) return;
  book_.Ban(sender.address);
  digest_.Add(uint64_t{sender.address.port});
  context.out.Note(PeerBanned{sender.address, absl::StrCat("sent wrong bytes for piece ", piece.value())});
  for (size_t i = 0; i < peers_.size(); ++i) {
    Peer* peer = peers_[i].get();
    if (peer != nullptr && peer->sender().Same(sender)) Disconnect(*peer, "banned", true, context);
  }
  picker_->Distrust(sender);
  refill_all_ = true;
}

}  // namespace bt::swarm
