#include "core/swarm/picker.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/swarm/config.h"

namespace bt::swarm {

Picker::Picker(const Metainfo& metainfo, const PieceMap& have, Rng& rng) : metainfo_(&metainfo) {
  const uint32_t pieces = metainfo.piece_count();
  CHECK(have.size() == pieces);
  state_.assign(pieces, State::kMissing);
  demand_alone_.assign(pieces, false);
  availability_.assign(pieces, 0);
  place_.assign(pieces, kNone);
  slot_of_.assign(pieces, kNone);
  unstarted_ = PieceMap(pieces);
  for (uint32_t i = 0; i < pieces; ++i) {
    if (have.Has(PieceIndex(i))) {
      state_[i] = State::kDone;
    } else {
      order_.push_back(PieceIndex(i));
      unstarted_.Add(PieceIndex(i));
    }
  }
  missing_ = static_cast<uint32_t>(order_.size());
  rng.Shuffle(order_);
  for (uint32_t i = 0; i < order_.size(); ++i) place_[order_[i].value()] = i;
  begin_.assign(1, 0);
}

// --- availability: order_ is sorted by it, begin_[a] is where "at least a" begins ---

uint32_t Picker::End(uint32_t availability) const {
  return availability + 1 < begin_.size() ? begin_[availability + 1] : static_cast<uint32_t>(order_.size());
}

void Picker::SwapPlaces(uint32_t a, uint32_t b) {
  if (a == b) return;
  std::swap(order_[a], order_[b]);
  place_[order_[a].value()] = a;
  place_[order_[b].value()] = b;
}

void Picker::Increase(PieceIndex piece) {
  const uint32_t old = availability_[piece.value()]++;
  if (old + 1 >= begin_.size()) begin_.resize(old + 2, static_cast<uint32_t>(order_.size()));
  if (place_[piece.value()] == kNone) return;
  const uint32_t last = End(old) - 1;
  SwapPlaces(place_[piece.value()], last);
  --begin_[old + 1];
}

void Picker::Decrease(PieceIndex piece) {
  CHECK(availability_[piece.value()] > 0);
  const uint32_t old = availability_[piece.value()]--;
  if (place_[piece.value()] == kNone) return;
  SwapPlaces(place_[piece.value()], begin_[old]);
  ++begin_[old];
}

void Picker::Insert(PieceIndex piece) {
  CHECK(place_[piece.value()] == kNone);
  // Comes in as the most available and sinks to its bucket.
  order_.push_back(piece);
  unstarted_.Add(piece);
  place_[piece.value()] = static_cast<uint32_t>(order_.size()) - 1;
  for (uint32_t a = static_cast<uint32_t>(begin_.size()) - 1; a > availability_[piece.value()]; --a) {
    SwapPlaces(place_[piece.value()], begin_[a]);
    ++begin_[a];
  }
}

void Picker::Remove(PieceIndex piece) {
  CHECK(place_[piece.value()] != kNone);
  for (uint32_t a = availability_[piece.value()]; a < begin_.size(); ++a) {
    SwapPlaces(place_[piece.value()], End(a) - 1);
    if (a + 1 < begin_.size()) --begin_[a + 1];
  }
  CHECK(order_.back() == piece);
  order_.pop_back();
  unstarted_.Remove(piece);
  place_[piece.value()] = kNone;
}

void Picker::AddPeer(const PieceMap& pieces) {
  if (pieces.none()) return;
  if (pieces.all()) {
    // Everything moves up by one: so do the buckets.
    for (uint32_t& availability : availability_) ++availability;
    begin_.insert(begin_.begin(), 0);
    return;
  }
  for (uint32_t i = 0; i < pieces.size(); ++i) {
    if (pieces.Has(PieceIndex(i))) Increase(PieceIndex(i));
  }
}

void Picker::RemovePeer(const PieceMap& pieces) {
  if (pieces.none()) return;
  if (pieces.all()) {
    for (uint32_t& availability : availability_) --availability;
    CHECK(begin_.size() > 1 && begin_[1] == 0);
    begin_.erase(begin_.begin());
    return;
  }
  for (uint32_t i = 0; i < pieces.size(); ++i) {
    if (pieces.Has(PieceIndex(i))) Decrease(PieceIndex(i));
  }
}

void Picker::PeerHas(PieceIndex piece) { Increase(piece); }
void Picker::PeerLost(PieceIndex piece) { Decrease(piece); }

// --- picking ---

std::optional<PieceIndex> Picker::Rarest(const PieceMap& pieces, Rng& rng, MayDemand may_demand) const {
  const uint32_t first = begin_.size() > 1 ? begin_[1] : static_cast<uint32_t>(order_.size());
  const uint32_t candidates = static_cast<uint32_t>(order_.size()) - first;
  if (candidates == 0 || pieces.none()) return std::nullopt;
  // A newcomer has nothing to trade: a random piece spreads newcomers apart (BEP 3's "random first").
  const bool at_random = done_here_ < kRandomPieces;
  const uint32_t start = at_random ? static_cast<uint32_t>(rng.Below(candidates)) : 0;
  for (uint32_t i = 0; i < candidates; ++i) {
    const uint32_t at = start + i < candidates ? start + i : start + i - candidates;
    const PieceIndex piece = order_[first + at];
    if (pieces.Has(piece) && (!demand_alone_[piece.value()] || may_demand(piece))) return piece;
  }
  return std::nullopt;
}

void Picker::Take(uint32_t index, uint32_t count, std::vector<BlockRef>& out) {
  Slot& slot = slots_[index];
  while (count > 0 && slot.free > 0) {
    Block& block = slot.blocks[slot.first_free];
    if (block.state == BlockState::kFree) {
      block.state = BlockState::kRequested;
      block.requesters = 1;
      --slot.free;
      --count;
      out.push_back({slot.piece, slot.first_free});
    }
    ++slot.first_free;
  }
  SetOpen(index);
}

// Blocks of pieces in progress that are `eligible`, until `out` holds `target`. What nobody owns is the
// peer's now.
void Picker::TakeOpen(PeerSlot peer, const PieceMap& pieces, size_t target, Eligible eligible,
                      std::vector<BlockRef>& out) {
  for (size_t i = 0; i < open_.size() && out.size() < target;) {
    const uint32_t index = open_[i];
    Slot& slot = slots_[index];
    if (!slot.discard && pieces.Has(slot.piece) && eligible(slot)) {
      if (slot.owner == kNobody) slot.owner = peer;
      Take(index, static_cast<uint32_t>(target - out.size()), out);
      if (slot.open_at == kNone) continue;  // another slot has moved into place i
    }
    ++i;
  }
}

// First what this peer has begun, then what nobody owns, then a new piece, then what others have begun.
void Picker::Pick(PeerSlot peer, const PieceMap& pieces, uint32_t count, Instant now, Rng& rng,
                  MayDemand may_demand, std::vector<BlockRef>& out) {
  const size_t target = out.size() + count;
  TakeOpen(
      peer, pieces, target, [&](const Slot& slot) { return slot.owner == peer; }, out);
  TakeOpen(
      peer, pieces, target, [&](const Slot& slot) { return slot.owner == kNobody && !slot.alone; }, out);
  while (out.size() < target && used_ < kPiecesInProgressLimit) {
    const std::optional<PieceIndex> piece = Rarest(pieces, rng, may_demand);
    if (!piece) break;
    Take(Open(*piece, peer, now), static_cast<uint32_t>(target - out.size()), out);
  }
  TakeOpen(
      peer, pieces, target, [&](const Slot& slot) { return !slot.alone; }, out);
}

bool Picker::AnythingFor(PeerSlot peer, const PieceMap& pieces, MayDemand may_demand) const {
  const auto open = [&](uint32_t index) {
    const Slot& slot = slots_[index];
    return !slot.discard && pieces.Has(slot.piece) && (slot.owner == peer || !slot.alone);
  };
  const auto missing = [&](PieceIndex piece) { return !demand_alone_[piece.value()] || may_demand(piece); };
  return std::any_of(open_.begin(), open_.end(), open) ||
         (used_ < kPiecesInProgressLimit && unstarted_.FindInBoth(pieces, missing).has_value());
}

void Picker::PickSuggested(PeerSlot peer, const PieceMap& pieces, uint32_t count, Instant now,
                           MayDemand may_demand, uint32_t sources, std::deque<PieceIndex>& suggested,
                           std::vector<BlockRef>& out) {
  const size_t target = out.size() + count;
  // Of what nobody owns others may finish what they have.
  const auto own = [&](const Slot& slot) {
    const bool left_over = slot.owner == kNobody && !slot.alone;
    return slot.owner == peer || (left_over && availability_[slot.piece.value()] <= sources);
  };
  TakeOpen(peer, pieces, target, own, out);
  while (out.size() < target && !suggested.empty() && used_ < kPiecesInProgressLimit) {
    const PieceIndex piece = suggested.front();
    suggested.pop_front();
    if (!untouched(piece) || !pieces.Has(piece)) continue;
    if (demand_alone_[piece.value()] && !may_demand(piece)) continue;
    Take(Open(piece, peer, now), static_cast<uint32_t>(target - out.size()), out);
  }
}

void Picker::PickEndgame(const PieceMap& pieces, std::span<const BlockRef> already, uint32_t count,
                         std::vector<BlockRef>& out) {
  for (Slot& slot : slots_) {
    if (!slot.used || slot.alone || slot.discard || !pieces.Has(slot.piece)) continue;
    for (uint32_t i = 0; i < slot.blocks.size(); ++i) {
      if (count == 0) return;
      Block& block = slot.blocks[i];
      if (block.state != BlockState::kRequested || block.requesters >= kEndgameRequesters) continue;
      const BlockRef reference{slot.piece, i};
      if (std::find(already.begin(), already.end(), reference) != already.end()) continue;
      ++block.requesters;
      --count;
      out.push_back(reference);
    }
  }
}

// --- pieces in progress ---

Picker::Slot* Picker::Find(PieceIndex piece) {
  const uint32_t slot = slot_of_[piece.value()];
  return slot == kNone ? nullptr : &slots_[slot];
}
const Picker::Slot* Picker::Find(PieceIndex piece) const {
  const uint32_t slot = slot_of_[piece.value()];
  return slot == kNone ? nullptr : &slots_[slot];
}

uint32_t Picker::Open(PieceIndex piece, PeerSlot owner, Instant now) {
  Remove(piece);
  uint32_t index;
  if (unused_.empty()) {
    index = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    index = unused_.back();
    unused_.pop_back();
  }
  Slot& slot = slots_[index];
  const uint32_t blocks = metainfo_->block_count(piece.value());
  slot.piece = piece;
  slot.generation = next_generation_;
  next_generation_ = (next_generation_ + 1) & 0x3fffffff;
  slot.owner = owner;
  slot.used = true;
  slot.alone = demand_alone_[piece.value()];
  slot.discard = false;
  slot.free = blocks;
  slot.storing = slot.stored = slot.first_free = 0;
  slot.since = now;
  slot.blocks.assign(blocks, Block{});
  slot.record.leaves.assign(blocks, Sha256Digest{});
  slot.record.sender_of.assign(blocks, 0);
  slot.record.senders.clear();
  slot_of_[piece.value()] = index;
  state_[piece.value()] = State::kInProgress;
  ++used_;
  if (slot.alone) ++alone_in_progress_;
  SetOpen(index);
  return index;
}

void Picker::Close(uint32_t index) {
  Slot& slot = slots_[index];
  slot.free = 0;
  SetOpen(index);
  slot_of_[slot.piece.value()] = kNone;
  slot.used = false;
  if (slot.alone) --alone_in_progress_;
  --used_;
  unused_.push_back(index);
}

// Keeps open_ in step with `free`.
void Picker::SetOpen(uint32_t index) {
  Slot& slot = slots_[index];
  if (slot.free > 0 && slot.open_at == kNone) {
    slot.open_at = static_cast<uint32_t>(open_.size());
    open_.push_back(index);
  } else if (slot.free == 0 && slot.open_at != kNone) {
    open_[slot.open_at] = open_.back();
    slots_[open_.back()].open_at = slot.open_at;
    open_.pop_back();
    slot.open_at = kNone;
  }
}

void Picker::Free(uint32_t index, uint32_t block) {
  Slot& slot = slots_[index];
  slot.blocks[block] = Block{};
  ++slot.free;
  slot.first_free = std::min(slot.first_free, block);
  SetOpen(index);
}

// The piece goes back to the missing ones. Not while a block is being stored: that write would race
// with the next one to the same place in the file.
void Picker::StartOver(uint32_t index) {
  Slot& slot = slots_[index];
  if (slot.storing > 0) {
    slot.discard = true;
    return;
  }
  const PieceIndex piece = slot.piece;
  Close(index);
  state_[piece.value()] = State::kMissing;
  Insert(piece);
}

void Picker::Release(BlockRef reference) {
  Slot* slot = Find(reference.piece);
  if (slot == nullptr) return;
  Block& block = slot->blocks[reference.block];
  if (block.state != BlockState::kRequested) return;
  if (block.requesters > 0) --block.requesters;
  if (block.requesters == 0) Free(slot_of_[reference.piece.value()], reference.block);
}

void Picker::Disown(PeerSlot peer) {
  for (uint32_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].used || slots_[i].owner != peer) continue;
    slots_[i].owner = kNobody;
    if (slots_[i].alone) StartOver(i);
  }
}

std::optional<PieceIndex> Picker::RarestUntouched() const {
  if (order_.empty() || used_ >= kPiecesInProgressLimit) return std::nullopt;
  return order_.front();
}

void Picker::TakeWhole(PieceIndex piece, PeerSlot peer, Instant now) {
  CHECK(untouched(piece) && used_ < kPiecesInProgressLimit);
  const uint32_t index = Open(piece, peer, now);
  std::vector<BlockRef> blocks;
  Take(index, slots_[index].free, blocks);
}

void Picker::StartIdleOver() {
  for (uint32_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    const auto requested = [](const Block& block) { return block.state == BlockState::kRequested; };
    if (!slot.used || slot.storing > 0) continue;
    if (std::none_of(slot.blocks.begin(), slot.blocks.end(), requested)) StartOver(i);
  }
}

void Picker::GiveUpAll(PeerSlot peer) {
  for (const Slot& slot : slots_) {
    if (!slot.used || slot.owner != peer) continue;
    for (uint32_t block = 0; block < slot.blocks.size(); ++block) Release({slot.piece, block});
  }
  Disown(peer);
}

bool Picker::TakeBack(PeerSlot peer, PieceIndex piece) {
  const Slot* slot = Find(piece);
  if (slot == nullptr || !slot->alone || slot->owner != peer) return false;
  StartOver(slot_of_[piece.value()]);
  return true;
}

std::vector<PieceIndex> Picker::ExpireAlone(PeerSlot peer, Instant since) {
  std::vector<PieceIndex> expired;
  for (uint32_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (!slot.used || !slot.alone || slot.owner != peer || slot.since > since) continue;
    expired.push_back(slot.piece);
    StartOver(i);
  }
  return expired;
}

uint32_t Picker::requesters(BlockRef reference) const {
  const Slot* slot = Find(reference.piece);
  return slot == nullptr ? 0 : slot->blocks[reference.block].requesters;
}

uint32_t Picker::generation(PieceIndex piece) const {
  const Slot* slot = Find(piece);
  CHECK(slot != nullptr);
  return slot->generation;
}

Picker::Arrival Picker::Arrived(BlockRef reference, PeerSlot peer, const Sender& sender) {
  Slot* slot = Find(reference.piece);
  if (slot == nullptr || slot->discard) return Arrival::kDuplicate;
  // A piece demanded of one peer alone takes nothing from a second one (a late answer).
  if (slot->alone && slot->owner != peer) return Arrival::kDuplicate;
  Block& block = slot->blocks[reference.block];
  if (block.state == BlockState::kStoring || block.state == BlockState::kStored) return Arrival::kDuplicate;
  PieceRecord& record = slot->record;
  size_t known = 0;
  while (known < record.senders.size() && !record.senders[known].Same(sender)) ++known;
  if (known == record.senders.size()) {
    if (known > UINT16_MAX) return Arrival::kDuplicate;
    record.senders.push_back(sender);
  }
  record.sender_of[reference.block] = static_cast<uint16_t>(known);
  if (block.state == BlockState::kFree) {
    --slot->free;
    SetOpen(slot_of_[reference.piece.value()]);
  }
  block.state = BlockState::kStoring;
  block.requesters = 0;
  ++slot->storing;
  return Arrival::kWanted;
}

std::optional<PieceRecord> Picker::Stored(BlockRef reference, uint32_t generation, const Sha256Digest& leaf) {
  Slot* slot = Find(reference.piece);
  CHECK(slot != nullptr && slot->generation == generation);
  Block& block = slot->blocks[reference.block];
  CHECK(block.state == BlockState::kStoring);
  const uint32_t index = slot_of_[reference.piece.value()];
  block.state = BlockState::kStored;
  --slot->storing;
  ++slot->stored;
  slot->record.leaves[reference.block] = leaf;
  if (slot->discard) {
    StartOver(index);
    return std::nullopt;
  }
  if (slot->stored < slot->blocks.size()) return std::nullopt;
  PieceRecord record = std::move(slot->record);
  Close(index);
  state_[reference.piece.value()] = State::kChecking;
  return record;
}

void Picker::Accept(PieceIndex piece) {
  CHECK(state_[piece.value()] == State::kChecking);
  state_[piece.value()] = State::kDone;
  demand_alone_[piece.value()] = false;
  --missing_;
  ++done_here_;
}

void Picker::Reject(PieceIndex piece, bool alone) {
  CHECK(state_[piece.value()] == State::kChecking);
  state_[piece.value()] = State::kMissing;
  demand_alone_[piece.value()] = alone;
  Insert(piece);
}

void Picker::Lost(PieceIndex piece) {
  CHECK(state_[piece.value()] == State::kDone);
  state_[piece.value()] = State::kMissing;
  ++missing_;
  Insert(piece);
}

void Picker::Distrust(const Sender& sender) {
  for (uint32_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (!slot.used) continue;
    for (uint32_t s = 0; s < slot.record.senders.size(); ++s) {
      if (!slot.record.senders[s].Same(sender)) continue;
      for (uint32_t b = 0; b < slot.blocks.size(); ++b) {
        if (slot.blocks[b].state != BlockState::kStored || slot.record.sender_of[b] != s) continue;
        --slot.stored;
        Free(i, b);
      }
    }
  }
}

void Picker::CheckInvariants() const {
  CHECK(open_.size() <= used_ && used_ <= kPiecesInProgressLimit);
  CHECK(order_.size() <= missing_ && order_.size() == unstarted_.count());
  CHECK(begin_[0] == 0);
}

}  // namespace bt::swarm
