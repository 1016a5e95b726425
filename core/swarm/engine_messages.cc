// What each message of the peer wire does.

#include <algorithm>
#include <utility>

#include "core/base/overloaded.h"
#include "core/swarm/engine.h"

namespace bt::swarm {
void Client::Engine::OnMessage(Peer& peer, const wire::Message& message, Ctx& context) {
  std::visit(
      Overloaded{
          [&](const wire::Piece& piece) { OnBlock(peer, piece, context); },
          [&](const wire::Request& request) { OnRequest(peer, request.block, context); },
          [&](const wire::Cancel& cancel) { OnCancel(peer, cancel.block); },
          [&](const wire::Have& have) { OnHave(peer, have.piece, context); },
          [&](const wire::Reject& reject) { OnReject(peer, reject.block, context); },
          [&](const wire::KeepAlive&) {},
          [&](const wire::Choke&) {
            peer.peer_choking = true;
            GiveUpRequests(peer, false);
            if (picker_) picker_->Disown(peer.slot);
            refill_all_ = true;
          },
          [&](const wire::Unchoke&) { peer.peer_choking = false; },
          [&](const wire::Interested&) {
            peer.peer_interested = true;
            FillSlots(context);
          },
          [&](const wire::NotInterested&) {
            peer.peer_interested = false;
            SetChoking(peer, true);
            FillSlots(context);
          },
          [&](const wire::Bitfield& bitfield) {
            auto pieces = PieceMap::FromBitfield(bitfield.bits.view(), metainfo_->piece_count());
            if (!pieces) return ProtocolError(peer, "bitfield of wrong length or with spare bits", context);
            OnPieces(peer, *std::move(pieces), context);
          },
          [&](const wire::HaveAll&) { OnPieces(peer, PieceMap::All(metainfo_->piece_count()), context); },
          [&](const wire::HaveNone&) { OnPieces(peer, PieceMap(metainfo_->piece_count()), context); },
          [&](const wire::ExtendedHandshake& handshake) {
            if (handshake.reqq) peer.reqq = std::max(1u, *handshake.reqq);
            if (handshake.port && peer.inbound()) peer.listens.port = *handshake.port;
          },
          [&](const wire::HashRequest& request) {
            if (!peer.under.v2()) return ProtocolError(peer, "hash message on a v1 connection", context);
            // Every client of this content has the piece layers from its torrent.
            Queue(peer, wire::HashReject{request.span});
          },
          [&](const wire::Hashes&) {
            ProtocolError(peer,
                          peer.under.v2() ? "hashes nobody asked for" : "hash message on a v1 connection",
                          context);
          },
          [&](const wire::HashReject&) {
            ProtocolError(
                peer, peer.under.v2() ? "hash reject nobody asked for" : "hash message on a v1 connection",
                context);
          },
          [&](const wire::Ignored&) { ++totals_.messages_ignored; },
      },
      message);
}

// A bitfield, also a repeated one (aria2 sends such), replaces what was known.
void Client::Engine::OnPieces(Peer& peer, PieceMap pieces, Ctx& context) {
  if (picker_) picker_->RemovePeer(peer.pieces);
  peer.pieces = std::move(pieces);
  AdoptPieces(peer);
  if (phase_ == Phase::kOffering && complete() && peer.pieces.all()) {
    Disconnect(peer, "both complete", false, context);
  }
}

void Client::Engine::AdoptPieces(Peer& peer) {
  if (!picker_) return;
  picker_->AddPeer(peer.pieces);
  PieceMap useful = peer.pieces;
  useful.RemoveAll(verified_);
  peer.useful = useful.count();
  UpdateInterest(peer);
}

void Client::Engine::OnHave(Peer& peer, PieceIndex piece, Ctx& context) {
  if (piece.value() >= metainfo_->piece_count()) return ProtocolError(peer, "have of no such piece", context);
  if (!peer.pieces.Add(piece)) return;
  if (picker_) {
    picker_->PeerHas(piece);
    if (!verified_.Has(piece)) {
      ++peer.useful;
      UpdateInterest(peer);
    }
  }
  if (phase_ == Phase::kOffering && complete() && peer.pieces.all()) {
    Disconnect(peer, "both complete", false, context);
  }
}

void Client::Engine::UpdateInterest(Peer& peer) {
  const bool interested = phase_ == Phase::kDownloading && peer.useful > 0;
  if (interested == peer.am_interested) return;
  peer.am_interested = interested;
  if (interested) {
    Queue(peer, wire::Interested{});
  } else {
    Queue(peer, wire::NotInterested{});
  }
}

void Client::Engine::OnReject(Peer& peer, const wire::BlockSpan& span, Ctx& context) {
  if (!peer.fast) return ProtocolError(peer, "reject without the fast extension", context);
  if (span.piece.value() >= metainfo_->piece_count() || span.offset % kBlockSize != 0) return;
  const BlockRef block{span.piece, span.offset / kBlockSize};
  const auto stale = std::find(peer.stale.begin(), peer.stale.end(), block);
  const auto request = std::find(peer.requests.begin(), peer.requests.end(), block);
  if (request == peer.requests.end()) {
    if (stale != peer.stale.end()) peer.stale.erase(stale);
    return;
  }
  peer.requests.erase(request);
  requested_bytes_ -= kBlockSize;
  picker_->Release(block);
  refill_all_ = true;
  // It does not give this piece after all: asking again would go round in circles.
  if (peer.pieces.Remove(span.piece)) {
    picker_->PeerLost(span.piece);
    if (!verified_.Has(span.piece)) --peer.useful;
    UpdateInterest(peer);
  }
}

}  // namespace bt::swarm
