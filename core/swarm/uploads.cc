#include "core/swarm/uploads.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace bt::swarm {

namespace {

constexpr uint64_t kSlotBytes =
    8 << 10;  // a second: who is given less takes us for dead (Timing::snub_after)

}  // namespace

// As many as the limit of bytes feeds.
uint32_t Uploads::Slots(const Config& config) {
  if (config.upload_limit == 0) return config.upload_slots;
  return static_cast<uint32_t>(
      std::clamp<uint64_t>(config.upload_limit / kSlotBytes, 1, std::max(1u, config.upload_slots)));
}

// --- spreading ---

void Uploads::BeginSpreading(Ctx& context) {
  if (spreader_) return;
  spreader_.emplace(torrent_.metainfo().piece_count(), context.rng);
  peers_.EachReady([&](Peer& peer) {
    if (!peer.am_choking && peer.peer_interested && peer.fast) spreader_->Join(peer.slot);
    for (uint32_t i = 0; i < peer.pieces.size(); ++i) PeerHas(peer, PieceIndex(i), context);
  });
}

void Uploads::PeerHas(const Peer& peer, PieceIndex piece, Ctx& context) {
  if (spreader_ && peer.pieces.Has(piece)) spreader_->Has(peer.slot, piece, context.now);
}

void Uploads::Lost(PieceIndex piece) {
  if (spreader_) spreader_->LeaveOut(piece);
}

void Uploads::Spread(Ctx& context) {
  if (!spreader_) return;
  spreader_->Expire(context.now);
  while (const auto due = spreader_->Next(context.now)) {
    Peer& peer = peers_.At(due->peer);
    // A piece that was given to this very peer, and taken back when the peer was choked, comes back to it.
    if (peer.pieces.Has(due->piece)) {
      spreader_->LeaveOut(due->piece);
    } else {
      peers_.Queue(peer, wire::Suggest{due->piece});
    }
  }
  peers_.WakeAt(spreader_->deadline(), context);
}

// Whether the peer is to be told which pieces to take.
void Uploads::SetSpreading(Peer& peer, bool spreading, Ctx& context) {
  if (!spreader_ || !peer.fast) return;
  if (!spreading) return spreader_->Leave(peer.slot);
  spreader_->Join(peer.slot);
  Spread(context);
}

// --- requests ---

bool Uploads::OnRequest(Peer& peer, const wire::BlockSpan& span, Ctx& context) {
  const Metainfo& metainfo = torrent_.metainfo();
  const uint32_t piece = span.piece.value();
  if (piece >= metainfo.piece_count() || span.length == 0 || span.length > kBlockSize ||
      span.offset >= metainfo.padded_piece_size(piece)) {
    return false;
  }
  // BEP 52 hashes whole blocks: who knows the content as v2 only (libtorrent) asks for a file's last one
  // whole too. On the v1 side of a tree the zeros behind a file are part of its last piece.
  const uint64_t end = uint64_t{span.offset} + span.length;
  const bool past_end = end > metainfo.padded_piece_size(piece);
  const bool padded = peer.under.pads_last_block() && span.offset % kBlockSize == 0 &&
                      span.length == kBlockSize && span.offset < metainfo.piece_size(piece);
  const bool serve = !peer.am_choking && torrent_.verified().Has(span.piece) &&
                     peer.asked.size() < limits_.waiting_requests && (!past_end || padded);
  if (serve) {
    if (spreader_) spreader_->Asked(peer.slot, span.piece, context.now);
    peer.asked.push_back(span);
    Serve(peer, context);
  } else if (peer.fast) {
    peers_.Queue(peer, wire::Reject{span});
  }
  return true;
}

void Uploads::OnCancel(Peer& peer, const wire::BlockSpan& span) {
  const auto found = std::find(peer.asked.begin(), peer.asked.end(), span);
  if (found == peer.asked.end()) return;
  peer.asked.erase(found);
  // BEP 6: a cancelled request is still answered.
  if (peer.fast) peers_.Queue(peer, wire::Reject{span});
}

void Uploads::Serve(Peer& peer, Ctx& context) {
  if (throttle_.limits()) return ServeInTurns(context);
  while (HasWork(peer)) ServeOne(peer, context);
}

void Uploads::Wake(Ctx& context) {
  if (throttle_.limits()) ServeInTurns(context);
}

// Those who wait under the former limit may wait for longer than the new one has them wait.
void Uploads::LimitChanged(const Config& config, Ctx& context) {
  throttle_.SetRate(config.upload_limit, context.now);
  choker_.SetSlots(Slots(config));
  ServeInTurns(context);
}

// It waits for a block, and its link has room for one.
bool Uploads::HasWork(const Peer& peer) const {
  return !peer.asked.empty() &&
         peer.queued_total - peer.sent_total < std::min(peer.queue_bytes, limits_.link_queue_bytes);
}

Peer* Uploads::NextInTurn() {
  Peer* first = nullptr;
  Peer* next = nullptr;
  peers_.EachReady([&](Peer& peer) {
    if (!HasWork(peer)) return;
    if (first == nullptr) first = &peer;
    if (next == nullptr && peer.slot > turn_) next = &peer;
  });
  return next != nullptr ? next : first;
}

// A block each: otherwise the first peer of the table would get all that the limit allows.
void Uploads::ServeInTurns(Ctx& context) {
  while (Peer* peer = NextInTurn()) {
    if (!throttle_.Open(context.now)) return peers_.WakeAt(throttle_.next(context.now), context);
    turn_ = peer->slot;
    ServeOne(*peer, context);
  }
}

void Uploads::ServeOne(Peer& peer, Ctx& context) {
  const wire::BlockSpan span = peer.asked.front();
  peer.asked.pop_front();
  if (torrent_.verified().Has(span.piece)) {
    SendBlock(peer, span, context);
  } else if (peer.fast) {
    peers_.Queue(peer, wire::Reject{span});
  }
}

// Of a block that reaches past its file (see OnRequest) what the file has, and zeros.
void Uploads::SendBlock(Peer& peer, const wire::BlockSpan& span, Ctx& context) {
  peers_.Flush(peer, context);
  const Metainfo& metainfo = torrent_.metainfo();
  const uint32_t size = metainfo.piece_size(span.piece.value());
  const uint32_t held = span.offset < size ? std::min(span.length, size - span.offset) : 0;
  Slice header = Slice::Own(wire::BlockHeader(span.piece, span.offset, span.length));
  if (held == 0) {
    context.out.Link(LinkSendBytes{peer.link, std::move(header)});
  } else {
    context.out.Link(LinkSendFile{peer.link, std::move(header), kContentFile,
                                  uint64_t{span.piece.value()} * metainfo.piece_length + span.offset, held});
  }
  if (held < span.length) {
    context.out.Link(LinkSendBytes{peer.link, Slice::Own(std::string(span.length - held, '\0'))});
  }
  peer.queued_total += wire::kBlockHeaderSize + span.length;
  peer.taken += span.length;
  peer.last_sent = context.now;
  totals_.bytes_sent += held;
  throttle_.Spend(span.length, context.now);
}

// --- choking ---

// Who is not interested keeps its slot until somebody else needs it: interest comes and goes with every piece
// of who has few, and each choke would cost it what it is about to ask for, and a round trip.
void Uploads::OnInterest(Peer& peer, bool interested, Ctx& context) {
  peer.peer_interested = interested;
  if (!peer.am_choking) SetSpreading(peer, interested, context);
  FillSlots(context);
}

void Uploads::Left(const Peer& peer) {
  if (peer.state != Peer::State::kReady) return;
  if (!peer.am_choking) --unchoked_;
  choker_.Left(peer.slot);
  if (spreader_) spreader_->Leave(peer.slot);
}

void Uploads::SetChoking(Peer& peer, bool choking, Ctx& context) {
  if (peer.am_choking == choking) return;
  peer.am_choking = choking;
  unchoked_ += choking ? -1 : 1;
  // Whom it unchokes it first tells what to ask for.
  SetSpreading(peer, !choking, context);
  if (!choking) return peers_.Queue(peer, wire::Unchoke{});
  peers_.Queue(peer, wire::Choke{});
  // BEP 6: what was asked before the choke is answered, here with rejects.
  if (peer.fast) {
    for (const wire::BlockSpan& span : peer.asked) peers_.Queue(peer, wire::Reject{span});
  }
  peer.asked.clear();
}

// Whether there is a slot for one more, if need be that of somebody who is not interested.
bool Uploads::FindSlot(Ctx& context) {
  if (unchoked_ < choker_.slots()) return true;
  peers_.EachReady([&](Peer& peer) {
    if (unchoked_ >= choker_.slots() && !peer.am_choking && !peer.peer_interested)
      SetChoking(peer, true, context);
  });
  return unchoked_ < choker_.slots();
}

void Uploads::FillSlots(Ctx& context) {
  bool waiting = false;
  peers_.EachReady([&](Peer& peer) {
    if (!peer.peer_interested || !peer.am_choking || waiting) return;
    if (FindSlot(context)) {
      SetChoking(peer, false, context);
    } else {
      waiting = true;
    }
  });
  if (waiting && !context.out.timers.armed(Protocol::Timer::kChoke)) {
    context.out.Arm(Protocol::Timer::kChoke, context.now + choke_interval_);
  }
}

void Uploads::ChokeRound(Ctx& context) {
  std::vector<ChokeCandidate> candidates;
  peers_.EachReady([&](Peer& peer) {
    if (peer.peer_interested) candidates.push_back({peer.slot, peer.given, peer.taken, peer.snubbed});
    peer.given = peer.taken = 0;
  });
  const bool contended = candidates.size() > choker_.slots();
  const std::vector<uint32_t> chosen =
      choker_.Choose(std::move(candidates), torrent_.verified().all(), context.rng);
  peers_.EachReady([&](Peer& peer) {
    SetChoking(peer, !std::binary_search(chosen.begin(), chosen.end(), peer.slot), context);
  });
  if (contended) context.out.Arm(Protocol::Timer::kChoke, context.now + choke_interval_);
}

}  // namespace bt::swarm
