#include "core/swarm/downloads.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/base/halves.h"
#include "core/swarm/web_seed_limits.h"

namespace bt::swarm {
namespace {

// A StoreBlock's token carries the block and its piece's generation: no table to look it up in.
constexpr uint32_t kBlockBits = 12;
static_assert(kPieceLengthMax / kBlockSize <= 1u << kBlockBits);
static_assert(kPieceCountLimit <= 1u << (32 - kBlockBits));

BlockToken TokenOf(BlockRef block, uint32_t generation) {
  return BlockToken(Join(generation, block.piece.value() << kBlockBits | block.block));
}
BlockRef BlockOf(BlockToken token) {
  const uint32_t low = LowHalf(token.value());
  return {PieceIndex(low >> kBlockBits), low & ((1u << kBlockBits) - 1)};
}
uint32_t GenerationOf(BlockToken token) { return HighHalf(token.value()); }

// Takes `block` out of a queue in which it is most likely near the front.
bool Remove(std::deque<BlockRef>& queue, BlockRef block) {
  const auto found = std::find(queue.begin(), queue.end(), block);
  if (found == queue.end()) return false;
  queue.erase(found);
  return true;
}

bool FromWebSeeds(const PieceRecord& record) {
  return std::all_of(record.senders.begin(), record.senders.end(),
                     [](const Sender& sender) { return IsWebSeed(sender.address); });
}

// A request that was given up may still be answered.
void RememberStale(Peer& peer, BlockRef block) {
  peer.stale.push_back(block);
  if (peer.stale.size() > kStaleLimit) peer.stale.pop_front();
}

}  // namespace

void Downloads::Begin(Rng& rng) {
  PieceMap settled = torrent_.selection().unselected();
  settled.AddAll(torrent_.verified());
  picker_.emplace(torrent_.metainfo(), settled, rng);
  // Peers that connected while the file was being checked were not looked at for what they have.
  peers_.EachReady([&](Peer& peer) { Adopt(peer); });
}

uint32_t Downloads::BlockLength(BlockRef block) const {
  const uint32_t piece = torrent_.metainfo().piece_size(block.piece.value());
  return std::min(kBlockSize, piece - block.block * kBlockSize);
}

wire::BlockSpan Downloads::SpanOf(BlockRef block) const {
  return {block.piece, block.block * kBlockSize, BlockLength(block)};
}

// --- what a peer has ---

void Downloads::Adopt(Peer& peer) {
  if (!picker_) return;
  picker_->AddPeer(peer.pieces);
  PieceMap useful = peer.pieces;
  useful.RemoveAll(torrent_.verified());
  useful.RemoveAll(torrent_.selection().unselected());
  peer.useful = useful.count();
  UpdateInterest(peer);
}

void Downloads::Disown(const Peer& peer) {
  if (picker_) picker_->RemovePeer(peer.pieces);
}

void Downloads::PeerHas(Peer& peer, PieceIndex piece) {
  if (!picker_) return;
  picker_->PeerHas(piece);
  if (!torrent_.Needs(piece)) return;
  ++peer.useful;
  UpdateInterest(peer);
}

void Downloads::UpdateInterest(Peer& peer) {
  const bool interested = picker_ && peer.useful > 0;
  if (interested == peer.am_interested) return;
  peer.am_interested = interested;
  if (interested) {
    peers_.Queue(peer, wire::Interested{});
  } else {
    peers_.Queue(peer, wire::NotInterested{});
  }
}

// Each request gets one answer, and the answers keep the requests' order (BEP 6). A block that was given up
// and asked for again is first rejected for the request that was given up: that says nothing about the piece.
void Downloads::Rejected(Peer& peer, BlockRef block, Ctx& context) {
  if (Remove(peer.stale, block) || !Remove(peer.requests, block)) return;
  requested_bytes_ -= kBlockSize;
  if (!picker_) return;
  picker_->Release(block);
  refill_all_ = true;
  // What was demanded of it alone is another's to deliver, and at once: nobody else may be asked meanwhile.
  if (picker_->TakeBack(peer.slot, block.piece)) LoseTurn(peer, block.piece, context);
  // Its queue may be full: what it still owes is as much as it takes, until blocks come.
  peer.window = std::clamp(static_cast<uint32_t>(peer.requests.size()), 1u, peer.window);
  // It may not give this piece at all: asking again at once would go round in circles.
  if (peer.pieces.Remove(block.piece)) {
    peer.refused.Add(block.piece, context.now);
    peers_.Touch(peer, context);
    picker_->PeerLost(block.piece);
    if (torrent_.Needs(block.piece)) --peer.useful;
    UpdateInterest(peer);
  }
}

void Downloads::AskAgain(Peer& peer, Ctx& context) {
  for (const PieceIndex piece : peer.refused.TakeAll()) {
    if (peer.pieces.Add(piece)) PeerHas(peer, piece);
  }
  Refill(peer, context);
}

void Downloads::Choked(Peer& peer) {
  GiveUpRequests(peer, false);
  if (picker_) picker_->Disown(peer.slot);
  refill_all_ = true;
}

void Downloads::Left(Peer& peer) {
  Choked(peer);
  Disown(peer);
  LeadIsOver(peer);
}

// What is of no use here is no lead: it must not keep us from asking for what is.
void Downloads::Suggested(Peer& peer, PieceIndex piece, Ctx& context) {
  if (!picker_ || !picker_->untouched(piece) || peer.lead.suggested.size() >= kSuggestedLimit) return;
  if (picker_->demanded_alone(piece) && !MayDemand(peer, piece)) return;
  if (!peer.lead.leads) refill_all_ = true;  // others need not wait for its turn any more
  peer.lead.Suggested(piece, context.now);
  peers_.Touch(peer, context);
}

void Downloads::LeadIsOver(Peer& peer) {
  if (!std::exchange(peer.lead.leads, false)) return;
  refill_all_ = true;
}

// Those that have all, or say so, and those that lead: a piece that only they have has not spread.
uint32_t Downloads::Sources() const {
  uint32_t sources = 0;
  peers_.EachReady([&](const Peer& peer) { sources += peer.lead.leads || peer.pieces.all() ? 1 : 0; });
  return sources;
}

// While there are pieces that have not spread, those who lead decide who gets which: what we would choose
// ourselves has been given to others, who will pass it on.
bool Downloads::IsLed(const Peer& peer) const { return peer.lead.leads && picker_->rarest() <= Sources(); }

// --- requests ---

// A peer's part of what may be in flight, and of what is left to ask for: so that the first to connect do not
// take a small file all for themselves. In whole pieces, where that is possible: a piece of one sender is one
// that can be blamed on it.
uint32_t Downloads::FairShare() const {
  const uint32_t peers = std::max({1u, peers_.ready(), peers_.dialled()});
  const Metainfo& metainfo = torrent_.metainfo();
  const uint32_t per_piece =
      metainfo.tree.empty() ? metainfo.block_count(0) : metainfo.piece_length / kBlockSize;
  uint64_t left = uint64_t{picker_->missing()} * per_piece / peers;
  left = (left + per_piece) / per_piece * per_piece;
  return static_cast<uint32_t>(
      std::max<uint64_t>(kWindowMin, std::min<uint64_t>(left, limits_.bytes_in_flight / kBlockSize / peers)));
}

// Whether what is asked of all peers is what comes in the next second and the round trip: then each peer is
// asked for one block at a time. The more that many slow peers owe, the later each piece is whole and can be
// passed on.
bool Downloads::Plenty(const Peer& peer) const {
  return rate_.per_second > 0 &&
         requested_bytes_ / kBlockSize >= rate_.BlocksIn(kAheadOfAll + peer.round_trip) + kWindowMin;
}

// It has something of use, lets us ask for it, and is not on probation.
bool Downloads::MayAsk(const Peer& peer) {
  return peer.state == Peer::State::kReady && !peer.peer_choking && peer.am_interested &&
         peer.ask_from == Instant{};
}

// In blocks: how many more may be in flight.
uint64_t Downloads::Room() const {
  const uint64_t used = requested_bytes_ + storing_bytes_;
  return used >= limits_.bytes_in_flight ? 0 : (limits_.bytes_in_flight - used) / kBlockSize;
}

void Downloads::Refill(Peer& peer, Ctx& context) {
  if (!picker_ || peer.state != Peer::State::kReady) return;
  if (peer.lead.leads && peer.requests.empty()) peers_.Touch(peer, context);
  if (!MayAsk(peer)) return;
  const uint32_t fair_share = FairShare();
  const uint32_t target = Plenty(peer) ? 1 : peer.WindowTarget(fair_share);
  const uint32_t out = static_cast<uint32_t>(peer.requests.size());
  // Requests go out in batches: topping up one by one would cost a message each.
  if (out >= target || (out > 0 && target - out < target / 8)) return;
  const uint64_t room = Room();
  const uint32_t count = static_cast<uint32_t>(
      std::min<uint64_t>({target - out, room, std::max<uint64_t>(1, throttle_.burst() / kBlockSize)}));
  if (count == 0) {
    starved_ = true;
    return;
  }
  if (!throttle_.Open(context.now)) {
    throttled_ = true;
    return peers_.WakeAt(throttle_.next(context.now), context);
  }
  picked_.clear();
  const auto may_demand = [&](PieceIndex piece) { return MayDemand(peer, piece); };
  if (IsLed(peer)) {
    picker_->PickSuggested(peer.slot, peer.pieces, count, context.now, may_demand, Sources(),
                           peer.lead.suggested, picked_);
  } else {
    picker_->Pick(peer.slot, peer.pieces, count, context.now, context.rng, may_demand, picked_);
  }
  if (picked_.empty() && out < kEndgameDepth && Endgame(context)) {
    const std::vector<BlockRef> already(peer.requests.begin(), peer.requests.end());
    picker_->PickEndgame(peer.pieces, already, std::min(count, kEndgameDepth - out), picked_);
  }
  if (picked_.empty()) return;
  if (picked_.size() == room) starved_ = true;
  if (out == 0) {
    peer.waiting_since = context.now;
    peer.timing = true;
    peer.rate.Resume(context.now);
  }
  if (requested_bytes_ == 0) rate_.Resume(context.now);
  for (const BlockRef block : picked_) {
    if (picker_->demanded_alone(block.piece)) {
      demands_.TookTurn(peer.sender(), context.now);
      refill_all_ = true;  // those who had to wait for it have their turn now
    }
    peer.requests.push_back(block);
    peers_.Queue(peer, wire::Request{SpanOf(block)});
  }
  requested_bytes_ += uint64_t{kBlockSize} * picked_.size();
  throttle_.Spend(uint64_t{kBlockSize} * picked_.size(), context.now);
  peers_.Touch(peer, context);
}

// What is asked for comes in its time; only what has not come then is asked of a second peer.
bool Downloads::Endgame(Ctx& context) {
  if (!picker_->all_asked()) {
    endgame_ = Instant::Never();
    return false;
  }
  if (endgame_ == Instant::Never()) {
    const Duration takes = rate_.per_second == 0 ? kRateWindow : rate_.TimeFor(requested_bytes_);
    endgame_ = context.now + std::min(takes, kEndgamePatience);
  }
  if (context.now < endgame_) peers_.WakeAt(endgame_, context);
  return context.now >= endgame_;
}

void Downloads::SetLimit(uint64_t bytes_per_second, Ctx& context) {
  throttle_.SetRate(bytes_per_second, context.now);
  Wake(context);
}

void Downloads::Wake(Ctx& context) {
  if (std::exchange(throttled_, false)) refill_all_ = true;
  if (!picker_ || endgame_ == Instant::Never()) return;
  if (context.now < endgame_) return peers_.WakeAt(endgame_, context);
  refill_all_ = true;
}

// The rarest piece that nobody is asked for has become less rare: who leads may lead no more (IsLed).
bool Downloads::HasSpread() {
  const uint32_t rarest = picker_->rarest();
  return std::exchange(rarest_, rarest) < rarest;
}

// Again after each turn that somebody took and each piece that was begun: pieces in progress are limited.
void Downloads::RefillAll(Ctx& context) {
  if (!picker_) return;
  while (HasSpread() || refill_all_ || (starved_ && Room() > 0)) {
    refill_all_ = starved_ = false;
    for (const bool snubbed : {false, true}) {
      peers_.Each([&](Peer& peer) {
        if (peer.snubbed == snubbed) Refill(peer, context);
      });
    }
  }
}

// Its requests, or those of `only` one piece, go back to the picker; `tell`: with a cancel each. Late answers
// are still welcome.
void Downloads::GiveUpRequests(Peer& peer, bool tell, std::optional<PieceIndex> only) {
  std::erase_if(peer.requests, [&](BlockRef block) {
    if (only && block.piece != *only) return false;
    if (picker_) picker_->Release(block);
    if (tell) peers_.Queue(peer, wire::Cancel{SpanOf(block)});
    RememberStale(peer, block);
    requested_bytes_ -= kBlockSize;
    refill_all_ = true;
    return true;
  });
}

bool Downloads::Snub(Peer& peer, Ctx& context) {
  peer.snubbed = true;
  peer.window = kWindowMin;
  peer.waiting_since = context.now;
  GiveUpRequests(peer, true);
  if (picker_) picker_->Disown(peer.slot);
  refill_all_ = true;
  return ++peer.timeouts < kTimeoutLimit;
}

void Downloads::CancelElsewhere(BlockRef block, const Peer* except) {
  peers_.Each([&](Peer& peer) {
    if (&peer == except || !Remove(peer.requests, block)) return;
    requested_bytes_ -= kBlockSize;
    refill_all_ = true;  // it can be asked for something else
    peers_.Queue(peer, wire::Cancel{SpanOf(block)});
    RememberStale(peer, block);
  });
}

// --- blocks ---

Downloads::Arrival Downloads::OnBlock(Peer& peer, const wire::Piece& piece, Ctx& context) {
  const Metainfo& metainfo = torrent_.metainfo();
  const BlockRef block{piece.piece, piece.offset / kBlockSize};
  if (piece.piece.value() >= metainfo.piece_count() ||
      piece.offset >= metainfo.piece_size(piece.piece.value()) || piece.offset % kBlockSize != 0 ||
      piece.bytes.size() != BlockLength(block)) {
    return Arrival::kMalformed;
  }
  const uint32_t length = static_cast<uint32_t>(piece.bytes.size());
  totals_.bytes_received += length;
  const bool late = Remove(peer.stale, block);
  const bool asked = Remove(peer.requests, block);
  if (asked) requested_bytes_ -= kBlockSize;
  // Answers keep the requests' order: this one is for the request that was given up. The one that followed
  // would bring the block once more, and counts at the peer, which rejects what is more than it lets wait.
  if (late && asked) {
    peers_.Queue(peer, wire::Cancel{SpanOf(block)});
    RememberStale(peer, block);
  }
  if (!late && !asked) {
    totals_.bytes_wasted += length;
    return ++peer.unrequested > kUnrequestedLimit ? Arrival::kFloodOfThose : Arrival::kNotAskedFor;
  }
  peer.given += length;
  peer.CountBlock(length, context.now);
  rate_.Count(length, context.now);
  // Behind a slow link a request waits for what others send late. A piece that one peer has to deliver alone
  // is asked of one after the other, and takes no late answer: so time for two blocks at least, or each is
  // given up while its answer is on its way, for ever.
  peers_.SetPatience(rate_.TimeFor(std::max<uint64_t>(requested_bytes_, 2 * kBlockSize)) * 2);
  if (!picker_) return Arrival::kAskedFor;
  const bool others_asked = picker_->requesters(block) > (asked ? 1 : 0);
  if (picker_->Arrived(block, peer.slot, peer.sender()) == Picker::Arrival::kDuplicate) {
    totals_.bytes_wasted += length;
    return Arrival::kAskedFor;
  }
  last_arrival_ = context.now;
  if (last_whole_ == Instant{}) last_whole_ = context.now;
  if (others_asked) CancelElsewhere(block, &peer);
  Store(block, piece.bytes, context);
  return Arrival::kAskedFor;
}

void Downloads::Store(BlockRef block, const Slice& bytes, Ctx& context) {
  storing_bytes_ += bytes.size();
  context.out.File(StoreBlock{
      TokenOf(block, picker_->generation(block.piece)), kContentFile,
      uint64_t{block.piece.value()} * torrent_.metainfo().piece_length + uint64_t{block.block} * kBlockSize,
      bytes});
}

Downloads::Verdict Downloads::Stored(const BlockStored& stored, Ctx& context) {
  if (!picker_) return {};
  const BlockRef block = BlockOf(stored.token);
  storing_bytes_ -= BlockLength(block);
  std::optional<PieceRecord> record = picker_->Stored(block, GenerationOf(stored.token), stored.leaf);
  if (picker_->untouched(block.piece)) refill_all_ = true;  // it has started over
  return record ? Judge(block.piece, *std::move(record), context) : Verdict();
}

// All blocks of a piece are on disk. Its hash decides whether they ever count.
Downloads::Verdict Downloads::Judge(PieceIndex piece, PieceRecord record, Ctx& context) {
  const uint32_t index = piece.value();
  const bool verified = torrent_.metainfo().VerifyPiece(index, record.leaves);
  digest_.Add(uint64_t{index} << 1 | (verified ? 1 : 0));
  if (verified) {
    if (picker_->demanded_alone(piece)) {
      for (const Sender& sender : SendersOf(record)) demands_.Delivered(sender);
      refill_all_ = true;  // it may have its turn again
    }
    picker_->Accept(piece);
    if (!FromWebSeeds(record)) last_whole_ = context.now;
    return {true, piece, blame_.Passed(piece, record)};
  }
  ++totals_.pieces_rejected;
  totals_.bytes_wasted += torrent_.metainfo().piece_size(index);
  PieceRejected rejected{piece, {}};
  for (const Sender& sender : SendersOf(record)) rejected.peers.push_back(sender.address);
  context.out.Note(std::move(rejected));
  // Of several senders at least one lies, and which one only a correct copy can tell: the next attempt is
  // one peer's alone, so that it ends in that copy or in proof against that peer.
  Verdict verdict{false, piece, blame_.Failed(piece, std::move(record))};
  picker_->Reject(piece, true);
  refill_all_ = true;
  return verdict;
}

void Downloads::Gained(PieceIndex piece) {
  peers_.EachReady([&](Peer& peer) {
    // Who has it all the same keeps count of who else has it, if it is a seeder.
    const bool had = peer.pieces.Has(piece);
    if (!had || peer.pieces.all()) peers_.Queue(peer, wire::Have{piece});
    if (had) {
      --peer.useful;
      UpdateInterest(peer);
    }
  });
}

void Downloads::Lost(PieceIndex piece) {
  if (!picker_ || !torrent_.selection().Has(piece)) return;
  digest_.Add(uint64_t{piece.value()} << 1);
  peers_.EachReady([&](Peer& peer) {
    if (!peer.pieces.Has(piece)) return;
    ++peer.useful;
    UpdateInterest(peer);
  });
}

void Downloads::MayFetch(PieceIndex piece) {
  if (!picker_ || !torrent_.selection().Has(piece)) return;
  picker_->Lost(piece);
  refill_all_ = true;
}

void Downloads::Distrust(const Sender& sender) {
  if (picker_) picker_->Distrust(sender);
  refill_all_ = true;
}

void Downloads::CheckInvariants() const {
  CHECK(requested_bytes_ + storing_bytes_ <=
        2 * limits_.bytes_in_flight + uint64_t{kWebRangesAtOnce} * kWebRangeBytes);
  if (!picker_) return;
  picker_->CheckInvariants();
  CHECK(picker_->missing() + torrent_.held_back() == torrent_.needed());
}

uint64_t Downloads::Digest() const {
  RollingDigest digest = digest_;
  digest.Add(requested_bytes_);
  digest.Add(storing_bytes_);
  return digest.value();
}

}  // namespace bt::swarm
