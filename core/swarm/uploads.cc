#include "core/swarm/uploads.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace bt::swarm {

// --- requests ---

bool Uploads::OnRequest(Peer& peer, const wire::BlockSpan& span, Ctx& context) {
  const Metainfo& metainfo = torrent_.metainfo();
  const uint32_t piece = span.piece.value();
  if (piece >= metainfo.piece_count() || span.length == 0 || span.length > kBlockSize ||
      span.offset >= metainfo.piece_size(piece)) {
    return false;
  }
  // BEP 52 hashes whole blocks: who knows the content as v2 only (libtorrent) asks for the last one whole
  // too.
  const bool past_end = span.length > metainfo.piece_size(piece) - span.offset;
  const bool padded = peer.under.pads_last_block() && span.offset % kBlockSize == 0 &&
                      span.length == kBlockSize && piece + 1 == metainfo.piece_count();
  const bool serve = !peer.am_choking && torrent_.verified().Has(span.piece) &&
                     peer.asked.size() < limits_.waiting_requests && (!past_end || padded);
  if (serve) {
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
  while (!peer.asked.empty() && peer.queued_total - peer.sent_total < limits_.link_queue_bytes) {
    const wire::BlockSpan span = peer.asked.front();
    peer.asked.pop_front();
    if (torrent_.verified().Has(span.piece)) {
      SendBlock(peer, span, context);
    } else if (peer.fast) {
      peers_.Queue(peer, wire::Reject{span});
    }
  }
}

// Of a block that reaches past the content (see OnRequest) what the file has, and zeros.
void Uploads::SendBlock(Peer& peer, const wire::BlockSpan& span, Ctx& context) {
  peers_.Flush(peer, context);
  const Metainfo& metainfo = torrent_.metainfo();
  const uint32_t held = std::min(span.length, metainfo.piece_size(span.piece.value()) - span.offset);
  context.out.Link(
      LinkSendFile{peer.link, Slice::Own(wire::BlockHeader(span.piece, span.offset, span.length)),
                   kContentFile, uint64_t{span.piece.value()} * metainfo.piece_length + span.offset, held});
  if (held < span.length) {
    context.out.Link(LinkSendBytes{peer.link, Slice::Own(std::string(span.length - held, '\0'))});
  }
  peer.queued_total += wire::kBlockHeaderSize + span.length;
  peer.taken += span.length;
  peer.last_sent = context.now;
  totals_.bytes_sent += held;
}

// --- choking ---

void Uploads::OnInterest(Peer& peer, bool interested, Ctx& context) {
  peer.peer_interested = interested;
  if (!interested) SetChoking(peer, true);
  FillSlots(context);
}

void Uploads::Left(const Peer& peer) {
  if (peer.state != Peer::State::kReady) return;
  if (!peer.am_choking) --unchoked_;
  choker_.Left(peer.slot);
}

void Uploads::SetChoking(Peer& peer, bool choking) {
  if (peer.am_choking == choking) return;
  peer.am_choking = choking;
  unchoked_ += choking ? -1 : 1;
  if (!choking) return peers_.Queue(peer, wire::Unchoke{});
  peers_.Queue(peer, wire::Choke{});
  // BEP 6: what was asked before the choke is answered, here with rejects.
  if (peer.fast) {
    for (const wire::BlockSpan& span : peer.asked) peers_.Queue(peer, wire::Reject{span});
  }
  peer.asked.clear();
}

void Uploads::FillSlots(Ctx& context) {
  bool waiting = false;
  peers_.EachReady([&](Peer& peer) {
    if (!peer.peer_interested || !peer.am_choking) return;
    if (unchoked_ < choker_.slots()) {
      SetChoking(peer, false);
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
  peers_.EachReady(
      [&](Peer& peer) { SetChoking(peer, !std::binary_search(chosen.begin(), chosen.end(), peer.slot)); });
  if (contended) context.out.Arm(Protocol::Timer::kChoke, context.now + choke_interval_);
}

}  // namespace bt::swarm
